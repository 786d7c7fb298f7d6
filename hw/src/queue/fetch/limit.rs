//! How many entries of an available ring one read takes.
//! In: `count`, what is allowed so far, `limit`, what is allowed too, `place`, the entry's place in its 64 bytes.
//! Out: `least`, the smaller of both; `line_end`, entries up to the end of the 64 bytes; `most`, those of any read.
//! Time: combinational.   Waits: never.

use rust_hdl_core::prelude::*;

/// Entries in 64 bytes: no read of a ring crosses such a boundary.
const LINE_ENTRIES: u64 = 32;

/// One step of making a read smaller.
#[derive(LogicBlock)]
pub struct Limit {
    pub count: Signal<In, Bits<6>>,
    pub limit: Signal<In, Bits<16>>,
    pub place: Signal<In, Bits<5>>,
    pub least: Signal<Out, Bits<6>>,
    pub line_end: Signal<Out, Bits<16>>,
    pub most: Signal<Out, Bits<6>>,
    line_entries: Constant<Bits<16>>,
    most_entries: Constant<Bits<6>>,
}

impl Limit {
    /// Half of the `slots` entries that may be on their way are enough for one read.
    pub fn new(slots: usize) -> Self {
        Self {
            count: Default::default(),
            limit: Default::default(),
            place: Default::default(),
            least: Default::default(),
            line_end: Default::default(),
            most: Default::default(),
            line_entries: Constant::new(LINE_ENTRIES.into()),
            most_entries: Constant::new(LINE_ENTRIES.min(slots as u64 / 2).into()),
        }
    }
}

impl Logic for Limit {
    #[hdl_gen]
    fn update(&mut self) {
        self.least.next = self.count.val();
        if self.limit.val() < bit_cast::<16, 6>(self.count.val()) {
            self.least.next = self.limit.val().get_bits::<6>(0);
        }
        self.line_end.next = self.line_entries.val() - bit_cast::<16, 5>(self.place.val());
        self.most.next = self.most_entries.val();
    }
}
