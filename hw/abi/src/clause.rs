//! The device conformance clauses of VIRTIO 1.4 which concern this function, by the label of the section that states each.
//! Spec: [virtio 1.4: Conformance, Device Conformance; PCI Device Conformance; Network Device Conformance]

/// Whether we claim a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// We do.
    Claimed,
    /// We do not, because.
    NotClaimed(&'static str),
}

/// One clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Path of the section's label in the specification's source, after `devicenormative:`.
    pub label: &'static str,
    /// Claimed or not.
    pub claim: Claim,
}

const fn claimed(label: &'static str) -> Clause {
    Clause { label, claim: Claim::Claimed }
}

const fn not(label: &'static str, why: &'static str) -> Clause {
    Clause { label, claim: Claim::NotClaimed(why) }
}

/// Every device.
pub const DEVICE: &[Clause] = &[
    claimed("Basic Facilities of a Virtio Device / Device Status Field"),
    claimed("Basic Facilities of a Virtio Device / Feature Bits"),
    claimed("Basic Facilities of a Virtio Device / Device Reset"),
    claimed("Basic Facilities of a Virtio Device / Device Configuration Space"),
    claimed("Basic Facilities of a Virtio Device / Virtqueues / Virtqueue Reset / Virtqueue Reset"),
    claimed("Basic Facilities of a Virtio Device / Message Framing"),
    claimed("Basic Facilities of a Virtio Device / Virtqueues / The Virtqueue Descriptor Table"),
    claimed(
        "Basic Facilities of a Virtio Device / Virtqueues / The Virtqueue Descriptor Table / Indirect Descriptors",
    ),
    claimed("Basic Facilities of a Virtio Device / Virtqueues / Used Buffer Notification Suppression"),
    claimed("Basic Facilities of a Virtio Device / Virtqueues / The Virtqueue Used Ring"),
    claimed("Basic Facilities of a Virtio Device / Virtqueues / Available Buffer Notification Suppression"),
    claimed("Basic Facilities of a Virtio Device / Packed Virtqueues"),
    claimed("Basic Facilities of a Virtio Device / Packed Virtqueues / The Virtqueue Descriptor Table"),
    claimed("Basic Facilities of a Virtio Device / Packed Virtqueues / Scatter-Gather Support"),
    not("Basic Facilities of a Virtio Device / Shared Memory Regions", "the device has none"),
    claimed("Reserved Feature Bits"),
    not(
        "Basic Facilities of a Virtio Device / Device groups / Group administration commands / Device and driver capabilities",
        "ADMIN_VQ is not offered",
    ),
    not(
        "Basic Facilities of a Virtio Device / Device groups / Group administration commands / Device resource objects",
        "ADMIN_VQ is not offered",
    ),
    not(
        "Basic Facilities of a Virtio Device / Device groups / Group administration commands / Device parts",
        "ADMIN_VQ is not offered",
    ),
];

/// A device on PCI.
pub const PCI: &[Clause] = &[
    claimed("Virtio Transport Options / Virtio Over PCI Bus"),
    claimed("Virtio Transport Options / Virtio Over PCI Bus / PCI Device Discovery"),
    claimed("Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout"),
    claimed("Virtio Transport Options / Virtio Over PCI Bus / Virtio Structure PCI Capabilities"),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / Common configuration structure layout",
    ),
    claimed("Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / Notification capability"),
    claimed("Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / ISR status capability"),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / Device-specific configuration",
    ),
    not(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / Shared memory capability",
        "the device has none",
    ),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI Device Layout / PCI configuration access capability",
    ),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI-specific Initialization And Device Operation / Device Initialization / Non-transitional Device With Legacy Driver",
    ),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI-specific Initialization And Device Operation / Device Initialization / MSI-X Vector Configuration",
    ),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI-specific Initialization And Device Operation / Used Buffer Notifications",
    ),
    claimed(
        "Virtio Transport Options / Virtio Over PCI Bus / PCI-specific Initialization And Device Operation / Notification of Device Configuration Changes",
    ),
];

/// A network device.
pub const NET: &[Clause] = &[
    claimed("Device Types / Network Device / Device configuration layout"),
    claimed("Device Types / Network Device / Device Operation / Packet Transmission"),
    claimed("Device Types / Network Device / Device Operation / Setting Up Receive Buffers"),
    claimed("Device Types / Network Device / Device Operation / Processing of Incoming Packets"),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Packet Receive Filtering",
    ),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Setting MAC Address Filtering",
    ),
    claimed("Device Types / Network Device / Device Operation / Control Virtqueue / VLAN Filtering"),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Gratuitous Packet Sending",
    ),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Automatic receive steering in multiqueue mode",
    ),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Receive-side scaling (RSS) / RSS processing",
    ),
    claimed(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Notifications Coalescing",
    ),
    not(
        "Device Types / Network Device / Device Operation / Control Virtqueue / Inner Header Hash",
        "HASH_TUNNEL is not offered",
    ),
    claimed("Device Types / Network Device / Device Operation / Control Virtqueue / Device Statistics"),
    not(
        "Device Types / Network Device / Device Operation / Control Virtqueue / RSS Context",
        "RSS_CONTEXT is not offered",
    ),
    not("Device Types / Network Device / Device Operation / Flow filter", "ADMIN_VQ is not offered"),
    not("Device Types / Network Device / Device Operation / IPsec Operation", "IPSEC is not offered"),
];

/// All 49.
pub const CLAUSES: [&[Clause]; 3] = [DEVICE, PCI, NET];

/// All of them, one after the other.
pub fn clauses() -> impl Iterator<Item = &'static Clause> {
    CLAUSES.into_iter().flatten()
}
