//! What the counters count: a bit per counter, set in the cycles in which it counts one.

use rust_hdl_core::prelude::*;

/// In the order of `hematite_abi::ident`'s counters. Byte counters have their own way in; their bits stay low.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Events {
    /// Frames sent to the wire.
    pub tx_frames: Bit,
    /// Their bytes, low half.
    pub tx_bytes_lo: Bit,
    /// Their bytes, high half.
    pub tx_bytes_hi: Bit,
    /// Frames given to the driver.
    pub rx_frames: Bit,
    /// Their bytes, low half.
    pub rx_bytes_lo: Bit,
    /// Their bytes, high half.
    pub rx_bytes_hi: Bit,
    /// Frames dropped: no receive buffer.
    pub rx_no_buffer: Bit,
    /// Frames dropped: bad, too long, or not running.
    pub rx_dropped: Bit,
    /// Packets dropped: shorter than the headers.
    pub tx_dropped_short: Bit,
    /// Packets dropped: longer than the largest frame.
    pub tx_dropped_long: Bit,
    /// TLPs received.
    pub tlp_in: Bit,
    /// TLPs sent.
    pub tlp_out: Bit,
    /// TLPs dropped: malformed.
    pub tlp_malformed: Bit,
    /// Requests answered UR (or dropped: posted).
    pub tlp_unsupported: Bit,
    /// Requests answered CA.
    pub tlp_aborted: Bit,
    /// TLPs with the poison or error mark.
    pub tlp_poisoned: Bit,
    /// Completions nobody waits for.
    pub cpl_unexpected: Bit,
    /// Reads without an answer.
    pub cpl_timeout: Bit,
    /// Reads answered by UR, CA or poison.
    pub cpl_error: Bit,
    /// MSI-X messages sent.
    pub irq_sent: Bit,
    /// Interrupts held back by a mask.
    pub irq_masked: Bit,
    /// Interrupts the driver did not want (flags).
    pub irq_suppressed: Bit,
    /// Doorbells rung.
    pub kicks: Bit,
    /// Doorbells of queues which are off or absent.
    pub kicks_ignored: Bit,
    /// Memory reads sent: TLPs.
    pub dma_reads: Bit,
    /// Memory writes sent, MSI-X messages among them: TLPs.
    pub dma_writes: Bit,
    /// Queue errors of any kind.
    pub queue_errors: Bit,
    /// Device resets.
    pub device_resets: Bit,
    /// Queue resets.
    pub queue_resets: Bit,
    /// Frames the driver did not want: addresses, VLANs.
    pub rx_filtered: Bit,
    /// Packets dropped: what the driver wants done to them cannot be.
    pub tx_dropped_offload: Bit,
    /// Frames whose checksum the driver was told to be right.
    pub rx_right: Bit,
}
