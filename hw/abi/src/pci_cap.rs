//! Virtio's vendor capabilities. Spec: [virtio 1.4: Virtio Structure PCI Capabilities]

use crate::macros::{constants, registers, values};

registers! { REGS, REG_CONSTANTS in "pci_cap", WINDOW_BYTES;
    /// Capability id: 09h.
    0x00 CAP_VNDR, CAP_VNDR_DW: 1 Ro = 0x09, 0;
    /// Next capability.
    0x01 CAP_NEXT, CAP_NEXT_DW: 1 Ro = 0, 0;
    /// Bytes of this capability.
    0x02 CAP_LEN, CAP_LEN_DW: 1 Ro = 0x10, 0;
    /// Which structure: `TYPE_…`.
    0x03 CFG_TYPE, CFG_TYPE_DW: 1 Ro = 0, 0;
    /// Which BAR (PCI_CFG: written by the driver).
    0x04 BAR, BAR_DW: 1 Ro = 0, 0;
    /// Tells several of one type apart.
    0x05 ID, ID_DW: 1 Ro = 0, 0;
    /// Offset in the BAR (PCI_CFG: written by the driver).
    0x08 OFFSET, OFFSET_DW: 4 Ro = 0, 0;
    /// Bytes (PCI_CFG: written by the driver: 1, 2 or 4).
    0x0c LENGTH, LENGTH_DW: 4 Ro = 0, 0;
    /// NOTIFY: `notify_off_multiplier`; PCI_CFG: `pci_cfg_data`.
    0x10 EXTRA, EXTRA_DW: 4 Ro = 0, 0;
}

values! { VALUES, VALUE_CONSTANTS in "pci_cap";
    /// Common configuration.
    TYPE_COMMON: u64 = 1;
    /// Notifications.
    TYPE_NOTIFY: u64 = 2;
    /// ISR status.
    TYPE_ISR: u64 = 3;
    /// Device configuration.
    TYPE_DEVICE: u64 = 4;
    /// Access to the BARs through configuration space.
    TYPE_PCI_CFG: u64 = 5;
    /// Shared memory.
    TYPE_SHARED_MEMORY: u64 = 8;
    /// Vendor data.
    TYPE_VENDOR: u64 = 9;
    /// Bytes of a plain virtio capability.
    CAP_BYTES: usize = 16;
    /// Bytes of the notify capability.
    NOTIFY_BYTES: usize = 20;
    /// Offset of `notify_off_multiplier`.
    NOTIFY_MULTIPLIER: usize = EXTRA;
    /// Bytes of the PCI_CFG capability.
    WINDOW_BYTES: usize = 20;
    /// Offset of `pci_cfg_data`.
    WINDOW_DATA: usize = EXTRA;
}

constants!(REG_CONSTANTS, VALUE_CONSTANTS);
