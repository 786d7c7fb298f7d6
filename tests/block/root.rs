//! A root complex that splits, delays, reorders, fails and loses completions, for `reader`.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

pub(crate) const REQUESTER: u64 = 0x1a08;

/// Cycles after which a request of the tests' readers has timed out for sure.
const LATE: u64 = 2 * 1024 + 100;

pub(crate) fn memory(addr: u64) -> u8 {
    (addr.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Good,
    /// Completion status of the last completion: 1 UR, 2 CRS, 4 CA.
    Status(u64),
    Poisoned,
    /// The link's error mark.
    Marked,
    Lost,
    /// Right, but after the time-out.
    Late,
}

/// What may happen, per 1000.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) status: u32,
    pub(crate) poisoned: u32,
    pub(crate) marked: u32,
    pub(crate) lost: u32,
    pub(crate) late: u32,
    /// Completions nobody asked for.
    pub(crate) stray: u32,
}

/// A request at the root.
pub(crate) struct Open {
    pub(crate) tag: u64,
    pub(crate) addr: u64,
    pub(crate) left: u64,
    pub(crate) fate: Fate,
    pub(crate) not_before: u64,
}

/// Beats on their way to the function.
pub(crate) struct Sent {
    pub(crate) header: u128,
    pub(crate) beats: VecDeque<Vec<u8>>,
    pub(crate) marked: bool,
}

#[derive(Default)]
pub(crate) struct Root {
    pub(crate) open: Vec<Open>,
    pub(crate) sent: Option<Sent>,
    /// Fate of each request by address: every address is asked for once.
    pub(crate) fates: std::collections::HashMap<u64, Fate>,
    /// Completions sent which no request waits for.
    pub(crate) strays: u64,
    /// No delay, no split, in order.
    pub(crate) prompt: bool,
}

pub(crate) fn completion(
    kind: u64,
    dwords: u64,
    status: u64,
    bytes: u64,
    requester: u64,
    tag: u64,
    lower: u64,
) -> u128 {
    let dw0 = kind << 24 | dwords & 0x3ff;
    let dw1 = status << 13 | bytes & 0xfff;
    let dw2 = requester << 16 | tag << 8 | lower & 0x7f;
    u128::from(dw0) | u128::from(dw1) << 32 | u128::from(dw2) << 64
}

impl Root {
    pub(crate) fn request(&mut self, header: u128, faults: &Faults, cycle: u64, rng: &mut ChaCha8Rng) {
        let dw = |i: u32| (header >> (32 * i)) as u64 & 0xffff_ffff;
        let long = dw(0) >> 29 & 1;
        assert_eq!(dw(0) >> 24 & 0xdf, 0, "not a memory read: {header:032x}");
        assert_eq!(dw(0) & 0x00ff_fc00, 0, "odd flags: {header:032x}");
        assert_eq!(dw(1) >> 16, REQUESTER);
        let dwords = if dw(0) & 0x3ff == 0 { 1024 } else { dw(0) & 0x3ff };
        let base = if long == 1 { dw(2) << 32 | dw(3) } else { dw(2) };
        assert_eq!(long == 1, base >> 32 != 0, "addresses below 4 GB take the short header");
        let (first, last) = (dw(1) & 15, dw(1) >> 4 & 15);
        assert_eq!(dwords == 1, last == 0, "byte enables {first:x} {last:x}, {dwords} DWORDs");
        let skip = u64::from(first.trailing_zeros());
        let top = if dwords == 1 { first } else { last };
        let end = 4 * (dwords - 1) + u64::from(top.ilog2()) + 1;
        let tag = dw(1) >> 8 & 0xff;
        assert!(self.open.iter().all(|o| o.tag != tag || o.fate == Fate::Lost), "tag {tag} is out twice");
        let dice = rng.random_range(0..1000);
        let mut limit = 0;
        let mut hit = |per: u32| {
            limit += per;
            dice < limit
        };
        let fate = if hit(faults.status) {
            Fate::Status([1, 2, 4][rng.random_range(0..3)])
        } else if hit(faults.poisoned) {
            Fate::Poisoned
        } else if hit(faults.marked) {
            Fate::Marked
        } else if hit(faults.lost) {
            Fate::Lost
        } else if hit(faults.late) {
            Fate::Late
        } else {
            Fate::Good
        };
        let addr = base + skip;
        assert!(self.fates.insert(addr, fate).is_none(), "{addr:x} is asked for twice");
        if fate != Fate::Lost {
            let delay = if fate == Fate::Late { LATE..2 * LATE } else { 0..60 };
            let not_before = if self.prompt { 0 } else { cycle + rng.random_range(delay) };
            self.open.push(Open { tag, addr, left: end - skip, fate, not_before });
        }
    }

    /// The next completion, of any request, of any length that ends at a read completion boundary.
    pub(crate) fn next<const W: usize>(&mut self, faults: &Faults, cycle: u64, rng: &mut ChaCha8Rng) {
        if rng.random_range(0..1000) < faults.stray {
            self.strays += 1;
            let used: Vec<_> = self.open.iter().map(|o| o.tag).collect();
            let tag = (0..256).find(|t| !used.contains(t)).unwrap();
            // An unknown tag, or a known one under another's name or with the wrong count of bytes.
            let header = match (rng.random_range(0..3), self.open.first()) {
                (1, Some(o)) => completion(0x4a, 1, 0, o.left, REQUESTER + 1, o.tag, o.addr),
                (2, Some(o)) => completion(0x4a, 1, 0, o.left + 1, REQUESTER, o.tag, o.addr),
                _ => completion(0x4a, 1, 0, 4, REQUESTER, tag.max(200), 0),
            };
            self.sent = Some(Sent { header, beats: VecDeque::from([vec![0xee; W / 8]]), marked: false });
            return;
        }
        let ready: Vec<usize> = (0..self.open.len()).filter(|&i| self.open[i].not_before <= cycle).collect();
        if ready.is_empty() {
            return;
        }
        let index = if self.prompt { 0 } else { ready[rng.random_range(0..ready.len())] };
        let o = &mut self.open[index];
        if let Fate::Status(status) = o.fate
            && rng.random_bool(0.5)
        {
            let header = completion(0x0a, 0, status, o.left, REQUESTER, o.tag, o.addr);
            self.sent = Some(Sent { header, beats: VecDeque::from([vec![0xdd; W / 8]]), marked: false });
            self.open.remove(index);
            return;
        }
        // Split: up to the next boundary, or the next but some.
        let boundary = 64 - o.addr % 64 + 64 * rng.random_range(0..8);
        let mut bytes = if !self.prompt && rng.random_bool(0.5) { o.left.min(boundary) } else { o.left };
        if matches!(o.fate, Fate::Status(_)) {
            bytes = o.left.min(64 - o.addr % 64);
            if bytes == o.left {
                bytes = 0;
            }
        }
        if bytes == 0 {
            return;
        }
        self.strays += u64::from(o.fate == Fate::Late);
        let skip = o.addr % 4;
        let dwords = (skip + bytes).div_ceil(4);
        let mut header = completion(0x4a, dwords, 0, o.left, REQUESTER, o.tag, o.addr);
        let closing = bytes == o.left;
        if o.fate == Fate::Poisoned && (closing || rng.random_bool(0.3)) {
            header |= 1 << 14;
        }
        let data: Vec<u8> = (0..4 * dwords).map(|i| memory(o.addr - skip + i)).collect();
        let beats = data.chunks(W / 8).map(<[u8]>::to_vec).collect();
        self.sent = Some(Sent { header, beats, marked: o.fate == Fate::Marked && closing });
        o.addr += bytes;
        o.left -= bytes;
        if closing {
            self.open.remove(index);
        }
    }
}
