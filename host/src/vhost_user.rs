//! A vhost-user back end over a function: the data path is the function's own, which reads and writes the guest's rings and
//! buffers at their guest physical addresses; requests become registers, kicks doorbells, interrupts go to the call eventfds
//! directly. One pair of queues, split rings. Spec: [vhost-user: Protocol Specification]

mod guest;
mod lane;
mod log;
mod message;
mod rings;
mod run;
mod session;
mod shadow;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use self::lane::Lane;
use self::session::{End, Session};
use crate::error::{Error, Result};
use crate::function::Function;
use crate::report::SCHEMA;

/// How long the function may take for a reset.
const LIMIT: Duration = Duration::from_secs(10);
const NEXT: &str = "is the folder there and yours, and no other program listening?";

/// Is told what happens, a line each.
pub type Tell<'a> = &'a mut dyn FnMut(String);

/// What ends a request.
#[derive(Debug)]
enum Trouble {
    /// The front end asks for what cannot be.
    Refused(String),
    /// It does not speak the protocol.
    Garbled(String),
    /// The function, or the way to it, fails.
    Function(Error),
}

type Done<T> = std::result::Result<T, Trouble>;

fn refused<T>(text: impl Into<String>) -> Done<T> {
    Err(Trouble::Refused(text.into()))
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Function(error)
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Front ends, one after the other.
    pub clients: u64,
    /// Kicks that became doorbells.
    pub doorbells: u64,
    /// Requests that were refused, and front ends that were let go.
    pub refused: u64,
    /// Times that the function was set up with shadowed rings.
    pub shadowed: u64,
    /// Pages that were marked in logs.
    pub marked: u64,
}

impl Counts {
    fn add(&mut self, more: &Counts) {
        let Counts { clients, doorbells, refused, shadowed, marked } = more;
        self.clients += clients;
        self.doorbells += doorbells;
        self.refused += refused;
        self.shadowed += shadowed;
        self.marked += marked;
    }
}

/// What was done until the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Served {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// Which device.
    pub device: String,
    /// Where front ends have come.
    pub socket: String,
    /// How often what.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Serves front ends one after the other, `most` of them or, for 0, any number, until `stop` can be read. `tell` hears
/// `ready PATH` when it listens.
pub fn serve(
    function: Function,
    path: &Path,
    stop: BorrowedFd<'_>,
    most: u64,
    tell: Tell<'_>,
) -> Result<Served> {
    let device = function.bus.address().to_string();
    let mut lane = Lane::new(function, LIMIT)?;
    let listener = listen(path)?;
    let mut counts = Counts::default();
    tell(format!("ready {}", path.display()));
    let ended = take_on(&listener, &mut lane, stop, most, &mut counts, tell);
    let _ = fs::remove_file(path);
    ended?;
    Ok(Served { schema: SCHEMA, report: "vhost_user", device, socket: path.display().to_string(), counts })
}

fn take_on(
    listener: &UnixListener,
    lane: &mut Lane,
    stop: BorrowedFd<'_>,
    most: u64,
    counts: &mut Counts,
    tell: Tell<'_>,
) -> Result<()> {
    while most == 0 || counts.clients < most {
        let Some(stream) = next(listener, stop)? else { return Ok(()) };
        counts.clients += 1;
        let client = counts.clients;
        tell(format!("client {client} has come"));
        match Session::new(stream, lane, stop)?.run(counts, tell) {
            Ok(End::Gone) => tell(format!("client {client} has gone")),
            Ok(End::Stopped) => return Ok(()),
            Err(Trouble::Refused(text) | Trouble::Garbled(text)) => {
                counts.refused += 1;
                tell(format!("client {client} is let go: {text}"));
            }
            Err(Trouble::Function(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The next front end; none: it is to stop.
fn next(listener: &UnixListener, stop: BorrowedFd<'_>) -> Result<Option<UnixStream>> {
    loop {
        let mut wanted =
            [PollFd::new(stop, PollFlags::POLLIN), PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, PollTimeout::NONE) {
            Err(nix::Error::EINTR) => continue,
            other => other.map_err(|errno| Error::system("wait for a front end", errno, NEXT))?,
        };
        if wanted[0].any().unwrap_or(true) {
            return Ok(None);
        }
        match listener.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(Error::system("take a front end on", error, NEXT)),
        }
    }
}

/// Listens; a socket that somebody left behind is removed, one that is in use is not.
fn listen(path: &Path) -> Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|its| its.file_type().is_socket());
    let dead = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(dead) {
        let _ = fs::remove_file(path);
    }
    UnixListener::bind(path)
        .map_err(|error| Error::system(format!("listen at {}", path.display()), error, NEXT))
}
