//! Device status. Spec: [virtio 1.4: Device Status Field]

use crate::macros::{constants, flags};

flags! { FLAGS, CONSTANTS_OF_FLAGS in "status";
    /// The guest has found the device.
    ACKNOWLEDGE, ACKNOWLEDGE_BIT = 0;
    /// The guest knows how to drive it.
    DRIVER, DRIVER_BIT = 1;
    /// The driver is ready: queues may be served.
    DRIVER_OK, DRIVER_OK_BIT = 2;
    /// Features are agreed.
    FEATURES_OK, FEATURES_OK_BIT = 3;
    /// With SUSPEND: the device is suspended.
    SUSPEND, SUSPEND_BIT = 4;
    /// The device has met an error it cannot recover from.
    DEVICE_NEEDS_RESET, DEVICE_NEEDS_RESET_BIT = 6;
    /// The driver has given up.
    FAILED, FAILED_BIT = 7;
}

constants!(CONSTANTS_OF_FLAGS);
