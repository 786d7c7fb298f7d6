//! Doorbells: a write to a queue's notification address kicks it; so does its start.
//! In: `access`; `driver_ok`; `enable` beside `enable_queue`, `enable_control`; `with_index`, `by_data`.   Out: `kick`, at most one a cycle.
//! Time: a write is answered in the next cycle; when the driver sets DRIVER_OK, every queue is kicked once, one a cycle.
//! Waits: writes wait while the queues are kicked at DRIVER_OK.
//! A doorbell that names its queue wrongly is ignored where the name is ours (NOTIF_CONFIG_DATA); else its address is believed, and what
//! it says of the ring is not.   Spec: [virtio 1.4: Notification structure layout], [Available Buffer Notifications], [Driver Notifications]

use crate::params::Params;
use crate::port::mmio::MmioSlave;
use crate::port::queue::DoorbellSource;
use hematite_abi::{feature, layout, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Notify {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    /// The driver has set DRIVER_OK.
    pub driver_ok: Signal<In, Bit>,
    /// Pulse: this queue has just been enabled.
    pub enable: Signal<In, Bit>,
    pub enable_queue: Signal<In, Bits<16>>,
    /// Pulse: the control queue has just been; its kick comes a cycle later.
    pub enable_control: Signal<In, Bit>,
    /// NOTIFICATION_DATA, NOTIF_CONFIG_DATA are accepted.
    pub with_index: Signal<In, Bit>,
    pub by_data: Signal<In, Bit>,
    pub kick: DoorbellSource,
    /// Pulse: the control queue's, of which `kick` says nothing.
    pub control_kick: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    /// Pulses for the counters.
    pub count_kicks: Signal<Out, Bit>,
    pub count_ignored: Signal<Out, Bit>,
    was_ok: Reg<Bit>,
    sweeping: Reg<Bit>,
    sweep: Reg<Bits<16>>,
    answered: Reg<Bit>,
    control_starts: Reg<Bit>,
    kicked: Signal<Local, Bit>,
    addressed: Signal<Local, Bits<16>>,
    named: Signal<Local, Bits<16>>,
    told: Signal<Local, Bit>,
    right: Signal<Local, Bit>,
    /// The queue is not the control queue, and is one; else it is that.
    plain: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    queues: Constant<Bits<16>>,
    controlled: Constant<Bit>,
    last_queue: Constant<Bits<16>>,
    data: Constant<Bits<16>>,
}

impl Notify {
    /// Doorbells for `params.numbers()` queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            driver_ok: Default::default(),
            enable: Default::default(),
            enable_queue: Default::default(),
            enable_control: Default::default(),
            with_index: Default::default(),
            by_data: Default::default(),
            kick: Default::default(),
            control_kick: Default::default(),
            busy: Default::default(),
            count_kicks: Default::default(),
            count_ignored: Default::default(),
            was_ok: Default::default(),
            sweeping: Default::default(),
            sweep: Default::default(),
            answered: Default::default(),
            control_starts: Default::default(),
            kicked: Default::default(),
            addressed: Default::default(),
            named: Default::default(),
            told: Default::default(),
            right: Default::default(),
            plain: Default::default(),
            last: Default::default(),
            queues: Constant::new(params.queues().to_bits()),
            controlled: Constant::new(params.offers(feature::CTRL_VQ)),
            last_queue: Constant::new((params.numbers() - 1).to_bits()),
            data: Constant::new(layout::NOTIFY_DATA.to_bits()),
        }
    }
}

impl Logic for Notify {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, was_ok, sweeping, sweep, answered, control_starts);
        self.control_starts.d.next = self.enable_control.val();
        self.kicked.next = false;
        self.kick.queue.next = self.sweep.q.val();
        self.busy.next = self.sweeping.q.val();
        self.count_kicks.next = false;
        self.count_ignored.next = false;
        self.access.ready.next = self.answered.q.val();
        self.access.read_data.next = 0.into();
        self.answered.d.next = false;
        self.was_ok.d.next = self.driver_ok.val();

        // What is written: who it is for, and with NOTIFICATION_DATA what is in its ring.
        self.addressed.next = bit_cast::<16, 8>(self.access.addr.val().get_bits::<8>(2));
        self.named.next = self.addressed.val();
        if self.by_data.val() {
            self.named.next = self.addressed.val() | self.data.val();
        }
        self.right.next = (self.access.write_data.val().get_bits::<16>(ring::NOTIFY_QUEUE_LSB)
            == self.named.val())
            & self.access.strobe.val().get_bit(0)
            & self.access.strobe.val().get_bit(1);
        self.told.next = false;
        self.kick.index.next = self.access.write_data.val().get_bits::<16>(ring::NOTIFY_INDEX_LSB);

        // Which of them is meant is found out beside what is done.
        self.plain.next = self.addressed.val() < self.queues.val();
        self.last.next = self.addressed.val() == self.queues.val();
        if self.enable.val() | self.control_starts.q.val() {
            // Buffers may have been made available before the queue, or again after its reset: look.
            self.kicked.next = self.driver_ok.val();
            self.kick.queue.next = self.enable_queue.val();
            self.plain.next = !self.control_starts.q.val();
            self.last.next = true;
            if self.control_starts.q.val() {
                self.kick.queue.next = self.queues.val();
            }
        } else if self.sweeping.q.val() {
            self.kicked.next = true;
            self.plain.next = self.sweep.q.val() < self.queues.val();
            self.last.next = self.sweep.q.val() == self.queues.val();
            self.sweep.d.next = self.sweep.q.val() + 1;
            if self.sweep.q.val() == self.last_queue.val() {
                self.sweeping.d.next = false;
            }
        } else if self.access.valid.val() & !self.answered.q.val() {
            // The address says which queue (multiplier 4).
            self.answered.d.next = true;
            self.kick.queue.next = self.addressed.val();
            if self.access.write.val() & self.access.strobe.val().any() {
                self.kicked.next = self.driver_ok.val()
                    & (self.plain.val() | (self.last.val() & self.controlled.val()))
                    & (self.right.val() | !self.by_data.val());
                self.told.next = self.with_index.val()
                    & self.right.val()
                    & self.access.strobe.val().get_bit(2)
                    & self.access.strobe.val().get_bit(3);
                self.count_kicks.next = self.kicked.val();
                self.count_ignored.next = !self.kicked.val();
            }
        }
        self.kick.valid.next = self.kicked.val() & self.plain.val();
        self.kick.told.next = self.told.val() & self.kick.valid.val();
        self.control_kick.next = self.kicked.val() & !self.plain.val() & self.last.val();
        if self.driver_ok.val() & !self.was_ok.q.val() {
            self.sweeping.d.next = true;
            self.sweep.d.next = 0.into();
        }
        if self.reset.val() {
            self.sweeping.d.next = false;
            self.was_ok.d.next = false;
            self.control_starts.d.next = false;
        }
    }
}
