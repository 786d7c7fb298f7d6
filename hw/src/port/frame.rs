//! Ethernet frames without FCS: a `BeatSource<W, FrameSide>`.
//!
//! Bytes are dense: byte 0 of the frame in lane 0 of the first beat, every beat but the last full.

use rust_hdl_core::prelude::*;

/// What stands beside a frame's beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct FrameSide {
    /// Bytes in this beat: W/8, or fewer (at least 1) in the last.
    pub count: Bits<7>,
    /// In the last beat: this frame is bad; drop it.
    pub error: Bit,
}

/// The length of a frame that is complete in the receive buffer; its beats follow on the beat port. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct FrameLength {
    /// Bytes.
    pub len: Bits<16>,
}

/// A frame that waits for buffers. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Arrival {
    /// Bytes.
    pub len: Bits<16>,
    /// The receive queue it goes to.
    pub queue: Bits<16>,
}
