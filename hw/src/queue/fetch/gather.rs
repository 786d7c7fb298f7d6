//! Puts descriptors together from the beats of their read.
//! In: `sink`, a reply of 16 bytes for each at an address that is a multiple of 16; more than one, if they fit a beat: `more` and `down`
//! beside it.   Out: `source`, their fields, one after the other; `steps`, a pulse when the next of the same reply is brought forward.
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
    /// So many more descriptors stand behind the first, or with `down` before the last.
    pub more: Signal<In, Bits<2>>,
    pub down: Signal<In, Bit>,
    pub source: StreamSource<Descriptor>,
    pub steps: Signal<Out, Bit>,
    narrow: Constant<Bit>,
    /// Descriptors in a beat, less one.
    most: Constant<Bits<2>>,
    several: Constant<Bit>,
    full: Reg<Bit>,
    first: Reg<Bits<64>>,
    held: Reg<Descriptor>,
    /// The beat in hand; which of it is held, and how many of it are still to come.
    beat: Reg<Bits<W>>,
    at: Reg<Bits<2>>,
    left: Reg<Bits<2>>,
    downward: Reg<Bit>,
    take: Signal<Local, Bit>,
    going: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    chosen: Signal<Local, Bits<2>>,
    from: Signal<Local, Bits<W>>,
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
            more: Default::default(),
            down: Default::default(),
            source: Default::default(),
            steps: Default::default(),
            narrow: Constant::new(W < 128),
            several: Constant::new(W > 128),
            most: Constant::new(((W / 128).max(1) as u64 - 1).into()),
            full: Default::default(),
            first: Default::default(),
            held: Default::default(),
            beat: Default::default(),
            at: Default::default(),
            left: Default::default(),
            downward: Default::default(),
            take: Default::default(),
            going: Default::default(),
            step: Default::default(),
            chosen: Default::default(),
            from: Default::default(),
            both: Default::default(),
            low: Default::default(),
            high: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Gather<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, first, held, beat, at, left, downward);
        // Two beats at least pass between two descriptors then: no need for them to touch.
        self.going.next = self.left.q.val().any() & self.several.val();
        self.step.next = self.full.q.val() & self.going.val() & self.source.ready.val();
        self.steps.next = self.step.val();
        self.take.next =
            !self.full.q.val() | (self.source.ready.val() & !self.narrow.val() & !self.going.val());
        if self.source.ready.val() & !self.going.val() {
            self.full.d.next = false;
        }
        self.sink.ready.next = self.take.val();
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.held.q.val();
        // Of the beat that comes, or of the one in hand.
        self.from.next = self.sink.data.val();
        self.chosen.next = 0.into();
        if self.down.val() {
            self.chosen.next = self.more.val();
        }
        if self.going.val() {
            self.from.next = self.beat.q.val();
            self.chosen.next = self.at.q.val() + 1;
            if self.downward.q.val() {
                self.chosen.next = self.at.q.val() - 1;
            }
        }
        self.both.next = bit_cast::<128, W>(
            self.from.val() >> (bit_cast::<9, 2>(self.chosen.val() & self.most.val()) << 7),
        );
        self.low.next = self.both.val().get_bits::<64>(0);
        self.high.next = self.both.val().get_bits::<64>(64);
        if self.narrow.val() {
            self.high.next = self.low.val();
            self.low.next = self.first.q.val();
        }
        if self.step.val() {
            self.held.d.next.addr = self.low.val();
            self.held.d.next.len = self.high.val().get_bits::<32>(0);
            self.held.d.next.flags = self.high.val().get_bits::<16>(32);
            self.held.d.next.next_desc = self.high.val().get_bits::<16>(48);
            self.at.d.next = self.chosen.val();
            self.left.d.next = self.left.q.val() - 1;
        }
        if self.take.val() {
            self.beat.d.next = self.sink.data.val();
            self.at.d.next = self.chosen.val();
            self.downward.d.next = self.down.val();
            if self.sink.valid.val() & self.sink.last.val() {
                self.left.d.next = self.more.val() & self.most.val();
            }
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
            self.left.d.next = 0.into();
        }
    }
}
