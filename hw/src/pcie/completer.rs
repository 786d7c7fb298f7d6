//! Answers requests: configuration type 0, and memory of 1 to 128 bytes in BAR 0.
//! In: `request`, `settings`.   Out: `cfg` and `bar` accesses, `completion`, `captured`.
//! Time: 3 cycles to decide; per DWORD an access; one more per further beat of a write, and for a read.
//! Waits: for the access, and for `completion`. One request at a time; the next waits.
//! Spec: [PCI Express: Request Handling Rules; Completion Rules; Configuration Request Rules; Data Poisoning]

pub mod payload;
pub mod reply;
pub mod shape;

use crate::params::Params;
use crate::port::mmio::MmioMaster;
use crate::port::pcie::PcieSettings;
use crate::port::tlp::TlpSide;
use crate::prim::beat::{BeatSink, BeatSource};
use hematite_abi::tlp;
use hematite_verilog::{Reg, dff_setup};
use payload::Payload;
use reply::Reply;
use rust_hdl_core::prelude::*;
use shape::Shape;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Measure,
    Decide,
    Load,
    Access,
    Fetch,
    Answer,
}

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct Completer<const W: usize> {
    pub clock: Signal<In, Clock>,
    /// Power-on and hot reset, not that of a function level reset: it answers the write that asks for one.
    pub reset: Signal<In, Bit>,
    pub request: BeatSink<W, TlpSide>,
    pub completion: BeatSource<W, TlpSide>,
    /// Byte offset in configuration space.
    pub cfg: MmioMaster,
    pub bar: MmioMaster,
    pub settings: Signal<In, PcieSettings>,
    /// Bus, device and function number of the last configuration write.
    pub captured: Signal<Out, Bits<16>>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: a request was answered UR, or a posted one dropped.
    pub count_unsupported: Signal<Out, Bit>,
    /// Pulse: a request was answered CA.
    pub count_aborted: Signal<Out, Bit>,
    /// Pulse, beside `count_unsupported`: the request was poisoned.
    pub count_poisoned: Signal<Out, Bit>,
    state: Reg<State>,
    inside: Reg<Bit>,
    header: Reg<Bits<128>>,
    shape: Shape,
    answer: Reply,
    payload: Payload<W>,
    end: Reg<Bits<15>>,
    // What the header says.
    bytes: Reg<Bits<13>>,
    lower: Reg<Bits<7>>,
    dwords: Reg<Bits<6>>,
    small: Reg<Bit>,
    hit: Reg<Bit>,
    // What is done about it.
    to_config: Reg<Bit>,
    first: Reg<Bit>,
    left: Reg<Bits<6>>,
    addr: Reg<Bits<14>>,
    status: Reg<Bits<3>>,
    with_data: Reg<Bit>,
    id: Reg<Bits<16>>,
    poisoned: Signal<Local, Bit>,
    writes: Signal<Local, Bit>,
    strobe: Signal<Local, Bits<4>>,
    asking: Signal<Local, Bit>,
    done: Signal<Local, Bit>,
    got: Signal<Local, Bits<32>>,
}

impl<const W: usize> Completer<W> {
    /// Takes nothing from `params` but that they are checked.
    pub fn new(_params: &Params) -> Self {
        Self::default()
    }
}

impl<const W: usize> Logic for Completer<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, inside, header, bytes, lower, dwords, small, hit, end);
        dff_setup!(self, clock, to_config, first, left, addr, status, with_data, id);
        clock!(self, clock, payload);
        self.shape.header.next = self.header.q.val();
        self.shape.bar.next = self.settings.val().bar.get_bits::<48>(16);
        self.poisoned.next = self.header.q.val().get_bit(tlp::EP_LSB);
        self.writes.next = self.header.q.val().get_bit(tlp::HAS_DATA_BIT);
        self.captured.next = self.id.q.val();
        self.busy.next = (self.state.q.val() != State::Idle) | self.inside.q.val();
        self.count_unsupported.next = false;
        self.count_aborted.next = false;
        self.count_poisoned.next = false;
        self.payload.put.next = false;
        self.payload.beat.next = self.request.data.val();
        self.payload.load.next = false;
        self.payload.pass.next = false;
        self.payload.keep.next = false;
        self.payload.rewind.next = false;
        self.request.ready.next = self.state.q.val() == State::Idle;

        // The access under way.
        self.strobe.next = 15.into();
        if self.first.q.val() {
            self.strobe.next = self.header.q.val().get_bits::<4>(tlp::FIRST_BE_LSB);
        } else if self.left.q.val() == 1 {
            self.strobe.next = self.header.q.val().get_bits::<4>(tlp::LAST_BE_LSB);
        }
        // An access of no byte is none.
        self.asking.next = (self.state.q.val() == State::Access) & self.strobe.val().any();
        self.cfg.valid.next = self.asking.val() & self.to_config.q.val();
        self.cfg.write.next = self.writes.val();
        self.cfg.addr.next = bit_cast::<16, 14>(self.addr.q.val()) << 2;
        self.cfg.write_data.next = self.payload.dword.val();
        self.cfg.strobe.next = self.strobe.val();
        self.bar.valid.next = self.asking.val() & !self.to_config.q.val();
        self.bar.write.next = self.writes.val();
        self.bar.addr.next = bit_cast::<16, 14>(self.addr.q.val()) << 2;
        self.bar.write_data.next = self.payload.dword.val();
        self.bar.strobe.next = self.strobe.val();
        self.got.next = self.bar.read_data.val();
        self.done.next = self.bar.ready.val();
        if self.to_config.q.val() {
            self.got.next = self.cfg.read_data.val();
            self.done.next = self.cfg.ready.val();
        }
        if !self.strobe.val().any() {
            self.got.next = 0.into();
            self.done.next = true;
        }
        self.payload.dword_in.next = self.got.val();

        self.answer.header.next = self.header.q.val();
        self.answer.completer.next = self.id.q.val();
        self.answer.status.next = self.status.q.val();
        self.answer.with_data.next = self.with_data.q.val();
        self.answer.length.next = self.dwords.q.val();
        self.answer.memory.next = self.shape.mem_read.val() | self.shape.locked.val();
        self.answer.locked.next = self.shape.locked.val();
        self.answer.bytes.next = self.bytes.q.val();
        self.answer.lower.next = self.lower.q.val();
        self.completion.valid.next = self.state.q.val() == State::Answer;
        self.completion.last.next = !self.with_data.q.val() | (self.left.q.val() <= self.payload.lanes.val());
        self.completion.data.next = self.payload.beat_out.val();
        self.completion.side.next.header = self.answer.reply.val().into();
        self.completion.side.next.error = false;

        match self.state.q.val() {
            // Idle: take all of a request; what is beyond 128 bytes will not be needed.
            State::Idle => {
                self.payload.put.next = self.request.valid.val();
                if self.request.valid.val() {
                    if !self.inside.q.val() {
                        self.header.d.next = self.request.side.val().header;
                    }
                    self.inside.d.next = !self.request.last.val();
                    if self.request.last.val() {
                        self.payload.rewind.next = true;
                        // Dropped: the receiver has counted it.
                        if !self.request.side.val().error {
                            self.state.d.next = State::Measure;
                        }
                    }
                }
            }
            // Measure: how much, and where. A write's first beat is fetched.
            State::Measure => {
                self.bytes.d.next = self.shape.bytes.val();
                self.lower.d.next = self.shape.lower.val();
                self.dwords.d.next = bit_cast::<6, 11>(self.shape.dwords.val());
                self.small.d.next = self.shape.dwords.val() <= 32;
                self.end.d.next = bit_cast::<15, 14>(self.shape.dword.val())
                    + bit_cast::<15, 6>(self.shape.dwords.val().get_bits::<6>(0));
                self.hit.d.next = self.settings.val().memory_enable & self.shape.hit.val();
                self.payload.load.next = true;
                self.state.d.next = State::Decide;
            }
            // Decide: serve, refuse or drop.
            State::Decide => {
                self.first.d.next = true;
                self.left.d.next = self.dwords.q.val();
                self.addr.d.next = self.shape.dword.val();
                self.to_config.d.next = false;
                self.with_data.d.next = !self.writes.val();
                self.status.d.next = tlp::STATUS_SC.into();
                self.state.d.next = State::Access;
                if !self.writes.val() {
                    self.payload.rewind.next = true;
                }
                if self.shape.configures.val() & !self.poisoned.val() {
                    self.to_config.d.next = true;
                    self.addr.d.next =
                        bit_cast::<14, 10>(self.header.q.val().get_bits::<10>(tlp::CFG_REGISTER_LSB));
                    // "Functions must capture the Bus and Device Numbers supplied with all Type 0 Configuration Writes."
                    if self.writes.val() {
                        self.id.d.next = self.header.q.val().get_bits::<16>(tlp::CFG_TARGET_LSB);
                    }
                } else if !(self.shape.mem_read.val() | self.shape.mem_write.val())
                    | !self.hit.q.val()
                    | !self.small.q.val()
                    | (self.end.q.val().get_bit(14) & self.end.q.val().get_bits::<14>(0).any())
                    | self.poisoned.val()
                {
                    self.payload.rewind.next = true;
                    self.count_unsupported.next = true;
                    self.count_poisoned.next = self.poisoned.val();
                    self.with_data.d.next = false;
                    self.status.d.next = tlp::STATUS_UR.into();
                    // Ours, but more than the function answers.
                    if self.shape.mem_read.val()
                        & self.hit.q.val()
                        & !self.small.q.val()
                        & !self.poisoned.val()
                    {
                        self.status.d.next = tlp::STATUS_CA.into();
                        self.count_unsupported.next = false;
                        self.count_aborted.next = true;
                    }
                    self.state.d.next = State::Answer;
                    if self.shape.posted.val() {
                        self.state.d.next = State::Idle;
                    }
                }
            }
            // Load: the next beat to write.
            State::Load => {
                self.payload.load.next = true;
                self.state.d.next = State::Access;
            }
            // Access: one DWORD.
            State::Access => {
                if self.done.val() {
                    self.first.d.next = false;
                    self.addr.d.next = self.addr.q.val() + 1;
                    self.left.d.next = self.left.q.val() - 1;
                    self.payload.pass.next = self.writes.val();
                    self.payload.keep.next = !self.writes.val();
                    if self.left.q.val() == 1 {
                        self.payload.rewind.next = true;
                        self.state.d.next = State::Idle;
                        if !self.writes.val() {
                            self.left.d.next = self.dwords.q.val();
                            self.state.d.next = State::Fetch;
                        } else if self.to_config.q.val() {
                            self.state.d.next = State::Answer;
                        }
                    } else if self.writes.val() & self.payload.ends.val() {
                        self.state.d.next = State::Load;
                    }
                }
            }
            // Fetch: the first beat of what has been read.
            State::Fetch => {
                self.payload.load.next = true;
                self.state.d.next = State::Answer;
            }
            // Answer: send the completion.
            State::Answer => {
                if self.completion.ready.val() {
                    self.payload.load.next = true;
                    self.left.d.next = self.left.q.val() - self.payload.lanes.val();
                    if self.completion.last.val() {
                        self.payload.rewind.next = true;
                        self.state.d.next = State::Idle;
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }

        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.inside.d.next = false;
            self.payload.rewind.next = true;
            self.id.d.next = 0.into();
        }
    }
}
