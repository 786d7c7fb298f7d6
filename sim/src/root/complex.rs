//! The root complex: our requests to the device, the device's requests to memory, and the clock between them.

use super::credits::Ledger;
use super::faults::{Answer, Faults};
use super::link::LinkModel;
use super::memory::HostMemory;
use super::msix::{Message, MsiSink};
use super::replies::{self, Replies};
use super::tap::{Direction, Tap};
use super::tlp::{Bdf, CplFields, MemRequest, Status, Tlp, View};
use crate::device::Device;
use crate::monitor::Monitor;

/// A request of ours which did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("{request}: completed with {status:?}")]
    Status { request: String, status: Status },
    #[error("{request}: no completion within {limit} cycles")]
    Timeout { request: String, limit: u64 },
    #[error("{request}: bad completion: {reason}")]
    BadCompletion { request: String, reason: &'static str },
    #[error("no BAR is assigned: enumerate first")]
    NoBar,
}

/// A wait which did not end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: not within {limit} cycles (device {})", if *idle { "idle" } else { "busy" })]
pub struct WaitError {
    pub name: String,
    pub limit: u64,
    /// True if nothing could have changed any more, so that waiting on made no sense.
    pub idle: bool,
}

/// What went by, and what nobody wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub reads: u64,
    pub read_bytes: u64,
    pub writes: u64,
    pub written_bytes: u64,
    /// Writes to memory which is not there, or poisoned: dropped.
    pub writes_refused: u64,
    /// TLPs of the device which are no request and no completion that we wait for.
    pub stray: u64,
    /// Bytes on the link towards the device, and from it.
    pub link_in: u64,
    pub link_out: u64,
}

/// A root complex with one function below it.
pub struct Root<D: Device, M: HostMemory> {
    pub device: D,
    pub memory: M,
    link: LinkModel,
    pub faults: Faults,
    pub msi: MsiSink,
    pub counts: Counts,
    /// The port's rules; always on.
    pub monitor: Monitor,
    /// Our own requester id.
    pub host: Bdf,
    /// Where the function sits.
    pub function: Bdf,
    /// Bus address of the function's BAR, once assigned.
    pub bar: Option<u64>,
    taps: Vec<Box<dyn Tap>>,
    pub(super) replies: Replies,
    posted: Ledger,
    next_tag: u16,
    /// Completions for our own requests, as they came.
    completions: Vec<Tlp>,
}

impl<D: Device, M: HostMemory> Root<D, M> {
    /// Joins `device` and `memory` by `link`.
    pub fn new(mut device: D, memory: M, link: LinkModel) -> Root<D, M> {
        let posted = Ledger::new(link.posted);
        device.posted_limit(posted.limit());
        Root {
            replies: Replies::new(&link),
            posted,
            device,
            memory,
            link,
            faults: Faults::default(),
            msi: MsiSink::new(),
            counts: Counts::default(),
            monitor: Monitor::new(),
            host: Bdf(0),
            function: Bdf(0x0100),
            bar: None,
            taps: vec![],
            next_tag: 0,
            completions: vec![],
        }
    }

    /// The link in use.
    pub fn link(&self) -> &LinkModel {
        &self.link
    }

    /// Changes the link, but for its posted credits. Reads which are not answered yet are forgotten: only at rest.
    pub fn set_link(&mut self, link: LinkModel) {
        self.replies = Replies::new(&link);
        self.link = LinkModel { posted: self.link.posted, ..link };
    }

    /// Adds a listener.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.taps.push(tap);
    }

    /// Hot reset: the function forgets everything, its BAR too.
    pub fn reset(&mut self) {
        self.device.reset();
        self.posted = Ledger::new(self.link.posted);
        self.device.posted_limit(self.posted.limit());
        self.replies.clear();
        self.completions.clear();
        self.monitor.reset();
        self.bar = None;
    }

    /// A frame from the wire.
    pub fn frame_in(&mut self, frame: Vec<u8>) {
        let now = self.device.now();
        self.taps.iter_mut().for_each(|tap| tap.frame(now, Direction::In, &frame));
        self.device.frame_in(frame);
    }

    /// A frame for the wire.
    pub fn frame_out(&mut self) -> Option<Vec<u8>> {
        let frame = self.device.frame_out()?;
        let now = self.device.now();
        self.taps.iter_mut().for_each(|tap| tap.frame(now, Direction::Out, &frame));
        Some(frame)
    }

    /// Sends any TLP, well formed or not. Nothing waits for an answer.
    pub fn send(&mut self, tlp: Tlp) {
        let now = self.device.now();
        self.counts.link_in += tlp.wire_bytes();
        self.monitor.tlp(now, Direction::In, &tlp);
        self.taps.iter_mut().for_each(|tap| tap.tlp(now, Direction::In, &tlp));
        self.device.tlp_in(tlp);
    }

    fn receive(&mut self, tlp: Tlp) {
        let now = self.device.now();
        self.counts.link_out += tlp.wire_bytes();
        self.posted.take(now, &tlp);
        self.monitor.tlp(now, Direction::Out, &tlp);
        self.taps.iter_mut().for_each(|tap| tap.tlp(now, Direction::Out, &tlp));
        match tlp.view() {
            View::MemRead(request) => {
                let fault = self.faults.judge(request.addr + replies::span(&request).0);
                self.counts.reads += 1;
                self.counts.read_bytes += replies::span(&request).1 as u64;
                if fault.is_some_and(Answer::leaves_it_open) {
                    self.monitor.forgive(request.tag);
                }
                self.replies.accept(now, request, fault);
            }
            View::MemWrite(request, data) => self.write_memory(now, request, data, tlp.poisoned()),
            View::Cpl(_) | View::CplD(..) => self.completions.push(tlp),
            _ => self.counts.stray += 1,
        }
    }

    fn write_memory(&mut self, now: u64, request: MemRequest, data: &[u8], poisoned: bool) {
        let (lead, len) = replies::span(&request);
        if poisoned || (request.words == 1 && request.first_be == 0) {
            self.counts.writes_refused += u64::from(poisoned);
            return;
        }
        let addr = request.addr + lead;
        let bytes = &data[lead as usize..lead as usize + len];
        if self.msi.claims(addr) {
            let mut word = [0; 4];
            word[..len.min(4)].copy_from_slice(&bytes[..len.min(4)]);
            self.msi.deliver(Message { cycle: now, addr, data: u32::from_le_bytes(word) });
            return;
        }
        self.counts.writes += 1;
        self.counts.written_bytes += len as u64;
        // Byte enables with holes reach one double word at most two: write lane by lane.
        let whole = request.words > 1 || (request.first_be >> lead) as usize + 1 == 1 << len;
        let outcome = if whole {
            self.memory.write(addr, bytes)
        } else {
            (0..4usize)
                .filter(|lane| request.first_be >> lane & 1 == 1)
                .try_for_each(|lane| self.memory.write(request.addr + lane as u64, &data[lane..=lane]))
        };
        self.counts.writes_refused += u64::from(outcome.is_err());
    }

    /// Moves what can move in this cycle, then lets the clock run one stride. False if nothing can change any more.
    pub fn turn(&mut self) -> bool {
        let mut moved = false;
        while let Some(tlp) = self.device.tlp_out() {
            self.receive(tlp);
            moved = true;
        }
        let now = self.device.now();
        if let Some(limit) = self.posted.give(now) {
            self.device.posted_limit(limit);
        }
        while let Some(tlp) = self.replies.next(now, self.host, &mut self.memory) {
            self.send(tlp);
            moved = true;
        }
        if self.device.busy() {
            self.device.step(self.link.step_cycles.max(1));
            return true;
        }
        match self.replies.next_event() {
            Some(due) => {
                self.device.step(due.saturating_sub(now).max(1));
                true
            }
            None => moved,
        }
    }

    /// Runs until nothing moves, at most `limit` cycles. True if everything rests.
    pub fn pump(&mut self, limit: u64) -> bool {
        let start = self.device.now();
        while self.turn() {
            if self.device.now() - start >= limit {
                return false;
            }
        }
        true
    }

    /// Runs `cycles` whether or not anything moves: for timers.
    pub fn run(&mut self, cycles: u64) {
        let end = self.device.now() + cycles;
        while self.device.now() < end {
            if !self.turn() {
                let left = end - self.device.now();
                self.device.step(left);
            }
        }
    }

    /// Runs until `condition`, at most `limit` cycles. Gives up early when nothing can change any more.
    pub fn run_until(
        &mut self,
        name: &str,
        limit: u64,
        mut condition: impl FnMut(&mut Root<D, M>) -> bool,
    ) -> Result<(), WaitError> {
        let start = self.device.now();
        loop {
            if condition(self) {
                return Ok(());
            }
            let idle = !self.turn();
            if idle && condition(self) {
                return Ok(());
            }
            if idle || self.device.now() - start >= limit {
                return Err(WaitError { name: name.to_string(), limit, idle });
            }
        }
    }

    pub(super) fn tag(&mut self) -> u16 {
        self.next_tag = (self.next_tag + 1) % 32;
        self.next_tag
    }

    /// Sends a non-posted request with a tag of our choice and gathers its completions: status and payload.
    /// `expect` is the payload's length in bytes if the request succeeds.
    pub fn request(&mut self, tlp: Tlp, expect: usize) -> Result<(Status, Vec<u8>), RequestError> {
        let request = tlp.to_string();
        let bad = |reason| RequestError::BadCompletion { request: request.clone(), reason };
        let tag = match tlp.view() {
            View::MemRead(r) => r.tag,
            View::CfgRead0(r) | View::CfgWrite0(r, _) => r.tag,
            _ => (tlp.header[1] >> 8 & 0xff) as u16,
        };
        let (limit, start) = (self.link.completion_timeout, self.device.now());
        self.completions.clear();
        self.send(tlp);
        let mut data = vec![];
        loop {
            for completion in std::mem::take(&mut self.completions) {
                let (fields, payload): (CplFields, &[u8]) = match completion.view() {
                    View::Cpl(fields) => (fields, &[]),
                    View::CplD(fields, payload) => (fields, payload),
                    _ => return Err(bad("malformed")),
                };
                if fields.tag != tag || fields.requester != self.host {
                    return Err(bad("another's tag or requester id"));
                }
                if fields.status != Status::Success {
                    return Ok((fields.status, vec![]));
                }
                if completion.poisoned() || completion.error {
                    return Err(bad("poisoned"));
                }
                data.extend_from_slice(payload);
                match data.len().cmp(&expect) {
                    std::cmp::Ordering::Less if payload.is_empty() => return Err(bad("no data")),
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Ok((Status::Success, data)),
                    std::cmp::Ordering::Greater => return Err(bad("more data than asked for")),
                }
            }
            let moves = self.turn();
            if self.completions.is_empty() && (!moves || self.device.now() - start >= limit) {
                return Err(RequestError::Timeout { request, limit });
            }
        }
    }

    pub(super) fn succeed(&mut self, tlp: Tlp, expect: usize) -> Result<Vec<u8>, RequestError> {
        let text = tlp.to_string();
        match self.request(tlp, expect)? {
            (Status::Success, data) => Ok(data),
            (status, _) => Err(RequestError::Status { request: text, status }),
        }
    }
}
