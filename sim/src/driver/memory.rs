//! Memory which the driver uses: rings below 4 GiB, buffers above.

/// Where the rings are.
pub const RINGS: u64 = 0x0010_0000;
/// Bytes between two rings.
pub const RING_STRIDE: u64 = 0x1_0000;
/// Where indirect tables are: those of a queue in a stride as rings have.
pub const TABLES: u64 = 0x0014_0000;
/// Where transmit slots are.
pub const TX: u64 = 0x1_0000_0000;
/// Where receive slots are.
pub const RX: u64 = 0x0020_0000;
/// Bytes of a slot.
pub const SLOT: u64 = 0x3000;
/// Slots each way.
pub const SLOTS: u64 = 64;
/// An address where there is no memory.
pub const NOWHERE: u64 = 0x7_0000_0000;
