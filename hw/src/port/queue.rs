//! What the driver says of its queues, and what a queue says of itself.

use rust_hdl_core::prelude::*;

/// One queue's settings.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct QueueSettings {
    pub queue: Bits<16>,
    /// Entries: a power of two.
    pub size: Bits<16>,
    /// Descriptor Area.
    pub desc: Bits<64>,
    /// Driver Area (the available ring).
    pub driver: Bits<64>,
    /// Device Area (the used ring).
    pub device: Bits<64>,
}

/// Broadcast by `virtio::queues` to every block that keeps state per queue. Pulses; no `ready`.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "QueueControlSink"]
pub struct QueueControlSource {
    /// Pulse: `settings.queue` starts now, with all its indices zero.
    pub enable: Signal<Out, Bit>,
    /// Pulse: `settings.queue` has stopped (queue reset); forget it.
    pub clear: Signal<Out, Bit>,
    pub settings: Signal<Out, QueueSettings>,
    /// Level: begin nothing new for any queue, finish what is begun. While it is high the blocks' `busy` falls in the end.
    pub fence: Signal<Out, Bit>,
}

/// See [`QueueControlSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "QueueControlSource"]
pub struct QueueControlSink {
    pub enable: Signal<In, Bit>,
    pub clear: Signal<In, Bit>,
    pub settings: Signal<In, QueueSettings>,
    pub fence: Signal<In, Bit>,
}

/// A doorbell, with what it says of its ring. A pulse: it is never held back, and never lost.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "DoorbellSink"]
pub struct DoorbellSource {
    pub valid: Signal<Out, Bit>,
    pub queue: Signal<Out, Bits<16>>,
    /// It says the available index: `index`. To be trusted no more than one that was read, and it may be older.
    pub told: Signal<Out, Bit>,
    pub index: Signal<Out, Bits<16>>,
}

/// See [`DoorbellSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "DoorbellSource"]
pub struct DoorbellSink {
    pub valid: Signal<In, Bit>,
    pub queue: Signal<In, Bits<16>>,
    pub told: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
}

/// The name of a queue of which something is so now. A pulse, as a doorbell is.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "KickSink"]
pub struct KickSource {
    pub valid: Signal<Out, Bit>,
    pub queue: Signal<Out, Bits<16>>,
}

/// See [`KickSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "KickSource"]
pub struct KickSink {
    pub valid: Signal<In, Bit>,
    pub queue: Signal<In, Bits<16>>,
}

/// A queue that can go no further. The block that says it has stopped that queue; the device sets DEVICE_NEEDS_RESET.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct QueueError {
    pub queue: Bits<16>,
    /// One of `hematite_abi::ident`'s error codes.
    pub code: Bits<8>,
}
