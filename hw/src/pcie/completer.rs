//! Answers requests: configuration type 0, and memory of 1 to 128 bytes in BAR 0.
//! In: `request`, `settings`.   Out: `cfg` and `bar` accesses, `completion`, `captured`.
//! Time: 3 cycles to decide; per DWORD an access and a cycle; W/32 more for a read.
//! Waits: for the access, and for `completion`. One request at a time; the next waits.
//! Spec: [PCI Express: Request Handling Rules; Completion Rules; Configuration Request Rules; Data Poisoning]

pub mod shape;

use crate::params::Params;
use crate::port::mmio::MmioMaster;
use crate::port::pcie::PcieSettings;
use crate::port::tlp::TlpSide;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::lutram::Lutram;
use hematite_abi::tlp;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;
use shape::{CompletionHeader, Shape};

/// The largest request served, bytes.
pub const ACCESS_BYTES: usize = 128;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Measure,
    Decide,
    Load,
    Access,
    Align,
    Answer,
}

/// See the head of this file.
#[derive(LogicBlock)]
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
    // Beats of payload, to write or read.
    words: Lutram<Bits<W>>,
    at: Reg<Bits<16>>,
    beat: Reg<Bits<W>>,
    lane: Reg<Bits<6>>,
    // What the header says.
    bytes: Reg<Bits<13>>,
    lower: Reg<Bits<7>>,
    dwords: Reg<Bits<6>>,
    small: Reg<Bit>,
    hit: Reg<Bit>,
    // What is done about it.
    to_config: Reg<Bit>,
    write: Reg<Bit>,
    first: Reg<Bit>,
    left: Reg<Bits<6>>,
    addr: Reg<Bits<14>>,
    status: Reg<Bits<3>>,
    with_data: Reg<Bit>,
    memory: Reg<Bit>,
    id: Reg<Bits<16>>,
    kind: Signal<Local, Bits<8>>,
    high: Signal<Local, Bits<48>>,
    dword: Signal<Local, Bits<14>>,
    end: Signal<Local, Bits<15>>,
    poisoned: Signal<Local, Bit>,
    mem_read: Signal<Local, Bit>,
    mem_write: Signal<Local, Bit>,
    locked: Signal<Local, Bit>,
    posted: Signal<Local, Bit>,
    configures: Signal<Local, Bit>,
    strobe: Signal<Local, Bits<4>>,
    asking: Signal<Local, Bit>,
    done: Signal<Local, Bit>,
    got: Signal<Local, Bits<32>>,
    shifted: Signal<Local, Bits<W>>,
    reply: Signal<Local, CompletionHeader>,
    depth: Constant<Bits<16>>,
    lanes: Constant<Bits<6>>,
    top: Constant<Bits<10>>,
    success: Constant<Bits<3>>,
    unsupported: Constant<Bits<3>>,
    abort: Constant<Bits<3>>,
}

impl<const W: usize> Completer<W> {
    /// Takes nothing from `params` but that they are checked.
    pub fn new(_params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            request: Default::default(),
            completion: Default::default(),
            cfg: Default::default(),
            bar: Default::default(),
            settings: Default::default(),
            captured: Default::default(),
            busy: Default::default(),
            count_unsupported: Default::default(),
            count_aborted: Default::default(),
            count_poisoned: Default::default(),
            state: Default::default(),
            inside: Default::default(),
            header: Default::default(),
            shape: Default::default(),
            words: Lutram::new(ACCESS_BYTES * 8 / W),
            at: Default::default(),
            beat: Default::default(),
            lane: Default::default(),
            bytes: Default::default(),
            lower: Default::default(),
            dwords: Default::default(),
            small: Default::default(),
            hit: Default::default(),
            to_config: Default::default(),
            write: Default::default(),
            first: Default::default(),
            left: Default::default(),
            addr: Default::default(),
            status: Default::default(),
            with_data: Default::default(),
            memory: Default::default(),
            id: Default::default(),
            kind: Default::default(),
            high: Default::default(),
            dword: Default::default(),
            end: Default::default(),
            poisoned: Default::default(),
            mem_read: Default::default(),
            mem_write: Default::default(),
            locked: Default::default(),
            posted: Default::default(),
            configures: Default::default(),
            strobe: Default::default(),
            asking: Default::default(),
            done: Default::default(),
            got: Default::default(),
            shifted: Default::default(),
            reply: Default::default(),
            depth: Constant::new((ACCESS_BYTES * 8 / W).to_bits()),
            lanes: Constant::new((W / 32).to_bits()),
            top: Constant::new((W - 32).to_bits()),
            success: Constant::new(tlp::STATUS_SC.to_bits()),
            unsupported: Constant::new(tlp::STATUS_UR.to_bits()),
            abort: Constant::new(tlp::STATUS_CA.to_bits()),
        }
    }
}

impl<const W: usize> Logic for Completer<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, inside, header, at, beat, lane, bytes, lower, dwords, small, hit);
        dff_setup!(self, clock, to_config, write, first, left, addr, status, with_data, memory, id);
        self.words.clock.next = self.clock.val();
        self.words.write.next = false;
        self.words.write_addr.next = self.at.q.val();
        self.words.write_data.next = self.request.data.val();
        self.words.read_addr.next = self.at.q.val();
        self.shape.header.next = self.header.q.val();
        self.captured.next = self.id.q.val();
        self.busy.next = (self.state.q.val() != State::Idle) | self.inside.q.val();
        self.count_unsupported.next = false;
        self.count_aborted.next = false;
        self.count_poisoned.next = false;

        self.kind.next = self.header.q.val().get_bits::<8>(tlp::KIND_LSB);
        self.poisoned.next = self.header.q.val().get_bit(tlp::EP_LSB);
        self.mem_read.next =
            (self.kind.val() == tlp::KIND_MEM_READ_32) | (self.kind.val() == tlp::KIND_MEM_READ_64);
        self.mem_write.next =
            (self.kind.val() == tlp::KIND_MEM_WRITE_32) | (self.kind.val() == tlp::KIND_MEM_WRITE_64);
        self.locked.next = (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_32)
            | (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_64);
        self.posted.next = self.mem_write.val() | (self.kind.val().get_bits::<2>(3) == 2);
        // We are function 0; there is no other.
        self.configures.next = ((self.kind.val() == tlp::KIND_CFG_READ_0)
            | (self.kind.val() == tlp::KIND_CFG_WRITE_0))
            & self.small.q.val()
            & (self.dwords.q.val() == 1)
            & !self.header.q.val().get_bits::<3>(tlp::CFG_FUNCTION_LSB).any();

        self.high.next = bit_cast::<48, 16>(self.header.q.val().get_bits::<16>(tlp::ADDR_DW2_LSB + 16));
        self.dword.next = self.header.q.val().get_bits::<14>(tlp::ADDR_DW2_LSB + 2);
        if self.header.q.val().get_bit(tlp::HAS_4DW_BIT) {
            self.high.next = bit_cast::<48, 16>(self.header.q.val().get_bits::<16>(tlp::ADDR_DW3_LSB + 16))
                | (bit_cast::<48, 32>(self.header.q.val().get_bits::<32>(tlp::ADDR_DW2_LSB)) << 16);
            self.dword.next = self.header.q.val().get_bits::<14>(tlp::ADDR_DW3_LSB + 2);
        }
        self.end.next = bit_cast::<15, 14>(self.dword.val()) + bit_cast::<15, 6>(self.dwords.q.val());

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
        self.cfg.write.next = self.write.q.val();
        self.cfg.addr.next = bit_cast::<16, 14>(self.addr.q.val()) << 2;
        self.cfg.write_data.next = self.beat.q.val().get_bits::<32>(0);
        self.cfg.strobe.next = self.strobe.val();
        self.bar.valid.next = self.asking.val() & !self.to_config.q.val();
        self.bar.write.next = self.write.q.val();
        self.bar.addr.next = bit_cast::<16, 14>(self.addr.q.val()) << 2;
        self.bar.write_data.next = self.beat.q.val().get_bits::<32>(0);
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
        self.shifted.next = self.beat.q.val() >> 32;

        self.reply.next.length = bit_cast::<10, 6>(self.dwords.q.val());
        self.reply.next.kind = tlp::KIND_CPL_D.into();
        if !self.with_data.q.val() {
            self.reply.next.length = 0.into();
            self.reply.next.kind = tlp::KIND_CPL.into();
            if self.locked.val() {
                self.reply.next.kind = tlp::KIND_CPL_LOCKED.into();
            }
        }
        self.reply.next.at = 0.into();
        self.reply.next.attr = self.header.q.val().get_bits::<2>(tlp::ATTR_LSB);
        self.reply.next.poisoned = false;
        self.reply.next.digest = false;
        self.reply.next.hints = 0.into();
        self.reply.next.attr2 = self.header.q.val().get_bit(tlp::ATTR2_LSB);
        self.reply.next.t8 = self.header.q.val().get_bit(tlp::TAG8_LSB);
        self.reply.next.class = self.header.q.val().get_bits::<3>(tlp::TC_LSB);
        self.reply.next.t9 = self.header.q.val().get_bit(tlp::TAG9_LSB);
        // Byte Count is 4 and Lower Address 0 for what is no memory read.
        self.reply.next.bytes = 4.into();
        self.reply.next.lower = 0.into();
        if self.memory.q.val() {
            self.reply.next.bytes = self.bytes.q.val().get_bits::<12>(0);
            self.reply.next.lower = self.lower.q.val();
        }
        self.reply.next.modified = false;
        self.reply.next.status = self.status.q.val();
        self.reply.next.completer = self.id.q.val();
        self.reply.next.reserved = false;
        self.reply.next.tag = self.header.q.val().get_bits::<8>(tlp::TAG_LSB);
        self.reply.next.requester = self.header.q.val().get_bits::<16>(tlp::REQUESTER_LSB);
        self.reply.next.dw3 = 0.into();
        self.completion.valid.next = self.state.q.val() == State::Answer;
        self.completion.last.next = !self.with_data.q.val() | (self.left.q.val() <= self.lanes.val());
        self.completion.data.next = self.words.read_data.val();
        self.completion.side.next.header = self.reply.val().into();
        self.completion.side.next.error = false;

        match self.state.q.val() {
            // Idle: take all of a request; what is beyond 128 bytes will not be needed.
            State::Idle => {
                self.words.write.next = self.request.valid.val() & (self.at.q.val() < self.depth.val());
                if self.request.valid.val() {
                    if !self.inside.q.val() {
                        self.header.d.next = self.request.side.val().header;
                    }
                    self.inside.d.next = !self.request.last.val();
                    if self.at.q.val() < self.depth.val() {
                        self.at.d.next = self.at.q.val() + 1;
                    }
                    if self.request.last.val() {
                        self.at.d.next = 0.into();
                        // Dropped: the receiver has counted it.
                        if !self.request.side.val().error {
                            self.state.d.next = State::Measure;
                        }
                    }
                }
            }
            // Measure: how much, and where.
            State::Measure => {
                self.bytes.d.next = self.shape.bytes.val();
                self.lower.d.next = self.shape.lower.val();
                self.dwords.d.next = bit_cast::<6, 11>(self.shape.dwords.val());
                self.small.d.next = self.shape.dwords.val() <= 32;
                self.hit.d.next = self.settings.val().memory_enable
                    & (self.high.val() == self.settings.val().bar.get_bits::<48>(16));
                self.memory.d.next = self.mem_read.val() | self.locked.val();
                self.lane.d.next = 0.into();
                self.state.d.next = State::Decide;
            }
            // Decide: serve, refuse or drop.
            State::Decide => {
                self.first.d.next = true;
                self.left.d.next = self.dwords.q.val();
                self.addr.d.next = self.dword.val();
                self.to_config.d.next = false;
                self.write.d.next = self.header.q.val().get_bit(tlp::HAS_DATA_BIT);
                self.with_data.d.next = !self.header.q.val().get_bit(tlp::HAS_DATA_BIT);
                self.status.d.next = self.success.val();
                self.state.d.next = State::Access;
                if self.header.q.val().get_bit(tlp::HAS_DATA_BIT) {
                    self.state.d.next = State::Load;
                }
                if self.configures.val() & !self.poisoned.val() {
                    self.to_config.d.next = true;
                    self.addr.d.next =
                        bit_cast::<14, 10>(self.header.q.val().get_bits::<10>(tlp::CFG_REGISTER_LSB));
                    // "Functions must capture the Bus and Device Numbers supplied with all Type 0 Configuration Writes."
                    if self.header.q.val().get_bit(tlp::HAS_DATA_BIT) {
                        self.id.d.next = self.header.q.val().get_bits::<16>(tlp::CFG_TARGET_LSB);
                    }
                } else if !(self.mem_read.val() | self.mem_write.val())
                    | !self.hit.q.val()
                    | !self.small.q.val()
                    | (self.end.val().get_bit(14) & self.end.val().get_bits::<14>(0).any())
                    | self.poisoned.val()
                {
                    self.count_unsupported.next = true;
                    self.count_poisoned.next = self.poisoned.val();
                    self.with_data.d.next = false;
                    self.status.d.next = self.unsupported.val();
                    // Ours, but more than the function answers.
                    if self.mem_read.val() & self.hit.q.val() & !self.small.q.val() & !self.poisoned.val() {
                        self.status.d.next = self.abort.val();
                        self.count_unsupported.next = false;
                        self.count_aborted.next = true;
                    }
                    self.state.d.next = State::Answer;
                    if self.posted.val() {
                        self.state.d.next = State::Idle;
                    }
                }
            }
            // Load: the next beat to write.
            State::Load => {
                self.beat.d.next = self.words.read_data.val();
                self.at.d.next = self.at.q.val() + 1;
                self.lane.d.next = 0.into();
                self.state.d.next = State::Access;
            }
            // Access: one DWORD.
            State::Access => {
                if self.done.val() {
                    self.first.d.next = false;
                    self.addr.d.next = self.addr.q.val() + 1;
                    self.left.d.next = self.left.q.val() - 1;
                    self.lane.d.next = self.lane.q.val() + 1;
                    self.beat.d.next = self.shifted.val();
                    if self.write.q.val() {
                        if self.left.q.val() == 1 {
                            self.state.d.next = State::Idle;
                            self.at.d.next = 0.into();
                            if self.to_config.q.val() {
                                self.state.d.next = State::Answer;
                            }
                        } else if self.lane.q.val() + 1 == self.lanes.val() {
                            self.state.d.next = State::Load;
                        }
                    } else {
                        self.beat.d.next =
                            self.shifted.val() | (bit_cast::<W, 32>(self.got.val()) << self.top.val());
                        if (self.left.q.val() == 1) | (self.lane.q.val() + 1 == self.lanes.val()) {
                            self.state.d.next = State::Align;
                        }
                    }
                }
            }
            // Align: a beat is read, or the last part of one: its first DWORD must come into lane 0.
            State::Align => {
                self.words.write_data.next = self.beat.q.val();
                if self.lane.q.val() != self.lanes.val() {
                    self.lane.d.next = self.lane.q.val() + 1;
                    self.beat.d.next = self.shifted.val();
                } else {
                    self.words.write.next = true;
                    self.lane.d.next = 0.into();
                    self.at.d.next = self.at.q.val() + 1;
                    self.state.d.next = State::Access;
                    if !self.left.q.val().any() {
                        self.at.d.next = 0.into();
                        self.left.d.next = self.dwords.q.val();
                        self.state.d.next = State::Answer;
                    }
                }
            }
            // Answer: send the completion.
            State::Answer => {
                if self.completion.ready.val() {
                    self.at.d.next = self.at.q.val() + 1;
                    self.left.d.next = self.left.q.val() - self.lanes.val();
                    if self.completion.last.val() {
                        self.at.d.next = 0.into();
                        self.state.d.next = State::Idle;
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }

        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.inside.d.next = false;
            self.at.d.next = 0.into();
            self.id.d.next = 0.into();
        }
    }
}
