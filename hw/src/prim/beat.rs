//! The one handshake, for packets of beats `W` bits wide.
//!
//! Beats of one packet are never interleaved with another's. `side` carries what belongs to the packet or the
//! beat; each port says in which beats it means something.

use rust_hdl_core::prelude::*;

/// The end that offers.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "BeatSink"]
pub struct BeatSource<const W: usize, T: Synth> {
    pub valid: Signal<Out, Bit>,
    pub last: Signal<Out, Bit>,
    pub data: Signal<Out, Bits<W>>,
    pub side: Signal<Out, T>,
    pub ready: Signal<In, Bit>,
}

/// The end that takes.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "BeatSource"]
pub struct BeatSink<const W: usize, T: Synth> {
    pub valid: Signal<In, Bit>,
    pub last: Signal<In, Bit>,
    pub data: Signal<In, Bits<W>>,
    pub side: Signal<In, T>,
    pub ready: Signal<Out, Bit>,
}
