//! Which receive queue a frame goes to, and what its driver is told of it.
//! In: `length`, `flow` and `verdict`, one each per frame; `settings`.   Out: `arrival` and `report`, of frames that were not dropped.
//! Time: one in a cycle, a cycle through.   Waits: on `arrival`, for room among the reports, and for all three of a frame's.
//! A table of pairs, by the low bits of the flow's hash: with MQ all pairs in turn, with RSS as the driver says. Out of reset, and for what
//! has no hash, there is one queue.
//! Spec: [virtio 1.4: Automatic receive steering in multiqueue mode; RSS processing; Setting Offloads State]

use crate::params::Params;
use crate::port::control::SettingSink;
use crate::port::frame::{Arrival, Flow, FrameLength, Report};
use crate::prim::fifo::Fifo;
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::{ctrl, feature, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Steer {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub settings: SettingSink,
    pub length: StreamSink<FrameLength>,
    pub flow: StreamSink<Flow>,
    /// Its checksum is right. Only where GUEST_CSUM is offered.
    pub verdict: StreamSink<Bit>,
    /// GUEST_CSUM is accepted.
    pub guest_csum: Signal<In, Bit>,
    pub arrival: StreamSource<Arrival>,
    /// Offered no later than its arrival.
    pub report: StreamSource<Report>,
    pub busy: Signal<Out, Bit>,
    /// Pulse, and the queue beside it: the frame was dropped before it came here.
    pub count_dropped: Signal<Out, Bit>,
    pub count_queue: Signal<Out, Bits<16>>,
    table: Lutram<Bits<8>>,
    reports: Fifo<Report>,
    /// The driver has switched GUEST_CSUM off.
    unsaid: Reg<Bit>,
    /// Hashes are reported; and will be after RSS.
    hashes: Reg<Bit>,
    hashes_then: Reg<Bit>,
    /// The table counts; of its index these bits; else, and for what has no hash, this pair.
    spread: Reg<Bit>,
    mask: Reg<Bits<8>>,
    other: Reg<Bits<8>>,
    /// The table is filled with all pairs in turn: where, with which, of so many.
    filling: Reg<Bit>,
    fill: Reg<Bits<8>>,
    pair: Reg<Bits<8>>,
    pairs: Reg<Bits<8>>,
    offered: Reg<Bit>,
    out: Reg<Arrival>,
    take: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    chosen: Signal<Local, Bits<8>>,
    able: Constant<Bit>,
    verifies: Constant<Bit>,
    reporting: Constant<Bit>,
    pair_mask: Constant<Bits<8>>,
    last: Constant<Bits<8>>,
}

impl Steer {
    /// For several receive queues; with one, lengths pass.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            settings: Default::default(),
            length: Default::default(),
            flow: Default::default(),
            verdict: Default::default(),
            guest_csum: Default::default(),
            arrival: Default::default(),
            report: Default::default(),
            busy: Default::default(),
            count_dropped: Default::default(),
            count_queue: Default::default(),
            table: Lutram::new(net::RSS_TABLE),
            // More than there are frames between here and `net::rx`.
            reports: Fifo::new(16),
            unsaid: Default::default(),
            hashes: Default::default(),
            hashes_then: Default::default(),
            spread: Default::default(),
            mask: Default::default(),
            other: Default::default(),
            filling: Default::default(),
            fill: Default::default(),
            pair: Default::default(),
            pairs: Default::default(),
            offered: Default::default(),
            out: Default::default(),
            take: Default::default(),
            free: Default::default(),
            chosen: Default::default(),
            able: Constant::new(params.steers()),
            verifies: Constant::new(params.offers(feature::GUEST_CSUM)),
            reporting: Constant::new(params.offers(feature::HASH_REPORT)),
            pair_mask: Constant::new((params.pairs - 1).to_bits()),
            last: Constant::new((net::RSS_TABLE - 1).to_bits()),
        }
    }
}

impl Logic for Steer {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, table, reports);
        dff_setup!(self, clock, spread, mask, other, filling, fill, pair, pairs, offered, out);
        dff_setup!(self, clock, unsaid, hashes, hashes_then);
        self.reports.reset.next = self.reset.val() | !self.able.val();
        StreamSource::<Report>::link(&mut self.report, &mut self.reports.source);

        // The table.
        self.table.write.next = false;
        self.table.write_addr.next = bit_cast::<16, 8>(self.fill.q.val());
        self.table.write_data.next = self.pair.q.val();
        if self.filling.q.val() {
            self.table.write.next = true;
            self.fill.d.next = self.fill.q.val() + 1;
            self.pair.d.next = self.pair.q.val() + 1;
            if self.pair.q.val() + 1 == self.pairs.q.val() {
                self.pair.d.next = 0.into();
            }
            if self.fill.q.val() == self.last.val() {
                self.filling.d.next = false;
                self.spread.d.next = true;
                self.mask.d.next = self.last.val();
            }
        }
        if self.settings.valid.val() {
            // [virtio 1.4: Hash calculation] "Initially the device has all hash types disabled"; RSS brings its own.
            if self.settings.item.val() == ctrl::SET_HASH {
                self.hashes.d.next = self.settings.data.val().any();
                self.hashes_then.d.next = self.settings.data.val().any();
            }
            if self.settings.item.val() == ctrl::SET_PAIRS {
                self.hashes.d.next = self.hashes_then.q.val();
                self.filling.d.next = true;
                self.fill.d.next = 0.into();
                self.pair.d.next = 0.into();
                self.pairs.d.next = self.settings.data.val().get_bits::<8>(0);
                self.other.d.next = 0.into();
            }
            if self.settings.item.val() == ctrl::SET_RSS_TABLE {
                self.table.write.next = true;
                self.table.write_addr.next = self.settings.index.val();
                self.table.write_data.next = self.settings.data.val().get_bits::<8>(0) & self.pair_mask.val();
            }
            if self.settings.item.val() == ctrl::SET_RSS_UNCLASSIFIED {
                self.other.d.next = self.settings.data.val().get_bits::<8>(0) & self.pair_mask.val();
            }
            if self.settings.item.val() == ctrl::SET_OFFLOADS {
                self.unsaid.d.next = !self.settings.data.val().get_bit(feature::GUEST_CSUM);
            }
            if self.settings.item.val() == ctrl::SET_RSS {
                self.hashes.d.next = true;
                self.spread.d.next = true;
                self.mask.d.next = self.settings.index.val().get_bits::<8>(0);
            }
        }

        // A frame.
        self.reports.sink.data.next.hash = 0.into();
        self.reports.sink.data.next.kind = 0.into();
        if self.hashes.q.val() & self.reporting.val() {
            self.reports.sink.data.next.hash = self.flow.data.val().hash;
            self.reports.sink.data.next.kind = self.flow.data.val().kind;
        }
        self.table.read_addr.next =
            bit_cast::<16, 8>(self.flow.data.val().hash.get_bits::<8>(0) & self.mask.q.val());
        self.chosen.next = self.table.read_data.val();
        if !self.spread.q.val() | !self.flow.data.val().kind.any() {
            self.chosen.next = self.other.q.val();
        }
        self.free.next = !self.offered.q.val() | self.arrival.ready.val();
        self.take.next = self.length.valid.val()
            & self.flow.valid.val()
            & (self.verdict.valid.val() | !self.verifies.val())
            & self.free.val()
            & self.reports.sink.ready.val();
        self.length.ready.next = self.take.val();
        self.flow.ready.next = self.take.val();
        self.verdict.ready.next = self.take.val();
        self.reports.sink.valid.next = self.take.val() & !self.length.data.val().dropped;
        self.reports.sink.data.next.right =
            self.verifies.val() & self.verdict.data.val() & self.guest_csum.val() & !self.unsaid.q.val();
        if self.arrival.ready.val() {
            self.offered.d.next = false;
        }
        if self.take.val() {
            self.offered.d.next = !self.length.data.val().dropped;
            self.out.d.next.len = self.length.data.val().len;
            self.out.d.next.queue = bit_cast::<16, 8>(self.chosen.val()) << 1;
        }
        self.count_dropped.next = self.take.val() & self.length.data.val().dropped;
        self.count_queue.next = bit_cast::<16, 8>(self.chosen.val()) << 1;
        self.arrival.valid.next = self.offered.q.val();
        self.arrival.data.next = self.out.q.val();
        self.busy.next = self.offered.q.val() | self.filling.q.val();
        if !self.able.val() {
            self.arrival.valid.next = self.length.valid.val();
            self.arrival.data.next.len = self.length.data.val().len;
            self.arrival.data.next.queue = 0.into();
            self.length.ready.next = self.arrival.ready.val();
        }
        if self.reset.val() | !self.able.val() {
            self.spread.d.next = false;
            self.filling.d.next = false;
            self.other.d.next = 0.into();
            self.unsaid.d.next = false;
            self.hashes.d.next = false;
            self.hashes_then.d.next = false;
            self.offered.d.next = false;
        }
    }
}
