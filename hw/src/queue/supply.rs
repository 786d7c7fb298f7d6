//! What `queue::fetch` and `queue::cache` tell each other of receive queues.

use rust_hdl_core::prelude::*;

/// How many of a queue's heads the cache has given away for good. A pulse.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "CreditSink"]
pub struct CreditSource {
    pub valid: Signal<Out, Bit>,
    pub queue: Signal<Out, Bits<16>>,
    /// All since the queue was enabled, modulo 65536.
    pub total: Signal<Out, Bits<16>>,
}

/// See [`CreditSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "CreditSource"]
pub struct CreditSink {
    pub valid: Signal<In, Bit>,
    pub queue: Signal<In, Bits<16>>,
    pub total: Signal<In, Bits<16>>,
}

/// What is still to come for a queue: fetch's end. Levels; the answer stands in the cycle of the question.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "SupplySink"]
pub struct SupplySource {
    /// The queue asked about.
    pub queue: Signal<In, Bits<16>>,
    /// Its heads begun, all since the queue was enabled, modulo 65536: those the cache has not got are on their way.
    pub begun: Signal<Out, Bits<16>>,
    /// No more will be begun unless the driver kicks, or heads are given back, or the fence falls.
    pub idle: Signal<Out, Bit>,
    /// A bit per `queue >> 1`: enabled, and not stopped by an error.
    pub live: Signal<Out, Bits<64>>,
}

/// See [`SupplySource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "SupplySource"]
pub struct SupplySink {
    pub queue: Signal<Out, Bits<16>>,
    pub begun: Signal<In, Bits<16>>,
    pub idle: Signal<In, Bit>,
    pub live: Signal<In, Bits<64>>,
}
