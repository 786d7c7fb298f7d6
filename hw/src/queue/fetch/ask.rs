//! Sends fetch's reads, and remembers what each is for.
//! In: `line`, reads of rings; `place`, of descriptors.   Out: `request`; `purpose`, one per reply, in the same order;
//! `lent`, in one cycle, how many entries the read that goes out is for.
//! Time: one read every second cycle, the cycle after it is taken.   Waits: on `request`, and while too many are in flight. In a wide
//! function `place` does not wait for `line`: what has to is kept here.

use super::locate::Place;
use crate::params::Params;
use crate::prim::front_fifo::FrontFifo;
use crate::prim::skid::Skid;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::Direction;
use crate::queue::lookup::AreaRead;
use hematite_abi::ring;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A read of an available ring: of its index, or of `count` entries. Or of `count` descriptors of a packed ring.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Line {
    /// Bytes of the ring before it.
    pub offset: Bits<20>,
    /// What is read begins in the upper half of a DWORD.
    pub upper: Bit,
    pub index: Bits<6>,
    pub count: Bits<6>,
    pub entries: Bit,
    /// Descriptors, the first of them at this position.
    pub descs: Bit,
    pub position: Bits<16>,
}

/// What a read in flight is for: a descriptor, entries of the ring, or neither: its index.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Purpose {
    pub desc: Bit,
    pub entries: Bit,
    pub index: Bits<6>,
    /// The chain, or the position in a packed ring, or the number of entries.
    pub id: Bits<16>,
    /// The first two bytes are in the upper half of their DWORD.
    pub upper: Bit,
    /// Descriptors: as of their place.
    pub more: Bits<3>,
    pub down: Bit,
}

/// The sender.
#[derive(LogicBlock)]
pub struct Ask {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub line: StreamSink<Line>,
    /// A line may come in this cycle: no place is taken. What is sent is chosen by that, not by who comes.
    pub expects: Signal<In, Bit>,
    pub place: StreamSink<Place>,
    pub request: StreamSource<AreaRead>,
    pub purpose: StreamSource<Purpose>,
    pub lent: Signal<Out, Bits<10>>,
    /// A read has not gone out, or its reply has not come.
    pub busy: Signal<Out, Bit>,
    odd: Constant<Bits<16>>,
    idx_bytes: Constant<Bits<8>>,
    desc_bytes: Constant<Bits<8>>,
    places: Skid<Place>,
    purposes: FrontFifo<Purpose>,
    asking: Reg<Bit>,
    asked: Reg<AreaRead>,
    load: Signal<Local, Bit>,
    offered: Signal<Local, Bit>,
    last: Signal<Local, Bits<3>>,
    behind: Signal<Local, Bits<6>>,
}

impl Ask {
    /// For one direction's queues; `depth` reads may be in flight, each of up to `most` descriptors.
    pub fn new(params: &Params, direction: Direction, depth: usize, most: usize) -> Self {
        let purpose_mask = Purpose {
            desc: true,
            entries: true,
            index: (params.pairs as u64 - 1).into(),
            // A chain, or up to 32 entries.
            id: (params.name_mask() as u64).max(63).into(),
            upper: true,
            more: (most as u64 - 1).into(),
            down: most > 1,
        };
        Self {
            clock: Default::default(),
            reset: Default::default(),
            line: Default::default(),
            expects: Default::default(),
            place: Default::default(),
            request: Default::default(),
            purpose: Default::default(),
            lent: Default::default(),
            busy: Default::default(),
            odd: Constant::new((direction as u64).into()),
            idx_bytes: Constant::new(2.into()),
            desc_bytes: Constant::new((ring::DESC_BYTES as u64).into()),
            places: Skid::new(Params::wide(params.width)),
            purposes: FrontFifo::narrow(depth, purpose_mask, Params::wide(params.width)),
            asking: Default::default(),
            asked: Default::default(),
            load: Default::default(),
            offered: Default::default(),
            last: Default::default(),
            behind: Default::default(),
        }
    }
}

impl Logic for Ask {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asking, asked);
        clock!(self, clock, places, purposes);
        self.places.reset.next = self.reset.val();
        self.purposes.reset.next = self.reset.val();
        StreamSink::<Place>::link(&mut self.place, &mut self.places.sink);
        StreamSource::<Purpose>::link(&mut self.purpose, &mut self.purposes.source);
        self.request.valid.next = self.asking.q.val();
        self.request.data.next = self.asked.q.val();
        self.behind.next = self.line.data.val().count - 1;
        self.last.next = self.behind.val().get_bits::<3>(0);
        // Reads of rings first: they are few, and more hangs on them.
        self.load.next = !self.asking.q.val() & self.purposes.sink.ready.val();
        self.line.ready.next = self.load.val();
        self.places.source.ready.next = self.load.val() & !self.expects.val();
        self.offered.next = self.line.valid.val() | (self.places.source.valid.val() & !self.expects.val());
        self.purposes.sink.valid.next = self.load.val() & self.offered.val();
        self.purposes.sink.data.next.desc = !self.expects.val() | self.line.data.val().descs;
        self.purposes.sink.data.next.entries = self.expects.val() & self.line.data.val().entries;
        self.purposes.sink.data.next.index = self.places.source.data.val().index;
        self.purposes.sink.data.next.id = self.places.source.data.val().id;
        self.purposes.sink.data.next.more = self.places.source.data.val().more;
        self.purposes.sink.data.next.down = self.places.source.data.val().down;
        self.purposes.sink.data.next.upper = self.line.data.val().upper;
        if self.expects.val() {
            self.purposes.sink.data.next.index = self.line.data.val().index;
            self.purposes.sink.data.next.id = bit_cast::<16, 6>(self.line.data.val().count);
            if self.line.data.val().descs {
                self.purposes.sink.data.next.id = self.line.data.val().position;
                self.purposes.sink.data.next.more = self.last.val();
                self.purposes.sink.data.next.down = false;
            }
        }
        self.lent.next = 0.into();
        if self.request.ready.val() {
            self.asking.d.next = false;
        }
        if self.load.val() {
            self.asking.d.next = self.offered.val();
            self.asked.d.next.queue =
                (bit_cast::<16, 6>(self.places.source.data.val().index) << 1) | self.odd.val();
            self.asked.d.next.driver = self.expects.val();
            self.asked.d.next.fixed = false;
            self.asked.d.next.base = 0.into();
            self.asked.d.next.offset = self.places.source.data.val().offset;
            self.asked.d.next.len =
                self.desc_bytes.val() + (bit_cast::<8, 3>(self.places.source.data.val().more) << 4);
            if self.expects.val() {
                self.asked.d.next.queue =
                    (bit_cast::<16, 6>(self.line.data.val().index) << 1) | self.odd.val();
                self.asked.d.next.offset = self.line.data.val().offset;
                self.asked.d.next.len = self.idx_bytes.val();
                if self.line.data.val().entries {
                    self.asked.d.next.len = bit_cast::<8, 6>(self.line.data.val().count) << 1;
                }
                if self.line.data.val().descs {
                    self.asked.d.next.driver = false;
                    self.asked.d.next.len = bit_cast::<8, 6>(self.line.data.val().count) << 4;
                }
            }
        }
        if self.load.val()
            & self.line.valid.val()
            & (self.line.data.val().entries | self.line.data.val().descs)
        {
            self.lent.next = bit_cast::<10, 6>(self.line.data.val().count);
        }
        self.busy.next = self.asking.q.val() | !self.places.empty.val() | !self.purposes.empty.val();
        if self.reset.val() {
            self.asking.d.next = false;
        }
    }
}
