//! device_status: what the driver has reached, and the reset.
//! In: `write` beside `value`, `features_good`, `failed`, `quiet`.   Out: `device_status`, `device_reset`, `driver_ok`, `config_change`.
//! Time: a reset takes as long as the data plane needs to be quiet, and 8 cycles.
//! Waits: on `quiet`; the driver reads a status other than 0 meanwhile.
//! Spec: [virtio 1.4: Device Status Field], [Device Requirements: Device Status Field]

use hematite_abi::status;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Status {
    pub clock: Signal<In, Clock>,
    /// PCIe reset.
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub value: Signal<In, Bits<8>>,
    pub features_good: Signal<In, Bit>,
    /// Pulse: a queue has failed.
    pub failed: Signal<In, Bit>,
    /// No DMA of ours is in flight, and every register is back at its default.
    pub quiet: Signal<In, Bit>,
    pub device_status: Signal<Out, Bits<8>>,
    /// Level: the driver has written 0, and that is not done yet.
    pub device_reset: Signal<Out, Bit>,
    pub features_fixed: Signal<Out, Bit>,
    pub driver_ok: Signal<Out, Bit>,
    /// Pulse: tell the driver of a configuration change.
    pub config_change: Signal<Out, Bit>,
    /// Pulse: a device reset begins.
    pub count_resets: Signal<Out, Bit>,
    held: Reg<Bits<8>>,
    resetting: Reg<Bit>,
    waited: Reg<Bits<4>>,
    needs_reset: Signal<Local, Bits<8>>,
}

impl Logic for Status {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, resetting, waited);
        self.device_status.next = self.held.q.val();
        self.device_reset.next = self.resetting.q.val();
        self.features_fixed.next = self.held.q.val().get_bit(status::FEATURES_OK_BIT);
        self.driver_ok.next = self.held.q.val().get_bit(status::DRIVER_OK_BIT) & !self.resetting.q.val();
        self.config_change.next = false;
        self.count_resets.next = false;

        self.needs_reset.next = self.held.q.val() & status::DEVICE_NEEDS_RESET;
        if self.failed.val() & !self.resetting.q.val() {
            // Not lost if the driver writes in this very cycle.
            self.needs_reset.next = bits::<8>(status::DEVICE_NEEDS_RESET);
            // "If DRIVER_OK is set, after it sets DEVICE_NEEDS_RESET, the device MUST send a device configuration change
            // notification."
            self.config_change.next = self.held.q.val().get_bit(status::DRIVER_OK_BIT)
                & !self.held.q.val().get_bit(status::DEVICE_NEEDS_RESET_BIT);
            self.held.d.next = self.held.q.val() | status::DEVICE_NEEDS_RESET;
        }
        if self.write.val() & !self.resetting.q.val() {
            if self.value.val() == 0 {
                // "The device MUST NOT ... present device_status 0" before it is done: nothing of ours moves any more then.
                self.resetting.d.next = true;
                self.count_resets.next = true;
                self.waited.d.next = 0.into();
                if !self.held.q.val().any() {
                    // The driver waits for 0 before it goes on, and what it writes before that is lost: show it something else.
                    self.held.d.next = bits::<8>(status::DEVICE_NEEDS_RESET);
                }
            } else {
                self.held.d.next = self.value.val() | self.needs_reset.val();
                if !self.features_good.val() & !self.held.q.val().get_bit(status::FEATURES_OK_BIT) {
                    self.held.d.next =
                        (self.value.val() & !bits::<8>(status::FEATURES_OK)) | self.needs_reset.val();
                }
            }
        }
        if self.resetting.q.val() {
            // Long enough for `quiet` to have seen the reset.
            if !self.waited.q.val().get_bit(3) {
                self.waited.d.next = self.waited.q.val() + 1;
            } else if self.quiet.val() {
                self.resetting.d.next = false;
                self.held.d.next = 0.into();
            }
        }
        if self.reset.val() {
            self.held.d.next = 0.into();
            self.resetting.d.next = false;
        }
    }
}
