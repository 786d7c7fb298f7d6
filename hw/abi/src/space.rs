//! The function's whole configuration space as DWORDs: what each holds after reset, what a write changes. The hardware's
//! register file, the model and the golden listing all come from [`config_space`].
//! Spec: [PCIe base: PCI-Compatible Configuration Registers], [virtio 1.4: PCI Device Layout]

use crate::{config, ident, layout, msix, pci_cap};

/// One DWORD of configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DwReg {
    /// Byte offset.
    pub offset: usize,
    /// Value after reset.
    pub reset: u32,
    /// Bits a write sets and clears.
    pub write: u32,
    /// Bits a written one clears.
    pub w1c: u32,
    /// Bits which the hardware drives: they read as it says, not as `reset` does.
    pub live: u32,
}

/// What may differ between two functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigParams {
    /// MSI-X vectors, 1 to 256.
    pub vectors: usize,
    /// Queues: doorbells in use.
    pub queues: usize,
    /// Largest payload which may be sent and received, bytes: 128 << n.
    pub payload_bytes: usize,
    /// Link speed code: 1 for 2.5 GT/s … 4 for 16.
    pub link_speed: u32,
    /// Lanes.
    pub link_width: u32,
}

impl ConfigParams {
    /// A card of 8 GT/s x8.
    pub const fn new(vectors: usize, queues: usize, payload_bytes: usize) -> ConfigParams {
        ConfigParams { vectors, queues, payload_bytes, link_speed: 3, link_width: 8 }
    }
}

/// DWORDs of the table: 64 of the PCI-compatible part, then the vendor-specific extended capability. All beyond reads 0.
pub const CONFIG_DWORDS: usize = (layout::CAP_INSPECTION + ident::VSEC_BYTES) / 4;

/// The table.
pub const fn config_space(params: &ConfigParams) -> [DwReg; CONFIG_DWORDS] {
    assert!(params.vectors >= 1 && params.vectors <= layout::VECTORS_MAX, "vectors: 1 to 256");
    assert!(params.queues >= 1 && params.queues <= layout::QUEUES_MAX, "queues: 1 to 256");
    assert!(
        params.payload_bytes.is_power_of_two() && params.payload_bytes >= 128 && params.payload_bytes <= 4096,
        "payload_bytes: a power of two from 128 to 4096"
    );
    let mut space = [DwReg { offset: 0, reset: 0, write: 0, w1c: 0, live: 0 }; CONFIG_DWORDS];
    let mut i = 0;
    while i < CONFIG_DWORDS {
        space[i].offset = 4 * i;
        i += 1;
    }
    header(&mut space);
    power_and_pcie(&mut space, params);
    msix_and_virtio(&mut space, params);
    inspection(&mut space);
    space
}

type Space = [DwReg; CONFIG_DWORDS];

const fn set(space: &mut Space, offset: usize, reset: u64) {
    space[offset / 4].reset |= (reset as u32) << (8 * (offset % 4));
}

const fn writable(space: &mut Space, offset: usize, mask: u64) {
    space[offset / 4].write |= (mask as u32) << (8 * (offset % 4));
}

const fn table(space: &mut Space, base: usize, regs: &[crate::Reg]) {
    let mut i = 0;
    while i < regs.len() {
        let reg = &regs[i];
        set(space, base + reg.offset, reg.reset);
        match reg.access {
            crate::Access::Rw => writable(space, base + reg.offset, reg.mask),
            crate::Access::W1c => {
                space[(base + reg.offset) / 4].w1c |= (reg.mask as u32) << (8 * (reg.offset % 4));
            }
            _ => {}
        }
        i += 1;
    }
}

const fn header(space: &mut Space) {
    table(space, 0, config::HEADER);
    set(space, config::VENDOR_ID, layout::VENDOR_ID);
    set(space, config::DEVICE_ID, layout::DEVICE_ID);
    set(space, config::REVISION, layout::REVISION | layout::CLASS << 8);
    set(space, config::SUBSYSTEM_VENDOR_ID, layout::SUBSYSTEM_VENDOR_ID);
    set(space, config::SUBSYSTEM_ID, layout::SUBSYSTEM_ID);
}

const fn power_and_pcie(space: &mut Space, params: &ConfigParams) {
    table(space, layout::CAP_POWER, config::POWER);
    table(space, layout::CAP_PCIE, config::PCIE);
    let mps = params.payload_bytes.trailing_zeros() as u64 - config::SIZE_UNIT.trailing_zeros() as u64;
    let link = params.link_speed as u64 | (params.link_width as u64) << config::LNKCAP_WIDTH_LSB;
    set(
        space,
        layout::CAP_PCIE + config::DEVICE_CAPABILITIES,
        mps | 1 << config::DEVCAP_EXTENDED_TAG_LSB
            | 1 << config::DEVCAP_ROLE_ERROR_LSB
            | 1 << config::DEVCAP_FLR_LSB,
    );
    space[(layout::CAP_PCIE + config::DEVICE_STATUS) / 4].live |= (config::DEVSTA_PENDING as u32) << 16;
    set(space, layout::CAP_PCIE + config::LINK_CAPABILITIES, link | 1 << config::LNKCAP_ASPM_OPTIONAL_LSB);
    set(space, layout::CAP_PCIE + config::LINK_STATUS, link | 1 << config::LNKSTA_SLOT_CLOCK_LSB);
    set(space, layout::CAP_PCIE + config::DEVICE_CAPABILITIES2, 1 << config::DEVCAP2_TIMEOUT_DISABLE_LSB);
    // Supported speeds: a bit for each up to ours, from bit 1.
    set(space, layout::CAP_PCIE + config::LINK_CAPABILITIES2, (2 << params.link_speed) - 2);
    set(space, layout::CAP_PCIE + config::LINK_CONTROL2, params.link_speed as u64);
}

const fn msix_and_virtio(space: &mut Space, params: &ConfigParams) {
    let mut i = 0;
    while i < layout::CHAIN.len() {
        let cap = &layout::CHAIN[i];
        let next = if i + 1 < layout::CHAIN.len() { layout::CHAIN[i + 1].offset as u64 } else { 0 };
        set(space, cap.offset, cap.id | next << 8);
        i += 1;
    }
    set(space, layout::CAP_MSIX + msix::CAP_CONTROL, params.vectors as u64 - 1);
    writable(space, layout::CAP_MSIX + msix::CAP_CONTROL, msix::CONTROL_ENABLE | msix::CONTROL_FUNCTION_MASK);
    set(space, layout::CAP_MSIX + msix::CAP_TABLE, layout::MSIX_TABLE_OFFSET | layout::BAR as u64);
    set(space, layout::CAP_MSIX + msix::CAP_PBA, layout::MSIX_PBA_OFFSET | layout::BAR as u64);
    let doorbells = params.queues as u64 * layout::NOTIFY_MULTIPLIER;
    let common = crate::common::LENGTH as u64;
    let device = crate::net::CFG_LENGTH as u64;
    structure(space, layout::CAP_COMMON, pci_cap::TYPE_COMMON, layout::COMMON_OFFSET, common);
    structure(space, layout::CAP_NOTIFY, pci_cap::TYPE_NOTIFY, layout::NOTIFY_OFFSET, doorbells);
    set(space, layout::CAP_NOTIFY + pci_cap::NOTIFY_MULTIPLIER, layout::NOTIFY_MULTIPLIER);
    structure(space, layout::CAP_ISR, pci_cap::TYPE_ISR, layout::ISR_OFFSET, crate::isr::LENGTH as u64);
    structure(space, layout::CAP_DEVICE, pci_cap::TYPE_DEVICE, layout::DEVICE_OFFSET, device);
    structure(space, layout::CAP_PCI_CFG, pci_cap::TYPE_PCI_CFG, 0, 0);
    // The driver aims the window; its data DWORD is an access to the BAR, not a register.
    writable(space, layout::CAP_PCI_CFG + pci_cap::BAR, 0xff);
    writable(space, layout::CAP_PCI_CFG + pci_cap::OFFSET, 0xffff_ffff);
    writable(space, layout::CAP_PCI_CFG + pci_cap::LENGTH, 0xffff_ffff);
    space[layout::WINDOW_DATA_DW].live = 0xffff_ffff;
}

const fn structure(space: &mut Space, cap: usize, kind: u64, offset: u64, length: u64) {
    let mut i = 0;
    let mut bytes = 0;
    while i < layout::CHAIN.len() {
        if layout::CHAIN[i].offset == cap {
            bytes = layout::CHAIN[i].bytes as u64;
        }
        i += 1;
    }
    set(space, cap + pci_cap::CAP_LEN, bytes);
    set(space, cap + pci_cap::CFG_TYPE, kind);
    set(space, cap + pci_cap::BAR, layout::BAR as u64);
    set(space, cap + pci_cap::OFFSET, offset);
    set(space, cap + pci_cap::LENGTH, length);
}

/// [PCIe base: Vendor-Specific Extended Capability]: header, then id, revision and length, then ours: BAR, offset, length, magic.
const fn inspection(space: &mut Space) {
    let cap = layout::CAP_INSPECTION;
    set(space, cap, config::EXT_CAP_ID_VENDOR | config::EXT_CAP_VERSION << 16);
    set(space, cap + 4, ident::VSEC_ID | ident::VSEC_REVISION << 16 | (ident::VSEC_BYTES as u64) << 20);
    set(space, cap + 8, layout::BAR as u64);
    set(space, cap + 12, layout::INSPECTION_OFFSET);
    set(space, cap + 16, ident::LENGTH as u64);
    set(space, cap + 20, ident::MAGIC);
}
