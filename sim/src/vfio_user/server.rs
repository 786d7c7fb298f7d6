//! The server's loop: one thread, one poll. Requests become TLPs, the clock runs while the function is busy and stands
//! still when nothing moves; then the process sleeps. Never waits for the client: all its descriptors are non-blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;

use super::channel::Gone;
use super::regions::Function;
use super::session::Session;
use crate::device::Device;
use crate::log::say;
use crate::wire::Wire;

/// Requests of the client which are answered before the function's clock runs again.
const REQUESTS_PER_TURN: usize = 64;
/// Frames which the function is handed before its clock runs again.
const FRAMES_PER_TURN: usize = 32;

/// Broken rules which are shown; all are counted.
const SHOWN_VIOLATIONS: u64 = 20;

/// How the server goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cycles which a busy function runs between two looks at the sockets.
    pub slice_cycles: u64,
    /// Say on stderr what the client does.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { slice_cycles: 256, verbose: false }
    }
}

/// A listening server with its function and the far end of its wire.
pub struct Server<D: Device> {
    path: PathBuf,
    listener: UnixListener,
    session: Option<Session>,
    function: Function<D>,
    wire: Box<dyn Wire>,
    options: Options,
    started: Instant,
    /// Each signal that comes here turns the wire's link up or down.
    flips: Option<SignalFd>,
    link: bool,
    /// Clients which have left.
    pub served: u64,
    /// Rules of the TLP port which the function has broken.
    pub violations: u64,
}

/// Listens on `path`. A socket file which a dead server has left is replaced; a living one's is not.
fn listen(path: &Path) -> Result<UnixListener> {
    let shown = path.display();
    match UnixListener::bind(path) {
        Ok(listener) => return Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => {
            return Err(error).with_context(|| {
                format!("listen on {shown}: choose --socket in a folder which exists and is yours (at most 107 bytes)")
            });
        }
    }
    let kind = std::fs::symlink_metadata(path).with_context(|| format!("look at {shown}"))?.file_type();
    if !kind.is_socket() {
        bail!("{shown} is there and is no socket: remove it or choose another --socket");
    }
    if UnixStream::connect(path).is_ok() {
        bail!("{shown}: another server is listening there: end it or choose another --socket");
    }
    std::fs::remove_file(path).with_context(|| format!("remove the stale socket {shown}"))?;
    UnixListener::bind(path).with_context(|| format!("listen on {shown}"))
}

impl<D: Device> Server<D> {
    /// Binds the socket. From here on clients may connect; they are answered in [`Server::run`].
    pub fn bind(
        path: &Path,
        function: Function<D>,
        wire: Box<dyn Wire>,
        options: Options,
    ) -> Result<Server<D>> {
        let listener = listen(path)?;
        listener.set_nonblocking(true).context("make the listening socket non-blocking")?;
        let (path, started) = (path.to_path_buf(), Instant::now());
        Ok(Server {
            path,
            listener,
            session: None,
            function,
            wire,
            options,
            started,
            flips: None,
            link: true,
            served: 0,
            violations: 0,
        })
    }

    /// From now on the wire's link goes down and up by these signals. They are non-blocking.
    pub fn flip_link_by(&mut self, signals: SignalFd) {
        self.flips = Some(signals);
    }

    /// The function, for a look from outside between two turns.
    pub fn function(&mut self) -> &mut Function<D> {
        &mut self.function
    }

    /// Serves clients in turn until `stop` becomes readable.
    pub fn run(&mut self, stop: BorrowedFd<'_>) -> Result<()> {
        loop {
            self.serve_client();
            let resting = self.turn()?;
            if self.wait(stop, resting)? {
                return Ok(());
            }
        }
    }

    /// Answers what the client has asked.
    fn serve_client(&mut self) {
        let Some(session) = &mut self.session else { return };
        let verbose = self.options.verbose;
        if let Err(gone) = session.serve(&mut self.function, REQUESTS_PER_TURN, verbose) {
            if verbose || !matches!(gone, Gone::Closed) {
                say(format_args!("client {} {gone}; it sent {} requests", self.served + 1, session.requests));
            }
            self.session = None;
            self.served += 1;
            self.function.abandon();
        }
    }

    /// Runs the function for a slice, moves frames and interrupts. True if all of it rests.
    fn turn(&mut self) -> Result<bool> {
        let function = &mut self.function;
        while let Some(Ok(Some(_))) = self.flips.as_ref().map(SignalFd::read_signal) {
            self.link = !self.link;
            function.root.device.link(self.link);
            say(format_args!("link {}", if self.link { "up" } else { "down" }));
        }
        let mut resting = function.root.pump(self.options.slice_cycles);
        while let Some(frame) = function.root.frame_out() {
            self.wire.send(&frame).context("hand a frame to the wire")?;
            resting = false;
        }
        self.wire.advance(self.started.elapsed());
        for _ in 0..FRAMES_PER_TURN {
            let Some(frame) = self.wire.receive().context("fetch a frame from the wire")? else { break };
            function.root.frame_in(frame);
            resting = false;
        }
        let messages = function.deliver();
        if let Some(session) = &mut self.session {
            // A client which does not listen is noticed when it is served.
            messages.iter().for_each(|(addr, data)| session.post_message(*addr, *data));
        }
        for violation in function.root.monitor.take_violations() {
            self.violations += 1;
            if self.violations <= SHOWN_VIOLATIONS {
                say(format_args!("monitor: {violation}"));
            }
        }
        if let Some(trouble) = function.trouble.take().filter(|_| self.options.verbose) {
            say(format_args!("function: {trouble}"));
        }
        Ok(resting)
    }

    /// Sleeps until something happens, not at all while the function is busy. True if it is time to stop.
    fn wait(&mut self, stop: BorrowedFd<'_>, resting: bool) -> Result<bool> {
        let timeout = match self.wire.deadline() {
            _ if !resting || self.session.as_ref().is_some_and(Session::has_more) => Some(Duration::ZERO),
            deadline => deadline.map(|at| at.saturating_sub(self.started.elapsed())),
        };
        // Rounded up: a wait which ends early only turns once more.
        let millis = timeout.map(|timeout| timeout.as_micros().div_ceil(1000).min(60_000) as u16);
        let timeout = millis.map_or(PollTimeout::NONE, PollTimeout::from);
        let mut fds = vec![PollFd::new(stop, PollFlags::POLLIN)];
        match &self.session {
            Some(session) => fds.push(PollFd::new(session.as_fd(), session.interest())),
            // While one client is served the next one waits in the listener's queue.
            None => fds.push(PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)),
        }
        if let Some(flips) = &self.flips {
            fds.push(PollFd::new(flips.as_fd(), PollFlags::POLLIN));
        }
        if let Some(fd) = self.wire.poll_fd() {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("poll"),
        }
        let stopping = fds[0].any().unwrap_or(false);
        if self.session.is_none() {
            self.accept()?;
        }
        Ok(stopping)
    }

    fn accept(&mut self) -> Result<()> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                self.session = Some(Session::new(stream).context("take over a client's socket")?);
                if self.options.verbose {
                    say(format_args!("client {} attached", self.served + 1));
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            // The client has given up already, or we have no descriptor left for the moment: neither ends the server.
            Err(error) => {
                say(format_args!("accept on {}: {error}", self.path.display()));
                std::thread::sleep(Duration::from_millis(10));
                Ok(())
            }
        }
    }
}

impl<D: Device> Drop for Server<D> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
