//! Joins the streams of TLPs that leave.
//! In: `inputs`.   Out: `tlp`.
//! Time: one beat per cycle, no cycle lost between TLPs that wait; a TLP is out one cycle after it came in, two if its input
//! did not have the turn. In a wide function a read request rides on the last beat of another's TLP and takes no beat of its own.
//! Waits: for `tlp.ready`. Inputs take turns, a whole TLP each; for a read request that can ride, riding is its turn, but
//! behind four in a row that had to wait for it one more has a turn: else those of a busy reader are as many as the others' TLPs.
//! Spec: [PCI Express: Transaction Ordering]: a TLP of which the last beat is taken here has its place in the order for good; one that
//! rides comes behind the one it rides on.

use crate::params::Params;
use crate::port::tlp::{TlpOutSide, TlpSide};
use crate::prim::arbiter::Arbiter;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::beat_fifo::BeatFifo;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Streams that leave: completions, writes, read requests, which are a beat each and may ride.
pub const INPUTS: usize = 3;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Tx<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inputs: Vec<BeatSink<W, TlpSide>>,
    pub tlp: BeatSource<W, TlpOutSide>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: a TLP has left.
    pub count_tlp_out: Signal<Out, Bit>,
    arbiter: Arbiter,
    out: BeatFifo<W, TlpOutSide>,
    /// Within a TLP. Whose turn it is: until its TLP's end, and then until another input offers one.
    inside: Reg<Bit>,
    owner: Reg<Bits<8>>,
    taken: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    rides: Signal<Local, Bit>,
    counts: Signal<Local, Bit>,
    side: Signal<Local, TlpSide>,
    /// The read request on offer was there in the last cycle; how many such have ridden, one after the other.
    waits: Reg<Bit>,
    pressed: Reg<Bits<2>>,
    /// TLPs that have ridden and are not counted yet.
    uncounted: Reg<Bits<4>>,
    able: Constant<Bit>,
}

impl<const W: usize> Tx<W> {
    /// Joins `INPUTS` streams.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            inputs: (0..INPUTS).map(|_| Default::default()).collect(),
            tlp: Default::default(),
            busy: Default::default(),
            count_tlp_out: Default::default(),
            arbiter: Arbiter::new(INPUTS),
            out: BeatFifo::new(1),
            inside: Default::default(),
            owner: Default::default(),
            taken: Default::default(),
            leaves: Default::default(),
            last: Default::default(),
            rides: Default::default(),
            counts: Default::default(),
            side: Default::default(),
            waits: Default::default(),
            pressed: Default::default(),
            uncounted: Default::default(),
            able: Constant::new(params.width >= 256),
        }
    }
}

impl<const W: usize> Logic for Tx<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, inside, owner, waits, pressed, uncounted);
        clock!(self, clock, arbiter, out);
        self.arbiter.reset.next = self.reset.val();
        self.out.reset.next = self.reset.val();
        BeatSource::<W, TlpOutSide>::link(&mut self.tlp, &mut self.out.source);

        self.out.sink.valid.next = self.inputs[0].valid.val();
        self.last.next = self.inputs[0].last.val();
        self.out.sink.data.next = self.inputs[0].data.val();
        self.side.next = self.inputs[0].side.val();
        // The first is what the others override: one selection less.
        for i in 1..3 {
            if self.owner.q.val().index() == i {
                self.out.sink.valid.next = self.inputs[i].valid.val();
                self.last.next = self.inputs[i].last.val();
                self.out.sink.data.next = self.inputs[i].data.val();
                self.side.next = self.inputs[i].side.val();
            }
        }
        self.taken.next = self.out.sink.valid.val() & self.out.sink.ready.val();
        self.rides.next = self.able.val()
            & self.inputs[2].valid.val()
            & (self.owner.q.val().index() != 2)
            & self.out.sink.valid.val()
            & self.last.val()
            & !self.uncounted.q.val().all();
        for i in 0..3 {
            self.arbiter.wants[i].next = self.inputs[i].valid.val() & (self.owner.q.val().index() != i);
            self.inputs[i].ready.next = self.out.sink.ready.val() & (self.owner.q.val().index() == i);
        }
        self.waits.d.next = self.inputs[2].valid.val() & (self.owner.q.val().index() != 2);
        if self.rides.val() {
            self.arbiter.wants[2].next = self.pressed.q.val().all();
            self.inputs[2].ready.next = self.taken.val();
            if self.taken.val() {
                self.waits.d.next = false;
                self.pressed.d.next = 0.into();
                if self.waits.q.val() {
                    self.pressed.d.next = self.pressed.q.val() + 1;
                }
            }
        }
        self.out.sink.last.next = self.last.val();
        self.out.sink.side.next.header = self.side.val().header;
        self.out.sink.side.next.rider = self.inputs[2].side.val().header;
        self.out.sink.side.next.error = self.side.val().error;
        self.out.sink.side.next.riding = self.rides.val();
        self.leaves.next =
            (self.taken.val() & self.last.val()) | (!self.inside.q.val() & !self.out.sink.valid.val());
        self.arbiter.take.next = self.leaves.val();
        if self.leaves.val() & self.arbiter.any.val() {
            self.owner.d.next = self.arbiter.index.val();
        }
        if self.taken.val() {
            self.inside.d.next = !self.last.val();
        }
        self.counts.next = self.taken.val() & self.last.val();
        self.count_tlp_out.next = self.counts.val() | self.uncounted.q.val().any();
        if self.counts.val() & self.rides.val() {
            self.uncounted.d.next = self.uncounted.q.val() + 1;
        } else if !self.counts.val() & self.uncounted.q.val().any() {
            self.uncounted.d.next = self.uncounted.q.val() - 1;
        }
        self.busy.next = self.inside.q.val()
            | self.out.source.valid.val()
            | self.out.sink.valid.val()
            | self.uncounted.q.val().any()
            | self.arbiter.any.val();
        if self.reset.val() {
            self.inside.d.next = false;
            self.uncounted.d.next = 0.into();
            self.pressed.d.next = 0.into();
        }
    }
}
