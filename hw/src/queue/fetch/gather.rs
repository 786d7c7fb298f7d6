//! Puts descriptors together from the beats of their read.
//! In: `sink`, a reply of 16 bytes for each at an address that is a multiple of 16; more than one if so made: `more` and `down` beside it.
//! Out: `source`, their fields, one after the other; `steps`, a pulse when the next of the same reply is brought forward.
//! Time: offered in the cycle after its last beat; where there are several, a cycle later, and then one per cycle.
//! Waits: on `source`; a reply waits until the last descriptor of the one before it goes.
//! Spec: [virtio: The Virtqueue Descriptor Table]

use crate::port::dma::ReadSide;
use crate::prim::beat::BeatSink;
use crate::prim::lutram::Lutram;
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
    pub more: Signal<In, Bits<3>>,
    pub down: Signal<In, Bit>,
    pub source: StreamSource<Descriptor>,
    pub steps: Signal<Out, Bit>,
    narrow: Constant<Bit>,
    several: Constant<Bit>,
    /// Of a descriptor's place in a reply: its place in its beat, and the beat's.
    lane_mask: Constant<Bits<3>>,
    beat_shift: Constant<Bits<3>>,
    full: Reg<Bit>,
    first: Reg<Bits<64>>,
    held: Reg<Descriptor>,
    /// The beats of a reply, how many there are; all of them.
    beats: Lutram<Bits<W>>,
    count: Reg<Bits<3>>,
    loaded: Reg<Bit>,
    /// The place of the descriptor that is brought forward next; it is the first; so many follow it.
    at: Reg<Bits<3>>,
    fresh: Reg<Bit>,
    left: Reg<Bits<3>>,
    downward: Reg<Bit>,
    error: Reg<Bit>,
    timeout: Reg<Bit>,
    free: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    /// The one descriptor of a reply, nothing being before it.
    alone: Signal<Local, Bit>,
    from: Signal<Local, Bits<W>>,
    both: Signal<Local, Bits<128>>,
    low: Signal<Local, Bits<64>>,
    high: Signal<Local, Bits<64>>,
}

impl<const W: usize> Gather<W> {
    /// Descriptors a reply may hold, if there may be several: those of four beats, and no more than 128 bytes, the least
    /// Max_Read_Request_Size.
    pub const MOST: usize = if W < 128 {
        1
    } else if W < 256 {
        4
    } else {
        8
    };

    /// For replies of one descriptor.
    pub fn single() -> Self {
        Self { several: Constant::new(false), beats: Lutram::new(1), ..Self::several() }
    }

    /// For replies of up to `MOST`.
    pub fn several() -> Self {
        let per_beat = (W / 128).max(1);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            more: Default::default(),
            down: Default::default(),
            source: Default::default(),
            steps: Default::default(),
            narrow: Constant::new(W < 128),
            several: Constant::new(Self::MOST > 1),
            lane_mask: Constant::new((per_beat as u64 - 1).into()),
            beat_shift: Constant::new(u64::from(per_beat.trailing_zeros()).into()),
            full: Default::default(),
            first: Default::default(),
            held: Default::default(),
            beats: Lutram::new(Self::MOST / per_beat.min(Self::MOST)),
            count: Default::default(),
            loaded: Default::default(),
            at: Default::default(),
            fresh: Default::default(),
            left: Default::default(),
            downward: Default::default(),
            error: Default::default(),
            timeout: Default::default(),
            free: Default::default(),
            step: Default::default(),
            alone: Default::default(),
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
        dff_setup!(self, clock, full, first, held, count, loaded, at, fresh, left, downward, error, timeout);
        clock!(self, clock, beats);
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.held.q.val();
        // At 64 bits two beats at least pass between two descriptors: no need for them to touch.
        self.free.next = !self.full.q.val() | (self.source.ready.val() & !self.narrow.val());
        self.sink.ready.next = self.free.val() & !(self.loaded.q.val() & self.several.val());
        if self.source.ready.val() {
            self.full.d.next = false;
        }

        // Of the beat that comes, or of those that have come.
        self.beats.write.next = self.sink.valid.val() & self.sink.ready.val();
        self.beats.write_addr.next = bit_cast::<16, 3>(self.count.q.val());
        self.beats.write_data.next = self.sink.data.val();
        self.beats.read_addr.next = bit_cast::<16, 3>(self.at.q.val() >> self.beat_shift.val());
        self.step.next = self.loaded.q.val() & self.free.val();
        self.steps.next = self.step.val() & !self.fresh.q.val() & self.several.val();
        self.alone.next = self.several.val()
            & self.sink.valid.val()
            & self.sink.last.val()
            & self.sink.ready.val()
            & !self.more.val().any();
        self.from.next = self.sink.data.val();
        if self.several.val() & self.loaded.q.val() {
            self.from.next =
                self.beats.read_data.val() >> (bit_cast::<9, 3>(self.at.q.val() & self.lane_mask.val()) << 7);
        }
        self.both.next = bit_cast::<128, W>(self.from.val());
        self.low.next = self.both.val().get_bits::<64>(0);
        self.high.next = self.both.val().get_bits::<64>(64);
        if self.narrow.val() {
            self.high.next = self.low.val();
            self.low.next = self.first.q.val();
        }
        if self.free.val() {
            self.held.d.next.addr = self.low.val();
            self.held.d.next.len = self.high.val().get_bits::<32>(0);
            self.held.d.next.flags = self.high.val().get_bits::<16>(32);
            self.held.d.next.next_desc = self.high.val().get_bits::<16>(48);
            self.held.d.next.error = self.sink.side.val().error;
            self.held.d.next.timeout = self.sink.side.val().timeout;
            if self.several.val() {
                if self.loaded.q.val() {
                    self.held.d.next.error = self.error.q.val();
                    self.held.d.next.timeout = self.timeout.q.val();
                }
                self.full.d.next = self.loaded.q.val() | self.alone.val();
            } else {
                self.full.d.next = self.sink.valid.val() & self.sink.last.val();
            }
        }
        if self.sink.valid.val() & self.sink.ready.val() {
            self.first.d.next = self.both.val().get_bits::<64>(0);
            self.count.d.next = self.count.q.val() + 1;
            self.error.d.next = self.sink.side.val().error;
            self.timeout.d.next = self.sink.side.val().timeout;
            self.fresh.d.next = true;
            self.left.d.next = self.more.val();
            self.downward.d.next = self.down.val();
            self.at.d.next = 0.into();
            if self.down.val() {
                self.at.d.next = self.more.val();
            }
            if self.sink.last.val() {
                self.count.d.next = 0.into();
                self.loaded.d.next = !self.alone.val();
            }
        }
        if self.step.val() {
            self.fresh.d.next = false;
            self.left.d.next = self.left.q.val() - 1;
            self.at.d.next = self.at.q.val() + 1;
            if self.downward.q.val() {
                self.at.d.next = self.at.q.val() - 1;
            }
            if !self.left.q.val().any() {
                self.loaded.d.next = false;
            }
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.loaded.d.next = false;
            self.count.d.next = 0.into();
        }
    }
}
