//! Building blocks that know neither PCIe nor virtio.

pub mod arbiter;
pub mod beat;
pub mod beat_fifo;
pub mod block_fifo;
pub mod cut;
pub mod dword_ram;
pub mod fifo;
pub mod front_fifo;
pub mod header_ram;
pub mod ids;
pub mod lutram;
pub mod merge;
pub mod overlay;
pub mod pack;
pub mod packet_fifo;
pub mod pluck;
pub mod poke;
pub mod quick_fifo;
pub mod ram;
pub mod regfile;
pub mod rotate;
pub mod skid;
pub mod stream;
pub mod toeplitz;
pub mod word_sum;
