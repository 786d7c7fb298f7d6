//! Sorts the TLPs that arrive.
//! In: `tlp`.   Out: `request`, for the completer; `completion`, for the reader.
//! Time: one beat per cycle; a beat is out one cycle after it came in.
//! Waits: for the one it goes to. Messages need no answer and go nowhere.
//! Spec: [PCI Express: Handling of Received TLPs]: a malformed TLP is discarded; it is counted, and keeps its mark where it was begun.

use crate::params::Params;
use crate::port::tlp::TlpSide;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::beat_fifo::BeatFifo;
use hematite_abi::tlp;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Route {
    Nowhere,
    Request,
    Completion,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Rx<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tlp: BeatSink<W, TlpSide>,
    pub request: BeatSource<W, TlpSide>,
    pub completion: BeatSource<W, TlpSide>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: a TLP has arrived; it was malformed or marked bad by the link.
    pub count_tlp_in: Signal<Out, Bit>,
    pub count_malformed: Signal<Out, Bit>,
    requests: BeatFifo<W, TlpSide>,
    completions: BeatFifo<W, TlpSide>,
    inside: Reg<Bit>,
    route: Reg<Route>,
    /// The TLP at hand is of no kind there is.
    alien: Reg<Bit>,
    /// Beats that should still come after this one.
    left: Reg<Bits<11>>,
    /// The TLP at hand is longer than its header says.
    long: Reg<Bit>,
    kind: Signal<Local, Bits<8>>,
    length: Signal<Local, Bits<11>>,
    beats: Signal<Local, Bits<11>>,
    is_request: Signal<Local, Bit>,
    is_completion: Signal<Local, Bit>,
    way: Signal<Local, Route>,
    way_now: Signal<Local, Route>,
    known: Signal<Local, Bit>,
    known_now: Signal<Local, Bit>,
    left_now: Signal<Local, Bits<11>>,
    bad: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    beat_shift: Constant<Bits<11>>,
}

impl<const W: usize> Rx<W> {
    /// As wide as `params` says.
    pub fn new(params: &Params) -> Self {
        // Completions are not to wait for a doorbell that is being answered.
        let requests = if params.width == 64 { 1 } else { 4 };
        let dwords = W / 32;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            tlp: Default::default(),
            request: Default::default(),
            completion: Default::default(),
            busy: Default::default(),
            count_tlp_in: Default::default(),
            count_malformed: Default::default(),
            requests: BeatFifo::new(requests),
            completions: BeatFifo::new(1),
            inside: Default::default(),
            route: Default::default(),
            alien: Default::default(),
            left: Default::default(),
            long: Default::default(),
            kind: Default::default(),
            length: Default::default(),
            beats: Default::default(),
            is_request: Default::default(),
            is_completion: Default::default(),
            way: Default::default(),
            way_now: Default::default(),
            known: Default::default(),
            known_now: Default::default(),
            left_now: Default::default(),
            bad: Default::default(),
            taken: Default::default(),
            beat_shift: Constant::new((dwords.trailing_zeros() as usize).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Rx<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, route, alien, left, long);
        clock!(self, clock, requests, completions);
        self.requests.reset.next = self.reset.val();
        self.completions.reset.next = self.reset.val();
        BeatSource::<W, TlpSide>::link(&mut self.request, &mut self.requests.source);
        BeatSource::<W, TlpSide>::link(&mut self.completion, &mut self.completions.source);

        // Where a TLP of this kind goes. Of those not named here there is none: it is malformed, and goes nowhere.
        self.kind.next = self.tlp.side.val().header.get_bits::<8>(tlp::KIND_LSB);
        self.is_request.next = (self.kind.val() == tlp::KIND_MEM_READ_32)
            | (self.kind.val() == tlp::KIND_MEM_READ_64)
            | (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_32)
            | (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_64)
            | (self.kind.val() == tlp::KIND_MEM_WRITE_32)
            | (self.kind.val() == tlp::KIND_MEM_WRITE_64)
            | (self.kind.val() == tlp::KIND_IO_READ)
            | (self.kind.val() == tlp::KIND_IO_WRITE)
            | (self.kind.val() == tlp::KIND_CFG_READ_0)
            | (self.kind.val() == tlp::KIND_CFG_WRITE_0)
            | (self.kind.val() == tlp::KIND_CFG_READ_1)
            | (self.kind.val() == tlp::KIND_CFG_WRITE_1)
            | (self.kind.val() == tlp::KIND_FETCH_ADD_32)
            | (self.kind.val() == tlp::KIND_FETCH_ADD_64)
            | (self.kind.val() == tlp::KIND_SWAP_32)
            | (self.kind.val() == tlp::KIND_SWAP_64)
            | (self.kind.val() == tlp::KIND_CAS_32)
            | (self.kind.val() == tlp::KIND_CAS_64);
        self.is_completion.next = (self.kind.val() == tlp::KIND_CPL)
            | (self.kind.val() == tlp::KIND_CPL_D)
            | (self.kind.val() == tlp::KIND_CPL_LOCKED)
            | (self.kind.val() == tlp::KIND_CPL_D_LOCKED);
        // Messages: routing in the lower bits of Type, with and without data.
        self.known.next = self.is_request.val()
            | self.is_completion.val()
            | ((self.kind.val().get_bits::<2>(3) == tlp::TYPE_MSG_HIGH)
                & ((self.kind.val().get_bits::<3>(5) == tlp::FMT_4DW)
                    | (self.kind.val().get_bits::<3>(5) == tlp::FMT_4DW_DATA)));
        self.way.next = Route::Nowhere;
        if self.is_request.val() {
            self.way.next = Route::Request;
        } else if self.is_completion.val() {
            self.way.next = Route::Completion;
        }

        // How many beats it should have.
        self.length.next = bit_cast::<11, 10>(self.tlp.side.val().header.get_bits::<10>(tlp::LENGTH_LSB));
        if self.tlp.side.val().header.get_bits::<10>(tlp::LENGTH_LSB) == 0 {
            self.length.next = 1024.into();
        }
        self.beats.next = 0.into();
        if self.tlp.side.val().header.get_bit(tlp::HAS_DATA_BIT) {
            self.beats.next = (self.length.val() - 1) >> self.beat_shift.val();
        }
        self.left_now.next = self.left.q.val();
        if !self.inside.q.val() {
            self.left_now.next = self.beats.val();
        }
        self.way_now.next = self.way.val();
        self.known_now.next = self.known.val();
        if self.inside.q.val() {
            self.way_now.next = self.route.q.val();
            self.known_now.next = !self.alien.q.val();
        }
        self.bad.next = self.tlp.last.val()
            & (self.tlp.side.val().error
                | self.left_now.val().any()
                | self.long.q.val()
                | !self.known_now.val());

        self.requests.sink.valid.next = self.tlp.valid.val() & (self.way_now.val() == Route::Request);
        self.requests.sink.last.next = self.tlp.last.val();
        self.requests.sink.data.next = self.tlp.data.val();
        self.requests.sink.side.next.header = self.tlp.side.val().header;
        self.requests.sink.side.next.error = self.bad.val();
        self.completions.sink.valid.next = self.tlp.valid.val() & (self.way_now.val() == Route::Completion);
        self.completions.sink.last.next = self.tlp.last.val();
        self.completions.sink.data.next = self.tlp.data.val();
        self.completions.sink.side.next.header = self.tlp.side.val().header;
        self.completions.sink.side.next.error = self.bad.val();
        self.tlp.ready.next = (self.requests.sink.ready.val() & (self.way_now.val() == Route::Request))
            | (self.completions.sink.ready.val() & (self.way_now.val() == Route::Completion))
            | (self.way_now.val() == Route::Nowhere);

        self.taken.next = self.tlp.valid.val() & self.tlp.ready.val();
        if self.taken.val() {
            self.inside.d.next = !self.tlp.last.val();
            self.route.d.next = self.way_now.val();
            self.alien.d.next = !self.known_now.val();
            self.left.d.next = self.left_now.val() - 1;
            if !self.left_now.val().any() {
                self.left.d.next = 0.into();
                self.long.d.next = true;
            }
            if self.tlp.last.val() {
                self.long.d.next = false;
            }
        }
        self.count_tlp_in.next = self.taken.val() & self.tlp.last.val();
        self.count_malformed.next = self.taken.val() & self.bad.val();
        self.busy.next =
            self.inside.q.val() | self.requests.source.valid.val() | self.completions.source.valid.val();
        if self.reset.val() {
            self.inside.d.next = false;
            self.long.d.next = false;
        }
    }
}
