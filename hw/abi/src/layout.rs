//! Our choices: ids, capability chain, BAR. All else is quoted from specifications.

use crate::macros::{constants, values};

values! { VALUES, VALUE_CONSTANTS in "layout";
    /// Virtio's PCI vendor id.
    VENDOR_ID: u64 = 0x1af4;
    /// 1040h + 1: network device.
    DEVICE_ID: u64 = 0x1041;
    /// 1 or more: a non-transitional device.
    REVISION: u64 = 1;
    /// Network controller, Ethernet.
    CLASS: u64 = 0x02_0000;
    /// Subsystem vendor.
    SUBSYSTEM_VENDOR_ID: u64 = 0x1af4;
    /// Subsystem: 40h or more.
    SUBSYSTEM_ID: u64 = 0x0041;
    /// Power management capability.
    CAP_POWER: usize = 0x40;
    /// PCI Express capability.
    CAP_PCIE: usize = 0x60;
    /// MSI-X capability.
    CAP_MSIX: usize = 0x9c;
    /// Virtio: common configuration.
    CAP_COMMON: usize = 0xa8;
    /// Virtio: notifications.
    CAP_NOTIFY: usize = 0xb8;
    /// Virtio: ISR.
    CAP_ISR: usize = 0xcc;
    /// Virtio: device configuration.
    CAP_DEVICE: usize = 0xdc;
    /// Virtio: PCI_CFG window.
    CAP_PCI_CFG: usize = 0xec;
    /// Extended capability: vendor-specific, where the inspection region is. Below 100h there is no room.
    CAP_INSPECTION: usize = 0x100;
    /// DWORD: power management control and status.
    POWER_CONTROL_DW: usize = 0x44 / 4;
    /// DWORD: device control and status.
    DEVICE_CONTROL_DW: usize = 0x68 / 4;
    /// DWORD: device control 2.
    DEVICE_CONTROL2_DW: usize = 0x88 / 4;
    /// DWORD: MSI-X message control (upper half).
    MSIX_CONTROL_DW: usize = CAP_MSIX / 4;
    /// DWORD: the window's BAR.
    WINDOW_BAR_DW: usize = 0xf0 / 4;
    /// DWORD: the window's offset.
    WINDOW_OFFSET_DW: usize = 0xf4 / 4;
    /// DWORD: the window's length.
    WINDOW_LENGTH_DW: usize = 0xf8 / 4;
    /// DWORD: the window's data; an access here is an access to the BAR.
    WINDOW_DATA_DW: usize = 0xfc / 4;
    /// The BAR in use.
    BAR: usize = 0;
    /// Its size: 64-bit, prefetchable, memory.
    BAR_BYTES: u64 = 0x1_0000;
    /// Address bits inside the BAR.
    BAR_BITS: usize = 16;
    /// In a header of 3 DW: Address[31:16], which the BAR's low half decides.
    ADDR3_BAR_LSB: usize = crate::tlp::ADDR_DW2_LSB + BAR_BITS;
    /// In a header of 4 DW: Address[31:16].
    ADDR4_BAR_LSB: usize = crate::tlp::ADDR_DW3_LSB + BAR_BITS;
    /// Common configuration.
    COMMON_OFFSET: u64 = 0x0000;
    /// End of it.
    COMMON_END: u64 = 0x0040;
    /// ISR status.
    ISR_OFFSET: u64 = 0x0400;
    /// End of its DWORD.
    ISR_END: u64 = 0x0404;
    /// Device configuration.
    DEVICE_OFFSET: u64 = 0x0800;
    /// End of it; what the specification does not define reads 0.
    DEVICE_END: u64 = 0x0840;
    /// Doorbells: one DWORD per queue.
    NOTIFY_OFFSET: u64 = 0x1000;
    /// End of them.
    NOTIFY_END: u64 = 0x1400;
    /// `notify_off_multiplier`.
    NOTIFY_MULTIPLIER: u64 = 4;
    /// `queue_notif_config_data` of the first queue; each queue's is its number more.
    NOTIFY_DATA: u64 = 0x4e00;
    /// Queues the doorbells have room for.
    QUEUES_MAX: usize = 256;
    /// MSI-X table.
    MSIX_TABLE_OFFSET: u64 = 0x4000;
    /// End of it.
    MSIX_TABLE_END: u64 = 0x5000;
    /// MSI-X pending bits.
    MSIX_PBA_OFFSET: u64 = 0x5000;
    /// End of them.
    MSIX_PBA_END: u64 = 0x6000;
    /// Vectors the table has room for.
    VECTORS_MAX: usize = 256;
    /// Inspection region.
    INSPECTION_OFFSET: u64 = 0x8000;
    /// End of it, and of the BAR.
    INSPECTION_END: u64 = 0x1_0000;
}

/// One structure in the BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: &'static str,
    /// First byte.
    pub offset: u64,
    /// First byte after it.
    pub end: u64,
}

/// The BAR, by rising offset. Between the regions everything reads 0 and ignores writes.
pub const REGIONS: &[Region] = &[
    Region { name: "COMMON", offset: COMMON_OFFSET, end: COMMON_END },
    Region { name: "ISR", offset: ISR_OFFSET, end: ISR_END },
    Region { name: "DEVICE", offset: DEVICE_OFFSET, end: DEVICE_END },
    Region { name: "NOTIFY", offset: NOTIFY_OFFSET, end: NOTIFY_END },
    Region { name: "MSIX_TABLE", offset: MSIX_TABLE_OFFSET, end: MSIX_TABLE_END },
    Region { name: "MSIX_PBA", offset: MSIX_PBA_OFFSET, end: MSIX_PBA_END },
    Region { name: "INSPECTION", offset: INSPECTION_OFFSET, end: INSPECTION_END },
];

/// One capability of the chain below 100h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name.
    pub name: &'static str,
    /// First byte in configuration space.
    pub offset: usize,
    /// Bytes.
    pub bytes: usize,
    /// Capability id.
    pub id: u64,
}

/// The chain, in order; the last one's next pointer is 0.
pub const CHAIN: &[Capability] = &[
    Capability { name: "POWER", offset: CAP_POWER, bytes: 8, id: crate::config::CAP_ID_POWER },
    Capability {
        name: "PCIE",
        offset: CAP_PCIE,
        bytes: crate::config::PCIE_BYTES,
        id: crate::config::CAP_ID_PCIE,
    },
    Capability {
        name: "MSIX",
        offset: CAP_MSIX,
        bytes: crate::msix::CAP_BYTES,
        id: crate::config::CAP_ID_MSIX,
    },
    Capability {
        name: "COMMON",
        offset: CAP_COMMON,
        bytes: crate::pci_cap::CAP_BYTES,
        id: crate::config::CAP_ID_VENDOR,
    },
    Capability {
        name: "NOTIFY",
        offset: CAP_NOTIFY,
        bytes: crate::pci_cap::NOTIFY_BYTES,
        id: crate::config::CAP_ID_VENDOR,
    },
    Capability {
        name: "ISR",
        offset: CAP_ISR,
        bytes: crate::pci_cap::CAP_BYTES,
        id: crate::config::CAP_ID_VENDOR,
    },
    Capability {
        name: "DEVICE",
        offset: CAP_DEVICE,
        bytes: crate::pci_cap::CAP_BYTES,
        id: crate::config::CAP_ID_VENDOR,
    },
    Capability {
        name: "PCI_CFG",
        offset: CAP_PCI_CFG,
        bytes: crate::pci_cap::WINDOW_BYTES,
        id: crate::config::CAP_ID_VENDOR,
    },
];

constants!(VALUE_CONSTANTS);
