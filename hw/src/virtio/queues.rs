//! The per-queue half of common configuration: settings in RAM behind `queue_select`.
//! In: `access` (DWORDs from queue_size up), `queue_select`, `quiet`.   Out: `control`, broadcast to the data plane; `irq_vector`.
//! Time: 4 cycles an access; enabling a queue 13; resetting one until the data plane is quiet, then 12.
//! Waits: a write of 1 to queue_enable is answered when the queue has started; one to queue_reset at once, and queue_reset reads 1 until done.
//! Spec: [virtio 1.4: Common configuration structure layout], [Virtqueue Reset]

use crate::params::Params;
use crate::port::mmio::MmioSlave;
use crate::port::queue::QueueControlSource;
use crate::prim::lutram::Lutram;
use crate::prim::merge::Merge;
use hematite_abi::{common, layout};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Sweep,
    Look,
    Act,
    Load,
    Enable,
    Fence,
    Clear,
    Default,
    Answer,
}

/// Per-queue registers.
#[derive(LogicBlock)]
pub struct Queues {
    pub clock: Signal<In, Clock>,
    /// PCIe reset or device reset: every queue back to its defaults.
    pub reset: Signal<In, Bit>,
    /// Reset has not yet reached every register.
    pub busy: Signal<Out, Bit>,
    pub access: MmioSlave,
    pub queue_select: Signal<In, Bits<16>>,
    /// NOTIF_CONFIG_DATA is accepted.
    pub notify_data: Signal<In, Bit>,
    /// The data plane holds no work (while `control.fence`).
    pub quiet: Signal<In, Bit>,
    pub control: QueueControlSource,
    /// The same for the control queue, of which `control` says nothing.
    pub control_queue: QueueControlSource,
    /// Which vector a queue interrupts by, combinational.
    pub irq_queue: Signal<In, Bits<16>>,
    pub irq_vector: Signal<Out, Bits<16>>,
    /// For the inspection region, while `access` is idle: `{queue, word}` as in the RAM, and what is there.
    pub inspect_addr: Signal<In, Bits<16>>,
    pub inspect_data: Signal<Out, Bits<32>>,
    /// `inspect_data` is what stood at the `inspect_addr` of the cycle before.
    pub inspect_ready: Signal<Out, Bit>,
    /// One bit per queue.
    pub enabled: Signal<Out, Bits<256>>,
    state: Reg<State>,
    words: Lutram<Bits<32>>,
    vectors: Lutram<Bits<16>>,
    enables: Reg<Bits<256>>,
    resetting: Reg<Bit>,
    reset_queue: Reg<Bits<16>>,
    sweep: Reg<Bits<16>>,
    swept: Reg<Bit>,
    was_reset: Reg<Bit>,
    chain0: Reg<Bits<32>>,
    chain1: Reg<Bits<32>>,
    chain2: Reg<Bits<32>>,
    chain3: Reg<Bits<32>>,
    chain4: Reg<Bits<32>>,
    chain5: Reg<Bits<32>>,
    chain6: Reg<Bits<32>>,
    answer: Reg<Bits<32>>,
    old: Reg<Bits<32>>,
    /// `old` is what inspection asks for.
    shown: Reg<Bit>,
    /// `quiet`, in the cycle before.
    still: Reg<Bit>,
    /// The queue selected in the cycle before exists; is enabled.
    exists: Reg<Bit>,
    enabled_here: Reg<Bit>,
    /// The queue selected; the one enabled or cleared, which is the control queue.
    here: Signal<Local, Bits<8>>,
    starts: Signal<Local, Bit>,
    clears: Signal<Local, Bit>,
    is_control: Signal<Local, Bit>,
    is_word: Signal<Local, Bit>,
    word: Signal<Local, Bits<16>>,
    merge: Merge,
    size: Signal<Local, Bits<16>>,
    vector: Signal<Local, Bits<16>>,
    queues: Constant<Bits<16>>,
    numbers: Constant<Bits<16>>,
    number_mask: Constant<Bits<16>>,
    vectors_given: Constant<Bits<16>>,
    size_max: Constant<Bits<16>>,
    default_word: Constant<Bits<32>>,
    last_word: Constant<Bits<16>>,
    data: Constant<Bits<16>>,
}

impl Queues {
    /// Registers for `params.numbers()` queues.
    pub fn new(params: &Params) -> Self {
        let no_vector = common::NO_VECTOR;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            busy: Default::default(),
            access: Default::default(),
            queue_select: Default::default(),
            notify_data: Default::default(),
            quiet: Default::default(),
            control: Default::default(),
            control_queue: Default::default(),
            irq_queue: Default::default(),
            irq_vector: Default::default(),
            inspect_addr: Default::default(),
            inspect_data: Default::default(),
            inspect_ready: Default::default(),
            enabled: Default::default(),
            state: Default::default(),
            words: Lutram::new(8 * (params.number_mask() + 1)),
            vectors: Lutram::new(params.number_mask() + 1),
            enables: Default::default(),
            resetting: Default::default(),
            reset_queue: Default::default(),
            sweep: Default::default(),
            swept: Default::default(),
            was_reset: Default::default(),
            chain0: Default::default(),
            chain1: Default::default(),
            chain2: Default::default(),
            chain3: Default::default(),
            chain4: Default::default(),
            chain5: Default::default(),
            chain6: Default::default(),
            answer: Default::default(),
            old: Default::default(),
            shown: Default::default(),
            still: Default::default(),
            exists: Default::default(),
            here: Default::default(),
            starts: Default::default(),
            clears: Default::default(),
            is_control: Default::default(),
            enabled_here: Default::default(),
            is_word: Default::default(),
            word: Default::default(),
            merge: Default::default(),
            size: Default::default(),
            vector: Default::default(),
            queues: Constant::new(params.queues().to_bits()),
            numbers: Constant::new(params.numbers().to_bits()),
            number_mask: Constant::new(params.number_mask().to_bits()),
            vectors_given: Constant::new(params.vectors().to_bits()),
            size_max: Constant::new(params.queue_max.to_bits()),
            default_word: Constant::new((params.queue_max as u64 | no_vector << 16).to_bits()),
            last_word: Constant::new((8 * params.numbers() - 1).to_bits()),
            data: Constant::new(layout::NOTIFY_DATA.to_bits()),
        }
    }
}

impl Logic for Queues {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, enables, resetting, reset_queue, sweep, swept, was_reset);
        dff_setup!(self, clock, answer, old, shown, still, exists, enabled_here);
        dff_setup!(self, clock, chain0, chain1, chain2, chain3, chain4, chain5, chain6);
        clock!(self, clock, words, vectors);
        self.busy.next = !self.swept.q.val() | (self.reset.val() & !self.was_reset.q.val());
        self.exists.d.next = self.queue_select.val() < self.numbers.val();
        // Bits of queues there are not are never set: synthesis sees that.
        self.here.next = (self.queue_select.val() & self.number_mask.val()).get_bits::<8>(0);
        self.enabled_here.d.next =
            self.exists.d.val() & self.enables.q.val().get_bit(self.here.val().index());
        self.enabled.next = self.enables.q.val();

        // The words of a queue: its DWORDs of common configuration, by the low three bits of their index.
        self.word.next = bit_cast::<16, 3>(self.access.addr.val().get_bits::<3>(2));
        self.words.read_addr.next = (self.queue_select.val() << 3) | self.word.val();
        self.is_word.next = false;
        match self.access.addr.val().get_bits::<4>(2).index() {
            common::QUEUE_SIZE_DW => self.is_word.next = true,
            common::QUEUE_DESC_LO_DW => self.is_word.next = true,
            common::QUEUE_DESC_HI_DW => self.is_word.next = true,
            common::QUEUE_DRIVER_LO_DW => self.is_word.next = true,
            common::QUEUE_DRIVER_HI_DW => self.is_word.next = true,
            common::QUEUE_DEVICE_LO_DW => self.is_word.next = true,
            common::QUEUE_DEVICE_HI_DW => self.is_word.next = true,
            _ => {}
        }

        self.merge.old.next = self.old.q.val();
        self.merge.new.next = self.access.write_data.val();
        self.merge.strobe.next = self.access.strobe.val();

        self.words.write.next = false;
        self.words.write_addr.next = self.words.read_addr.val();
        self.words.write_data.next = self.merge.merged.val();
        self.vectors.write.next = false;
        self.vectors.write_addr.next = self.queue_select.val();
        self.vectors.write_data.next = self.merge.merged.val().get_bits::<16>(16);
        self.vectors.read_addr.next = self.irq_queue.val();
        self.irq_vector.next = self.vectors.read_data.val();
        self.inspect_data.next = self.old.q.val();
        self.inspect_ready.next = self.shown.q.val();
        self.still.d.next = self.quiet.val();
        self.shown.d.next = self.state.q.val() == State::Idle;

        self.access.ready.next = false;
        self.access.read_data.next = self.answer.q.val();
        self.starts.next = false;
        self.clears.next = false;
        self.control.fence.next = self.resetting.q.val();
        self.control.settings.next.queue = self.queue_select.val();
        self.control.settings.next.size = self.chain6.q.val().get_bits::<16>(0);
        self.control.settings.next.desc =
            bit_cast::<64, 32>(self.chain0.q.val()) | (bit_cast::<64, 32>(self.chain1.q.val()) << 32);
        self.control.settings.next.driver =
            bit_cast::<64, 32>(self.chain2.q.val()) | (bit_cast::<64, 32>(self.chain3.q.val()) << 32);
        self.control.settings.next.device =
            bit_cast::<64, 32>(self.chain4.q.val()) | (bit_cast::<64, 32>(self.chain5.q.val()) << 32);

        // "queue_size: ... the driver ... MUST NOT write a value that is not a power of 2": such a write, or one that is too
        // large, or one while the queue runs, leaves what was there.
        self.size.next = self.merge.merged.val().get_bits::<16>(0);
        if (self.size.val() == 0)
            | ((self.size.val() & (self.size.val() - 1)) != 0)
            | (self.size.val() > self.size_max.val())
            | self.enabled_here.q.val()
        {
            self.size.next = self.old.q.val().get_bits::<16>(0);
        }
        // "the device MUST ... return NO_VECTOR when reading" a vector it could not map.
        self.vector.next = self.merge.merged.val().get_bits::<16>(16);
        if self.vector.val() >= self.vectors_given.val() {
            self.vector.next = common::NO_VECTOR.into();
        }

        match self.state.q.val() {
            // Idle: one access at a time; a queue reset goes on beside them.
            State::Idle => {
                self.words.read_addr.next = self.inspect_addr.val();
                self.old.d.next = self.words.read_data.val();
                if self.access.valid.val() {
                    self.state.d.next = State::Look;
                } else if self.resetting.q.val() {
                    self.state.d.next = State::Fence;
                }
            }
            // Look: what address there is hangs on nothing but the state, for a RAM of a thousand words is deep.
            State::Look => {
                self.old.d.next = self.words.read_data.val();
                self.answer.d.next = 0.into();
                self.state.d.next = State::Act;
            }
            // Act: `old` is the word as it was.
            State::Act => {
                self.state.d.next = State::Answer;
                // Under reset there is nothing to read, and nothing is kept.
                if self.exists.q.val() & !self.reset.val() {
                    if self.is_word.val() {
                        self.answer.d.next = self.old.q.val();
                    }
                    match self.access.addr.val().get_bits::<4>(2).index() {
                        common::QUEUE_SIZE_DW => {
                            if self.access.write.val() {
                                self.words.write.next = true;
                                self.words.write_data.next = bit_cast::<32, 16>(self.size.val())
                                    | (bit_cast::<32, 16>(self.vector.val()) << 16);
                                self.vectors.write.next = true;
                                self.vectors.write_data.next = self.vector.val();
                            }
                        }
                        common::QUEUE_ENABLE_DW => {
                            // queue_enable, and queue_notify_off, which is the queue's own number.
                            self.answer.d.next = bit_cast::<32, 16>(self.queue_select.val()) << 16;
                            if self.enabled_here.q.val() {
                                self.answer.d.next = (bit_cast::<32, 16>(self.queue_select.val()) << 16) | 1;
                            }
                            // "The driver MUST NOT write a 0 to queue_enable": such a write is ignored.
                            if self.access.write.val()
                                & self.access.strobe.val().get_bit(0)
                                & self.access.write_data.val().get_bit(0)
                                & !self.enabled_here.q.val()
                                & !self.resetting.q.val()
                            {
                                self.sweep.d.next = 0.into();
                                self.state.d.next = State::Load;
                            }
                        }
                        common::QUEUE_RESET_DW => {
                            // queue_notif_config_data, and queue_reset.
                            if self.notify_data.val() {
                                self.answer.d.next =
                                    bit_cast::<32, 16>(self.queue_select.val() | self.data.val());
                            }
                            if self.resetting.q.val() & (self.reset_queue.q.val() == self.queue_select.val())
                            {
                                self.answer.d.next = 65536.into();
                                if self.notify_data.val() {
                                    self.answer.d.next =
                                        bit_cast::<32, 16>(self.queue_select.val() | self.data.val()) | 65536;
                                }
                            }
                            if self.access.write.val()
                                & self.access.strobe.val().get_bit(2)
                                & self.access.write_data.val().get_bit(16)
                                & self.enabled_here.q.val()
                                & !self.resetting.q.val()
                            {
                                self.resetting.d.next = true;
                                self.reset_queue.d.next = self.queue_select.val();
                            }
                        }
                        _ => {
                            if self.access.write.val() & self.is_word.val() & !self.enabled_here.q.val() {
                                self.words.write.next = true;
                            }
                        }
                    }
                }
            }
            // Load: the seven words into the chain, the last one read is in chain6.
            State::Load => {
                self.words.read_addr.next = (self.queue_select.val() << 3) | self.sweep.q.val();
                self.chain6.d.next = self.words.read_data.val();
                self.chain5.d.next = self.chain6.q.val();
                self.chain4.d.next = self.chain5.q.val();
                self.chain3.d.next = self.chain4.q.val();
                self.chain2.d.next = self.chain3.q.val();
                self.chain1.d.next = self.chain2.q.val();
                self.chain0.d.next = self.chain1.q.val();
                self.sweep.d.next = self.sweep.q.val() + 1;
                if self.sweep.q.val() == 6 {
                    self.state.d.next = State::Enable;
                }
            }
            // Enable: the data plane learns of the queue in this cycle.
            State::Enable => {
                self.starts.next = true;
                self.enables.d.next = self.enables.q.val().replace_bit(self.here.val().index(), true);
                self.state.d.next = State::Answer;
            }
            // Fence: a queue reset waits for the data plane, and lets accesses pass meanwhile.
            State::Fence => {
                if self.access.valid.val() {
                    self.state.d.next = State::Idle;
                } else if self.still.q.val() {
                    self.sweep.d.next = 0.into();
                    self.state.d.next = State::Clear;
                } else {
                    self.state.d.next = State::Idle;
                }
            }
            // Clear: the data plane forgets the queue.
            State::Clear => {
                self.clears.next = true;
                self.control.settings.next.queue = self.reset_queue.q.val();
                self.enables.d.next = self.enables.q.val().replace_bit(
                    (self.reset_queue.q.val() & self.number_mask.val()).get_bits::<8>(0).index(),
                    false,
                );
                self.state.d.next = State::Default;
            }
            // Default: "The device MUST provide consistent default values after reset" in the queue's registers.
            State::Default => {
                self.words.write.next = true;
                self.words.write_addr.next = (self.reset_queue.q.val() << 3) | self.sweep.q.val();
                self.words.write_data.next = 0.into();
                if self.sweep.q.val() == 6 {
                    self.words.write_data.next = self.default_word.val();
                    self.resetting.d.next = false;
                    self.state.d.next = State::Idle;
                }
                self.vectors.write.next = true;
                self.vectors.write_addr.next = self.reset_queue.q.val();
                self.vectors.write_data.next = common::NO_VECTOR.into();
                self.sweep.d.next = self.sweep.q.val() + 1;
            }
            // Sweep: after a reset, every word of every queue gets its default.
            State::Sweep => {
                self.words.write.next = true;
                self.words.write_addr.next = self.sweep.q.val();
                self.words.write_data.next = 0.into();
                if self.sweep.q.val().get_bits::<3>(0) == 6 {
                    self.words.write_data.next = self.default_word.val();
                }
                self.vectors.write.next = true;
                self.vectors.write_addr.next = self.sweep.q.val() >> 3;
                self.vectors.write_data.next = common::NO_VECTOR.into();
                self.sweep.d.next = self.sweep.q.val() + 1;
                if self.sweep.q.val() == self.last_word.val() {
                    self.swept.d.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            // Answer: the answer is beside `ready`.
            State::Answer => {
                self.access.ready.next = true;
                self.state.d.next = State::Idle;
            }
            _ => self.state.d.next = State::Idle,
        }

        // The control queue has a port of its own.
        self.is_control.next = self.control.settings.val().queue == self.queues.val();
        self.control.enable.next = self.starts.val() & !self.is_control.val();
        self.control.clear.next = self.clears.val() & !self.is_control.val();
        self.control_queue.enable.next = self.starts.val() & self.is_control.val();
        self.control_queue.clear.next = self.clears.val() & self.is_control.val();
        self.control_queue.settings.next = self.control.settings.val();
        self.control_queue.fence.next = self.resetting.q.val();

        // However long a reset lasts, it sweeps once.
        self.was_reset.d.next = self.reset.val();
        if self.reset.val() {
            self.enables.d.next = 0.into();
            self.resetting.d.next = false;
            if !self.was_reset.q.val() {
                self.swept.d.next = false;
                self.sweep.d.next = 0.into();
                self.state.d.next = State::Sweep;
            }
        }
    }
}
