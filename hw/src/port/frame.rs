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

/// What the driver wants done to a frame it sends. Stands beside all of the frame's beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Offload {
    /// The frame lacks its checksum.
    pub csum: Bit,
    /// Offset in the frame of the first byte that is summed.
    pub csum_start: Bits<16>,
    /// Offset in the frame of the first of the two bytes it is put in.
    pub csum_at: Bits<17>,
}

/// The checksum of a frame. In a `StreamSource`, one per frame, in order.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Sum {
    /// Else the frame leaves as it is.
    pub wanted: Bit,
    /// Offset in the frame of the first of the two bytes it is put in.
    pub at: Bits<16>,
    pub value: Bits<16>,
}

/// The length of a frame that is complete in the receive buffer; its beats follow on the beat port. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct FrameLength {
    /// Bytes.
    pub len: Bits<16>,
    /// The frame was dropped: no beats follow. Said only where someone counts frames.
    pub dropped: Bit,
}

/// To which flow a frame belongs. In a `StreamSource`, one per frame, in order.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Flow {
    /// Toeplitz hash.
    pub hash: Bits<32>,
    /// Of what: as a hash report says it; 0: there is no hash.
    pub kind: Bits<3>,
}

/// A frame that waits for buffers. In a `StreamSource`.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Arrival {
    /// Bytes.
    pub len: Bits<16>,
    /// The receive queue it goes to.
    pub queue: Bits<16>,
}
