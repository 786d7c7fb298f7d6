//! Gives a request its tag and makes its TLP.
//!
//! In: `request` of client `client`; `tag`, a free one; `hold`, the tag table is being written by a completion.
//! Out: `tlp`; to the table: `alloc` of `tag.data`, with `state` and `refused`; to the client's port: `reply`.
//! Time: a request per two cycles; the TLP is offered two cycles after the request. An eager one takes a request in each cycle in
//! which it can have its tag, and offers the TLP in the next.
//! Waits: on a free tag, on `tlp`, on `hold`. Who has seen `room` may offer a request in the next cycle, and it is taken.   `forget` drops the request inside, but not a TLP on offer.
//! Spec: [PCI Express: Memory, I/O, and Configuration Request Rules; Bus Master Enable]

use super::port::ReplyTag;
use super::tags::TagState;
use crate::params::Params;
use crate::pcie::request::{RequestHeader, RequestShape, Shaped};
use crate::port::dma::ReadRequest;
use crate::port::pcie::PcieSettings;
use crate::port::tlp::TlpSide;
use crate::prim::beat::BeatSource;
use crate::prim::fifo::Fifo;
use crate::prim::stream::StreamSink;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Issue<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub forget: Signal<In, Bit>,
    pub settings: Signal<In, PcieSettings>,
    pub request: StreamSink<ReadRequest>,
    /// There is a place for a request in the next cycle.
    pub room: Signal<Out, Bit>,
    pub client: Signal<In, Bits<8>>,
    /// Of an eager one: `request` as a TLP, with `tag`. Who offers one has it made before it is known whose turn it is.
    pub shaped: Signal<In, Shaped>,
    pub tag_valid: Signal<In, Bit>,
    pub tag: Signal<In, Bits<8>>,
    pub hold: Signal<In, Bit>,
    /// Pulse: `tag` is taken for this request.
    pub alloc: Signal<Out, Bit>,
    /// The request fails without having been sent.
    pub refused: Signal<Out, Bit>,
    pub state: Signal<Out, TagState>,
    /// For the port of this client, with `alloc`.
    pub put_client: Signal<Out, Bits<8>>,
    pub put_tag: Signal<Out, ReplyTag>,
    pub tlp: BeatSource<W, TlpSide>,
    pub busy: Signal<Out, Bit>,
    full: Reg<Bit>,
    asked: Reg<ReadRequest>,
    asker: Reg<Bits<8>>,
    offered: Reg<Bit>,
    header: Reg<RequestHeader>,
    /// Of an eager one: no request waits for `tlp` in the cycle in which it comes.
    out: Fifo<RequestHeader>,
    shape: RequestShape,
    made: Signal<Local, Shaped>,
    refuse: Signal<Local, Bit>,
    fire: Signal<Local, Bit>,
    able: Signal<Local, Bit>,
    now: Signal<Local, ReadRequest>,
    rows: Signal<Local, Bits<11>>,
    eager: Constant<Bit>,
    slot_shift: Constant<Bits<11>>,
    row_shift: Constant<Bits<11>>,
}

impl<const W: usize> Issue<W> {
    /// A read per cycle: a wide function's frames are short in cycles.
    pub const EAGER: bool = W > 128;

    /// For slots of `params.read_bytes`.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            forget: Default::default(),
            settings: Default::default(),
            request: Default::default(),
            room: Default::default(),
            client: Default::default(),
            shaped: Default::default(),
            tag_valid: Default::default(),
            tag: Default::default(),
            hold: Default::default(),
            alloc: Default::default(),
            refused: Default::default(),
            state: Default::default(),
            put_client: Default::default(),
            put_tag: Default::default(),
            tlp: Default::default(),
            busy: Default::default(),
            full: Default::default(),
            asked: Default::default(),
            asker: Default::default(),
            offered: Default::default(),
            header: Default::default(),
            out: Fifo::new(2),
            shape: Default::default(),
            made: Default::default(),
            refuse: Default::default(),
            fire: Default::default(),
            able: Default::default(),
            now: Default::default(),
            rows: Default::default(),
            eager: Constant::new(Self::EAGER),
            slot_shift: Constant::new((params.read_bytes / 4).trailing_zeros().to_bits()),
            row_shift: Constant::new((W / 32).trailing_zeros().to_bits()),
        }
    }
}

impl<const W: usize> Logic for Issue<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, asked, asker, offered, header);
        clock!(self, clock, out);
        self.out.reset.next = self.reset.val();
        self.now.next = self.asked.q.val();
        self.put_client.next = self.asker.q.val();
        if self.eager.val() {
            self.now.next = self.request.data.val();
            self.put_client.next = self.client.val();
        }
        self.shape.addr.next = self.now.val().addr;
        self.shape.len.next = self.now.val().len;
        self.shape.write.next = false;
        self.shape.tag.next = self.tag.val();
        self.shape.requester.next = self.settings.val().requester;
        self.made.next.header = self.shape.header.val();
        self.made.next.last_dword = self.shape.last_dword.val();
        if self.eager.val() {
            self.made.next = self.shaped.val();
        }
        // A request no slot can hold would overwrite its neighbour's; one of no bytes has no answer.
        self.refuse.next = !self.settings.val().bus_master
            | !self.now.val().len.any()
            | (self.made.val().last_dword >> self.slot_shift.val()).any();
        self.able.next = self.tag_valid.val()
            & !self.offered.q.val()
            & self.out.sink.ready.val()
            & !self.hold.val()
            & !self.forget.val();
        self.fire.next = self.full.q.val() & self.able.val();
        self.room.next = !self.full.q.val() | self.fire.val();
        self.request.ready.next = !self.full.q.val();
        if self.eager.val() {
            self.fire.next = self.request.valid.val() & self.able.val();
            self.room.next = self.able.val();
            self.request.ready.next = self.able.val();
        }
        self.alloc.next = self.fire.val();
        self.refused.next = self.refuse.val();
        self.state.next.left = self.now.val().len;
        self.state.next.lower = self.now.val().addr.get_bits::<7>(0);
        self.state.next.at = 0.into();
        self.state.next.failed = false;
        self.put_tag.next.tag = self.tag.val();
        self.rows.next = self.made.val().last_dword >> self.row_shift.val();
        self.put_tag.next.last_row = bit_cast::<9, 11>(self.rows.val());
        self.put_tag.next.refused = self.refuse.val();
        self.tlp.valid.next = self.offered.q.val();
        self.tlp.last.next = true;
        self.tlp.data.next = 0.into();
        self.tlp.side.next.header = self.header.q.val().into();
        self.tlp.side.next.error = false;
        self.out.sink.valid.next = self.fire.val() & !self.refuse.val() & self.eager.val();
        self.out.sink.data.next = self.made.val().header;
        self.out.source.ready.next = self.tlp.ready.val();
        if self.eager.val() {
            self.tlp.valid.next = self.out.source.valid.val();
            self.tlp.side.next.header = self.out.source.data.val().into();
        }
        self.busy.next = self.full.q.val() | self.offered.q.val() | self.out.source.valid.val();

        if self.offered.q.val() & self.tlp.ready.val() {
            self.offered.d.next = false;
        }
        if self.fire.val() {
            self.full.d.next = false;
            self.offered.d.next = !self.refuse.val() & !self.eager.val();
            self.header.d.next = self.made.val().header;
        }
        if self.request.valid.val() & !self.eager.val() & (!self.full.q.val() | self.fire.val()) {
            self.full.d.next = true;
            self.asked.d.next = self.request.data.val();
            self.asker.d.next = self.client.val();
        }
        if self.forget.val() {
            self.full.d.next = false;
        }
        if self.reset.val() {
            self.full.d.next = false;
            self.offered.d.next = false;
        }
    }
}
