//! One access of a DWORD to the BAR, and its answer.
//!
//! The master holds `valid` and everything beside it until `ready`; in that cycle `read_data` is the answer to a read.
//! One access at a time. A slave that does not know the address answers zero and ignores a write.

use rust_hdl_core::prelude::*;

/// The end that asks.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "MmioSlave"]
pub struct MmioMaster {
    pub valid: Signal<Out, Bit>,
    pub write: Signal<Out, Bit>,
    /// Byte offset in BAR 0; bits 1:0 are zero.
    pub addr: Signal<Out, Bits<16>>,
    pub write_data: Signal<Out, Bits<32>>,
    /// One bit per byte of the DWORD, for writes and for reads (a read of none has no side effect).
    pub strobe: Signal<Out, Bits<4>>,
    pub read_data: Signal<In, Bits<32>>,
    pub ready: Signal<In, Bit>,
}

/// The end that answers.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "MmioMaster"]
pub struct MmioSlave {
    pub valid: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub addr: Signal<In, Bits<16>>,
    pub write_data: Signal<In, Bits<32>>,
    pub strobe: Signal<In, Bits<4>>,
    pub read_data: Signal<Out, Bits<32>>,
    pub ready: Signal<Out, Bit>,
}
