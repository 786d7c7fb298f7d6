//! Feature bits. Spec: [virtio 1.4: Reserved Feature Bits], [virtio 1.4: Network Device, Feature bits]

use crate::macros::{constants, values};

values! { BITS, BIT_CONSTANTS in "feature";
    /// The device takes packets with partial checksums.
    CSUM: usize = 0;
    /// The driver takes packets with partial checksums.
    GUEST_CSUM: usize = 1;
    /// Offloads of the receive side can be changed at run time.
    CTRL_GUEST_OFFLOADS: usize = 2;
    /// The device says the largest MTU.
    MTU: usize = 3;
    /// The device has an address.
    MAC: usize = 5;
    /// The driver takes TSO over IPv4.
    GUEST_TSO4: usize = 7;
    /// The driver takes TSO over IPv6.
    GUEST_TSO6: usize = 8;
    /// The driver takes TSO with ECN.
    GUEST_ECN: usize = 9;
    /// The driver takes UFO.
    GUEST_UFO: usize = 10;
    /// The device takes TSO over IPv4.
    HOST_TSO4: usize = 11;
    /// The device takes TSO over IPv6.
    HOST_TSO6: usize = 12;
    /// The device takes TSO with ECN.
    HOST_ECN: usize = 13;
    /// The device takes UFO.
    HOST_UFO: usize = 14;
    /// The driver merges receive buffers.
    MRG_RXBUF: usize = 15;
    /// The `status` field is there.
    STATUS: usize = 16;
    /// There is a control queue.
    CTRL_VQ: usize = 17;
    /// Receive modes by the control queue.
    CTRL_RX: usize = 18;
    /// VLAN filter by the control queue.
    CTRL_VLAN: usize = 19;
    /// More receive modes by the control queue.
    CTRL_RX_EXTRA: usize = 20;
    /// The driver can announce itself.
    GUEST_ANNOUNCE: usize = 21;
    /// Several queue pairs.
    MQ: usize = 22;
    /// Address set by the control queue.
    CTRL_MAC_ADDR: usize = 23;
    /// Tables of descriptors.
    INDIRECT_DESC: usize = 28;
    /// `used_event` and `avail_event`.
    EVENT_IDX: usize = 29;
    /// Not a legacy device.
    VERSION_1: usize = 32;
    /// The platform may translate or limit the device's accesses.
    ACCESS_PLATFORM: usize = 33;
    /// The packed ring.
    RING_PACKED: usize = 34;
    /// Buffers are used in the order they were made available.
    IN_ORDER: usize = 35;
    /// Memory barriers as for a real device.
    ORDER_PLATFORM: usize = 36;
    /// Single root I/O virtualisation.
    SR_IOV: usize = 37;
    /// Notifications carry extra data.
    NOTIFICATION_DATA: usize = 38;
    /// Notifications carry data the device has chosen.
    NOTIF_CONFIG_DATA: usize = 39;
    /// Each queue can be reset.
    RING_RESET: usize = 40;
    /// Administration queues.
    ADMIN_VQ: usize = 41;
    /// The driver can suspend the device.
    SUSPEND: usize = 43;
    /// Statistics by the control queue.
    DEVICE_STATS: usize = 50;
    /// Hash of the inner packet.
    HASH_TUNNEL: usize = 51;
    /// Coalescing per queue.
    VQ_NOTF_COAL: usize = 52;
    /// Coalescing.
    NOTF_COAL: usize = 53;
    /// The driver takes USO over IPv4.
    GUEST_USO4: usize = 54;
    /// The driver takes USO over IPv6.
    GUEST_USO6: usize = 55;
    /// The device takes USO.
    HOST_USO: usize = 56;
    /// The device reports the hash of a packet.
    HASH_REPORT: usize = 57;
    /// The driver gives exact `hdr_len`.
    GUEST_HDRLEN: usize = 59;
    /// Receive side scaling.
    RSS: usize = 60;
    /// The device coalesces and says how much.
    RSC_EXT: usize = 61;
    /// A standby for another device.
    STANDBY: usize = 62;
    /// Speed and duplex are there.
    SPEED_DUPLEX: usize = 63;
    /// Several RSS contexts.
    RSS_CONTEXT: usize = 64;
    /// The driver takes GSO inside a UDP tunnel.
    GUEST_UDP_TUNNEL_GSO: usize = 65;
    /// The driver takes a partial checksum of the outer header.
    GUEST_UDP_TUNNEL_GSO_CSUM: usize = 66;
    /// The device takes GSO inside a UDP tunnel.
    HOST_UDP_TUNNEL_GSO: usize = 67;
    /// The device takes a partial checksum of the outer header.
    HOST_UDP_TUNNEL_GSO_CSUM: usize = 68;
    /// The driver gives the offset of the outer network header.
    OUT_NET_HEADER: usize = 69;
    /// Inline IPsec.
    IPSEC: usize = 70;
}

/// What every parameter set offers, a small one too.
pub const SMALL: u128 = 1 << VERSION_1
    | 1 << MAC
    | 1 << STATUS
    | 1 << MTU
    | 1 << MRG_RXBUF
    | 1 << RING_RESET
    | 1 << ACCESS_PLATFORM
    | 1 << ORDER_PLATFORM
    | 1 << IN_ORDER
    | 1 << SPEED_DUPLEX;

/// What the function can offer; a parameter set may leave some of it out.
pub const OFFERED: u128 = SMALL
    | 1 << INDIRECT_DESC
    | 1 << EVENT_IDX
    | 1 << RING_PACKED
    | 1 << CTRL_VQ
    | 1 << CTRL_RX
    | 1 << CTRL_RX_EXTRA
    | 1 << CTRL_VLAN
    | 1 << CTRL_MAC_ADDR
    | 1 << MQ
    | 1 << RSS
    | 1 << CSUM
    | 1 << HOST_TSO4
    | 1 << HOST_TSO6
    | 1 << HOST_ECN
    | 1 << HOST_USO
    | 1 << GUEST_CSUM
    | 1 << CTRL_GUEST_OFFLOADS
    | 1 << HASH_REPORT
    | 1 << NOTIFICATION_DATA
    | 1 << NOTIF_CONFIG_DATA
    | 1 << NOTF_COAL
    | 1 << VQ_NOTF_COAL
    | 1 << GUEST_ANNOUNCE
    | 1 << DEVICE_STATS;

/// One feature needs another. Several rows of one feature: all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requires {
    /// Who needs.
    pub feature: usize,
    /// One of these is enough.
    pub any_of: &'static [usize],
}

const fn needs(feature: usize, any_of: &'static [usize]) -> Requires {
    Requires { feature, any_of }
}

/// What each feature needs. Spec: [virtio 1.4: Network Device, Feature bit requirements]
pub const REQUIRES: &[Requires] = &[
    needs(GUEST_TSO4, &[GUEST_CSUM]),
    needs(GUEST_TSO6, &[GUEST_CSUM]),
    needs(GUEST_ECN, &[GUEST_TSO4, GUEST_TSO6]),
    needs(GUEST_UFO, &[GUEST_CSUM]),
    needs(GUEST_USO4, &[GUEST_CSUM]),
    needs(GUEST_USO6, &[GUEST_CSUM]),
    needs(HOST_TSO4, &[CSUM]),
    needs(HOST_TSO6, &[CSUM]),
    needs(HOST_ECN, &[HOST_TSO4, HOST_TSO6]),
    needs(HOST_UFO, &[CSUM]),
    needs(HOST_USO, &[CSUM]),
    needs(CTRL_RX, &[CTRL_VQ]),
    needs(CTRL_VLAN, &[CTRL_VQ]),
    needs(GUEST_ANNOUNCE, &[CTRL_VQ]),
    needs(MQ, &[CTRL_VQ]),
    needs(CTRL_MAC_ADDR, &[CTRL_VQ]),
    needs(NOTF_COAL, &[CTRL_VQ]),
    needs(CTRL_GUEST_OFFLOADS, &[CTRL_VQ]),
    needs(HASH_REPORT, &[CTRL_VQ]),
    needs(RSC_EXT, &[HOST_TSO4, HOST_TSO6]),
    needs(RSS, &[CTRL_VQ]),
    needs(VQ_NOTF_COAL, &[CTRL_VQ]),
    needs(DEVICE_STATS, &[CTRL_VQ]),
    needs(HASH_TUNNEL, &[CTRL_VQ]),
    needs(HASH_TUNNEL, &[RSS, HASH_REPORT]),
    needs(RSS_CONTEXT, &[CTRL_VQ]),
    needs(RSS_CONTEXT, &[RSS]),
    needs(GUEST_UDP_TUNNEL_GSO, &[GUEST_TSO4]),
    needs(GUEST_UDP_TUNNEL_GSO, &[GUEST_TSO6]),
    needs(GUEST_UDP_TUNNEL_GSO, &[GUEST_USO4]),
    needs(GUEST_UDP_TUNNEL_GSO, &[GUEST_USO6]),
    needs(GUEST_UDP_TUNNEL_GSO_CSUM, &[GUEST_UDP_TUNNEL_GSO]),
    needs(HOST_UDP_TUNNEL_GSO, &[HOST_TSO4]),
    needs(HOST_UDP_TUNNEL_GSO, &[HOST_TSO6]),
    needs(HOST_UDP_TUNNEL_GSO, &[HOST_USO]),
    needs(HOST_UDP_TUNNEL_GSO_CSUM, &[HOST_UDP_TUNNEL_GSO]),
];

constants!(BIT_CONSTANTS);
