//! Building blocks that know neither PCIe nor virtio.

pub mod beat;
pub mod beat_fifo;
pub mod fifo;
pub mod lutram;
pub mod ram;
pub mod stream;
