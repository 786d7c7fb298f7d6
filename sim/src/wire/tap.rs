//! The host's network by a tap interface. Needs the right to open the interface; every other end needs none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, ensure};

use super::Wire;

/// The longest frame that is read, with room for a VLAN tag and jumbo frames.
const FRAME: usize = 9216 + 18;

mod ioctl {
    nix::ioctl_write_ptr_bad!(
        /// Gives an open /dev/net/tun its interface (linux/if_tun.h).
        set_interface,
        nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
        libc::ifreq
    );
}

/// An open tap interface.
#[derive(Debug)]
pub struct Tap {
    file: File,
    buffer: Vec<u8>,
}

impl Tap {
    /// Opens the interface `name`, and makes it if it is not there.
    pub fn open(name: &str) -> Result<Tap> {
        let bytes = name.as_bytes();
        ensure!(
            !bytes.is_empty() && bytes.len() < libc::IFNAMSIZ && !bytes.contains(&b'/'),
            "tap name {name:?}: 1 to {} bytes without '/'",
            libc::IFNAMSIZ - 1
        );
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .context("open /dev/net/tun: is the module `tun` loaded, and may you read and write the file?")?;
        // SAFETY: ifreq is plain data for which all zeroes are a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the descriptor is open and the request outlives the call.
        unsafe { ioctl::set_interface(file.as_raw_fd(), &request) }.with_context(|| {
            format!(
                "open tap {name}: as root, `ip tuntap add {name} mode tap user YOU && ip link set {name} up`"
            )
        })?;
        Ok(Tap { file, buffer: vec![0; FRAME] })
    }
}

impl Wire for Tap {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.file.write(frame) {
            Ok(_) => Ok(()),
            // A full queue, an interface which is down, a frame it does not like: lost, as on any wire.
            Err(error) if lost(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.file.read(&mut self.buffer) {
            Ok(len) => Ok(Some(self.buffer[..len].to_vec())),
            Err(error) if lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

fn lost(error: &io::Error) -> bool {
    let passing = [libc::EAGAIN, libc::EIO, libc::ENOBUFS, libc::EINVAL, libc::EINTR, libc::EMSGSIZE];
    error.raw_os_error().is_some_and(|code| passing.contains(&code))
}
