//! The one handshake, for a payload that moves in one cycle.
//!
//! `valid` never waits for `ready`; once valid, `valid` and `data` hold until a cycle in which both are high:
//! then the payload is taken. `ready` may depend on `valid`.

use rust_hdl_core::prelude::*;

/// The end that offers.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "StreamSink"]
pub struct StreamSource<T: Synth> {
    pub valid: Signal<Out, Bit>,
    pub data: Signal<Out, T>,
    pub ready: Signal<In, Bit>,
}

/// The end that takes.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "StreamSource"]
pub struct StreamSink<T: Synth> {
    pub valid: Signal<In, Bit>,
    pub data: Signal<In, T>,
    pub ready: Signal<Out, Bit>,
}
