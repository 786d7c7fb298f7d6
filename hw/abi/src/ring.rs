//! The split virtqueue. Spec: [virtio 1.4: Split Virtqueues]

use crate::macros::{constants, fields, flags, values};

fields! { DESC, DESC_CONSTANTS in "ring", 128;
    /// Address of the buffer.
    DESC_ADDR_LSB, DESC_ADDR_BITS = 0, 64;
    /// Its length, bytes.
    DESC_LEN_LSB, DESC_LEN_BITS = 64, 32;
    /// Flags: `DESC_F_…`.
    DESC_FLAGS_LSB, DESC_FLAGS_BITS = 96, 16;
    /// The next descriptor, if NEXT is set.
    DESC_NEXT_LSB, DESC_NEXT_BITS = 112, 16;
}

flags! { DESC_FLAGS, DESC_FLAG_CONSTANTS in "ring";
    /// The chain goes on.
    DESC_F_NEXT, DESC_F_NEXT_BIT = 0;
    /// The device writes the buffer (else it reads).
    DESC_F_WRITE, DESC_F_WRITE_BIT = 1;
    /// The buffer is a table of descriptors.
    DESC_F_INDIRECT, DESC_F_INDIRECT_BIT = 2;
}

flags! { AVAIL_FLAGS_BITS, AVAIL_FLAG_CONSTANTS in "ring";
    /// Driver: send no interrupt.
    AVAIL_F_NO_INTERRUPT, AVAIL_F_NO_INTERRUPT_BIT = 0;
}

flags! { USED_FLAGS_BITS, USED_FLAG_CONSTANTS in "ring";
    /// Device: send no notification.
    USED_F_NO_NOTIFY, USED_F_NO_NOTIFY_BIT = 0;
}

fields! { USED_ELEM, USED_ELEM_CONSTANTS in "ring", 64;
    /// Head of the chain.
    USED_ELEM_ID_LSB, USED_ELEM_ID_BITS = 0, 32;
    /// Bytes written.
    USED_ELEM_LEN_LSB, USED_ELEM_LEN_BITS = 32, 32;
}

fields! { NOTIFY, NOTIFY_CONSTANTS in "ring", 32;
    /// Available buffer notification: the queue, or with NOTIF_CONFIG_DATA what the device calls it.
    NOTIFY_QUEUE_LSB, NOTIFY_QUEUE_BITS = 0, 16;
    /// With NOTIFICATION_DATA: the available index.
    NOTIFY_INDEX_LSB, NOTIFY_INDEX_BITS = 16, 16;
}

values! { VALUES, VALUE_CONSTANTS in "ring";
    /// Bytes of a descriptor.
    DESC_BYTES: usize = 16;
    /// An indirect table is smaller, bytes: what a `next` can name.
    TABLE_BYTES: usize = DESC_BYTES << 16;
    /// Alignment of the descriptor table.
    DESC_ALIGN: usize = 16;
    /// Available ring: flags (u16).
    AVAIL_FLAGS: usize = 0;
    /// Available ring: index (u16).
    AVAIL_IDX: usize = 2;
    /// Available ring: first entry.
    AVAIL_RING: usize = 4;
    /// Bytes of an entry of the available ring.
    AVAIL_ENTRY_BYTES: usize = 2;
    /// Bytes of the event field after either ring.
    EVENT_BYTES: usize = 2;
    /// Alignment of the available ring.
    AVAIL_ALIGN: usize = 2;
    /// Used ring: flags (u16).
    USED_FLAGS: usize = 0;
    /// Used ring: index (u16).
    USED_IDX: usize = 2;
    /// Used ring: first element.
    USED_RING: usize = 4;
    /// Bytes of a used element.
    USED_ELEM_BYTES: usize = 8;
    /// Alignment of the used ring.
    USED_ALIGN: usize = 4;
}

constants!(
    DESC_CONSTANTS,
    DESC_FLAG_CONSTANTS,
    AVAIL_FLAG_CONSTANTS,
    USED_FLAG_CONSTANTS,
    USED_ELEM_CONSTANTS,
    NOTIFY_CONSTANTS,
    VALUE_CONSTANTS
);
