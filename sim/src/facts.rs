//! The numbers of `hematite-abi` in the types which simulation computes with. No number of its own.

/// Reasons why a queue has stopped.
pub mod ident {
    use hematite_abi::ident;

    pub const ERROR_DESC_INDEX: u8 = ident::ERROR_DESC_INDEX as u8;
    pub const ERROR_CHAIN_LOOP: u8 = ident::ERROR_DESC_LOOP as u8;
    pub const ERROR_DIRECTION: u8 = ident::ERROR_WRONG_DIRECTION as u8;
    pub const ERROR_AVAIL_IDX: u8 = ident::ERROR_AVAIL_INDEX as u8;
    pub const ERROR_DMA_READ: u8 = ident::ERROR_DMA_READ as u8;
    pub const ERROR_DMA_TIMEOUT: u8 = ident::ERROR_DMA_TIMEOUT as u8;
    pub const ERROR_CHAIN_TOO_LONG: u8 = ident::ERROR_CHAIN_TOO_LONG as u8;
    pub const ERROR_INDIRECT: u8 = ident::ERROR_INDIRECT as u8;
}

/// Network device.
pub mod net {
    use hematite_abi::{feature, net};

    pub const HDR_BYTES: u32 = net::HDR_BYTES as u32;
    pub const HDR_HASH_BYTES: u32 = net::HDR_HASH_BYTES as u32;
    pub const HDR_NUM_BUFFERS: u32 = net::HDR_NUM_BUFFERS as u32;
    pub const ETHERNET_HEADER_BYTES: u32 = net::ETHERNET_HEADER_BYTES as u32;
    pub const HDR_F_NEEDS_CSUM: u8 = net::HDR_F_NEEDS_CSUM as u8;
    pub const HDR_F_DATA_VALID: u8 = net::HDR_F_DATA_VALID as u8;
    pub const F_HOST_TSO4: u32 = feature::HOST_TSO4 as u32;
    pub const F_HOST_TSO6: u32 = feature::HOST_TSO6 as u32;
    pub const F_HOST_USO: u32 = feature::HOST_USO as u32;
    pub const GSO_TCPV4: u8 = net::GSO_TCPV4 as u8;
    pub const GSO_TCPV6: u8 = net::GSO_TCPV6 as u8;
    pub const GSO_UDP_L4: u8 = net::GSO_UDP_L4 as u8;
    pub const GSO_ECN: u8 = net::GSO_ECN as u8;
    pub const GSO_PACKET_BYTES: u64 = net::GSO_PACKET_BYTES as u64;
    pub const GSO_HEADER_BYTES: usize = net::GSO_HEADER_BYTES;
    pub const TCP_CHECKSUM: u16 = net::TCP_CHECKSUM as u16;
    pub const UDP_CHECKSUM: u16 = net::UDP_CHECKSUM as u16;
    pub const TCP_FIN: u8 = net::TCP_FIN as u8;
    pub const TCP_PSH: u8 = net::TCP_PSH as u8;
    pub const TCP_CWR: u8 = net::TCP_CWR as u8;
    pub const F_CSUM: u32 = feature::CSUM as u32;
    pub const F_GUEST_CSUM: u32 = feature::GUEST_CSUM as u32;
    pub const F_CTRL_GUEST_OFFLOADS: u32 = feature::CTRL_GUEST_OFFLOADS as u32;
    pub const F_MRG_RXBUF: u32 = feature::MRG_RXBUF as u32;
    pub const F_MAC: u32 = feature::MAC as u32;
    pub const F_STATUS: u32 = feature::STATUS as u32;
    pub const F_MTU: u32 = feature::MTU as u32;
    pub const F_CTRL_VQ: u32 = feature::CTRL_VQ as u32;
    pub const F_CTRL_RX: u32 = feature::CTRL_RX as u32;
    pub const F_CTRL_RX_EXTRA: u32 = feature::CTRL_RX_EXTRA as u32;
    pub const F_CTRL_VLAN: u32 = feature::CTRL_VLAN as u32;
    pub const F_CTRL_MAC_ADDR: u32 = feature::CTRL_MAC_ADDR as u32;
    pub const F_MQ: u32 = feature::MQ as u32;
    pub const F_NOTF_COAL: u32 = feature::NOTF_COAL as u32;
    pub const F_VQ_NOTF_COAL: u32 = feature::VQ_NOTF_COAL as u32;
    pub const F_DEVICE_STATS: u32 = feature::DEVICE_STATS as u32;
    pub const F_GUEST_ANNOUNCE: u32 = feature::GUEST_ANNOUNCE as u32;
    pub const CFG_KEY_BYTES: u64 = net::RSS_MAX_KEY_SIZE as u64;
    pub const CFG_TABLE_LENGTH: u64 = net::RSS_MAX_INDIRECTION_TABLE_LENGTH as u64;
    pub const CFG_HASH_TYPES: u64 = net::SUPPORTED_HASH_TYPES as u64;
    pub const F_RSS: u32 = feature::RSS as u32;
    pub const F_HASH_REPORT: u32 = feature::HASH_REPORT as u32;

    /// Bytes of the header in front of packets, with these features.
    pub const fn header_bytes(features: u128) -> u32 {
        if features >> F_HASH_REPORT & 1 == 1 { HDR_HASH_BYTES } else { HDR_BYTES }
    }

    pub const CFG_BYTES: u64 = net::CFG_LENGTH as u64;
    pub const CFG_MAC: u64 = net::MAC as u64;
    pub const CFG_STATUS: u64 = net::STATUS as u64;
    pub const CFG_PAIRS: u64 = net::MAX_VIRTQUEUE_PAIRS as u64;
    pub const CFG_MTU: u64 = net::MTU as u64;
    pub const CFG_SPEED: u64 = net::SPEED as u64;
    pub const CFG_DUPLEX: u64 = net::DUPLEX as u64;
    pub const DUPLEX_FULL: u8 = net::DUPLEX_FULL as u8;
    pub const STATUS_LINK_UP: u16 = net::STATUS_LINK_UP as u16;
    pub const STATUS_ANNOUNCE: u16 = net::STATUS_ANNOUNCE as u16;
}

/// Frames: types and protocols.
pub mod ethernet {
    use hematite_abi::net;

    pub const SERVICE_VLAN: u16 = net::ETHERTYPE_SERVICE_VLAN as u16;
    pub const VLAN: u16 = net::ETHERTYPE_VLAN as u16;
    pub const IPV4: u16 = net::ETHERTYPE_IPV4 as u16;
    pub const IPV6: u16 = net::ETHERTYPE_IPV6 as u16;
    pub const TCP: u8 = net::PROTOCOL_TCP as u8;
    pub const UDP: u8 = net::PROTOCOL_UDP as u8;
}

/// Hash types, by their bits: behind that of the addresses those of TCP and UDP.
pub mod hash {
    use hematite_abi::net;

    pub const IPV4: u32 = net::HASH_IPV4_BIT as u32;
    pub const IPV6: u32 = net::HASH_IPV6_BIT as u32;
    pub const KNOWN: u32 = net::HASH_TYPES_KNOWN as u32;
}

/// Receive side scaling.
pub mod rss {
    use hematite_abi::net;

    pub const KEY_BYTES: usize = net::RSS_KEY_BYTES;
    pub const KEY_START: u32 = net::RSS_KEY_START as u32;
    pub const TABLE: usize = net::RSS_TABLE;
}

/// Control queue: classes, commands, answers.
pub mod ctrl {
    use hematite_abi::ctrl;

    pub const ACK_OK: u8 = ctrl::ACK_OK as u8;
    pub const ACK_ERR: u8 = ctrl::ACK_ERR as u8;
    pub const RX: u8 = ctrl::CLASS_RX as u8;
    pub const RX_ALLUNI: u8 = ctrl::RX_ALLUNI as u8;
    pub const RX_NOBCAST: u8 = ctrl::RX_NOBCAST as u8;
    pub const MAC: u8 = ctrl::CLASS_MAC as u8;
    pub const MAC_TABLE_SET: u8 = ctrl::MAC_TABLE_SET as u8;
    pub const MAC_ADDR_SET: u8 = ctrl::MAC_ADDR_SET as u8;
    pub const VLAN: u8 = ctrl::CLASS_VLAN as u8;
    pub const VLAN_ADD: u8 = ctrl::VLAN_ADD as u8;
    pub const VLAN_DEL: u8 = ctrl::VLAN_DEL as u8;
    pub const MQ: u8 = ctrl::CLASS_MQ as u8;
    pub const MQ_PAIRS_SET: u8 = ctrl::MQ_VQ_PAIRS_SET as u8;
    pub const MQ_RSS_CONFIG: u8 = ctrl::MQ_RSS_CONFIG as u8;
    pub const MQ_HASH_CONFIG: u8 = ctrl::MQ_HASH_CONFIG as u8;
    pub const GUEST_OFFLOADS: u8 = ctrl::CLASS_GUEST_OFFLOADS as u8;
    pub const GUEST_OFFLOADS_SET: u8 = ctrl::GUEST_OFFLOADS_SET as u8;
    pub const ANNOUNCE: u8 = ctrl::CLASS_ANNOUNCE as u8;
    pub const ANNOUNCE_ACK: u8 = ctrl::ANNOUNCE_ACK as u8;
    pub const NOTF_COAL: u8 = ctrl::CLASS_NOTF_COAL as u8;
    pub const COAL_TX_SET: u8 = ctrl::NOTF_COAL_TX_SET as u8;
    pub const COAL_RX_SET: u8 = ctrl::NOTF_COAL_RX_SET as u8;
    pub const COAL_VQ_SET: u8 = ctrl::NOTF_COAL_VQ_SET as u8;
    pub const COAL_VQ_GET: u8 = ctrl::NOTF_COAL_VQ_GET as u8;
    pub const STATS: u8 = ctrl::CLASS_STATS as u8;
    pub const STATS_QUERY: u8 = ctrl::STATS_QUERY as u8;
    pub const STATS_GET: u8 = ctrl::STATS_GET as u8;
    pub const STATS_RX_BASIC: u8 = ctrl::STATS_RX_BASIC as u8;
    pub const STATS_TX_BASIC: u8 = ctrl::STATS_TX_BASIC as u8;
    pub const STATS_CVQ: u8 = ctrl::STATS_CVQ as u8;
    pub const STATS_HEADER_BYTES: usize = ctrl::STATS_HEADER_BYTES;
    pub const STATS_BASIC_BYTES: usize = ctrl::STATS_BASIC_BYTES as usize;
    pub const STATS_CVQ_BYTES: usize = ctrl::STATS_CVQ_BYTES as usize;
    pub const STATS_ENTRY_BYTES: usize = ctrl::STATS_ENTRY_BYTES;
    pub const KEPT_BYTES: usize = ctrl::KEPT_BYTES;
    pub const LIMITS_BYTES: usize = ctrl::LIMITS_BYTES;
    pub const MODE_PROMISC: u8 = ctrl::MODE_PROMISC as u8;
    pub const MODE_ALLMULTI: u8 = ctrl::MODE_ALLMULTI as u8;
    pub const MODE_ALLUNI: u8 = ctrl::MODE_ALLUNI as u8;
    pub const MODE_NOMULTI: u8 = ctrl::MODE_NOMULTI as u8;
    pub const MODE_NOUNI: u8 = ctrl::MODE_NOUNI as u8;
    pub const MODE_NOBCAST: u8 = ctrl::MODE_NOBCAST as u8;
    pub const VLANS: usize = ctrl::VLANS;
}

/// Split virtqueue.
pub mod ring {
    use hematite_abi::ring;

    pub const DESC_BYTES: u64 = ring::DESC_BYTES as u64;
    pub const TABLE_BYTES: u64 = ring::TABLE_BYTES as u64;
    pub const DESC_F_NEXT: u16 = ring::DESC_F_NEXT as u16;
    pub const DESC_F_WRITE: u16 = ring::DESC_F_WRITE as u16;
    pub const DESC_F_INDIRECT: u16 = ring::DESC_F_INDIRECT as u16;
    pub const AVAIL_FLAGS: u64 = ring::AVAIL_FLAGS as u64;
    pub const AVAIL_IDX: u64 = ring::AVAIL_IDX as u64;
    pub const AVAIL_RING: u64 = ring::AVAIL_RING as u64;
    pub const AVAIL_ENTRY: u64 = ring::AVAIL_ENTRY_BYTES as u64;
    pub const USED_FLAGS: u64 = ring::USED_FLAGS as u64;
    pub const USED_F_NO_NOTIFY: u16 = ring::USED_F_NO_NOTIFY as u16;
    pub const AVAIL_F_NO_INTERRUPT: u16 = ring::AVAIL_F_NO_INTERRUPT as u16;
    pub const USED_ALIGN: u64 = ring::USED_ALIGN as u64;
    pub const USED_IDX: u64 = ring::USED_IDX as u64;
    pub const USED_RING: u64 = ring::USED_RING as u64;
    pub const USED_ELEM_BYTES: u64 = ring::USED_ELEM_BYTES as u64;

    /// Whether an index that moves from `old` to `new` passes the element which `event` names.
    /// [virtio 1.4: Used Buffer Notification Suppression, Available Buffer Notification Suppression]
    pub const fn passes(event: u16, old: u16, new: u16) -> bool {
        new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
    }

    /// Bytes of the descriptor table.
    pub const fn desc_bytes(size: u16) -> u64 {
        DESC_BYTES * size as u64
    }

    /// Bytes of the available ring with its event field.
    pub const fn avail_bytes(size: u16) -> u64 {
        used_event(size) + ring::EVENT_BYTES as u64
    }

    /// Where `used_event` stands in the available ring.
    pub const fn used_event(size: u16) -> u64 {
        AVAIL_RING + AVAIL_ENTRY * size as u64
    }

    /// Where `avail_event` stands in the used ring.
    pub const fn avail_event(size: u16) -> u64 {
        USED_RING + USED_ELEM_BYTES * size as u64
    }

    /// Bytes of the used ring with its event field.
    pub const fn used_bytes(size: u16) -> u64 {
        avail_event(size) + ring::EVENT_BYTES as u64
    }
}

/// Packed virtqueue.
pub mod packed {
    use hematite_abi::packed;

    pub const DESC_LEN: usize = packed::DESC_LEN_LSB / 8;
    pub const DESC_ID: usize = packed::DESC_ID_LSB / 8;
    pub const DESC_FLAGS: u64 = packed::DESC_FLAGS_LSB as u64 / 8;
    pub const DESC_F_AVAIL: u16 = packed::DESC_F_AVAIL as u16;
    pub const DESC_F_USED: u16 = packed::DESC_F_USED as u16;
    pub const EVENT_BYTES: u64 = packed::EVENT_BYTES as u64;
    pub const EVENT_WRAP: u16 = 1 << packed::EVENT_WRAP_LSB;
    pub const EVENT_ENABLE: u16 = packed::EVENT_ENABLE as u16;
    pub const EVENT_DISABLE: u16 = packed::EVENT_DISABLE as u16;
    pub const EVENT_DESC: u16 = packed::EVENT_DESC as u16;
    /// Of the second half of the structure, the bits that mean something.
    pub const EVENT_FLAGS: u16 = (1 << packed::EVENT_FLAGS_BITS) - 1;

    /// The wrap counter after so many descriptors, in a ring whose size is a power of two.
    pub const fn wrap(count: u16, size: u16) -> bool {
        count & size == 0
    }

    /// The flags with which the descriptor at this count is made available, or used.
    pub const fn flags(count: u16, size: u16, used: bool) -> u16 {
        let wrap = wrap(count, size);
        (if wrap { DESC_F_AVAIL } else { 0 }) | (if wrap == used { DESC_F_USED } else { 0 })
    }

    /// A place as an event suppression structure names it.
    pub const fn place(count: u16, size: u16) -> u16 {
        (count % size) | if wrap(count, size) { EVENT_WRAP } else { 0 }
    }

    /// Whether a count that moves from `old` to `new` passes the descriptor at this place.
    pub const fn passes(place: u16, old: u16, new: u16, size: u16) -> bool {
        let event = (place & !EVENT_WRAP).wrapping_add(if place & EVENT_WRAP == 0 { size } else { 0 });
        let behind = new.wrapping_sub(event).wrapping_sub(1) & (size | (size - 1));
        behind < new.wrapping_sub(old)
    }
}

/// Device status.
pub mod status {
    use hematite_abi::status;

    pub const ACKNOWLEDGE: u8 = status::ACKNOWLEDGE as u8;
    pub const DRIVER: u8 = status::DRIVER as u8;
    pub const DRIVER_OK: u8 = status::DRIVER_OK as u8;
    pub const FEATURES_OK: u8 = status::FEATURES_OK as u8;
    pub const NEEDS_RESET: u8 = status::DEVICE_NEEDS_RESET as u8;
    pub const FAILED: u8 = status::FAILED as u8;
}

/// What is not the network device's own.
pub mod virtio {
    use hematite_abi::{common, feature, isr};

    pub const NO_VECTOR: u16 = common::NO_VECTOR as u16;
    pub const NO_QUEUE: u16 = common::NO_QUEUE as u16;
    pub const F_VERSION_1: u32 = feature::VERSION_1 as u32;
    pub const F_RING_RESET: u32 = feature::RING_RESET as u32;
    pub const F_INDIRECT_DESC: u32 = feature::INDIRECT_DESC as u32;
    pub const F_EVENT_IDX: u32 = feature::EVENT_IDX as u32;
    pub const F_RING_PACKED: u32 = feature::RING_PACKED as u32;
    pub const F_NOTIFICATION_DATA: u32 = feature::NOTIFICATION_DATA as u32;
    pub const F_NOTIF_CONFIG_DATA: u32 = feature::NOTIF_CONFIG_DATA as u32;
    pub const ISR_QUEUE: u8 = isr::QUEUE as u8;
    pub const ISR_CONFIG: u8 = isr::CONFIG as u8;
}

/// Common configuration: offsets.
pub mod common {
    use hematite_abi::common;

    pub const DEVICE_FEATURE_SELECT: u64 = common::DEVICE_FEATURE_SELECT as u64;
    pub const DEVICE_FEATURE: u64 = common::DEVICE_FEATURE as u64;
    pub const DRIVER_FEATURE_SELECT: u64 = common::DRIVER_FEATURE_SELECT as u64;
    pub const DRIVER_FEATURE: u64 = common::DRIVER_FEATURE as u64;
    pub const CONFIG_MSIX_VECTOR: u64 = common::CONFIG_MSIX_VECTOR as u64;
    pub const NUM_QUEUES: u64 = common::NUM_QUEUES as u64;
    pub const DEVICE_STATUS: u64 = common::DEVICE_STATUS as u64;
    pub const CONFIG_GENERATION: u64 = common::CONFIG_GENERATION as u64;
    pub const QUEUE_SELECT: u64 = common::QUEUE_SELECT as u64;
    pub const QUEUE_SIZE: u64 = common::QUEUE_SIZE as u64;
    pub const QUEUE_MSIX_VECTOR: u64 = common::QUEUE_MSIX_VECTOR as u64;
    pub const QUEUE_ENABLE: u64 = common::QUEUE_ENABLE as u64;
    pub const QUEUE_NOTIFY_OFF: u64 = common::QUEUE_NOTIFY_OFF as u64;
    pub const QUEUE_DESC: u64 = common::QUEUE_DESC as u64;
    pub const QUEUE_DRIVER: u64 = common::QUEUE_DRIVER as u64;
    pub const QUEUE_DEVICE: u64 = common::QUEUE_DEVICE as u64;
    pub const QUEUE_NOTIFY_DATA: u64 = common::QUEUE_NOTIF_CONFIG_DATA as u64;
    pub const QUEUE_RESET: u64 = common::QUEUE_RESET as u64;
    pub const LENGTH: u64 = common::LENGTH as u64;
}

/// The BAR.
pub mod bar {
    use hematite_abi::{layout, tlp};

    pub const BYTES: u64 = layout::BAR_BYTES;
    pub const COMMON: u64 = layout::COMMON_OFFSET;
    pub const ISR: u64 = layout::ISR_OFFSET;
    pub const DEVICE: u64 = layout::DEVICE_OFFSET;
    pub const NOTIFY: u64 = layout::NOTIFY_OFFSET;
    pub const NOTIFY_MULTIPLIER: u64 = layout::NOTIFY_MULTIPLIER;
    pub const NOTIFY_DATA: u16 = layout::NOTIFY_DATA as u16;
    pub const NOTIFY_BYTES: u64 = layout::NOTIFY_END - layout::NOTIFY_OFFSET;
    pub const TABLE: u64 = layout::MSIX_TABLE_OFFSET;
    pub const PENDING: u64 = layout::MSIX_PBA_OFFSET;
    pub const INSPECTION: u64 = layout::INSPECTION_OFFSET;
    pub const INSPECTION_BYTES: u64 = layout::INSPECTION_END - layout::INSPECTION_OFFSET;
    /// Longest access which the completer serves: 32 double words.
    pub const ACCESS_BYTES: usize = hematite_abi::config::SIZE_UNIT as usize;
    /// Boundary which no request crosses.
    pub const PAGE: u64 = tlp::PAGE_BYTES as u64;
}

/// Configuration space: header.
pub mod config {
    use hematite_abi::{config, layout};

    pub const VENDOR_ID: u16 = config::VENDOR_ID as u16;
    pub const DEVICE_ID: u16 = config::DEVICE_ID as u16;
    pub const COMMAND: u16 = config::COMMAND as u16;
    pub const STATUS: u16 = config::STATUS as u16;
    pub const REVISION: u16 = config::REVISION as u16;
    pub const BAR0: u16 = config::BAR0 as u16;
    pub const CAP_POINTER: u16 = config::CAP_POINTER as u16;
    pub const BAR_MEM64: u64 = config::BAR_TYPE_64 << config::BAR_TYPE_LSB;
    /// Type bits of a BAR: I/O and width.
    pub const BAR_TYPE_MASK: u64 = (1 << config::BAR_PREFETCHABLE_LSB) - 1;
    /// All of a BAR's bits which are no address.
    pub const BAR_FLAGS: u64 = (1 << (config::BAR_PREFETCHABLE_LSB + config::BAR_PREFETCHABLE_BITS)) - 1;
    pub const COMMAND_MEMORY: u16 = config::COMMAND_MEMORY as u16;
    pub const COMMAND_BUS_MASTER: u16 = config::COMMAND_BUS_MASTER as u16;
    pub const STATUS_CAPABILITIES: u16 = config::STATUS_CAPABILITIES as u16;
    pub const VENDOR_VIRTIO: u16 = layout::VENDOR_ID as u16;
    pub const DEVICE_NET: u16 = layout::DEVICE_ID as u16;
    pub const CLASS_ETHERNET: u32 = layout::CLASS as u32;
}

/// Configuration space: capabilities.
pub mod capability {
    use hematite_abi::{config, layout, pci_cap};

    pub const ID_POWER: u8 = config::CAP_ID_POWER as u8;
    pub const ID_PCIE: u8 = config::CAP_ID_PCIE as u8;
    pub const ID_MSIX: u8 = config::CAP_ID_MSIX as u8;
    pub const ID_VENDOR: u8 = config::CAP_ID_VENDOR as u8;
    pub const VIRTIO_TYPE: u16 = pci_cap::CFG_TYPE as u16;
    pub const VIRTIO_BAR: u16 = pci_cap::BAR as u16;
    pub const VIRTIO_OFFSET: u16 = pci_cap::OFFSET as u16;
    pub const VIRTIO_LENGTH: u16 = pci_cap::LENGTH as u16;
    pub const NOTIFY_MULTIPLIER: u16 = pci_cap::NOTIFY_MULTIPLIER as u16;
    pub const WINDOW_DATA: u16 = pci_cap::WINDOW_DATA as u16;
    pub const TYPE_COMMON: u8 = pci_cap::TYPE_COMMON as u8;
    pub const TYPE_NOTIFY: u8 = pci_cap::TYPE_NOTIFY as u8;
    pub const TYPE_ISR: u8 = pci_cap::TYPE_ISR as u8;
    pub const TYPE_DEVICE: u8 = pci_cap::TYPE_DEVICE as u8;
    pub const TYPE_PCI_CFG: u8 = pci_cap::TYPE_PCI_CFG as u8;
    pub const POWER_CONTROL: u16 = config::POWER_CONTROL as u16;
    pub const PCIE_DEVICE_CONTROL: u16 = config::DEVICE_CONTROL as u16;
    pub const DEVCTL_MPS_SHIFT: u16 = config::DEVCTL_MPS_LSB as u16;
    pub const DEVCTL_MRRS_SHIFT: u16 = config::DEVCTL_MRRS_LSB as u16;
    pub const DEVCTL_MPS_MASK: u16 = ((1 << config::DEVCTL_MPS_BITS) - 1) << config::DEVCTL_MPS_LSB;
    pub const DEVCTL_MRRS_MASK: u16 = ((1 << config::DEVCTL_MRRS_BITS) - 1) << config::DEVCTL_MRRS_LSB;
    pub const DEVCTL_EXTENDED_TAG: u16 = 1 << config::DEVCTL_EXTENDED_TAG_LSB;
    pub const DEVCTL_FLR: u16 = 1 << config::DEVCTL_FLR_LSB;
    pub const PCIE_AT: usize = layout::CAP_PCIE;
    pub const MSIX_AT: usize = layout::CAP_MSIX;
    pub const WINDOW_AT: usize = layout::CAP_PCI_CFG;
}

/// MSI-X.
pub mod msix {
    use hematite_abi::msix;

    pub const CAP_CONTROL: u16 = msix::CAP_CONTROL as u16;
    pub const CAP_TABLE: u16 = msix::CAP_TABLE as u16;
    pub const CAP_PBA: u16 = msix::CAP_PBA as u16;
    pub const SIZE_MASK: u16 = (1 << msix::CONTROL_SIZE_BITS) - 1;
    pub const LOCATION_MASK: u32 = (1 << msix::LOCATION_BIR_BITS) - 1;
    pub const ENABLE: u16 = msix::CONTROL_ENABLE as u16;
    pub const FUNCTION_MASK: u16 = msix::CONTROL_FUNCTION_MASK as u16;
    pub const ENTRY_BYTES: u64 = msix::ENTRY_BYTES as u64;
    pub const ENTRY_WORDS: usize = msix::ENTRY_DWORDS;
    pub const ENTRY_DATA: u64 = msix::ENTRY_DATA as u64;
    pub const ENTRY_CONTROL: u64 = msix::ENTRY_CONTROL as u64;
    pub const ENTRY_ADDR_WORD: usize = msix::ENTRY_ADDR_DW;
    pub const ENTRY_ADDR_HI_WORD: usize = msix::ENTRY_ADDR_HI_DW;
    pub const ENTRY_DATA_WORD: usize = msix::ENTRY_DATA_DW;
    pub const ENTRY_CONTROL_WORD: usize = msix::ENTRY_CONTROL_DW;
    pub const CONTROL_MASKED: u32 = msix::ENTRY_MASKED as u32;
}
