//! A vhost-user front end with a guest's memory, and the back end it talks to.

use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hematite_host::memory::{DmaMemory, Pages};
use hematite_host::vhost_user::{self, Served};
use hematite_host::{Address, function};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::rings::{PLACES, RING};

/// Only a hang is longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Requests by their numbers in the specification.
pub(crate) mod request {
    pub(crate) const GET_FEATURES: u32 = 1;
    pub(crate) const SET_FEATURES: u32 = 2;
    pub(crate) const SET_OWNER: u32 = 3;
    pub(crate) const SET_MEM_TABLE: u32 = 5;
    pub(crate) const SET_LOG_BASE: u32 = 6;
    pub(crate) const SET_LOG_FD: u32 = 7;
    pub(crate) const SET_VRING_NUM: u32 = 8;
    pub(crate) const SET_VRING_ADDR: u32 = 9;
    pub(crate) const SET_VRING_BASE: u32 = 10;
    pub(crate) const GET_VRING_BASE: u32 = 11;
    pub(crate) const SET_VRING_KICK: u32 = 12;
    pub(crate) const SET_VRING_CALL: u32 = 13;
    pub(crate) const GET_PROTOCOL_FEATURES: u32 = 15;
    pub(crate) const SET_PROTOCOL_FEATURES: u32 = 16;
    pub(crate) const SET_VRING_ENABLE: u32 = 18;
    pub(crate) const GET_CONFIG: u32 = 24;
    pub(crate) const GET_MAX_MEM_SLOTS: u32 = 36;
    pub(crate) const ADD_MEM_REG: u32 = 37;
    pub(crate) const REM_MEM_REG: u32 = 38;
}

pub(crate) const RX: usize = 0;
pub(crate) const TX: usize = 1;
/// Version 1; the second wants an answer to everything.
const PLAIN: u32 = 1;
const TELL_ME: u32 = 1 | 8;
pub(crate) const PROTOCOL_BIT: u64 = 1 << 30;
pub(crate) const LOG_BIT: u64 = 1 << 26;

/// The guest's memory: one half has the rings, the other the buffers, each a region of its own.
pub(crate) const HALF: u64 = 1 << 20;
/// Guest physical, bytes, the front end's own addresses (of no process here), place in the file.
pub(crate) const RINGS: [u64; 4] = [0x4000_0000, HALF, 0x7f00_1234_5000, 0];
pub(crate) const BUFFERS: [u64; 4] = [0x1_0000_0000, HALF, 0x7e00_0000_1000, HALF];
pub(crate) const SIZE: u16 = 64;
/// The back end in a thread.
pub(crate) struct Back {
    pub(crate) path: PathBuf,
    said: Arc<Mutex<Vec<String>>>,
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<Served>>,
    _folder: tempfile::TempDir,
}

impl Back {
    /// Of the function behind `socket`.
    pub(crate) fn start(device: &str) -> Back {
        let address: Address = device.parse().expect("an address");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("back");
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).expect("an eventfd"));
        let (ready, listening) = std::sync::mpsc::channel();
        let said = Arc::new(Mutex::new(vec![]));
        let (place, end, heard) = (path.clone(), stop.clone(), said.clone());
        let thread = std::thread::spawn(move || {
            let function = function::open(&address).expect("the function answers");
            let mut tell = |line: String| {
                let _ = ready.send(());
                heard.lock().expect("no test panics with it").push(line);
            };
            vhost_user::serve(function, &place, end.as_fd(), 0, &mut tell).expect("the function serves")
        });
        listening.recv_timeout(LIMIT).expect("it listens");
        Back { path, said, stop, thread: Some(thread), _folder: folder }
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no test panics with it").join("\n")
    }

    pub(crate) fn finish(mut self) -> Served {
        self.stop.write(1).expect("it is asked to end");
        let served = self.thread.take().expect("one end").join().expect("it ends without panic");
        assert!(!self.path.exists(), "the socket is removed");
        served
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends one message as it is.
pub(crate) fn post(stream: &UnixStream, head: [u32; 3], payload: &[u8], fds: &[RawFd]) -> nix::Result<usize> {
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.extend(payload);
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &rights[..0] } else { &rights[..] };
    sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
}

pub(crate) fn longs(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// Two numbers of 32 bits.
pub(crate) fn state(queue: u32, value: u32) -> Vec<u8> {
    longs(&[u64::from(value) << 32 | u64::from(queue)])
}

/// The front end.
pub(crate) struct Front {
    pub(crate) stream: UnixStream,
    pub(crate) memory: DmaMemory,
    pub(crate) kicks: [EventFd; 2],
    pub(crate) calls: [EventFd; 2],
    pub(crate) available: [u16; 2],
    pub(crate) used: [u16; 2],
    /// Up to where it has thought of kicking.
    pub(crate) kicked: [u16; 2],
    pub(crate) features: u64,
    /// Rings are told of with F_LOG.
    pub(crate) logged: bool,
    /// How far buffers are from where they would be: some lie across pages.
    pub(crate) shift: u64,
    /// Where buffers are cut; not at all: they are one descriptor. Else they are a table's.
    pub(crate) cuts: Vec<u32>,
}

impl Front {
    /// Connected, agreed on the protocol.
    pub(crate) fn connect(back: &Back) -> Front {
        Front::with(back, DmaMemory::new(2 * HALF as usize, Pages::Usual).unwrap())
    }

    /// The same with a memory that is there already.
    pub(crate) fn with(back: &Back, memory: DmaMemory) -> Front {
        let stream = UnixStream::connect(&back.path).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let event = || EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
        let pair = || [event(), event()];
        let mut front = Front {
            stream,
            memory,
            kicks: pair(),
            calls: pair(),
            available: [0; 2],
            used: [0; 2],
            kicked: [0; 2],
            features: 0,
            logged: false,
            shift: 0,
            cuts: vec![],
        };
        let protocol = front.number(request::GET_PROTOCOL_FEATURES);
        front.send(request::SET_PROTOCOL_FEATURES, &longs(&[protocol]), &[]);
        front
    }

    /// Without an answer.
    pub(crate) fn send(&mut self, request: u32, payload: &[u8], fds: &[BorrowedFd<'_>]) {
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        post(&self.stream, [request, PLAIN, payload.len() as u32], payload, &fds).expect("it reads");
    }

    /// The answer's payload.
    pub(crate) fn reply(&mut self, request: u32) -> Vec<u8> {
        let mut head = [0; 12];
        self.stream.read_exact(&mut head).unwrap_or_else(|error| panic!("no answer to {request}: {error}"));
        let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4)), (request, 1 | 4), "an answer to it");
        let mut payload = vec![0; word(8) as usize];
        self.stream.read_exact(&mut payload).expect("the whole answer");
        payload
    }

    pub(crate) fn ask(&mut self, request: u32, payload: &[u8]) -> Vec<u8> {
        self.send(request, payload, &[]);
        self.reply(request)
    }

    pub(crate) fn number(&mut self, request: u32) -> u64 {
        u64::from_ne_bytes(self.ask(request, &[]).try_into().expect("64 bits"))
    }

    /// Whether it was done.
    pub(crate) fn try_to(&mut self, request: u32, payload: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        post(&self.stream, [request, TELL_ME, payload.len() as u32], payload, &fds).expect("it reads");
        self.reply(request) == 0u64.to_ne_bytes()
    }

    pub(crate) fn must(&mut self, request: u32, payload: &[u8], fds: &[BorrowedFd<'_>]) {
        assert!(self.try_to(request, payload, fds), "request {request} with {payload:x?} is refused");
    }

    /// A message about a queue, with an eventfd of ours.
    pub(crate) fn event(&mut self, request: u32, queue: usize) {
        let events = if request == request::SET_VRING_KICK { &self.kicks } else { &self.calls };
        let event = events[queue].as_fd().try_clone_to_owned().unwrap();
        self.must(request, &longs(&[queue as u64]), &[event.as_fd()]);
    }

    /// Both regions at once.
    pub(crate) fn table(&mut self) {
        let payload = longs(&[&[2][..], &RINGS, &BUFFERS].concat());
        let file = self.memory.as_fd().try_clone_to_owned().unwrap();
        self.must(request::SET_MEM_TABLE, &payload, &[file.as_fd(), file.as_fd()]);
    }

    /// A ring's areas as the front end writes them: queue and flags, descriptors, used, available, log.
    pub(crate) fn areas(queue: usize) -> [u64; 5] {
        let ring = queue as u64 * RING;
        let [at, used, available] = [PLACES[0], PLACES[2], PLACES[1]].map(|place| RINGS[2] + ring + place);
        [queue as u64, at, used, available, RINGS[0] + ring + PLACES[2]]
    }

    /// Tells of a ring as it is to be logged now.
    pub(crate) fn tell_areas(&mut self, queue: usize) {
        let [head, rest @ ..] = Front::areas(queue);
        let payload = [&[head | u64::from(self.logged) << 32][..], &rest].concat();
        self.must(request::SET_VRING_ADDR, &longs(&payload), &[]);
    }

    /// Everything but `enable`, with these features.
    pub(crate) fn prepare(&mut self, features: u64) {
        self.must(request::SET_OWNER, &[], &[]);
        self.features = features;
        self.must(request::SET_FEATURES, &longs(&[features | PROTOCOL_BIT]), &[]);
        self.table();
        self.rings();
    }

    /// Two rings with receive buffers and nothing to send.
    pub(crate) fn rings(&mut self) {
        self.rings_at(0);
    }

    /// Tells all of the rings, as they are, and where each goes on: as after `pause`.
    pub(crate) fn go_on(&mut self, bases: [u16; 2]) {
        for queue in [RX, TX] {
            self.must(request::SET_VRING_NUM, &state(queue as u32, SIZE.into()), &[]);
            self.must(request::SET_VRING_BASE, &state(queue as u32, bases[queue].into()), &[]);
            self.tell_areas(queue);
            self.event(request::SET_VRING_KICK, queue);
            self.event(request::SET_VRING_CALL, queue);
        }
    }

    /// The queues stand; where each would go on.
    pub(crate) fn pause(&mut self) -> [u16; 2] {
        [RX, TX].map(|queue| {
            let answer = self.ask(request::GET_VRING_BASE, &state(queue as u32, 0));
            assert_eq!(answer[..4], (queue as u32).to_ne_bytes());
            u32::from_ne_bytes(answer[4..].try_into().unwrap()).try_into().expect("an index of 16 bits")
        })
    }

    /// As QEMU does when migration begins and ends.
    pub(crate) fn set_logging(&mut self, log: Option<&DmaMemory>) {
        self.logged = log.is_some();
        if let Some(log) = log {
            let file = log.as_fd().try_clone_to_owned().unwrap();
            self.must(request::SET_LOG_BASE, &longs(&[log.bytes() as u64, 0]), &[file.as_fd()]);
        }
        let bit = if self.logged { LOG_BIT } else { 0 };
        self.must(request::SET_FEATURES, &longs(&[self.features | PROTOCOL_BIT | bit]), &[]);
        [RX, TX].into_iter().for_each(|queue| self.tell_areas(queue));
    }

    /// All that was kicked before is done: a kick is seen with the first request at the latest.
    pub(crate) fn sync(&mut self) {
        for _ in 0..2 {
            self.number(request::GET_FEATURES);
        }
    }

    pub(crate) fn enable(&mut self) {
        for queue in [RX, TX] {
            self.must(request::SET_VRING_ENABLE, &state(queue as u32, 1), &[]);
        }
    }

    /// Whether it has been let go: nothing more comes.
    pub(crate) fn is_let_go(&mut self) -> bool {
        let _ = self.stream.flush();
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}
