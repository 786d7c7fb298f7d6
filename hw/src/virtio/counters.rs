//! The counters: 32 of 32 bits.
//! In: `events`, a bit per counter and cycle; bytes of frames.   Out: a counter, when asked.
//! Time: an answer takes up to 35 cycles: it is given when the sweep comes by, and is exact then.
//! Waits: never. Nothing is lost: what happens between two sweeps fits a small counter in flip-flops.

use crate::prim::ram::Ram;
use hematite_abi::ident;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Counters that one sweep visits.
const COUNTERS: usize = 32;

/// Of these there are at least `APART` cycles from one event to the next, so that a sweep finds few of them: what asks, serves
/// and sends takes a step each.
pub const SELDOM: [usize; 8] = [
    ident::TLP_UNSUPPORTED,
    ident::TLP_ABORTED,
    ident::TLP_POISONED,
    ident::IRQ_SENT,
    ident::IRQ_MASKED,
    ident::KICKS,
    ident::DEVICE_RESETS,
    ident::QUEUE_RESETS,
];
/// See `SELDOM`.
pub const APART: usize = 3;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Counters {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Bit n: counter n counts one.
    pub events: Signal<In, Bits<32>>,
    /// Bytes that have gone to the wire, and come from it, in this cycle.
    pub tx_bytes: Signal<In, Bits<7>>,
    pub rx_bytes: Signal<In, Bits<7>>,
    pub ask: Signal<In, Bit>,
    pub index: Signal<In, Bits<5>>,
    /// `value` is the counter asked for, in this cycle.
    pub told: Signal<Out, Bit>,
    pub value: Signal<Out, Bits<32>>,
    happened: Reg<Bits<32>>,
    few: Vec<Reg<Bits<6>>>,
    /// Which bits of `few` are needed.
    room: Vec<Constant<Bits<6>>>,
    tx_few: Reg<Bits<12>>,
    rx_few: Reg<Bits<12>>,
    totals: Ram<Bits<32>>,
    sweep: Reg<Bits<5>>,
    /// What the sweep has picked up, and where; a cycle later, with the total so far.
    picked: Reg<Bits<12>>,
    picked_at: Reg<Bits<5>>,
    added: Reg<Bits<12>>,
    added_at: Reg<Bits<5>>,
    total: Reg<Bits<32>>,
    clearing: Reg<Bits<6>>,
    pick: Signal<Local, Bits<6>>,
    sum: Signal<Local, Bits<33>>,
    carry_tx: Reg<Bit>,
    carry_rx: Reg<Bit>,
}

/// The bits which a sweep's events of a counter fill.
fn room(counter: usize) -> Constant<Bits<6>> {
    let apart = if SELDOM.contains(&counter) { APART } else { 1 };
    let most = COUNTERS.div_ceil(apart) as u64;
    Constant::new(((most.next_power_of_two() - 1) | most).to_bits())
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            events: Default::default(),
            tx_bytes: Default::default(),
            rx_bytes: Default::default(),
            ask: Default::default(),
            index: Default::default(),
            told: Default::default(),
            value: Default::default(),
            happened: Default::default(),
            few: (0..COUNTERS).map(|_| Reg::default()).collect(),
            room: (0..COUNTERS).map(room).collect(),
            tx_few: Default::default(),
            rx_few: Default::default(),
            totals: Ram::apart(COUNTERS),
            sweep: Default::default(),
            picked: Default::default(),
            picked_at: Default::default(),
            added: Default::default(),
            added_at: Default::default(),
            total: Default::default(),
            clearing: Default::default(),
            pick: Default::default(),
            sum: Default::default(),
            carry_tx: Default::default(),
            carry_rx: Default::default(),
        }
    }
}

impl Logic for Counters {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, happened, added, added_at, total);
        dff_setup!(self, clock, tx_few, rx_few, sweep, picked, picked_at, clearing, carry_tx, carry_rx);
        clock!(self, clock, totals);

        // What happens is kept until the sweep picks it up.
        self.happened.d.next = self.events.val();
        self.pick.next = 0.into();
        for i in 0..32 {
            self.few[i].clock.next = self.clock.val();
            self.few[i].d.next = self.few[i].q.val() & self.room[i].val();
            if self.happened.q.val().get_bit(i) {
                self.few[i].d.next = (self.few[i].q.val() + 1) & self.room[i].val();
            }
            if self.sweep.q.val().index() == i {
                self.pick.next = self.few[i].q.val();
                self.few[i].d.next = 0.into();
                if self.happened.q.val().get_bit(i) {
                    self.few[i].d.next = 1.into();
                }
            }
        }
        self.tx_few.d.next = self.tx_few.q.val() + bit_cast::<12, 7>(self.tx_bytes.val());
        self.rx_few.d.next = self.rx_few.q.val() + bit_cast::<12, 7>(self.rx_bytes.val());
        self.picked.d.next = bit_cast::<12, 6>(self.pick.val());
        match self.sweep.q.val().index() {
            ident::TX_BYTES_LO => {
                self.picked.d.next = self.tx_few.q.val();
                self.tx_few.d.next = bit_cast::<12, 7>(self.tx_bytes.val());
            }
            ident::RX_BYTES_LO => {
                self.picked.d.next = self.rx_few.q.val();
                self.rx_few.d.next = bit_cast::<12, 7>(self.rx_bytes.val());
            }
            ident::TX_BYTES_HI => self.picked.d.next = bit_cast::<12, 1>(self.carry_tx.q.val().into()),
            ident::RX_BYTES_HI => self.picked.d.next = bit_cast::<12, 1>(self.carry_rx.q.val().into()),
            _ => {}
        }
        self.picked_at.d.next = self.sweep.q.val();
        self.sweep.d.next = self.sweep.q.val() + 1;

        // Two cycles later it is added: the RAM is slow to answer.
        self.totals.read.next = true;
        self.totals.read_addr.next = bit_cast::<16, 5>(self.sweep.q.val());
        self.total.d.next = self.totals.read_data.val();
        self.added.d.next = self.picked.q.val();
        self.added_at.d.next = self.picked_at.q.val();
        self.sum.next = bit_cast::<33, 32>(self.total.q.val()) + bit_cast::<33, 12>(self.added.q.val());
        self.totals.write.next = true;
        self.totals.write_addr.next = bit_cast::<16, 5>(self.added_at.q.val());
        self.totals.write_data.next = self.sum.val().get_bits::<32>(0);
        match self.added_at.q.val().index() {
            ident::TX_BYTES_LO => self.carry_tx.d.next = self.sum.val().get_bit(32),
            ident::RX_BYTES_LO => self.carry_rx.d.next = self.sum.val().get_bit(32),
            _ => {}
        }
        self.told.next =
            self.ask.val() & (self.added_at.q.val() == self.index.val()) & (self.clearing.q.val() == 0);
        self.value.next = self.sum.val().get_bits::<32>(0);

        if self.clearing.q.val() != 0 {
            self.clearing.d.next = self.clearing.q.val() - 1;
            self.totals.write_data.next = 0.into();
        }
        if self.reset.val() {
            self.clearing.d.next = 40.into();
            self.carry_tx.d.next = false;
            self.carry_rx.d.next = false;
        }
    }
}
