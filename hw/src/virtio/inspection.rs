//! The inspection region: what this function is and what it is doing, for people and tools. Read only.
//! In: `access`; what blocks say of themselves.   Out: questions to them.
//! Time: an answer takes 2 cycles, 34 for a counter.
//! Waits: while a queue reset is walking through the queues' registers.
//! Spec: ours: `hematite_abi::ident`.

use super::counters::Counters;
use crate::params::Params;
use crate::port::count::Events;
use crate::port::mmio::MmioSlave;
use hematite_abi::ident;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// A hash of the sources this was made from.
pub const SOURCE_HASH: [u32; 5] = include!(concat!(env!("OUT_DIR"), "/source_hash.rs"));

/// See the file's head.
#[derive(LogicBlock)]
pub struct Inspection {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub events: Signal<In, Events>,
    pub tx_bytes: Signal<In, Bits<7>>,
    pub rx_bytes: Signal<In, Bits<7>>,
    /// The device holds work; a reset is going on.
    pub active: Signal<In, Bit>,
    pub resetting: Signal<In, Bit>,
    /// Which queue is asked about; the answers stand in the same cycle, that of `settings_addr` in the next.
    pub queue: Signal<Out, Bits<16>>,
    pub settings_addr: Signal<Out, Bits<16>>,
    pub settings_data: Signal<In, Bits<32>>,
    pub settings_ready: Signal<In, Bit>,
    pub enabled: Signal<In, Bits<256>>,
    pub error: Signal<In, Bits<8>>,
    pub tx_seen: Signal<In, Bits<16>>,
    pub tx_taken: Signal<In, Bits<16>>,
    pub rx_seen: Signal<In, Bits<16>>,
    pub rx_taken: Signal<In, Bits<16>>,
    pub used_idx: Signal<In, Bits<16>>,
    /// Of the control queue.
    pub control_seen: Signal<In, Bits<16>>,
    pub control_taken: Signal<In, Bits<16>>,
    pub control_used: Signal<In, Bits<16>>,
    /// Pulse, and which: a queue has failed.
    pub failed: Signal<In, Bit>,
    pub failed_queue: Signal<In, Bits<16>>,
    pub failed_code: Signal<In, Bits<8>>,
    counters: Counters,
    answer: Reg<Bits<32>>,
    answered: Reg<Bit>,
    /// `settings_addr` has stood for a cycle.
    waited: Reg<Bit>,
    first_code: Reg<Bits<8>>,
    first_queue: Reg<Bits<16>>,
    seen: Signal<Local, Bits<16>>,
    taken: Signal<Local, Bits<16>>,
    used: Signal<Local, Bits<16>>,
    word: Signal<Local, Bits<4>>,
    general: Signal<Local, Bits<32>>,
    of_queue: Signal<Local, Bits<32>>,
    is_queue: Signal<Local, Bit>,
    is_counter: Signal<Local, Bit>,
    exists: Signal<Local, Bit>,
    hash0: Constant<Bits<32>>,
    hash1: Constant<Bits<32>>,
    hash2: Constant<Bits<32>>,
    hash3: Constant<Bits<32>>,
    hash4: Constant<Bits<32>>,
    width: Constant<Bits<32>>,
    pairs: Constant<Bits<32>>,
    queues: Constant<Bits<32>>,
    queue_max: Constant<Bits<32>>,
    tags: Constant<Bits<32>>,
    vectors: Constant<Bits<32>>,
    read_bytes: Constant<Bits<32>>,
    payload_bytes: Constant<Bits<32>>,
    frame_bytes: Constant<Bits<32>>,
    timeout_cycles: Constant<Bits<32>>,
    queue_count: Constant<Bits<16>>,
    control_queue: Constant<Bits<16>>,
    number_mask: Constant<Bits<16>>,
    first_block: Constant<Bits<16>>,
    counters_at: Constant<Bits<5>>,
}

impl Inspection {
    /// Tells of `params`.
    pub fn new(params: &Params) -> Self {
        let number = |n: usize| Constant::new((n as u32).to_bits());
        let hash = |n: usize| Constant::new(SOURCE_HASH[n].to_bits());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            events: Default::default(),
            tx_bytes: Default::default(),
            rx_bytes: Default::default(),
            active: Default::default(),
            resetting: Default::default(),
            queue: Default::default(),
            settings_addr: Default::default(),
            settings_data: Default::default(),
            settings_ready: Default::default(),
            enabled: Default::default(),
            error: Default::default(),
            tx_seen: Default::default(),
            tx_taken: Default::default(),
            rx_seen: Default::default(),
            rx_taken: Default::default(),
            used_idx: Default::default(),
            control_seen: Default::default(),
            control_taken: Default::default(),
            control_used: Default::default(),
            failed: Default::default(),
            failed_queue: Default::default(),
            failed_code: Default::default(),
            counters: Default::default(),
            answer: Default::default(),
            answered: Default::default(),
            waited: Default::default(),
            first_code: Default::default(),
            first_queue: Default::default(),
            seen: Default::default(),
            taken: Default::default(),
            used: Default::default(),
            word: Default::default(),
            general: Default::default(),
            of_queue: Default::default(),
            is_queue: Default::default(),
            is_counter: Default::default(),
            exists: Default::default(),
            hash0: hash(0),
            hash1: hash(1),
            hash2: hash(2),
            hash3: hash(3),
            hash4: hash(4),
            width: number(params.width),
            pairs: number(params.pairs),
            queues: number(params.numbers()),
            queue_max: number(params.queue_max),
            tags: number(params.tags),
            vectors: number(params.vectors()),
            read_bytes: number(params.read_bytes),
            payload_bytes: number(params.payload_bytes),
            frame_bytes: number(params.frame_bytes),
            timeout_cycles: number(params.timeout_cycles),
            queue_count: Constant::new(params.numbers().to_bits()),
            control_queue: Constant::new(params.queues().to_bits()),
            number_mask: Constant::new(params.number_mask().to_bits()),
            counters_at: Constant::new((ident::COUNTERS_OFFSET / 128).to_bits()),
            first_block: Constant::new((ident::QUEUES_OFFSET / ident::QUEUE_STATE_BYTES).to_bits()),
        }
    }
}

impl Logic for Inspection {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, answer, answered, waited, first_code, first_queue);
        clock!(self, clock, counters);
        self.counters.reset.next = self.reset.val();
        self.counters.events.next = self.events.val().into();
        self.counters.tx_bytes.next = self.tx_bytes.val();
        self.counters.rx_bytes.next = self.rx_bytes.val();

        // The first error is the one that tells most.
        if self.failed.val() & (self.first_code.q.val() == 0) {
            self.first_code.d.next = self.failed_code.val();
            self.first_queue.d.next = self.failed_queue.val();
        }

        // The region's three parts: general words, counters, a block per queue.
        self.word.next = self.access.addr.val().get_bits::<4>(2);
        self.is_queue.next = self.access.addr.val().get_bits::<3>(12).any();
        // 32 counters are 128 bytes.
        self.is_counter.next =
            !self.is_queue.val() & (self.access.addr.val().get_bits::<5>(7) == self.counters_at.val());
        self.queue.next = bit_cast::<16, 9>(self.access.addr.val().get_bits::<9>(6)) - self.first_block.val();
        self.exists.next = self.queue.val() < self.queue_count.val();
        self.settings_addr.next = self.queue.val() << 3;
        match self.word.val().index() {
            ident::QUEUE_SIZE_DW => self.settings_addr.next = (self.queue.val() << 3) | 6,
            ident::QUEUE_VECTOR_DW => self.settings_addr.next = (self.queue.val() << 3) | 6,
            ident::QUEUE_DESC_HI_DW => self.settings_addr.next = (self.queue.val() << 3) | 1,
            ident::QUEUE_DRIVER_LO_DW => self.settings_addr.next = (self.queue.val() << 3) | 2,
            ident::QUEUE_DRIVER_HI_DW => self.settings_addr.next = (self.queue.val() << 3) | 3,
            ident::QUEUE_DEVICE_LO_DW => self.settings_addr.next = (self.queue.val() << 3) | 4,
            ident::QUEUE_DEVICE_HI_DW => self.settings_addr.next = (self.queue.val() << 3) | 5,
            _ => {}
        }
        self.seen.next = self.rx_seen.val();
        self.taken.next = self.rx_taken.val();
        if self.queue.val().get_bit(0) {
            self.seen.next = self.tx_seen.val();
            self.taken.next = self.tx_taken.val();
        }
        self.used.next = self.used_idx.val();
        if self.queue.val() == self.control_queue.val() {
            self.seen.next = self.control_seen.val();
            self.taken.next = self.control_taken.val();
            self.used.next = self.control_used.val();
        }

        self.general.next = 0.into();
        match self.access.addr.val().get_bits::<5>(2).index() {
            ident::IDENT_MAGIC_DW => self.general.next = ident::MAGIC.into(),
            ident::IDENT_ABI_VERSION_DW => self.general.next = ident::ABI_VERSION.into(),
            ident::SOURCE_HASH_0_DW => self.general.next = self.hash0.val(),
            ident::SOURCE_HASH_1_DW => self.general.next = self.hash1.val(),
            ident::SOURCE_HASH_2_DW => self.general.next = self.hash2.val(),
            ident::SOURCE_HASH_3_DW => self.general.next = self.hash3.val(),
            ident::SOURCE_HASH_4_DW => self.general.next = self.hash4.val(),
            ident::PARAM_WIDTH_DW => self.general.next = self.width.val(),
            ident::PARAM_PAIRS_DW => self.general.next = self.pairs.val(),
            ident::PARAM_QUEUES_DW => self.general.next = self.queues.val(),
            ident::PARAM_QUEUE_MAX_DW => self.general.next = self.queue_max.val(),
            ident::PARAM_TAGS_DW => self.general.next = self.tags.val(),
            ident::PARAM_VECTORS_DW => self.general.next = self.vectors.val(),
            ident::PARAM_READ_BYTES_DW => self.general.next = self.read_bytes.val(),
            ident::PARAM_PAYLOAD_BYTES_DW => self.general.next = self.payload_bytes.val(),
            ident::PARAM_FRAME_BYTES_DW => self.general.next = self.frame_bytes.val(),
            ident::PARAM_TIMEOUT_CYCLES_DW => self.general.next = self.timeout_cycles.val(),
            ident::COUNTER_COUNT_DW => self.general.next = 32.into(),
            ident::DEVICE_ERROR_DW => self.general.next = bit_cast::<32, 8>(self.first_code.q.val()),
            ident::DEVICE_ERROR_QUEUE_DW => self.general.next = bit_cast::<32, 16>(self.first_queue.q.val()),
            ident::ACTIVITY_DW => {
                if self.active.val() {
                    self.general.next = 1.into();
                }
                if self.resetting.val() {
                    self.general.next = 3.into();
                }
            }
            _ => {}
        }

        self.of_queue.next = 0.into();
        match self.word.val().index() {
            ident::QUEUE_ENABLED_DW => {
                if self
                    .enabled
                    .val()
                    .get_bit((self.queue.val() & self.number_mask.val()).get_bits::<8>(0).index())
                {
                    self.of_queue.next = 1.into();
                }
            }
            ident::QUEUE_SIZE_DW => {
                self.of_queue.next = bit_cast::<32, 16>(self.settings_data.val().get_bits::<16>(0));
            }
            ident::QUEUE_VECTOR_DW => {
                self.of_queue.next = bit_cast::<32, 16>(self.settings_data.val().get_bits::<16>(16));
            }
            ident::QUEUE_ERROR_DW => self.of_queue.next = bit_cast::<32, 8>(self.error.val()),
            ident::QUEUE_AVAIL_SEEN_DW => self.of_queue.next = bit_cast::<32, 16>(self.seen.val()),
            ident::QUEUE_AVAIL_TAKEN_DW => self.of_queue.next = bit_cast::<32, 16>(self.taken.val()),
            ident::QUEUE_USED_IDX_DW => self.of_queue.next = bit_cast::<32, 16>(self.used.val()),
            ident::QUEUE_IN_FLIGHT_DW => {
                self.of_queue.next = bit_cast::<32, 16>(self.taken.val() - self.used.val());
            }
            14 => {}
            15 => {}
            _ => self.of_queue.next = self.settings_data.val(),
        }

        self.counters.ask.next = self.access.valid.val() & self.is_counter.val() & !self.answered.q.val();
        self.counters.index.next = self.access.addr.val().get_bits::<5>(2);
        self.access.ready.next = self.answered.q.val();
        self.access.read_data.next = self.answer.q.val();
        self.answered.d.next = false;
        self.waited.d.next = self.access.valid.val() & !self.answered.q.val();
        if self.access.valid.val() & !self.answered.q.val() {
            self.answer.d.next = 0.into();
            if self.is_queue.val() {
                self.answered.d.next = self.settings_ready.val() & self.waited.q.val();
                if self.exists.val() {
                    self.answer.d.next = self.of_queue.val();
                }
            } else if self.is_counter.val() {
                self.answered.d.next = self.counters.told.val();
                self.answer.d.next = self.counters.value.val();
            } else {
                self.answered.d.next = true;
                if !self.access.addr.val().get_bits::<5>(7).any() {
                    self.answer.d.next = self.general.val();
                }
            }
        }
        if self.reset.val() {
            self.first_code.d.next = 0.into();
        }
    }
}
