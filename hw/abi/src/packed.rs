//! The packed virtqueue. Descriptor flags that both kinds have are in `ring`. Spec: [virtio 1.4: Packed Virtqueues]

use crate::macros::{constants, fields, flags, values};

fields! { DESC, DESC_CONSTANTS in "packed", 128;
    /// Address of the buffer.
    DESC_ADDR_LSB, DESC_ADDR_BITS = 0, 64;
    /// Its length, bytes; of a used descriptor, bytes written.
    DESC_LEN_LSB, DESC_LEN_BITS = 64, 32;
    /// What the driver calls the chain; in its last descriptor.
    DESC_ID_LSB, DESC_ID_BITS = 96, 16;
    /// Flags: `DESC_F_…`, here and in `ring`.
    DESC_FLAGS_LSB, DESC_FLAGS_BITS = 112, 16;
}

flags! { DESC_FLAGS, DESC_FLAG_CONSTANTS in "packed";
    /// As the wrap counter of who made it available.
    DESC_F_AVAIL, DESC_F_AVAIL_BIT = 7;
    /// As the wrap counter once it is used, else not.
    DESC_F_USED, DESC_F_USED_BIT = 15;
}

fields! { EVENT, EVENT_CONSTANTS in "packed", 32;
    /// The descriptor at which the other side is to notify.
    EVENT_OFFSET_LSB, EVENT_OFFSET_BITS = 0, 15;
    /// And the wrap counter there.
    EVENT_WRAP_LSB, EVENT_WRAP_BITS = 15, 1;
    /// Whether it is to: `EVENT_…`.
    EVENT_FLAGS_LSB, EVENT_FLAGS_BITS = 16, 2;
}

values! { VALUES, VALUE_CONSTANTS in "packed";
    /// Bytes of an event suppression structure; its alignment.
    EVENT_BYTES: usize = 4;
    /// Notify.
    EVENT_ENABLE: u64 = 0;
    /// Do not.
    EVENT_DISABLE: u64 = 1;
    /// Notify at the descriptor named.
    EVENT_DESC: u64 = 2;
}

constants!(DESC_CONSTANTS, DESC_FLAG_CONSTANTS, EVENT_CONSTANTS, VALUE_CONSTANTS);
