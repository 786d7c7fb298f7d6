//! Common configuration, but for what belongs to one queue (`virtio::queues`).
//! In: `access`, from the structure's own offset 0; `status`, `generation`.   Out: `queue_access`; what the driver has accepted; status writes.
//! Time: 2 cycles an access, more where `queues` answers.
//! Waits: for `queues` only.
//! Spec: [virtio 1.4: Common configuration structure layout], [Feature Bits]

use crate::params::Params;
use crate::port::mmio::{MmioMaster, MmioSlave};
use crate::prim::merge::Merge;
use hematite_abi::{common, feature};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Act,
    Answer,
}

/// Common configuration.
#[derive(LogicBlock)]
pub struct Common {
    pub clock: Signal<In, Clock>,
    /// PCIe reset or device reset.
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub queue_access: MmioMaster,
    /// The queue selected, as the function numbers it: the control queue has the number behind all others.
    pub queue_select: Signal<Out, Bits<16>>,
    pub config_vector: Signal<Out, Bits<16>>,
    /// device_status, as the driver reads it.
    pub status: Signal<In, Bits<8>>,
    /// Pulse beside `status_value`: the driver writes device_status.
    pub status_write: Signal<Out, Bit>,
    pub status_value: Signal<Out, Bits<8>>,
    pub generation: Signal<In, Bits<8>>,
    /// The driver's features are a set this device can work with.
    pub features_good: Signal<Out, Bit>,
    /// Features change no more (FEATURES_OK).
    pub features_fixed: Signal<In, Bit>,
    /// The features accepted: the low ones by 32, and all.
    pub accepted0: Signal<Out, Bits<32>>,
    pub accepted1: Signal<Out, Bits<32>>,
    pub accepted: Signal<Out, Bits<128>>,
    state: Reg<State>,
    answer: Reg<Bits<32>>,
    merge: Merge,
    device_select: Reg<Bits<32>>,
    driver_select: Reg<Bits<32>>,
    driver0: Reg<Bits<32>>,
    driver1: Reg<Bits<32>>,
    driver2: Reg<Bits<32>>,
    driver3: Reg<Bits<32>>,
    vector: Reg<Bits<16>>,
    select: Reg<Bits<16>>,
    selected: Reg<Bits<16>>,
    good: Reg<Bit>,
    /// MQ or RSS is accepted.
    several_pairs: Signal<Local, Bit>,
    for_queue: Signal<Local, Bit>,
    /// What the DWORD holds.
    shown: Signal<Local, Bits<32>>,
    driver_window: Signal<Local, Bits<32>>,
    device_window: Signal<Local, Bits<32>>,
    status_dword: Signal<Local, Bits<32>>,
    offered0: Constant<Bits<32>>,
    offered1: Constant<Bits<32>>,
    offered2: Constant<Bits<32>>,
    offered3: Constant<Bits<32>>,
    version_1: Constant<Bits<32>>,
    queues: Constant<Bits<16>>,
    numbers: Constant<Bits<16>>,
    controlled: Constant<Bit>,
    vectors: Constant<Bits<16>>,
}

impl Common {
    /// Offers the set's features.
    pub fn new(params: &Params) -> Self {
        let offered = |n: u32| Constant::new(((params.features >> (32 * n)) as u32).to_bits());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            queue_access: Default::default(),
            queue_select: Default::default(),
            config_vector: Default::default(),
            status: Default::default(),
            status_write: Default::default(),
            status_value: Default::default(),
            generation: Default::default(),
            features_good: Default::default(),
            features_fixed: Default::default(),
            accepted0: Default::default(),
            accepted1: Default::default(),
            accepted: Default::default(),
            state: Default::default(),
            answer: Default::default(),
            merge: Default::default(),
            device_select: Default::default(),
            driver_select: Default::default(),
            driver0: Default::default(),
            driver1: Default::default(),
            driver2: Default::default(),
            driver3: Default::default(),
            vector: Reg::new(common::NO_VECTOR.to_bits()),
            select: Default::default(),
            selected: Default::default(),
            good: Default::default(),
            several_pairs: Default::default(),
            for_queue: Default::default(),
            shown: Default::default(),
            driver_window: Default::default(),
            device_window: Default::default(),
            status_dword: Default::default(),
            offered0: offered(0),
            offered1: offered(1),
            offered2: offered(2),
            offered3: offered(3),
            version_1: Constant::new((1u32 << (feature::VERSION_1 - 32)).to_bits()),
            queues: Constant::new(params.queues().to_bits()),
            numbers: Constant::new(params.numbers().to_bits()),
            controlled: Constant::new(params.offers(feature::CTRL_VQ)),
            vectors: Constant::new(params.vectors().to_bits()),
        }
    }
}

#[allow(clippy::collapsible_match, reason = "a kernel has no match guards")]
impl Logic for Common {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, answer, device_select, driver_select, vector, select, selected, good);
        dff_setup!(self, clock, driver0, driver1, driver2, driver3);
        self.config_vector.next = self.vector.q.val();
        // What is not offered is never accepted: synthesis sees by this which logic a parameter set does without.
        self.accepted0.next = self.driver0.q.val() & self.offered0.val();
        self.accepted1.next = self.driver1.q.val() & self.offered1.val();
        self.accepted.next = bit_cast::<128, 32>(self.driver0.q.val() & self.offered0.val())
            | (bit_cast::<128, 32>(self.driver1.q.val() & self.offered1.val()) << 32)
            | (bit_cast::<128, 32>(self.driver2.q.val() & self.offered2.val()) << 64)
            | (bit_cast::<128, 32>(self.driver3.q.val() & self.offered3.val()) << 96);
        // [virtio 1.4: Network Device, Virtqueues] controlq is at 2*N, "N=1 if VIRTIO_NET_F_MQ and VIRTIO_NET_F_RSS are not negotiated,
        // otherwise N is set by max_virtqueue_pairs": without both there are no more pairs.
        self.several_pairs.next =
            self.accepted.val().get_bit(feature::MQ) | self.accepted.val().get_bit(feature::RSS);
        // It is there before the next access.
        self.queue_select.next = self.selected.q.val();
        self.selected.d.next = self.select.q.val();
        if self.controlled.val() & !self.several_pairs.val() {
            if self.select.q.val() == 2 {
                self.selected.d.next = self.queues.val();
            } else if self.select.q.val() > 2 {
                self.selected.d.next = common::NO_QUEUE.into();
            }
        }

        // FEATURES_OK is refused for any bit not offered, and for a driver without VERSION_1: there is no legacy interface here.
        self.good.d.next = !((self.driver0.q.val() & !self.offered0.val())
            | (self.driver1.q.val() & !self.offered1.val())
            | (self.driver2.q.val() & !self.offered2.val())
            | (self.driver3.q.val() & !self.offered3.val()))
        .any()
            & (self.driver1.q.val() & self.version_1.val()).any();
        self.features_good.next = self.good.q.val();

        // The 32 bits each select shows; selects beyond 3 show zero.
        self.driver_window.next = 0.into();
        match self.driver_select.q.val().index() {
            0 => self.driver_window.next = self.driver0.q.val(),
            1 => self.driver_window.next = self.driver1.q.val(),
            2 => self.driver_window.next = self.driver2.q.val(),
            3 => self.driver_window.next = self.driver3.q.val(),
            _ => {}
        }
        self.device_window.next = 0.into();
        match self.device_select.q.val().index() {
            0 => self.device_window.next = self.offered0.val(),
            1 => self.device_window.next = self.offered1.val(),
            2 => self.device_window.next = self.offered2.val(),
            3 => self.device_window.next = self.offered3.val(),
            _ => {}
        }
        self.status_dword.next = bit_cast::<32, 8>(self.status.val())
            | (bit_cast::<32, 8>(self.generation.val()) << 8)
            | (bit_cast::<32, 16>(self.select.q.val()) << 16);

        // Which DWORDs belong to the selected queue.
        self.for_queue.next = false;
        self.shown.next = 0.into();
        match self.access.addr.val().get_bits::<4>(2).index() {
            common::DEVICE_FEATURE_SELECT_DW => self.shown.next = self.device_select.q.val(),
            common::DEVICE_FEATURE_DW => self.shown.next = self.device_window.val(),
            common::DRIVER_FEATURE_SELECT_DW => self.shown.next = self.driver_select.q.val(),
            common::DRIVER_FEATURE_DW => self.shown.next = self.driver_window.val(),
            common::CONFIG_MSIX_VECTOR_DW => {
                self.shown.next =
                    bit_cast::<32, 16>(self.vector.q.val()) | (bit_cast::<32, 16>(self.numbers.val()) << 16);
            }
            common::DEVICE_STATUS_DW => self.shown.next = self.status_dword.val(),
            _ => self.for_queue.next = true,
        }
        // A write changes what was there in the cycle before.
        self.merge.old.next = self.answer.q.val();
        self.merge.new.next = self.access.write_data.val();
        self.merge.strobe.next = self.access.strobe.val();
        self.queue_access.valid.next = self.access.valid.val() & self.for_queue.val();
        self.queue_access.write.next = self.access.write.val();
        self.queue_access.addr.next = self.access.addr.val();
        self.queue_access.write_data.next = self.access.write_data.val();
        self.queue_access.strobe.next = self.access.strobe.val();

        self.access.ready.next = self.queue_access.ready.val() & self.for_queue.val();
        self.access.read_data.next = self.queue_access.read_data.val();
        self.status_write.next = false;
        self.status_value.next = self.merge.merged.val().get_bits::<8>(0);

        match self.state.q.val() {
            // Idle: what was there is the answer.
            State::Idle => {
                self.answer.d.next = self.shown.val();
                if self.access.valid.val() & !self.for_queue.val() {
                    self.state.d.next = State::Act;
                }
            }
            // Act: a write takes effect.
            State::Act => {
                self.state.d.next = State::Answer;
                if self.access.write.val() {
                    match self.access.addr.val().get_bits::<4>(2).index() {
                        common::DEVICE_FEATURE_SELECT_DW => {
                            self.device_select.d.next = self.merge.merged.val()
                        }
                        common::DRIVER_FEATURE_SELECT_DW => {
                            self.driver_select.d.next = self.merge.merged.val()
                        }
                        common::DRIVER_FEATURE_DW => {
                            // "The driver MUST NOT accept new feature bits after this step" (FEATURES_OK).
                            if !self.features_fixed.val() {
                                match self.driver_select.q.val().index() {
                                    0 => self.driver0.d.next = self.merge.merged.val(),
                                    1 => self.driver1.d.next = self.merge.merged.val(),
                                    2 => self.driver2.d.next = self.merge.merged.val(),
                                    3 => self.driver3.d.next = self.merge.merged.val(),
                                    _ => {}
                                }
                            }
                        }
                        common::CONFIG_MSIX_VECTOR_DW => {
                            // A vector that does not exist reads back as NO_VECTOR.
                            self.vector.d.next = self.merge.merged.val().get_bits::<16>(0);
                            if self.merge.merged.val().get_bits::<16>(0) >= self.vectors.val() {
                                self.vector.d.next = common::NO_VECTOR.into();
                            }
                        }
                        common::DEVICE_STATUS_DW => {
                            self.status_write.next = self.access.strobe.val().get_bit(0);
                            self.select.d.next = self.merge.merged.val().get_bits::<16>(16);
                        }
                        _ => {}
                    }
                }
            }
            // Answer: the answer is beside `ready`.
            State::Answer => {
                self.access.ready.next = true;
                self.access.read_data.next = self.answer.q.val();
                self.state.d.next = State::Idle;
            }
            _ => self.state.d.next = State::Idle,
        }

        // An access under way is answered all the same.
        if self.reset.val() {
            self.device_select.d.next = 0.into();
            self.driver_select.d.next = 0.into();
            self.driver0.d.next = 0.into();
            self.driver1.d.next = 0.into();
            self.driver2.d.next = 0.into();
            self.driver3.d.next = 0.into();
            self.vector.d.next = common::NO_VECTOR.into();
            self.select.d.next = 0.into();
        }
    }
}
