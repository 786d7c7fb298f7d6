//! Transaction layer packets: a `BeatSource<W, TlpSide>`.
//!
//! `data` is the payload, from lane 0 of the first beat; a TLP without payload is one beat whose data mean nothing.

use rust_hdl_core::prelude::*;

/// What stands beside a TLP's beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct TlpSide {
    /// DW0 in bits 31:0 to DW3 in bits 127:96, bits within a DW numbered as in PCI Express. Means something in the first beat.
    /// DW3 of a three-DW header is zero.
    pub header: Bits<128>,
    /// In the last beat: the link found this TLP bad (nullified, ECRC): it is dropped and counted.
    pub error: Bit,
}

/// What stands beside the beats of TLPs that leave: as `TlpSide`, and room for a second TLP.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct TlpOutSide {
    /// As in `TlpSide`.
    pub header: Bits<128>,
    /// In a last beat with `riding`: the header of another TLP, without payload, that comes right behind this one.
    pub rider: Bits<128>,
    /// As in `TlpSide`.
    pub error: Bit,
    /// In a last beat; never in another.
    pub riding: Bit,
}
