//! Reads from and writes to host memory.
//!
//! Reads: the client offers a [`ReadRequest`] in a `Stream`, and gets a `Beat<W, ReadSide>` packet per request, in the order
//! of its requests. A client asks only for what it can take: it never holds back a reply for the sake of another.
//! Writes: the client offers a `Beat<W, WriteSide>` packet per piece. What is taken earlier reaches the host earlier.
//!
//! Beats are as in a TLP: lane 0 of the first beat belongs to the first DWORD touched, so the first byte of a transfer at
//! address `a` is in lane `a mod 4`. Lanes outside the transfer mean nothing.
//! A request or piece is 1 to 4096 bytes, crosses no 4 KiB boundary, and is no larger than `PcieSettings::read_bytes` or
//! `payload_bytes`: the client cuts (`prim::cut`).

use rust_hdl_core::prelude::*;

/// A piece of host memory to read.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct ReadRequest {
    pub addr: Bits<64>,
    /// Bytes.
    pub len: Bits<13>,
}

/// What stands beside the beats of a reply.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct ReadSide {
    /// In the last beat: the read failed; none of the packet's data mean anything. A failed read may be shorter than asked
    /// for (one beat), never longer.
    pub error: Bit,
    /// Beside `error`: it failed by time-out, not by a completion's status.
    pub timeout: Bit,
}

/// What stands beside the beats of a write; means something in the first beat.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct WriteSide {
    pub addr: Bits<64>,
    /// Bytes.
    pub len: Bits<13>,
    /// Which bits of the writer's `notified` to pulse when this piece has left for the host: 0 `queue::used`, 1 `queue::arm`,
    /// 2 `queue::control`.
    pub notify: Bits<3>,
}
