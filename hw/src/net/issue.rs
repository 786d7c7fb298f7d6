//! The first half of transmission: cuts a chain's buffers into reads.
//! In: `segment`.   Out: `request`; `piece`, what each read is, in order, with pieces that need no read among them.
//! Time: a piece per cycle.
//! Waits: for `request` and for room in the list of pieces.
//! Spec: [virtio 1.4: Packet Transmission]

use crate::params::Params;
use crate::port::chain::Segment;
use crate::port::dma::ReadRequest;
use crate::prim::cut::Cut;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What comes back for a read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Piece {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    /// Lane of the first byte.
    pub offset: Bits<2>,
    pub len: Bits<13>,
    /// There is a reply to take.
    pub read: Bit,
    /// The chain ends with it.
    pub end: Bit,
    /// With `end`: the chain is longer than a frame may be.
    pub drop: Bit,
    /// With `end`: the chain is bad; do not complete it.
    pub fail: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Issue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub segment: StreamSink<Segment>,
    pub read_bytes: Signal<In, Bits<13>>,
    pub request: StreamSource<ReadRequest>,
    pub piece: StreamSource<Piece>,
    pub busy: Signal<Out, Bit>,
    cut: Cut,
    pieces: Fifo<Piece>,
    // What the pieces being cut belong to.
    marks: Reg<Segment>,
    cutting: Reg<Bit>,
    dropped: Reg<Bit>,
    total: Reg<Bits<18>>,
    long: Reg<Bit>,
    begin: Signal<Local, Bit>,
    sum: Signal<Local, Bits<18>>,
    too_long: Signal<Local, Bit>,
    needs_read: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    most: Constant<Bits<18>>,
}

impl Issue {
    /// Chains of up to `params.frame_bytes` and the header.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            segment: Default::default(),
            read_bytes: Default::default(),
            request: Default::default(),
            piece: Default::default(),
            busy: Default::default(),
            cut: Default::default(),
            pieces: Fifo::new(params.tags.max(16)),
            marks: Default::default(),
            cutting: Default::default(),
            dropped: Default::default(),
            total: Default::default(),
            long: Default::default(),
            begin: Default::default(),
            sum: Default::default(),
            too_long: Default::default(),
            needs_read: Default::default(),
            go: Default::default(),
            most: Constant::new((params.frame_bytes + net::HDR_BYTES).to_bits()),
        }
    }
}

impl Logic for Issue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, marks, cutting, dropped, total, long);
        clock!(self, clock, cut, pieces);
        self.cut.reset.next = self.reset.val();
        self.pieces.reset.next = self.reset.val();
        self.cut.limit.next = self.read_bytes.val();
        StreamSource::<Piece>::link(&mut self.piece, &mut self.pieces.source);

        // A segment begins when the one before it has been cut up. One that makes the frame too long is not read.
        self.sum.next =
            self.total.q.val() + bit_cast::<18, 17>(self.segment.data.val().len.get_bits::<17>(0));
        self.too_long.next = self.segment.data.val().len.get_bits::<15>(17).any()
            | (self.sum.val() > self.most.val())
            | self.long.q.val();
        self.begin.next = self.segment.valid.val() & !self.cutting.q.val() & self.cut.job.ready.val();
        self.segment.ready.next = self.cut.job.ready.val() & !self.cutting.q.val();
        self.cut.job.valid.next = self.segment.valid.val() & !self.cutting.q.val();
        self.cut.job.data.next.addr = self.segment.data.val().addr;
        self.cut.job.data.next.len = self.segment.data.val().len;
        if self.too_long.val() | self.segment.data.val().error {
            self.cut.job.data.next.len = 0.into();
        }
        if self.begin.val() {
            self.cutting.d.next = true;
            self.marks.d.next = self.segment.data.val();
            self.dropped.d.next = self.too_long.val();
            self.total.d.next = self.sum.val();
            self.long.d.next = self.too_long.val();
            if self.segment.data.val().last {
                self.total.d.next = 0.into();
                self.long.d.next = false;
            }
        }

        // Each piece is a read and an entry in the list, together.
        self.needs_read.next = self.cut.piece.data.val().len.any();
        self.go.next = self.cut.piece.valid.val()
            & self.pieces.sink.ready.val()
            & (self.request.ready.val() | !self.needs_read.val());
        self.request.valid.next =
            self.cut.piece.valid.val() & self.pieces.sink.ready.val() & self.needs_read.val();
        self.request.data.next.addr = self.cut.piece.data.val().addr;
        self.request.data.next.len = self.cut.piece.data.val().len;
        self.cut.piece.ready.next = self.go.val();
        self.pieces.sink.valid.next = self.go.val();
        self.pieces.sink.data.next.queue = self.marks.q.val().queue;
        self.pieces.sink.data.next.id = self.marks.q.val().id;
        self.pieces.sink.data.next.offset = self.cut.piece.data.val().addr.get_bits::<2>(0);
        self.pieces.sink.data.next.len = self.cut.piece.data.val().len;
        self.pieces.sink.data.next.read = self.needs_read.val();
        self.pieces.sink.data.next.end = self.cut.piece.data.val().last & self.marks.q.val().last;
        self.pieces.sink.data.next.drop = self.dropped.q.val();
        self.pieces.sink.data.next.fail = self.marks.q.val().error;
        if self.go.val() & self.cut.piece.data.val().last {
            self.cutting.d.next = false;
        }

        self.busy.next =
            self.cutting.q.val() | self.total.q.val().any() | self.long.q.val() | self.segment.valid.val();
        if self.reset.val() {
            self.cutting.d.next = false;
            self.total.d.next = 0.into();
            self.long.d.next = false;
        }
    }
}
