//! Posted credits: how many writes of the device the host has room for, and when the room is free again.
//! Spec: [PCIe base: Flow Control Rules]

use std::collections::VecDeque;

use hematite_abi::tlp as abi;

use super::tlp::Tlp;

/// Of a message's type these bits say how it is routed.
const ROUTING_BITS: u32 = 3;
/// Bytes of payload for which one data credit stands.
const UNIT: u64 = 16;

/// Of posted requests: a credit for each header, and one for each 16 bytes of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    pub headers: u64,
    pub data: u64,
}

/// What the host has for the device's writes; 0 is without limit, as in the credits' first advertisement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    pub headers: u64,
    pub data: u64,
    /// From a write's last beat to the return of its credits: the host takes it in this time.
    pub cycles: u64,
}

impl Credits {
    /// No write ever waits.
    pub const UNLIMITED: Credits = Credits { headers: u64::MAX, data: u64::MAX };

    /// What a TLP takes; none if it is not posted.
    pub fn of(tlp: &Tlp) -> Option<Credits> {
        let data = tlp.header[0] >> abi::HAS_DATA_BIT & 1 == 1;
        let kind = u64::from(tlp.kind());
        let posted = if kind == abi::TYPE_MEM { data } else { kind >> ROUTING_BITS == abi::TYPE_MSG_HIGH };
        let bytes = if data { 4 * u64::from(tlp.words()) } else { 0 };
        posted.then(|| Credits { headers: 1, data: bytes.div_ceil(UNIT) })
    }
}

impl Posted {
    /// What of this option is too little for any write of `mps` bytes to leave.
    pub fn check(&self, mps: usize) -> Result<(), String> {
        let least = mps as u64 / UNIT;
        match self.data {
            // "Minimum Initial Flow Control Advertisements": the largest payload
            1.. if self.data < least => {
                Err(format!("{} data credits: {least} for a write of {mps}", self.data))
            }
            _ => Ok(()),
        }
    }
}

/// Credits given and taken, counted from the beginning as both ends of a link count them. Who waits for one is busy: nothing here
/// keeps the clock going.
pub struct Ledger {
    posted: Posted,
    limit: Credits,
    /// What comes back, and when.
    due: VecDeque<(u64, Credits)>,
}

impl Ledger {
    /// All that the host has, given away.
    pub fn new(posted: Posted) -> Ledger {
        let first = |credits: u64| if credits == 0 { u64::MAX } else { credits };
        let limit = Credits { headers: first(posted.headers), data: first(posted.data) };
        Ledger { posted, limit, due: VecDeque::new() }
    }

    /// What the device may have sent in all.
    pub fn limit(&self) -> Credits {
        self.limit
    }

    /// A TLP of the device has come.
    pub fn take(&mut self, now: u64, tlp: &Tlp) {
        if self.limit == Credits::UNLIMITED {
            return;
        }
        if let Some(credits) = Credits::of(tlp) {
            self.due.push_back((now + self.posted.cycles, credits));
        }
    }

    /// Returns what is due: the new limit, if it has changed.
    pub fn give(&mut self, now: u64) -> Option<Credits> {
        let before = self.limit;
        while let Some((_, credits)) = self.due.pop_front_if(|(at, _)| *at <= now) {
            self.limit.headers = self.limit.headers.saturating_add(credits.headers);
            self.limit.data = self.limit.data.saturating_add(credits.data);
        }
        (self.limit != before).then_some(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Bdf;

    fn write(bytes: usize) -> Tlp {
        Tlp::mem_write(Bdf(0), 0x1000, &vec![0; bytes])
    }

    #[test]
    fn only_what_is_posted_takes_credits() {
        let of = |tlp: &Tlp| Credits::of(tlp).map(|credits| (credits.headers, credits.data));
        let writes = [4, 16, 20, 256].map(|bytes| of(&write(bytes)));
        assert_eq!(writes, [Some((1, 1)), Some((1, 1)), Some((1, 2)), Some((1, 16))]);
        assert_eq!(of(&Tlp::mem_read(Bdf(0), 3, 0x1000, 256)), None);
    }

    #[test]
    fn credits_come_back_after_so_many_cycles() {
        let mut ledger = Ledger::new(Posted { headers: 2, data: 16, cycles: 10 });
        assert_eq!(ledger.limit(), Credits { headers: 2, data: 16 });
        ledger.take(100, &write(256));
        ledger.take(103, &Tlp::mem_read(Bdf(0), 3, 0x1000, 256));
        ledger.take(104, &write(4));
        assert_eq!(ledger.give(109), None);
        assert_eq!(ledger.give(110), Some(Credits { headers: 3, data: 32 }));
        assert_eq!(ledger.give(113), None);
        assert_eq!(ledger.give(200), Some(Credits { headers: 4, data: 33 }));
        assert_eq!(ledger.give(300), None);
    }

    #[test]
    fn nothing_is_kept_without_limit() {
        let mut ledger = Ledger::new(Posted::default());
        assert_eq!(ledger.limit(), Credits::UNLIMITED);
        ledger.take(1, &write(64));
        assert_eq!(ledger.give(99), None);
        assert!(ledger.due.is_empty());
        let mut ledger = Ledger::new(Posted { headers: 1, ..Posted::default() });
        ledger.take(1, &write(64));
        assert_eq!(ledger.give(1), Some(Credits { headers: 2, data: u64::MAX }));
    }

    #[test]
    fn a_whole_payload_must_fit() {
        let data = |data: u64| Posted { data, ..Posted::default() }.check(256).is_ok();
        assert_eq!([0, 1, 15, 16, 99].map(data), [true, false, false, true, true]);
    }
}
