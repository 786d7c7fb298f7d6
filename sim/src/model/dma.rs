//! The model's DMA. A job is plain sequential code over [`Dma::read`]: it is run again from its start each time a reply has
//! come, with the earlier replies at hand, and writes only when it no longer waits. So the model needs no state machines.

use std::collections::VecDeque;

use crate::facts::ident;

use crate::root::tlp::{Bdf, Status, Tlp, View, byte_enables};

/// Why a job does not end well now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A reply is not here yet: run the job again when it is.
    Wait,
    /// The queue can go no further, for this reason (`ident` error code).
    Bad(u8),
}

/// One request of the fetch under way.
struct Part {
    tag: u16,
    addr: u64,
    len: usize,
    data: Vec<u8>,
}

impl Part {
    fn complete(&self) -> bool {
        self.data.len() == self.len
    }
}

/// Limits and identity, from configuration space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) requester: Bdf,
    pub(super) bus_master: bool,
    pub(super) read_bytes: usize,
    pub(super) payload_bytes: usize,
    pub(super) timeout: u64,
}

/// Reads with tags, writes cut to size, and the replies of the job under way.
pub(super) struct Dma {
    pub(super) limits: Limits,
    replies: Vec<Result<Vec<u8>, u8>>,
    cursor: usize,
    parts: Vec<Part>,
    deadline: u64,
    next_tag: u16,
    /// A bit per tag whose read has timed out: it may still be answered, so it is not used before a reset.
    retired: u32,
    out: VecDeque<Tlp>,
}

/// Tags which every function may use without leave. [PCIe base: Device Control Register, Extended Tag Field Enable]
const TAGS: u16 = 32;
const PAGE: u64 = hematite_abi::tlp::PAGE_BYTES as u64;

impl Dma {
    pub(super) fn new(limits: Limits) -> Dma {
        Dma {
            limits,
            replies: vec![],
            cursor: 0,
            parts: vec![],
            deadline: 0,
            next_tag: 0,
            retired: 0,
            out: VecDeque::new(),
        }
    }

    /// Goes on with the tags where `old` was: its last reads may still be answered.
    pub(super) fn keep_tag(&mut self, old: &Dma) {
        self.next_tag = old.next_tag;
    }

    /// A read is in flight.
    pub(super) fn waiting(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The job is at its very beginning: it has read nothing yet.
    pub(super) fn fresh(&self) -> bool {
        self.replies.is_empty()
    }

    /// Starts the job again from its first line.
    pub(super) fn rewind(&mut self) {
        self.cursor = 0;
    }

    /// The job is over, or given up. Its reads in flight go on; their data mean nothing.
    pub(super) fn finish(&mut self) {
        self.replies.clear();
        self.cursor = 0;
    }

    /// The next TLP for the host.
    pub(super) fn take(&mut self) -> Option<Tlp> {
        self.out.pop_front()
    }

    /// `len` bytes at `addr`, or Wait. As many pieces are in flight as there are tags.
    pub(super) fn read(&mut self, now: u64, addr: u64, len: usize) -> Result<Vec<u8>, Stop> {
        let pieces = cut(addr, len, self.limits.read_bytes);
        let mut bytes = vec![];
        for batch in pieces.chunks(TAGS.into()) {
            bytes.extend(self.read_pieces(now, batch)?);
        }
        Ok(bytes)
    }

    fn read_pieces(&mut self, now: u64, pieces: &[(u64, usize)]) -> Result<Vec<u8>, Stop> {
        if let Some(reply) = self.replies.get(self.cursor) {
            self.cursor += 1;
            return reply.clone().map_err(Stop::Bad);
        }
        if !self.limits.bus_master {
            return Err(Stop::Bad(ident::ERROR_DMA_READ));
        }
        for &(addr, len) in pieces {
            let tag = self.tag();
            self.out.push_back(Tlp::mem_read(self.limits.requester, tag, addr, len));
            self.parts.push(Part { tag, addr, len, data: vec![] });
        }
        self.deadline = now + self.limits.timeout;
        Err(Stop::Wait)
    }

    fn tag(&mut self) -> u16 {
        let fit = |tag: &u16| self.retired >> tag & 1 == 0;
        let mut turn = (0..TAGS).map(|step| (self.next_tag + step) % TAGS);
        // With none left a reset is due anyway: each time-out has stopped a queue.
        let tag = turn.find(fit).unwrap_or(self.next_tag);
        self.next_tag = (tag + 1) % TAGS;
        tag
    }

    /// Sixteen bits at `addr`.
    pub(super) fn read_u16(&mut self, now: u64, addr: u64) -> Result<u16, Stop> {
        let bytes = self.read(now, addr, 2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Writes `bytes` to `addr`; posted.
    pub(super) fn write(&mut self, addr: u64, bytes: &[u8]) {
        if !self.limits.bus_master {
            return;
        }
        let mut done = 0;
        for (addr, len) in cut(addr, bytes.len(), self.limits.payload_bytes) {
            self.out.push_back(Tlp::mem_write(self.limits.requester, addr, &bytes[done..done + len]));
            done += len;
        }
    }

    fn settle(&mut self, result: Result<Vec<u8>, u8>) {
        self.parts.clear();
        self.replies.push(result);
    }

    /// A completion. Poisoned or refused ends the whole fetch with an error. False if it fits no read of ours.
    pub(super) fn completion(&mut self, tlp: &Tlp) -> bool {
        let (fields, data): (_, &[u8]) = match tlp.view() {
            View::Cpl(fields) => (fields, &[]),
            View::CplD(fields, data) => (fields, data),
            _ => return false,
        };
        let part = self.parts.iter_mut().find(|part| part.tag == fields.tag && !part.complete());
        let Some(part) = part.filter(|_| fields.requester == self.limits.requester) else {
            return false;
        };
        if fields.status != Status::Success || tlp.poisoned() {
            self.settle(Err(ident::ERROR_DMA_READ));
            return true;
        }
        let start = part.addr + part.data.len() as u64;
        let lane = (start & 3) as usize;
        let left = part.len - part.data.len();
        let fits = usize::from(fields.byte_count) == left
            && u64::from(fields.lower_addr) == start & 0x7f
            && data.len() > lane;
        if !fits {
            return false;
        }
        let len = left.min(data.len() - lane);
        part.data.extend_from_slice(&data[lane..lane + len]);
        if self.parts.iter().all(Part::complete) {
            let whole = self.parts.iter().flat_map(|part| part.data.iter().copied()).collect();
            self.settle(Ok(whole));
        }
        true
    }

    /// Gives up on what has not come in time.
    pub(super) fn tick(&mut self, now: u64) {
        if self.waiting() && now >= self.deadline {
            let late = self.parts.iter().filter(|part| !part.complete());
            self.retired |= late.fold(0, |tags, part| tags | 1 << part.tag);
            self.settle(Err(ident::ERROR_DMA_TIMEOUT));
        }
    }
}

/// Cuts a transfer at 4 KiB boundaries and so that each piece's double words are at most `most` bytes.
fn cut(addr: u64, len: usize, most: usize) -> Vec<(u64, usize)> {
    let mut pieces = vec![];
    let (mut at, mut left) = (addr, len);
    while left > 0 {
        let room = (most - (at & 3) as usize).min((PAGE - at % PAGE) as usize);
        let piece = left.min(room);
        debug_assert!(usize::from(byte_enables(at, piece).2) * 4 <= most);
        pieces.push((at, piece));
        at = at.wrapping_add(piece as u64);
        left -= piece;
    }
    pieces
}
