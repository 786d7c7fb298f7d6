//! Building blocks that know neither PCIe nor virtio.

pub mod beat;
pub mod beat_fifo;
pub mod fifo;
pub mod lutram;
pub mod merge;
pub mod overlay;
pub mod pack;
pub mod ram;
pub mod rotate;
pub mod stream;
