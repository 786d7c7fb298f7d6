//! What went wrong: what was tried, with values, what came of it, and what to do next.

use std::io;
use std::time::Duration;

/// Everything the library can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's words mean nothing.
    #[error("{text:?} is no {wanted}")]
    Words {
        /// What was said.
        text: String,
        /// What it should have been.
        wanted: &'static str,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Its answer.
        source: io::Error,
        /// What helps.
        next: &'static str,
    },
    /// An access that the region does not hold.
    #[error("{bytes} bytes at {offset:#x} of {region}, which has {length:#x}")]
    Bounds {
        /// Configuration space, a BAR, or memory.
        region: String,
        /// First byte.
        offset: u64,
        /// Bytes of the access.
        bytes: u64,
        /// Bytes there are.
        length: u64,
    },
    /// This way to the function cannot do that.
    #[error("{what}")]
    Unable {
        /// What was wanted.
        what: String,
        /// What helps.
        next: &'static str,
    },
    /// The other end of a vfio-user socket does not speak the protocol.
    #[error("vfio-user: {0}")]
    Protocol(String),
    /// What the kernel answers is no answer.
    #[error("netlink: {0}")]
    Netlink(String),
    /// The function is not what is needed, or does what it must not.
    #[error("{0}")]
    Device(String),
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
}

/// Or what went wrong.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The operating system's answer to `what`.
    pub fn system(what: impl Into<String>, source: impl Into<io::Error>, next: &'static str) -> Error {
        Error::System { what: what.into(), source: source.into(), next }
    }

    /// What the user can do.
    pub fn next(&self) -> &str {
        match self {
            Error::Words { .. } => "`hematite help` shows the words",
            Error::System { next, .. } | Error::Unable { next, .. } => next,
            Error::Bounds { .. } => {
                "the device says something else of itself than it is: `hematite validate` lists what"
            }
            Error::Protocol(_) => {
                "is it a vfio-user server that listens there, and of a version that is known?"
            }
            Error::Netlink(_) => "is the kernel of a version that is known? dmesg may say more",
            Error::Device(_) => "`hematite show` and `hematite health` say what the device tells of itself",
            Error::Late { .. } => "the device may hang: `hematite health`; a reset of the function may help",
        }
    }

    /// Whether the user's words are at fault, not the device.
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Words { .. })
    }
}
