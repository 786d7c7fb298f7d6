//! Puts a descriptor together from the beats of its read.
//! In: `sink`, a reply of 16 bytes at an address that is a multiple of 16.   Out: `source`, its fields.
//! Time: offered in the cycle after its last beat; one per cycle if the beats hold 16 bytes.
//! Waits: on `source`.
//! Spec: [virtio: The Virtqueue Descriptor Table]

use crate::port::dma::ReadSide;
use crate::prim::beat::BeatSink;
use crate::prim::stream::StreamSource;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A descriptor as it stands in memory, and whether its read failed.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Descriptor {
    pub addr: Bits<64>,
    pub len: Bits<32>,
    pub flags: Bits<16>,
    pub next_desc: Bits<16>,
    pub error: Bit,
    pub timeout: Bit,
}

/// From beats to descriptors.
#[derive(LogicBlock)]
pub struct Gather<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, ReadSide>,
    pub source: StreamSource<Descriptor>,
    narrow: Constant<Bit>,
    full: Reg<Bit>,
    first: Reg<Bits<64>>,
    held: Reg<Descriptor>,
    take: Signal<Local, Bit>,
    both: Signal<Local, Bits<128>>,
    low: Signal<Local, Bits<64>>,
    high: Signal<Local, Bits<64>>,
}

impl<const W: usize> Default for Gather<W> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            narrow: Constant::new(W < 128),
            full: Default::default(),
            first: Default::default(),
            held: Default::default(),
            take: Default::default(),
            both: Default::default(),
            low: Default::default(),
            high: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Gather<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, first, held);
        // Two beats at least pass between two descriptors then: no need for them to touch.
        self.take.next = !self.full.q.val() | (self.source.ready.val() & !self.narrow.val());
        if self.source.ready.val() {
            self.full.d.next = false;
        }
        self.sink.ready.next = self.take.val();
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.held.q.val();
        self.both.next = bit_cast::<128, W>(self.sink.data.val());
        self.low.next = self.both.val().get_bits::<64>(0);
        self.high.next = self.both.val().get_bits::<64>(64);
        if self.narrow.val() {
            self.high.next = self.low.val();
            self.low.next = self.first.q.val();
        }
        if self.take.val() {
            self.full.d.next = self.sink.valid.val() & self.sink.last.val();
            if self.sink.valid.val() {
                self.first.d.next = self.both.val().get_bits::<64>(0);
                self.held.d.next.addr = self.low.val();
                self.held.d.next.len = self.high.val().get_bits::<32>(0);
                self.held.d.next.flags = self.high.val().get_bits::<16>(32);
                self.held.d.next.next_desc = self.high.val().get_bits::<16>(48);
                self.held.d.next.error = self.sink.side.val().error;
                self.held.d.next.timeout = self.sink.side.val().timeout;
            }
        }
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}
