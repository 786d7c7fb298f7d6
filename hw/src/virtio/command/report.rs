//! Answers who asks for counters: first it looks whether all that is asked for is there, then it tells it.
//! In: `start`, a pulse; `count`, the bytes of its command; `byte`, what stood at `at` in the cycle before; `tell`, a pulse; `value` of the
//! counter at `queue` and `field`, two cycles later; the control queue's own.   Out: `at`; `done`, a pulse, and `good`; `told`, byte by byte.
//! Time: two cycles per byte read, twice; one per byte told.   Waits: on `told`.
//! An entry asks for the one kind of statistics its queue has: one that does not is refused, and all others with it.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue, Device Statistics]

use crate::params::Params;
use crate::port::control::AnswerByte;
use crate::prim::stream::StreamSource;
use hematite_abi::ctrl;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Read,
    Keep,
    Judge,
    Refuse,
    Header,
    Ask,
    Sum,
    Load,
    Value,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Report {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub tell: Signal<In, Bit>,
    pub count: Signal<In, Bits<12>>,
    pub at: Signal<Out, Bits<12>>,
    pub byte: Signal<In, Bits<8>>,
    /// MQ or RSS is accepted: the control queue is behind all pairs.
    pub many: Signal<In, Bit>,
    pub done: Signal<Out, Bit>,
    pub good: Signal<Out, Bit>,
    pub told: StreamSource<AnswerByte>,
    pub queue: Signal<Out, Bits<16>>,
    pub field: Signal<Out, Bits<3>>,
    pub value: Signal<In, Bits<64>>,
    /// Of the control queue: commands, and those that were carried out.
    pub commands: Signal<In, Bits<64>>,
    pub carried_out: Signal<In, Bits<64>>,
    state: Reg<State>,
    telling: Reg<Bit>,
    place: Reg<Bits<12>>,
    phase: Reg<Bits<4>>,
    /// The entry, the youngest byte on top.
    entry: Reg<Bits<128>>,
    /// What is told: eight bytes, and how many of them are left but one; of which counter.
    word: Reg<Bits<64>>,
    left: Reg<Bits<3>>,
    shown: Reg<Bits<3>>,
    /// What is told is the control queue's.
    of_control: Reg<Bit>,
    control: Signal<Local, Bit>,
    known: Signal<Local, Bit>,
    kind: Signal<Local, Bits<8>>,
    size: Signal<Local, Bits<8>>,
    fields: Signal<Local, Bits<3>>,
    wanted: Signal<Local, Bits<64>>,
    last_entry: Signal<Local, Bit>,
    last_field: Signal<Local, Bit>,
    queues: Constant<Bits<16>>,
    rx_type: Constant<Bits<64>>,
    tx_type: Constant<Bits<64>>,
    control_type: Constant<Bits<64>>,
}

impl Report {
    /// For the queues of `params`.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            tell: Default::default(),
            count: Default::default(),
            at: Default::default(),
            byte: Default::default(),
            many: Default::default(),
            done: Default::default(),
            good: Default::default(),
            told: Default::default(),
            queue: Default::default(),
            field: Default::default(),
            value: Default::default(),
            commands: Default::default(),
            carried_out: Default::default(),
            state: Default::default(),
            telling: Default::default(),
            place: Default::default(),
            phase: Default::default(),
            entry: Default::default(),
            word: Default::default(),
            left: Default::default(),
            shown: Default::default(),
            of_control: Default::default(),
            control: Default::default(),
            known: Default::default(),
            kind: Default::default(),
            size: Default::default(),
            fields: Default::default(),
            wanted: Default::default(),
            last_entry: Default::default(),
            last_field: Default::default(),
            queues: Constant::new(params.queues().to_bits()),
            rx_type: Constant::new((1u64 << ctrl::STATS_RX_BASIC).to_bits()),
            tx_type: Constant::new((1u64 << ctrl::STATS_TX_BASIC).to_bits()),
            control_type: Constant::new((1u64 << ctrl::STATS_CVQ).to_bits()),
        }
    }
}

impl Logic for Report {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, telling, place, phase, entry, word, left, shown, of_control);
        self.at.next = self.place.q.val();
        self.done.next = false;
        self.good.next = false;
        self.queue.next = self.entry.q.val().get_bits::<16>(0);
        self.field.next = self.shown.q.val();

        // Whose entry it is, and what may be asked of it. Without MQ and RSS there is one pair, and the control queue is the third.
        self.control.next = self.queue.val() == self.queues.val();
        self.known.next = self.queue.val() <= self.queues.val();
        if !self.many.val() {
            self.control.next = self.queue.val() == 2;
            self.known.next = self.queue.val() <= 2;
        }
        self.kind.next = ctrl::STATS_RX_BASIC.into();
        self.wanted.next = self.rx_type.val();
        self.size.next = ctrl::STATS_BASIC_BYTES.into();
        if self.queue.val().get_bit(0) {
            self.kind.next = ctrl::STATS_TX_BASIC.into();
            self.wanted.next = self.tx_type.val();
        }
        if self.control.val() {
            self.kind.next = ctrl::STATS_CVQ.into();
            self.wanted.next = self.control_type.val();
            self.size.next = ctrl::STATS_CVQ_BYTES.into();
        }
        self.fields.next = 5.into();
        if self.of_control.q.val() {
            self.fields.next = 1.into();
        }
        self.last_entry.next = self.place.q.val() == self.count.val();
        self.last_field.next = self.shown.q.val() == self.fields.val();

        self.told.valid.next = (self.state.q.val() == State::Header) | (self.state.q.val() == State::Value);
        self.told.data.next.data = self.word.q.val().get_bits::<8>(0);
        self.told.data.next.last = (self.state.q.val() == State::Value)
            & !self.left.q.val().any()
            & self.last_field.val()
            & self.last_entry.val();

        match self.state.q.val() {
            State::Idle => {
                // Behind class and command.
                self.place.d.next = 2.into();
                self.phase.d.next = 0.into();
                self.telling.d.next = self.tell.val();
                if self.start.val() | self.tell.val() {
                    self.state.d.next = State::Read;
                }
            }
            // Read: the byte is on its way, or all has been read.
            State::Read => {
                self.state.d.next = State::Keep;
                if self.last_entry.val() {
                    self.done.next = true;
                    self.good.next = !self.phase.q.val().any();
                    self.state.d.next = State::Idle;
                }
            }
            State::Keep => {
                self.place.d.next = self.place.q.val() + 1;
                self.phase.d.next = self.phase.q.val() + 1;
                self.entry.d.next = (self.entry.q.val() >> 8) | (bit_cast::<128, 8>(self.byte.val()) << 120);
                self.state.d.next = State::Read;
                if self.phase.q.val() == 15 {
                    self.state.d.next = State::Judge;
                }
            }
            // Judge: an entry is whole.
            State::Judge => {
                self.shown.d.next = 0.into();
                self.of_control.d.next = self.control.val();
                self.left.d.next = 7.into();
                self.word.d.next = bit_cast::<64, 8>(self.kind.val())
                    | (bit_cast::<64, 16>(self.queue.val()) << 16)
                    | (bit_cast::<64, 8>(self.size.val()) << 48);
                self.state.d.next = State::Read;
                if self.telling.q.val() {
                    self.state.d.next = State::Header;
                } else if !self.known.val() | (self.entry.q.val().get_bits::<64>(64) != self.wanted.val()) {
                    self.state.d.next = State::Refuse;
                }
            }
            State::Refuse => {
                self.done.next = true;
                self.state.d.next = State::Idle;
            }
            State::Header => {
                if self.told.ready.val() {
                    self.word.d.next = self.word.q.val() >> 8;
                    self.left.d.next = self.left.q.val() - 1;
                    if !self.left.q.val().any() {
                        self.state.d.next = State::Ask;
                    }
                }
            }
            // Ask, Sum, Load: the next counter.
            State::Ask => self.state.d.next = State::Sum,
            State::Sum => self.state.d.next = State::Load,
            State::Load => {
                self.state.d.next = State::Value;
                self.word.d.next = self.value.val();
                if self.of_control.q.val() {
                    self.word.d.next = self.commands.val();
                    if self.shown.q.val().any() {
                        self.word.d.next = self.carried_out.val();
                    }
                }
            }
            State::Value => {
                if self.told.ready.val() {
                    self.word.d.next = self.word.q.val() >> 8;
                    self.left.d.next = self.left.q.val() - 1;
                    if !self.left.q.val().any() {
                        self.shown.d.next = self.shown.q.val() + 1;
                        self.state.d.next = State::Ask;
                        if self.last_field.val() {
                            self.state.d.next = State::Read;
                            if self.last_entry.val() {
                                self.state.d.next = State::Idle;
                            }
                        }
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
