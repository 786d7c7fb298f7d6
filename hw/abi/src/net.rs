//! Network device: configuration, header. Spec: [virtio 1.4: Network Device, Device configuration layout],
//! [virtio 1.4: Network Device, Device Operation]

use crate::macros::{constants, fields, flags, registers, values};

registers! { REGS, REG_CONSTANTS in "net", CFG_LENGTH;
    /// The address of the device (MAC).
    0x00 MAC, MAC_DW: 6 Ro = 0, 0;
    /// Link up, announce (STATUS).
    0x06 STATUS, STATUS_DW: 2 Ro = 0, 0;
    /// Queue pairs there may be (MQ or RSS).
    0x08 MAX_VIRTQUEUE_PAIRS, MAX_VIRTQUEUE_PAIRS_DW: 2 Ro = 0, 0;
    /// Largest packet without its Ethernet header (MTU).
    0x0a MTU, MTU_DW: 2 Ro = 0, 0;
    /// Mbit/s; all ones: unknown (SPEED_DUPLEX).
    0x0c SPEED, SPEED_DW: 4 Ro = 0, 0;
    /// 1: full; ff: unknown (SPEED_DUPLEX).
    0x10 DUPLEX, DUPLEX_DW: 1 Ro = 0, 0;
    /// Longest RSS key, bytes.
    0x11 RSS_MAX_KEY_SIZE, RSS_MAX_KEY_SIZE_DW: 1 Ro = 0, 0;
    /// Largest RSS indirection table.
    0x12 RSS_MAX_INDIRECTION_TABLE_LENGTH, RSS_MAX_INDIRECTION_TABLE_LENGTH_DW: 2 Ro = 0, 0;
    /// Hash types.
    0x14 SUPPORTED_HASH_TYPES, SUPPORTED_HASH_TYPES_DW: 4 Ro = 0, 0;
    /// Encapsulations hashed inside (HASH_TUNNEL).
    0x18 SUPPORTED_TUNNEL_TYPES, SUPPORTED_TUNNEL_TYPES_DW: 4 Ro = 0, 0;
}

flags! { STATUS_FLAGS, STATUS_CONSTANTS in "net";
    /// `STATUS`: the link is up.
    STATUS_LINK_UP, STATUS_LINK_UP_BIT = 0;
    /// `STATUS`: the driver shall announce itself.
    STATUS_ANNOUNCE, STATUS_ANNOUNCE_BIT = 1;
}

fields! { HDR, HDR_CONSTANTS in "net", 96;
    /// `HDR_F_…`.
    HDR_FLAGS_LSB, HDR_FLAGS_BITS = 0, 8;
    /// `GSO_…`.
    HDR_GSO_TYPE_LSB, HDR_GSO_TYPE_BITS = 8, 8;
    /// Bytes of headers.
    HDR_HDR_LEN_LSB, HDR_HDR_LEN_BITS = 16, 16;
    /// Bytes of payload per segment.
    HDR_GSO_SIZE_LSB, HDR_GSO_SIZE_BITS = 32, 16;
    /// Where the sum starts.
    HDR_CSUM_START_LSB, HDR_CSUM_START_BITS = 48, 16;
    /// Where from there it is put.
    HDR_CSUM_OFFSET_LSB, HDR_CSUM_OFFSET_BITS = 64, 16;
    /// Buffers merged; 1 without MRG_RXBUF.
    HDR_NUM_BUFFERS_LSB, HDR_NUM_BUFFERS_BITS = 80, 16;
}

fields! { HDR_HASH, HDR_HASH_CONSTANTS in "net", 64;
    /// Behind `HDR`, with HASH_REPORT: the hash.
    HDR_HASH_VALUE_LSB, HDR_HASH_VALUE_BITS = 0, 32;
    /// Of what: the bit's number of a hash type and one; 0: there is none.
    HDR_HASH_REPORT_LSB, HDR_HASH_REPORT_BITS = 32, 16;
    /// Zero.
    HDR_HASH_PADDING_LSB, HDR_HASH_PADDING_BITS = 48, 16;
}

flags! { HDR_FLAGS, HDR_FLAG_CONSTANTS in "net";
    /// The checksum is partial: `csum_start`, `csum_offset` say where.
    HDR_F_NEEDS_CSUM, HDR_F_NEEDS_CSUM_BIT = 0;
    /// The checksum is good.
    HDR_F_DATA_VALID, HDR_F_DATA_VALID_BIT = 1;
    /// `csum_start` and `csum_offset` hold coalescing counts.
    HDR_F_RSC_INFO, HDR_F_RSC_INFO_BIT = 2;
    /// The checksum of the tunnel's UDP header is partial.
    HDR_F_UDP_TUNNEL_CSUM, HDR_F_UDP_TUNNEL_CSUM_BIT = 3;
}

flags! { HASH_TYPES, HASH_CONSTANTS in "net";
    /// Hash of the addresses of IPv4.
    HASH_IPV4, HASH_IPV4_BIT = 0;
    /// Of addresses and ports of TCP over IPv4.
    HASH_TCPV4, HASH_TCPV4_BIT = 1;
    /// Of UDP over IPv4.
    HASH_UDPV4, HASH_UDPV4_BIT = 2;
    /// Of the addresses of IPv6.
    HASH_IPV6, HASH_IPV6_BIT = 3;
    /// Of addresses and ports of TCP over IPv6.
    HASH_TCPV6, HASH_TCPV6_BIT = 4;
    /// Of UDP over IPv6.
    HASH_UDPV6, HASH_UDPV6_BIT = 5;
}

values! { VALUES, VALUE_CONSTANTS in "net";
    /// Bytes of the configuration structure.
    CFG_LENGTH: usize = 0x1c;
    /// Byte of the DWORD at `STATUS_DW` in which `STATUS_…` stand.
    STATUS_LANE: usize = 2;
    /// `STATUS_LINK_UP` where it stands in the DWORD at `STATUS_DW`.
    STATUS_LINK_UP_DW: u64 = STATUS_LINK_UP << 16;
    /// `STATUS_ANNOUNCE` there.
    STATUS_ANNOUNCE_DW: u64 = STATUS_ANNOUNCE << 16;
    /// Microseconds from the driver's reading that the link is up again to its being asked to announce itself.
    ANNOUNCE_DELAY_US: usize = 1000;
    /// `DUPLEX`: full.
    DUPLEX_FULL: u64 = 1;
    /// Bytes of `virtio_net_hdr` (without hash or tunnel fields).
    HDR_BYTES: usize = 12;
    /// Bytes of it with HASH_REPORT.
    HDR_HASH_BYTES: usize = 20;
    /// Byte offset of `num_buffers` in it.
    HDR_NUM_BUFFERS: usize = HDR_NUM_BUFFERS_LSB / 8;
    /// Not segmented.
    GSO_NONE: u64 = 0;
    /// TCP over IPv4.
    GSO_TCPV4: u64 = 1;
    /// UDP fragmentation.
    GSO_UDP: u64 = 3;
    /// TCP over IPv6.
    GSO_TCPV6: u64 = 4;
    /// UDP segmentation.
    GSO_UDP_L4: u64 = 5;
    /// Beside the type: inside a UDP tunnel over IPv4.
    GSO_UDP_TUNNEL_IPV4: u64 = 0x20;
    /// Beside the type: inside a UDP tunnel over IPv6.
    GSO_UDP_TUNNEL_IPV6: u64 = 0x40;
    /// Beside the type: congestion notification.
    GSO_ECN: u64 = 0x80;
    /// Bytes of a packet to be segmented, at most: an IP packet of 65535, its Ethernet header and two VLAN tags.
    GSO_PACKET_BYTES: usize = 65_535 + ETHERNET_HEADER_BYTES + 2 * VLAN_TAG_BYTES;
    /// Bytes of a packet's headers, at most, if it is to be segmented.
    GSO_HEADER_BYTES: usize = 256;
    /// Bytes of an IPv4 header without options.
    IPV4_HEADER_BYTES: usize = 20;
    /// Bytes of an IPv6 header.
    IPV6_HEADER_BYTES: usize = 40;
    /// Least bytes of a TCP header.
    TCP_HEADER_BYTES: usize = 20;
    /// Bytes of a UDP header.
    UDP_HEADER_BYTES: usize = 8;
    /// A flag of TCP, in the word that begins with the header's length: no more data comes.
    TCP_FIN: u64 = 0x01;
    /// Data is to be handed on.
    TCP_PSH: u64 = 0x08;
    /// The sender has answered to congestion.
    TCP_CWR: u64 = 0x80;
    /// Where TCP's checksum stands in its header.
    TCP_CHECKSUM: u64 = 16;
    /// Where UDP's does.
    UDP_CHECKSUM: u64 = 6;
    /// Bytes of an Ethernet header.
    ETHERNET_HEADER_BYTES: usize = 14;
    /// Ethertype of a VLAN tag.
    ETHERTYPE_VLAN: u64 = 0x8100;
    /// Ethertype of an outer VLAN tag.
    ETHERTYPE_SERVICE_VLAN: u64 = 0x88a8;
    /// Bytes of an Ethernet address.
    MAC_BYTES: usize = 6;
    /// Bytes of a VLAN tag.
    VLAN_TAG_BYTES: usize = 4;
    /// Hash types the function knows: `HASH_…`. What a hash report says of a packet is the bit's number and one; 0: no hash.
    HASH_TYPES_KNOWN: u64 = HASH_IPV4 | HASH_TCPV4 | HASH_UDPV4 | HASH_IPV6 | HASH_TCPV6 | HASH_UDPV6;
    /// Bytes of the RSS key.
    RSS_KEY_BYTES: usize = 40;
    /// Four bytes of which the key consists out of reset, over and over: both directions of a flow have the same hash.
    RSS_KEY_START: u64 = 0x5a6d_5a6d;
    /// Entries of the RSS indirection table.
    RSS_TABLE: usize = 128;
    /// Ethertype of IPv4.
    ETHERTYPE_IPV4: u64 = 0x0800;
    /// Ethertype of IPv6.
    ETHERTYPE_IPV6: u64 = 0x86dd;
    /// Protocol: TCP.
    PROTOCOL_TCP: u64 = 6;
    /// Protocol: UDP.
    PROTOCOL_UDP: u64 = 17;
    /// Least MTU of an IPv4 host.
    MTU_LEAST: u64 = 68;
    /// Queue number of the first receive queue; every even one.
    RX_QUEUE: u64 = 0;
    /// Queue number of the first transmit queue; every odd one.
    TX_QUEUE: u64 = 1;
}

constants!(
    REG_CONSTANTS,
    STATUS_CONSTANTS,
    HDR_CONSTANTS,
    HDR_HASH_CONSTANTS,
    HDR_FLAG_CONSTANTS,
    HASH_CONSTANTS,
    VALUE_CONSTANTS
);
