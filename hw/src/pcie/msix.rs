//! MSI-X: the table, what is masked, what is pending, and the messages.
//! In: `access` (table and pending bits), `irq`, `settings`.   Out: `write`, one message each.
//! Time: 5 cycles a message, 3 an access of the table, 34 one of the pending bits; all vectors are walked through after a reset,
//! and when MSI-X is enabled, disabled or masked.
//! Waits: for `write`; meanwhile interrupts and accesses wait.
//! Spec: [PCI Express: MSI-X Capability and Table Structures]

pub mod state;

use crate::params::Params;
use crate::port::dma::WriteSide;
use crate::port::irq::Irq;
use crate::port::mmio::MmioSlave;
use crate::port::pcie::PcieSettings;
use crate::prim::beat::BeatSource;
use crate::prim::lutram::Lutram;
use crate::prim::merge::Merge;
use crate::prim::ram::Ram;
use crate::prim::stream::StreamSink;
use hematite_abi::{layout, msix};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;
use state::{State, VectorState};

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Msix<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub irq: StreamSink<Irq>,
    /// Level, in a device or function reset: the writer takes nothing; a message on offer is forgotten.
    pub drain: Signal<In, Bit>,
    pub write: BeatSource<W, WriteSide>,
    pub settings: Signal<In, PcieSettings>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: a message has been taken for the host; an interrupt found its vector masked.
    pub count_irq_sent: Signal<Out, Bit>,
    pub count_irq_masked: Signal<Out, Bit>,
    /// DWORDs of the table, but for Vector Control.
    entries: Ram<Bits<32>>,
    states: Lutram<VectorState>,
    merge: Merge,
    state: Reg<State>,
    // The vector at hand, and the DWORD of its entry.
    vector: Reg<Bits<16>>,
    dword: Reg<Bits<2>>,
    // For an interrupt that has come; as one of all.
    arrived: Reg<Bit>,
    walking: Reg<Bit>,
    // MSI-X Enable and Function Mask when all vectors were last walked through.
    enable_seen: Reg<Bit>,
    mask_seen: Reg<Bit>,
    count: Reg<Bits<6>>,
    answer: Reg<Bits<32>>,
    low: Reg<Bits<32>>,
    high: Reg<Bits<32>>,
    changed: Signal<Local, Bit>,
    exists: Signal<Local, Bit>,
    held: Signal<Local, VectorState>,
    bit: Signal<Local, Bits<32>>,
    vectors: Constant<Bits<16>>,
    last_vector: Constant<Bits<16>>,
}

impl<const W: usize> Msix<W> {
    /// `params.vectors()` vectors.
    pub fn new(params: &Params) -> Self {
        let slots = params.vectors().next_power_of_two();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            irq: Default::default(),
            drain: Default::default(),
            write: Default::default(),
            settings: Default::default(),
            busy: Default::default(),
            count_irq_sent: Default::default(),
            count_irq_masked: Default::default(),
            // One state reads, another writes: never both in a cycle.
            entries: Ram::apart(slots * msix::ENTRY_DWORDS),
            states: Lutram::new(slots),
            merge: Default::default(),
            state: Default::default(),
            vector: Default::default(),
            dword: Default::default(),
            arrived: Default::default(),
            walking: Default::default(),
            enable_seen: Default::default(),
            mask_seen: Default::default(),
            count: Default::default(),
            answer: Default::default(),
            low: Default::default(),
            high: Default::default(),
            changed: Default::default(),
            exists: Default::default(),
            held: Default::default(),
            bit: Default::default(),
            vectors: Constant::new(params.vectors().to_bits()),
            last_vector: Constant::new((params.vectors() - 1).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Msix<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, vector, dword, arrived, walking, enable_seen, mask_seen, count);
        dff_setup!(self, clock, answer, low, high);
        clock!(self, clock, entries, states);
        self.entries.read.next = false;
        self.entries.read_addr.next = (self.vector.q.val() << 2) | bit_cast::<16, 2>(self.dword.q.val());
        self.entries.write.next = false;
        self.entries.write_addr.next = (self.vector.q.val() << 2) | bit_cast::<16, 2>(self.dword.q.val());
        self.states.read_addr.next = self.vector.q.val();
        self.states.write.next = false;
        self.states.write_addr.next = self.vector.q.val();
        self.held.next = self.states.read_data.val();
        self.states.write_data.next = self.states.read_data.val();

        self.changed.next = (self.settings.val().msix_enable != self.enable_seen.q.val())
            | (self.settings.val().msix_mask != self.mask_seen.q.val());
        self.exists.next = self.vector.q.val() < self.vectors.val();
        self.merge.old.next = self.entries.read_data.val();
        // Vector Control is zero there: its one bit is in `states`.
        if (self.dword.q.val() == 3) & self.held.val().masked {
            self.merge.old.next = self.entries.read_data.val() | msix::ENTRY_MASKED;
        }
        self.merge.new.next = self.access.write_data.val();
        self.merge.strobe.next = self.access.strobe.val();
        self.entries.write_data.next = self.merge.merged.val();
        // "For proper DWORD alignment, software must always write zeroes to these two bits."
        if self.dword.q.val() == 0 {
            self.entries.write_data.next = (self.merge.merged.val() >> 2) << 2;
        }
        self.bit.next = 0.into();
        if self.exists.val() & self.held.val().pending {
            self.bit.next = 1.into();
        }

        self.access.ready.next = false;
        self.access.read_data.next = self.answer.q.val();
        self.irq.ready.next = false;
        self.count_irq_masked.next = false;
        self.write.valid.next = self.state.q.val() == State::Send;
        self.write.last.next = true;
        self.write.data.next = bit_cast::<W, 32>(self.entries.read_data.val());
        self.write.side.next.addr =
            bit_cast::<64, 32>(self.low.q.val()) | (bit_cast::<64, 32>(self.high.q.val()) << 32);
        self.write.side.next.len = 4.into();
        self.write.side.next.notify = 0.into();
        self.count_irq_sent.next = (self.state.q.val() == State::Send) & self.write.ready.val();
        self.busy.next = (self.state.q.val() != State::Idle) | self.changed.val() | self.irq.valid.val();

        match self.state.q.val() {
            // Idle: walk, an access, or an interrupt.
            State::Idle => {
                self.arrived.d.next = false;
                self.answer.d.next = 0.into();
                if self.changed.val() {
                    self.enable_seen.d.next = self.settings.val().msix_enable;
                    self.mask_seen.d.next = self.settings.val().msix_mask;
                    self.walking.d.next = true;
                    self.vector.d.next = 0.into();
                    self.state.d.next = State::Look;
                } else if self.access.valid.val() {
                    self.dword.d.next = self.access.addr.val().get_bits::<2>(2);
                    if self.access.addr.val() < layout::MSIX_TABLE_END {
                        self.vector.d.next = bit_cast::<16, 8>(self.access.addr.val().get_bits::<8>(4));
                        self.state.d.next = State::Fetch;
                    } else {
                        self.vector.d.next =
                            bit_cast::<16, 10>(self.access.addr.val().get_bits::<10>(2)) << 5;
                        self.count.d.next = 0.into();
                        self.state.d.next = State::Pba;
                    }
                } else {
                    self.irq.ready.next = true;
                    self.vector.d.next = self.irq.data.val().vector;
                    if self.irq.valid.val() & self.enable_seen.q.val() {
                        self.arrived.d.next = true;
                        self.state.d.next = State::Look;
                    }
                }
            }
            // Clear: every entry, after a reset; every vector is masked.
            State::Clear => {
                self.entries.write.next = true;
                self.entries.write_data.next = 0.into();
                self.states.write.next = true;
                self.states.write_data.next.masked = true;
                self.states.write_data.next.pending = false;
                self.dword.d.next = self.dword.q.val() + 1;
                if self.dword.q.val() == 3 {
                    self.vector.d.next = self.vector.q.val() + 1;
                    if self.vector.q.val() == self.last_vector.val() {
                        self.state.d.next = State::Idle;
                    }
                }
            }
            // Fetch: the DWORD of the table that is asked for.
            State::Fetch => {
                self.entries.read.next = true;
                self.state.d.next = State::Modify;
            }
            // Modify: it is there. A vector that is no longer masked may have something to send.
            State::Modify => {
                self.access.ready.next = true;
                self.access.read_data.next = 0.into();
                self.state.d.next = State::Idle;
                if self.exists.val() {
                    self.access.read_data.next = self.merge.old.val();
                    if self.access.write.val() {
                        if self.dword.q.val() == 3 {
                            self.states.write.next = true;
                            self.states.write_data.next.masked =
                                self.merge.merged.val().get_bit(msix::ENTRY_MASKED_BIT);
                            self.state.d.next = State::Look;
                        } else {
                            self.entries.write.next = true;
                        }
                    }
                }
            }
            // Pba: 32 pending bits, one after the other.
            State::Pba => {
                self.answer.d.next = (self.answer.q.val() >> 1) | (self.bit.val() << 31);
                self.vector.d.next = self.vector.q.val() + 1;
                self.count.d.next = self.count.q.val() + 1;
                if self.count.q.val() == 31 {
                    self.state.d.next = State::Answer;
                }
            }
            // Answer: they are there.
            State::Answer => {
                self.access.ready.next = true;
                self.state.d.next = State::Idle;
            }
            // Look: is there something to send by this vector, and may it be sent?
            State::Look => {
                self.state.d.next = State::Next;
                self.dword.d.next = 0.into();
                if self.exists.val() & (self.held.val().pending | self.arrived.q.val()) {
                    self.states.write.next = true;
                    self.states.write_data.next.pending = true;
                    if !self.enable_seen.q.val() {
                        self.states.write_data.next.pending = false;
                    } else if !self.mask_seen.q.val() & !self.held.val().masked {
                        self.states.write_data.next.pending = false;
                        self.entries.read.next = true;
                        self.entries.read_addr.next = self.vector.q.val() << 2;
                        self.dword.d.next = 1.into();
                        self.state.d.next = State::High;
                    } else {
                        self.count_irq_masked.next = self.arrived.q.val();
                    }
                }
            }
            // High: the address's low half is there.
            State::High => {
                self.low.d.next = self.entries.read_data.val();
                self.entries.read.next = true;
                self.dword.d.next = 2.into();
                self.state.d.next = State::Data;
            }
            // Data: its high half is there.
            State::Data => {
                self.high.d.next = self.entries.read_data.val();
                self.entries.read.next = true;
                self.state.d.next = State::Send;
            }
            // Send: the data stay at the RAM's output.
            State::Send => {
                if self.write.ready.val() | self.drain.val() {
                    self.state.d.next = State::Next;
                }
            }
            // Next: of a walk; else done.
            State::Next => {
                self.state.d.next = State::Idle;
                if self.walking.q.val() {
                    self.vector.d.next = self.vector.q.val() + 1;
                    self.state.d.next = State::Look;
                    if self.vector.q.val() == self.last_vector.val() {
                        self.walking.d.next = false;
                        self.state.d.next = State::Idle;
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.reset.val() {
            self.state.d.next = State::Clear;
            self.vector.d.next = 0.into();
            self.dword.d.next = 0.into();
            self.walking.d.next = false;
            self.enable_seen.d.next = false;
            self.mask_seen.d.next = false;
        }
    }
}
