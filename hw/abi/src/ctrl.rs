//! Control queue: classes, commands, answers. Spec: [virtio 1.4: Network Device, Control Virtqueue]

use crate::macros::{constants, flags, values};

values! { VALUES, VALUE_CONSTANTS in "ctrl";
    /// Answer: done.
    ACK_OK: u64 = 0;
    /// Answer: refused.
    ACK_ERR: u64 = 1;
    /// Class: receive filtering.
    CLASS_RX: u64 = 0;
    /// All packets.
    RX_PROMISC: u64 = 0;
    /// All multicasts.
    RX_ALLMULTI: u64 = 1;
    /// All unicasts.
    RX_ALLUNI: u64 = 2;
    /// No multicasts.
    RX_NOMULTI: u64 = 3;
    /// No unicasts.
    RX_NOUNI: u64 = 4;
    /// No broadcasts.
    RX_NOBCAST: u64 = 5;
    /// Class: addresses.
    CLASS_MAC: u64 = 1;
    /// Set the filter tables.
    MAC_TABLE_SET: u64 = 0;
    /// Set the address.
    MAC_ADDR_SET: u64 = 1;
    /// Class: VLAN filter.
    CLASS_VLAN: u64 = 2;
    /// Add a VLAN.
    VLAN_ADD: u64 = 0;
    /// Remove a VLAN.
    VLAN_DEL: u64 = 1;
    /// Class: announcements.
    CLASS_ANNOUNCE: u64 = 3;
    /// The driver has announced itself.
    ANNOUNCE_ACK: u64 = 0;
    /// Class: queue pairs.
    CLASS_MQ: u64 = 4;
    /// Set the pairs in use.
    MQ_VQ_PAIRS_SET: u64 = 0;
    /// Configure RSS.
    MQ_RSS_CONFIG: u64 = 1;
    /// Configure the hash report.
    MQ_HASH_CONFIG: u64 = 2;
    /// Class: offloads.
    CLASS_GUEST_OFFLOADS: u64 = 5;
    /// Set the offloads.
    GUEST_OFFLOADS_SET: u64 = 0;
    /// Class: notification coalescing.
    CLASS_NOTF_COAL: u64 = 6;
    /// Transmit side.
    NOTF_COAL_TX_SET: u64 = 0;
    /// Receive side.
    NOTF_COAL_RX_SET: u64 = 1;
    /// One queue.
    NOTF_COAL_VQ_SET: u64 = 2;
    /// Ask for one queue.
    NOTF_COAL_VQ_GET: u64 = 3;
    /// Class: hash of the inner packet.
    CLASS_HASH_TUNNEL: u64 = 7;
    /// Set the encapsulations.
    HASH_TUNNEL_SET: u64 = 0;
    /// Class: statistics.
    CLASS_STATS: u64 = 8;
    /// Which there are.
    STATS_QUERY: u64 = 0;
    /// Their values.
    STATS_GET: u64 = 1;
}

flags! { MODES, MODE_CONSTANTS in "ctrl";
    /// Receive mode, as `RX_PROMISC` sets it.
    MODE_PROMISC, MODE_PROMISC_BIT = 0;
    /// As `RX_ALLMULTI` sets it.
    MODE_ALLMULTI, MODE_ALLMULTI_BIT = 1;
    /// As `RX_ALLUNI` sets it.
    MODE_ALLUNI, MODE_ALLUNI_BIT = 2;
    /// As `RX_NOMULTI` sets it.
    MODE_NOMULTI, MODE_NOMULTI_BIT = 3;
    /// As `RX_NOUNI` sets it.
    MODE_NOUNI, MODE_NOUNI_BIT = 4;
    /// As `RX_NOBCAST` sets it.
    MODE_NOBCAST, MODE_NOBCAST_BIT = 5;
}

values! { STATS, STATS_CONSTANTS in "ctrl";
    /// Statistics of a receive queue: their bit in a mask of types, and their name in a reply.
    STATS_RX_BASIC: u64 = 0;
    /// Of a transmit queue.
    STATS_TX_BASIC: u64 = 16;
    /// Of the control queue.
    STATS_CVQ: u64 = 32;
    /// Bytes of a reply's header.
    STATS_HEADER_BYTES: usize = 8;
    /// Bytes of a reply about a receive or transmit queue: the header, and six counters.
    STATS_BASIC_BYTES: u64 = 56;
    /// Bytes of one about the control queue.
    STATS_CVQ_BYTES: u64 = 24;
    /// Bytes of what is asked about a queue: its number, and a mask of types in the second half.
    STATS_ENTRY_BYTES: usize = 16;
}

values! { LIMITS, LIMIT_CONSTANTS in "ctrl";
    /// Bytes kept of a command, unless it asks for statistics.
    KEPT_BYTES: usize = 512;
    /// VLANs there are: a bit each.
    VLANS: usize = 4096;
    /// Bytes of the limits of coalescing: packets, microseconds, half each.
    LIMITS_BYTES: usize = 8;
}

values! { SETTINGS, SETTING_CONSTANTS in "ctrl";
    /// Inside the function: the receive mode; a bit each, as numbered by `RX_…`.
    SET_RX_MODE: u64 = 0;
    /// Inside the function: the address; index 0: its first four bytes, 1: the other two.
    SET_MAC: u64 = 1;
    /// Inside the function: a new filter table begins, empty.
    SET_MAC_NONE: u64 = 2;
    /// Inside the function: it takes the addresses whose hash is the index.
    SET_MAC_HASH: u64 = 3;
    /// Inside the function: it is the one that counts from now on; data 1: it takes all addresses.
    SET_MAC_TABLE: u64 = 4;
    /// Inside the function: the VLAN of the index; data 1: taken, 0: not.
    SET_VLAN: u64 = 5;
    /// Inside the function: data: pairs in use.
    SET_PAIRS: u64 = 6;
    /// Inside the function: index: DWORD of the RSS key.
    SET_RSS_KEY: u64 = 7;
    /// Inside the function: index: entry of the indirection table.
    SET_RSS_TABLE: u64 = 8;
    /// Inside the function: data: hash types; index: mask of the table's entries.
    SET_RSS: u64 = 9;
    /// Inside the function: data: the queue of what has no hash.
    SET_RSS_UNCLASSIFIED: u64 = 10;
    /// Inside the function: data: the offloads of reception that are on, as feature bits.
    SET_OFFLOADS: u64 = 11;
    /// Inside the function: data: hash types that are reported.
    SET_HASH: u64 = 12;
    /// Inside the function: limits of every receive queue: packets in the lower half of the data, microseconds in the upper one.
    SET_RX_LIMITS: u64 = 13;
    /// Inside the function: of every transmit queue.
    SET_TX_LIMITS: u64 = 14;
    /// Inside the function: of the queue of the index.
    SET_LIMITS: u64 = 15;
    /// Inside the function: the driver has announced itself.
    SET_ANNOUNCED: u64 = 16;
}

constants!(VALUE_CONSTANTS, MODE_CONSTANTS, STATS_CONSTANTS, LIMIT_CONSTANTS, SETTING_CONSTANTS);
