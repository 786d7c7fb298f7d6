//! ISR status: one byte, cleared by reading. Spec: [virtio 1.4: ISR status capability]

use crate::macros::{constants, flags, values};

flags! { FLAGS, FLAG_CONSTANTS in "isr";
    /// A queue wants attention.
    QUEUE, QUEUE_BIT = 0;
    /// The device configuration has changed.
    CONFIG, CONFIG_BIT = 1;
}

values! { VALUES, VALUE_CONSTANTS in "isr";
    /// Both.
    QUEUE_AND_CONFIG: u64 = QUEUE | CONFIG;
    /// Bytes of the structure.
    LENGTH: usize = 1;
}

constants!(FLAG_CONSTANTS, VALUE_CONSTANTS);
