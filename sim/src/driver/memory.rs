//! Memory which the driver uses: rings below 4 GiB, buffers above.

use crate::root::Windows;

/// Where the rings are.
pub const RINGS: u64 = 0x0010_0000;
/// Bytes between two rings.
pub const RING_STRIDE: u64 = 0x1_0000;
/// Where indirect tables are: those of a queue in a stride as rings have.
pub const TABLES: u64 = 0x0014_0000;
/// Where commands for the control queue are put, and bytes there.
pub const COMMANDS: u64 = 0x0018_0000;
pub const COMMAND_BYTES: u64 = 0x3_0000;
/// Where transmit slots are.
pub const TX: u64 = 0x1_0000_0000;
/// Where receive slots are.
pub const RX: u64 = 0x0020_0000;
/// Bytes of a receive slot, and of a transmit slot: a packet that is to be segmented.
pub const SLOT: u64 = 0x3000;
pub const TX_SLOT: u64 = 0x1_2000;
/// Slots each way.
pub const SLOTS: u64 = 64;
/// An address where there is no memory.
pub const NOWHERE: u64 = 0x7_0000_0000;

/// Windows with what the driver needs mapped.
pub fn windows() -> Windows {
    let mut windows = Windows::new();
    windows.map(RINGS, 3 * RING_STRIDE as usize);
    windows.map(TABLES, 3 * RING_STRIDE as usize);
    windows.map(COMMANDS, COMMAND_BYTES as usize);
    windows.map(TX, (TX_SLOT * SLOTS) as usize);
    windows.map(RX, (SLOT * SLOTS) as usize);
    windows
}
