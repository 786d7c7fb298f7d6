//! The control queue's commands, and what they set.

use rust_hdl_core::prelude::*;

/// A byte of a command, as it stands in the chain's device-readable part. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct CommandByte {
    pub data: Bits<8>,
    /// No byte: the command ends here.
    pub end: Bit,
}

/// A byte of the answer to a command: `ack`, then its results. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct AnswerByte {
    pub data: Bits<8>,
    pub last: Bit,
}

/// A setting changes. A pulse, to everyone.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "SettingSink"]
pub struct SettingSource {
    pub valid: Signal<Out, Bit>,
    /// One of `hematite_abi::ctrl`'s `SET_…`.
    pub item: Signal<Out, Bits<8>>,
    pub index: Signal<Out, Bits<16>>,
    pub data: Signal<Out, Bits<32>>,
}

/// See [`SettingSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "SettingSource"]
pub struct SettingSink {
    pub valid: Signal<In, Bit>,
    pub item: Signal<In, Bits<8>>,
    pub index: Signal<In, Bits<16>>,
    pub data: Signal<In, Bits<32>>,
}
