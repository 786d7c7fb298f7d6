//! What configuration space tells the rest of the function.

use rust_hdl_core::prelude::*;

/// Settings the host has made; levels.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct PcieSettings {
    /// Command: Memory Space Enable.
    pub memory_enable: Bit,
    /// Command: Bus Master Enable. While it is low, DMA reads fail and DMA writes and interrupts vanish.
    pub bus_master: Bit,
    /// BAR 0's base; the bits below its size are zero.
    pub bar: Bits<64>,
    /// Largest read request, bytes: Max_Read_Request_Size, or less where the function can do less.
    pub read_bytes: Bits<13>,
    /// Largest write, bytes: Max_Payload_Size, or less where the function can do less.
    pub payload_bytes: Bits<13>,
    /// Our bus, device and function number, as captured from the last configuration write.
    pub requester: Bits<16>,
    /// MSI-X Message Control: MSI-X Enable.
    pub msix_enable: Bit,
    /// MSI-X Message Control: Function Mask.
    pub msix_mask: Bit,
}
