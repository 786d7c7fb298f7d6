//! A small vfio-user client for tests, and the server it talks to, in a thread.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hematite_sim::Device;
use hematite_sim::model::Model;
use hematite_sim::root::complex::Root;
use hematite_sim::root::link::LinkModel;
use hematite_sim::vfio_user::dma::GuestMemory;
use hematite_sim::vfio_user::header::{HEADER_BYTES, Header, command};
use hematite_sim::vfio_user::regions::{Function, MsixMode};
use hematite_sim::vfio_user::server::{Options, Server};
use hematite_sim::wire::Wire;
use hematite_sim::wire::loopback::Loopback;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// How long any answer may take: only a hang is longer.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A mirror which counts the server's turns.
struct Counting(Loopback, Arc<AtomicU64>);

impl Wire for Counting {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.0.receive()
    }
    fn advance(&mut self, _now: Duration) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server on the model with a mirror for a wire.
pub(crate) struct Bench {
    pub(crate) path: PathBuf,
    pub(crate) turns: Arc<AtomicU64>,
    folder: tempfile::TempDir,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<u64>>,
}

impl Bench {
    pub(crate) fn start(mode: MsixMode) -> Bench {
        Bench::start_on(mode, || Box::new(Model::default()))
    }

    /// On a body of the caller's choice.
    pub(crate) fn start_on(mode: MsixMode, make: impl FnOnce() -> Box<dyn Device> + Send + 'static) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let turns = Arc::new(AtomicU64::new(0));
        let (ready, bound) = std::sync::mpsc::channel();
        let (place, end, count) = (path.clone(), stop.clone(), turns.clone());
        let thread = std::thread::spawn(move || {
            let root = Root::new(make(), GuestMemory::new(), LinkModel::random(1));
            let function = Function::new(root, mode).unwrap();
            let wire = Box::new(Counting(Loopback::new(), count));
            let mut server = Server::bind(&place, function, wire, Options::default()).unwrap();
            ready.send(()).unwrap();
            server.run(std::os::fd::AsFd::as_fd(&*end)).unwrap();
            server.violations
        });
        bound.recv_timeout(ANSWER_LIMIT).expect("the server listens");
        Bench { path, turns, folder, stop, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.path)
    }

    /// A client which has agreed on the version.
    pub(crate) fn attach(&self) -> Client {
        let mut client = self.connect();
        client.version();
        client
    }

    /// Ends the server as SIGTERM would; its socket is gone afterwards, and the function has broken no rule.
    pub(crate) fn finish(mut self) {
        self.stop.write(1).unwrap();
        let violations = self.thread.take().unwrap().join().expect("the server ends without panic");
        assert_eq!(violations, 0, "monitors are silent");
        assert!(!self.path.exists(), "the socket is removed");
        drop(self.folder);
    }
}

/// An answer: errno and payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) errno: u32,
    pub(crate) payload: Vec<u8>,
}

/// One client.
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    next: u16,
}

pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) const VERSION: &[u8] =
    b"\0\0\x01\0{\"capabilities\":{\"max_msg_fds\":8,\"write_multiple\":true}}\0";

impl Client {
    pub(crate) fn connect(path: &Path) -> Client {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream.set_write_timeout(Some(ANSWER_LIMIT)).unwrap();
        Client { stream, next: 0 }
    }

    /// Sends a command with these flags and descriptors; returns its id.
    pub(crate) fn send(&mut self, command: u16, flags: u32, payload: &[u8], fds: &[RawFd]) -> u16 {
        self.next += 1;
        let message = Header::command(self.next, command, flags, payload);
        let rights = [ControlMessage::ScmRights(fds)];
        let control = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let parts = [IoSlice::new(&message)];
        let sent =
            sendmsg::<()>(self.stream.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None).unwrap();
        self.stream.write_all(&message[sent..]).unwrap();
        self.next
    }

    /// The next message of the server's: header and payload.
    pub(crate) fn receive(&mut self) -> io::Result<(Header, Vec<u8>)> {
        let mut head = [0; HEADER_BYTES];
        self.stream.read_exact(&mut head)?;
        let header = Header::parse(&head).unwrap();
        let mut payload = vec![0; header.payload_len()];
        self.stream.read_exact(&mut payload)?;
        Ok((header, payload))
    }

    /// The answer to the command `id`.
    pub(crate) fn answer(&mut self, id: u16, command: u16) -> Answer {
        let (header, payload) = self.receive().expect("an answer");
        assert!(header.is_reply(), "{header:?}");
        assert_eq!((header.id, header.command), (id, command), "answers come in order");
        Answer { errno: header.error, payload }
    }

    pub(crate) fn ask(&mut self, command: u16, payload: &[u8]) -> Answer {
        let id = self.send(command, 0, payload, &[]);
        self.answer(id, command)
    }

    pub(crate) fn ask_with(&mut self, command: u16, payload: &[u8], fds: &[RawFd]) -> Answer {
        let id = self.send(command, 0, payload, fds);
        self.answer(id, command)
    }

    pub(crate) fn good(&mut self, command: u16, payload: &[u8]) -> Vec<u8> {
        let answer = self.ask(command, payload);
        assert_eq!(answer.errno, 0, "command {command}");
        answer.payload
    }

    pub(crate) fn version(&mut self) {
        self.good(command::VERSION, VERSION);
    }

    /// True while the server answers in step.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.good(command::DEVICE_GET_INFO, &words(&[16, 0, 0, 0])) == words(&[16, 3, 9, 5])
    }

    /// True if the server has closed the connection.
    pub(crate) fn is_dropped(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(0) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
            Ok(_) => false,
        }
    }

    pub(crate) fn read(&mut self, region: u32, offset: u64, len: usize) -> Vec<u8> {
        let payload = [&offset.to_le_bytes()[..], &words(&[region, len as u32])].concat();
        let reply = self.good(command::REGION_READ, &payload);
        assert_eq!(reply[..16], payload);
        reply[16..].to_vec()
    }

    pub(crate) fn write_payload(region: u32, offset: u64, data: &[u8]) -> Vec<u8> {
        [&offset.to_le_bytes()[..], &words(&[region, data.len() as u32]), data].concat()
    }

    pub(crate) fn write(&mut self, region: u32, offset: u64, data: &[u8]) {
        self.good(command::REGION_WRITE, &Client::write_payload(region, offset, data));
    }

    /// Maps `file` as guest memory at `addr`.
    pub(crate) fn map(&mut self, addr: u64, file: &Memory) {
        let mut payload = words(&[32, 3]);
        [0, addr, file.len].iter().for_each(|field: &u64| payload.extend(field.to_le_bytes()));
        let answer = self.ask_with(command::DMA_MAP, &payload, &[file.file.as_raw_fd()]);
        assert_eq!(answer, Answer { errno: 0, payload: vec![] });
    }

    /// Asks all of it at once, so that the server takes it up in one turn; all is answered well.
    pub(crate) fn together(&mut self, requests: &[(u16, Vec<u8>)]) {
        let mut bytes = vec![];
        for (id, (command, payload)) in (self.next + 1..).zip(requests) {
            bytes.extend(Header::command(id, *command, 0, payload));
        }
        self.stream.write_all(&bytes).unwrap();
        for (command, _) in requests {
            self.next += 1;
            assert_eq!(self.answer(self.next, *command).errno, 0, "command {command}");
        }
    }

    /// Withdraws what is mapped in this range.
    pub(crate) fn unmap(&mut self, addr: u64, len: u64) {
        self.good(command::DMA_UNMAP, &Client::unmap_payload(addr, len));
    }

    pub(crate) fn unmap_payload(addr: u64, len: u64) -> Vec<u8> {
        let mut payload = words(&[24, 0]);
        [addr, len].iter().for_each(|field| payload.extend(field.to_le_bytes()));
        payload
    }

    /// Arms MSI-X vectors from `start` with eventfds.
    pub(crate) fn arm(&mut self, start: u32, events: &[&EventFd]) {
        use std::os::fd::AsFd;
        let fds: Vec<RawFd> = events.iter().map(|event| event.as_fd().as_raw_fd()).collect();
        let payload = words(&[20, 0b100_100, 2, start, events.len() as u32]);
        assert_eq!(self.ask_with(command::DEVICE_SET_IRQS, &payload, &fds).errno, 0);
    }

    pub(crate) fn disarm_all(&mut self) {
        self.good(command::DEVICE_SET_IRQS, &words(&[20, 0b100_001, 2, 0, 0]));
    }
}

/// Guest memory: a file which both sides share.
pub(crate) struct Memory {
    pub(crate) file: File,
    pub(crate) len: u64,
}

impl Memory {
    pub(crate) fn new(len: u64) -> Memory {
        let file = File::from(memfd_create("guest", MFdFlags::MFD_CLOEXEC).unwrap());
        file.set_len(len).unwrap();
        Memory { file, len }
    }

    pub(crate) fn put(&self, at: u64, data: &[u8]) {
        self.file.write_all_at(data, at).unwrap();
    }

    pub(crate) fn get<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at).unwrap();
        bytes
    }
}

/// An eventfd whose read waits, at most [`ANSWER_LIMIT`].
pub(crate) fn event() -> EventFd {
    EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap()
}

/// Waits for `event`; false after `limit`.
pub(crate) fn signalled(event: &EventFd, limit: Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let timeout = PollTimeout::try_from(limit).unwrap();
    let mut fds = [PollFd::new(event.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout).unwrap();
    event.read().is_ok()
}
