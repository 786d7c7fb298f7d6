//! The seams between blocks: what crosses them, and when it means something.
//!
//! Payloads that move in one cycle are structs in a [`StreamSource`](crate::prim::stream::StreamSource); payloads of
//! many beats are a [`BeatSource`](crate::prim::beat::BeatSource) with a struct beside the data. The first field of a struct is its
//! lowest bits. Queue numbers are virtio's: receive queues are even, transmit queues odd.

pub mod chain;
pub mod control;
pub mod count;
pub mod dma;
pub mod frame;
pub mod irq;
pub mod mmio;
pub mod pcie;
pub mod queue;
pub mod tlp;
