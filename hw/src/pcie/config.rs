//! Configuration space, what it says to the rest of the function, and the window on the BAR.
//!
//! In: `access`, `captured`, `pending`, `unsupported`, `flr_answer`.   Out: `settings`, `flr`, accesses through `window`.
//! Time: 4 cycles an access; through the window as long as the BAR takes, and 2. Settings follow a write after 2 cycles.
//! Waits: for `window`; with the answer to what asks for a function level reset, for `flr_answer`.
//! Spec: [PCI Express: PCI-Compatible Configuration Registers; PCI Express Capability Structure],
//! [virtio 1.4: PCI configuration access capability]

use crate::params::Params;
use crate::port::mmio::{MmioMaster, MmioSlave};
use crate::port::pcie::PcieSettings;
use crate::prim::regfile::{RegFile, Row};
use hematite_abi::space::{ConfigParams, config_space};
use hematite_abi::{config, layout, msix};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// The registers that mean something to the function, as numbered below.
const EXPOSED: [usize; 9] = [
    config::COMMAND_DW,
    config::BAR0_DW,
    config::BAR1_DW,
    layout::POWER_CONTROL_DW,
    layout::DEVICE_CONTROL_DW,
    layout::MSIX_CONTROL_DW,
    layout::WINDOW_BAR_DW,
    layout::WINDOW_OFFSET_DW,
    layout::WINDOW_LENGTH_DW,
];

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Write,
    Read,
    Window,
    Answer,
}

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Config {
    pub clock: Signal<In, Clock>,
    /// PCIe reset, that of a function level reset included.
    pub reset: Signal<In, Bit>,
    /// Byte offset in configuration space.
    pub access: MmioSlave,
    pub window: MmioMaster,
    pub captured: Signal<In, Bits<16>>,
    /// Level: requests of ours are without their completion.
    pub pending: Signal<In, Bit>,
    /// Pulse: a request was not supported.
    pub unsupported: Signal<In, Bit>,
    /// The write that asked for a function level reset may be answered.
    pub flr_answer: Signal<In, Bit>,
    pub settings: Signal<Out, PcieSettings>,
    /// Level: a function level reset has been asked for; `reset` ends it.
    pub flr: Signal<Out, Bit>,
    file: RegFile,
    state: Reg<State>,
    /// What is written, a cycle after it is shown.
    data: Reg<Bits<32>>,
    answer: Reg<Bits<32>>,
    made: Reg<PcieSettings>,
    resetting: Reg<Bit>,
    // Bytes of the window's data that the BAR is asked for: none if it is aimed at nothing.
    aim: Reg<Bits<4>>,
    dword: Signal<Local, Bits<10>>,
    at_window: Signal<Local, Bit>,
    at_power: Signal<Local, Bit>,
    at_control: Signal<Local, Bit>,
    command: Signal<Local, Bits<32>>,
    power: Signal<Local, Bits<2>>,
    awake: Signal<Local, Bit>,
    mrrs: Signal<Local, Bits<3>>,
    mps: Signal<Local, Bits<3>>,
    read: Signal<Local, Bits<13>>,
    payload: Signal<Local, Bits<13>>,
    message: Signal<Local, Bits<32>>,
    target: Signal<Local, Bits<32>>,
    length: Signal<Local, Bits<32>>,
    bytes: Signal<Local, Bits<4>>,
    lane: Signal<Local, Bits<2>>,
    shift: Signal<Local, Bits<5>>,
    strobe: Signal<Local, Bits<4>>,
    fetched: Signal<Local, Bits<32>>,
    // Bytes by the code of the control register, and not more than the function has room for.
    reads: Vec<Constant<Bits<13>>>,
    payloads: Vec<Constant<Bits<13>>>,
    unsupported_seen: Constant<Bits<32>>,
    pending_seen: Constant<Bits<32>>,
}

/// What each of the eight codes of Max_Payload_Size and Max_Read_Request_Size allows; the last two are reserved.
fn sizes(most: usize) -> Vec<Constant<Bits<13>>> {
    let bytes = |code: usize| if code < 6 { most.min((config::SIZE_UNIT as usize) << code) } else { most };
    (0..8).map(|code| Constant::new(bytes(code).to_bits())).collect()
}

impl Config {
    /// Registers as `hematite_abi::space` lists them.
    pub fn new(params: &Params) -> Self {
        // Device Status has the upper half of its DWORD. Error bits which nothing here raises are constants.
        let seen = (config::DEVSTA_UNSUPPORTED as u32) << 16;
        let space =
            config_space(&ConfigParams::new(params.vectors(), params.numbers(), params.payload_bytes));
        let rows: Vec<Row> = space
            .iter()
            .map(|reg| Row {
                dword: reg.offset / 4,
                reset: reg.reset,
                write: reg.write,
                clear: if reg.offset / 4 == layout::DEVICE_CONTROL_DW { reg.w1c & seen } else { 0 },
            })
            .collect();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            window: Default::default(),
            captured: Default::default(),
            pending: Default::default(),
            unsupported: Default::default(),
            flr_answer: Default::default(),
            settings: Default::default(),
            flr: Default::default(),
            file: RegFile::new(&rows, &EXPOSED),
            state: Default::default(),
            data: Default::default(),
            answer: Default::default(),
            made: Default::default(),
            resetting: Default::default(),
            aim: Default::default(),
            dword: Default::default(),
            at_window: Default::default(),
            at_power: Default::default(),
            at_control: Default::default(),
            command: Default::default(),
            power: Default::default(),
            awake: Default::default(),
            mrrs: Default::default(),
            mps: Default::default(),
            read: Default::default(),
            payload: Default::default(),
            message: Default::default(),
            target: Default::default(),
            length: Default::default(),
            bytes: Default::default(),
            lane: Default::default(),
            shift: Default::default(),
            strobe: Default::default(),
            fetched: Default::default(),
            reads: sizes(params.read_bytes),
            payloads: sizes(params.payload_bytes),
            unsupported_seen: Constant::new(seen.to_bits()),
            pending_seen: Constant::new(((config::DEVSTA_PENDING as u32) << 16).to_bits()),
        }
    }
}

impl Logic for Config {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, data, answer, made, resetting, aim);
        self.file.clock.next = self.clock.val();
        self.file.reset.next = self.reset.val();
        for i in 0..9 {
            self.file.raise[i].next = 0.into();
        }
        if self.unsupported.val() {
            self.file.raise[4].next = self.unsupported_seen.val();
        }
        self.dword.next = self.access.addr.val().get_bits::<10>(2);
        self.at_window.next = false;
        self.at_power.next = false;
        self.at_control.next = false;
        match self.dword.val().index() {
            layout::WINDOW_DATA_DW => self.at_window.next = true,
            layout::POWER_CONTROL_DW => self.at_power.next = true,
            layout::DEVICE_CONTROL_DW => self.at_control.next = true,
            _ => {}
        }
        self.file.dword.next = self.dword.val();
        self.file.write.next = false;
        self.file.write_data.next = self.data.q.val();
        self.file.strobe.next = self.access.strobe.val();
        // D1 and D2 do not exist: "If software attempts to write an unsupported state to this field, the write operation
        // must complete normally; however, the data is discarded and no state change occurs."
        if self.at_power.val() & (self.data.q.val().get_bit(0) ^ self.data.q.val().get_bit(1)) {
            self.file.strobe.next = self.access.strobe.val() & 14;
        }

        // What the registers say. In D3hot only configuration requests are served, and nothing is begun.
        self.command.next = self.file.values[0].val();
        self.power.next = self.file.values[3].val().get_bits::<2>(config::POWER_STATE_LSB);
        self.awake.next = self.power.val() != config::POWER_D3HOT;
        self.message.next = self.file.values[5].val();
        self.mrrs.next = self.file.values[4].val().get_bits::<3>(config::DEVCTL_MRRS_LSB);
        self.mps.next = self.file.values[4].val().get_bits::<3>(config::DEVCTL_MPS_LSB);
        self.read.next = self.reads[self.mrrs.val().index()].val();
        self.payload.next = self.payloads[self.mps.val().index()].val();
        self.made.d.next.memory_enable =
            self.command.val().get_bit(config::COMMAND_MEMORY_BIT) & self.awake.val();
        self.made.d.next.bus_master =
            self.command.val().get_bit(config::COMMAND_BUS_MASTER_BIT) & self.awake.val();
        self.made.d.next.bar = (bit_cast::<64, 32>(self.file.values[2].val()) << 32)
            | (bit_cast::<64, 16>(self.file.values[1].val().get_bits::<16>(16)) << 16);
        self.made.d.next.read_bytes = self.read.val();
        self.made.d.next.payload_bytes = self.payload.val();
        self.made.d.next.requester = self.captured.val();
        self.made.d.next.msix_enable = self.message.val().get_bit(msix::CONTROL_ENABLE_DW_BIT);
        self.made.d.next.msix_mask = self.message.val().get_bit(msix::CONTROL_FUNCTION_MASK_DW_BIT);
        self.settings.next = self.made.q.val();
        self.flr.next = self.resetting.q.val();

        // Where the window is aimed: "cap.offset MUST be a multiple of cap.length", which is 1, 2 or 4, within BAR 0.
        self.target.next = self.file.values[7].val();
        self.length.next = self.file.values[8].val();
        self.lane.next = self.target.val().get_bits::<2>(0);
        self.shift.next = bit_cast::<5, 2>(self.lane.val()) << 3;
        self.bytes.next = 0.into();
        if (self.length.val() == 1) & !self.target.val().get_bits::<16>(16).any() {
            self.bytes.next = 1.into();
        }
        if (self.length.val() == 2)
            & !self.target.val().get_bits::<16>(16).any()
            & !self.target.val().get_bit(0)
        {
            self.bytes.next = 3.into();
        }
        if (self.length.val() == 4) & !self.target.val().get_bits::<16>(16).any() & !self.lane.val().any() {
            self.bytes.next = 15.into();
        }
        if self.file.values[6].val().get_bits::<8>(0).any() {
            self.bytes.next = 0.into();
        }
        self.aim.d.next = self.bytes.val();

        self.strobe.next = self.aim.q.val();
        if self.access.write.val() {
            self.strobe.next = self.aim.q.val() & self.access.strobe.val();
        }
        self.window.valid.next = self.state.q.val() == State::Window;
        self.window.write.next = self.access.write.val();
        self.window.addr.next = bit_cast::<16, 14>(self.target.val().get_bits::<14>(2)) << 2;
        self.window.write_data.next = self.data.q.val() << self.shift.val();
        self.window.strobe.next = self.strobe.val() << self.lane.val();
        self.fetched.next = self.window.read_data.val() >> self.shift.val();

        self.access.ready.next = self.state.q.val() == State::Answer;
        self.access.read_data.next = self.answer.q.val();
        match self.state.q.val() {
            // Idle: one of ours from here, the window's data from the BAR.
            State::Idle => {
                self.answer.d.next = 0.into();
                self.data.d.next = self.access.write_data.val();
                if self.access.valid.val() {
                    self.state.d.next = State::Write;
                    if self.at_window.val() {
                        self.state.d.next = State::Answer;
                        if self.strobe.val().any() {
                            self.state.d.next = State::Window;
                        }
                    }
                }
            }
            // Write: it takes effect.
            State::Write => {
                self.state.d.next = State::Read;
                self.file.write.next = self.access.write.val();
                if self.access.write.val()
                    & self.at_control.val()
                    & self.access.strobe.val().get_bit(1)
                    & self.data.q.val().get_bit(config::DEVCTL_FLR_LSB)
                {
                    self.resetting.d.next = true;
                }
            }
            // Read: the register as it was.
            State::Read => {
                self.answer.d.next = self.file.read_data.val();
                if self.at_control.val() & self.pending.val() {
                    self.answer.d.next = self.file.read_data.val() | self.pending_seen.val();
                }
                if !self.resetting.q.val() | self.flr_answer.val() {
                    self.state.d.next = State::Answer;
                }
            }
            // Window: the BAR has it.
            State::Window => {
                self.answer.d.next = self.fetched.val();
                if !self.aim.q.val().get_bit(1) {
                    self.answer.d.next = self.fetched.val() & 255;
                } else if !self.aim.q.val().get_bit(2) {
                    self.answer.d.next = self.fetched.val() & 65535;
                }
                if self.window.ready.val() {
                    self.state.d.next = State::Answer;
                }
            }
            // Answer: the answer is beside `ready`.
            State::Answer => self.state.d.next = State::Idle,
            _ => self.state.d.next = State::Idle,
        }

        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.resetting.d.next = false;
            self.made.d.next.memory_enable = false;
            self.made.d.next.bus_master = false;
            self.made.d.next.msix_enable = false;
        }
    }
}
