//! Something about a device that is not as it has to be.

use serde::Serialize;

/// What is wrong, and by which text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The section of the specification that is broken, by its title.
    pub clause: &'static str,
    /// What was seen, with values.
    pub text: String,
}

impl Finding {
    /// One.
    pub fn new(clause: &'static str, text: impl Into<String>) -> Finding {
        Finding { clause, text: text.into() }
    }
}

/// Titles that are cited more than once.
pub mod clause {
    /// Capabilities below 100h.
    pub const CHAIN: &str = "PCIe base: PCI-Compatible Configuration Registers, Capabilities Pointer";
    /// Those above.
    pub const EXTENDED: &str = "PCIe base: PCI Express Extended Capabilities";
    /// MSI-X.
    pub const MSIX: &str = "PCIe base: MSI-X Capability and Table Structures";
    /// Virtio's capabilities.
    pub const CAPABILITIES: &str = "virtio 1.4: Virtio Structure PCI Capabilities";
    /// The common configuration structure.
    pub const COMMON: &str = "virtio 1.4: Common configuration structure layout";
    /// Notifications.
    pub const NOTIFY: &str = "virtio 1.4: Notification structure layout";
    /// Ids.
    pub const DISCOVERY: &str = "virtio 1.4: PCI Device Discovery";
    /// Feature bits.
    pub const FEATURES: &str = "virtio 1.4: Feature Bits";
    /// What a network device's feature bits need.
    pub const NET_FEATURES: &str = "virtio 1.4: Network Device, Feature bit requirements";
    /// The device's state.
    pub const STATUS: &str = "virtio 1.4: Device Status Field";
    /// The network device's configuration.
    pub const NET_CONFIG: &str = "virtio 1.4: Network Device, Device configuration layout";
    /// Reset.
    pub const RESET: &str = "virtio 1.4: Device Reset";
    /// Ours.
    pub const INSPECTION: &str = "hematite: the inspection region";
}
