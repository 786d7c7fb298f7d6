//! Finds a chain's first descriptor: checks its index, and says where it stands.
//! In: `ids`.   Out: `place`, where it stands and whose it is; `error` for an index beyond the table; `dropped`, a pulse a
//! cycle late for an entry of which nothing more will come: it is wrong, or its queue has stopped.
//! Time: two cycles, one entry per cycle.   Waits: on `place`, and on `error` before it goes on behind a wrong entry.
//! Spec: [virtio: The Virtqueue Descriptor Table]

use super::unpack::Entry;
use crate::params::Params;
use crate::port::queue::{QueueControlSink, QueueError};
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::Direction;
use hematite_abi::ident;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Where a chain's first descriptor stands, or several which stand side by side.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Place {
    /// Bytes of the table before it, or before the lowest.
    pub offset: Bits<20>,
    pub index: Bits<6>,
    /// The chain whose turn it is first.
    pub id: Bits<16>,
    /// So many more chains, each with the next higher `id`, or with `down` the next lower.
    pub more: Bits<3>,
    pub down: Bit,
    /// It stands at the end of 4 KiB, at their start.
    pub page_end: Bit,
    pub page_start: Bit,
}

/// What is known of a table.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Table {
    pub size: Bits<16>,
    /// Descriptors before it in its 4 KiB.
    pub start: Bits<8>,
}

/// From entries to addresses.
#[derive(LogicBlock)]
pub struct Locate {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// Bit per index: queues that are neither stopped nor off.
    pub live: Signal<In, Bits<64>>,
    pub ids: StreamSink<Entry>,
    pub place: StreamSource<Place>,
    pub error: StreamSource<QueueError>,
    pub dropped: Signal<Out, Bit>,
    tx: Constant<Bit>,
    odd: Constant<Bits<16>>,
    mask: Constant<Bits<16>>,
    tables: Lutram<Table>,
    known: Reg<Bit>,
    entry: Reg<Entry>,
    table: Reg<Table>,
    placed: Reg<Bit>,
    drop: Reg<Bit>,
    out: Reg<Place>,
    live_here: Signal<Local, Bit>,
    in_page: Signal<Local, Bits<8>>,
    wrong: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
}

impl Locate {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            live: Default::default(),
            ids: Default::default(),
            place: Default::default(),
            error: Default::default(),
            dropped: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            odd: Constant::new((direction as u64).into()),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            tables: Lutram::new(params.pairs),
            known: Default::default(),
            entry: Default::default(),
            table: Default::default(),
            in_page: Default::default(),
            placed: Default::default(),
            drop: Default::default(),
            out: Default::default(),
            live_here: Default::default(),
            wrong: Default::default(),
            go: Default::default(),
        }
    }
}

impl Logic for Locate {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, known, entry, table, placed, drop, out);
        clock!(self, clock, tables);
        self.tables.write.next =
            self.control.enable.val() & (self.control.settings.val().queue.get_bit(0) == self.tx.val());
        self.tables.write_addr.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        self.tables.write_data.next.size = self.control.settings.val().size;
        self.tables.write_data.next.start = self.control.settings.val().desc.get_bits::<8>(4);
        self.tables.read_addr.next = bit_cast::<16, 6>(self.ids.data.val().index);

        self.place.valid.next = self.placed.q.val();
        self.place.data.next = self.out.q.val();
        self.live_here.next = self.live.val().get_bit(self.entry.q.val().index.index());
        self.in_page.next = self.table.q.val().start + self.entry.q.val().id.get_bits::<8>(0);
        self.wrong.next = self.entry.q.val().id >= self.table.q.val().size;
        self.error.valid.next = self.known.q.val() & self.wrong.val() & self.live_here.val();
        self.error.data.next.queue = (bit_cast::<16, 6>(self.entry.q.val().index) << 1) | self.odd.val();
        self.error.data.next.code = ident::ERROR_DESC_INDEX.into();

        // The second step: check.
        self.go.next = false;
        self.dropped.next = self.drop.q.val();
        self.drop.d.next = false;
        if self.place.ready.val() {
            self.placed.d.next = false;
        }
        if self.known.q.val() {
            if !self.live_here.val() {
                self.go.next = true;
                self.drop.d.next = true;
            } else if self.wrong.val() {
                self.go.next = self.error.ready.val();
                self.drop.d.next = self.error.ready.val();
            } else if !self.placed.q.val() | self.place.ready.val() {
                self.go.next = true;
                self.placed.d.next = true;
                self.out.d.next.offset = bit_cast::<20, 16>(self.entry.q.val().id) << 4;
                self.out.d.next.more = 0.into();
                self.out.d.next.down = false;
                self.out.d.next.page_end = !(!self.in_page.val()).any();
                self.out.d.next.page_start = !self.in_page.val().any();
                self.out.d.next.index = self.entry.q.val().index;
                self.out.d.next.id = self.entry.q.val().id;
            }
        }
        // The first: look the table up.
        self.ids.ready.next = !self.known.q.val() | self.go.val();
        if !self.known.q.val() | self.go.val() {
            self.known.d.next = self.ids.valid.val();
            self.entry.d.next = self.ids.data.val();
            self.table.d.next = self.tables.read_data.val();
        }
        if self.reset.val() {
            self.known.d.next = false;
            self.placed.d.next = false;
            self.drop.d.next = false;
        }
    }
}
