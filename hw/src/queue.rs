//! Split virtqueues.
//!
//! Chains of one queue keep the order of its available ring through every block here. Per-queue state is addressed by
//! the queue's place among those of its direction (`queue >> 1`), or by its number where a block serves both.

pub mod arm;
pub mod cache;
pub mod coalesce;
pub mod control;
pub mod fetch;
pub mod lookup;
pub mod supply;
pub mod suppress;
pub mod used;
pub mod walk;

/// Which queues a block serves. Receive queues are even, transmit queues odd [virtio: Virtqueues, network device].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Direction {
    /// Buffers the device writes: `receiveqN`.
    Rx,
    /// Buffers the device reads: `transmitqN`.
    Tx,
}
