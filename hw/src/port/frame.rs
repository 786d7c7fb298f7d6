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

/// What the driver wants done to a packet it sends. Stands beside all of its beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Offload {
    /// Who sends it: see [`Sent`].
    pub owner: Bits<16>,
    /// The frame lacks its checksum.
    pub csum: Bit,
    /// Offset in the frame of the first byte that is summed.
    pub csum_start: Bits<16>,
    /// Offset in the frame of the first of the two bytes it is put in.
    pub csum_at: Bits<17>,
    /// It is to be segmented.
    pub gso: Bit,
    /// With `gso`: in a way that was agreed, as far as its header says.
    pub gso_good: Bit,
    /// With `gso`: it is UDP, else TCP.
    pub udp: Bit,
    /// With `gso`: bytes of payload for each segment.
    pub gso_size: Bits<16>,
}

/// What is to be done to a piece on its way to the transmit buffer: a frame, or a part of a packet that is segmented. Stands beside
/// all of its beats.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Task {
    /// Who sends it: see [`Sent`].
    pub owner: Bits<16>,
    /// The piece is the headers of a packet that is segmented.
    pub headers: Bit,
    /// It is the payload of a segment; before it lanes stand empty, which the end of the headers will fill.
    pub payload: Bit,
    /// With `headers`: it is UDP, else TCP.
    pub udp: Bit,
    /// With `payload`: the last segment of its packet.
    pub end: Bit,
    /// It is summed.
    pub csum: Bit,
    /// Offset in the piece of the first byte that is summed.
    pub csum_start: Bits<16>,
    /// Offset of the first of the two bytes the sum is put in; of headers, that of the transport header.
    pub csum_at: Bits<17>,
}

/// The checksum of a piece. In a `StreamSource`, one per piece, in order.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Sum {
    /// Who sends it: see [`Sent`].
    pub owner: Bits<16>,
    // As in `Task`.
    pub headers: Bit,
    pub payload: Bit,
    pub udp: Bit,
    pub end: Bit,
    /// Else a frame leaves as it is.
    pub wanted: Bit,
    /// Offset in the frame of the first of the two bytes it is put in; of headers, that of the transport header.
    pub at: Bits<16>,
    pub value: Bits<16>,
    /// Bytes of the piece, with empty lanes.
    pub len: Bits<16>,
}

/// A frame that has been sent.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Sent {
    /// The transmit queue it came from; the upper two bits count device resets, for frames outlive them.
    pub owner: Bits<16>,
    /// Bytes.
    pub len: Bits<16>,
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

/// What the driver is told of a frame that waits for buffers. In a `StreamSource`, one per `Arrival`, in order.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Report {
    /// Its checksum is right.
    pub right: Bit,
    /// Its hash.
    pub hash: Bits<32>,
    /// Of what, as a hash report says it.
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
