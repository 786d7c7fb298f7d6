//! The common configuration structure. Spec: [virtio 1.4: Common configuration structure layout]

use crate::macros::{constants, registers, values};

registers! { REGS, REG_CONSTANTS in "common", LENGTH;
    /// Which 32 feature bits `device_feature` shows.
    0x00 DEVICE_FEATURE_SELECT, DEVICE_FEATURE_SELECT_DW: 4 Rw = 0, 0xffff_ffff;
    /// Feature bits offered.
    0x04 DEVICE_FEATURE, DEVICE_FEATURE_DW: 4 Ro = 0, 0;
    /// Which 32 feature bits `driver_feature` shows.
    0x08 DRIVER_FEATURE_SELECT, DRIVER_FEATURE_SELECT_DW: 4 Rw = 0, 0xffff_ffff;
    /// Feature bits accepted.
    0x0c DRIVER_FEATURE, DRIVER_FEATURE_DW: 4 Rw = 0, 0xffff_ffff;
    /// MSI-X vector for configuration changes.
    0x10 CONFIG_MSIX_VECTOR, CONFIG_MSIX_VECTOR_DW: 2 Rw = 0xffff, 0xffff;
    /// Virtqueues there are; parameter.
    0x12 NUM_QUEUES, NUM_QUEUES_DW: 2 Ro = 0, 0;
    /// Device status; writing 0 resets.
    0x14 DEVICE_STATUS, DEVICE_STATUS_DW: 1 Rw = 0, 0xff;
    /// Changes when the device configuration has changed.
    0x15 CONFIG_GENERATION, CONFIG_GENERATION_DW: 1 Ro = 0, 0;
    /// Which queue the fields below are about.
    0x16 QUEUE_SELECT, QUEUE_SELECT_DW: 2 Rw = 0, 0xffff;
    /// Entries; after reset the largest supported (parameter), 0 for no such queue.
    0x18 QUEUE_SIZE, QUEUE_SIZE_DW: 2 Rw = 0, 0xffff;
    /// MSI-X vector of the queue.
    0x1a QUEUE_MSIX_VECTOR, QUEUE_MSIX_VECTOR_DW: 2 Rw = 0xffff, 0xffff;
    /// 1: the device may use the queue; writing 0 is forbidden to the driver and ignored.
    0x1c QUEUE_ENABLE, QUEUE_ENABLE_DW: 2 Rw = 0, 1;
    /// Times the multiplier: offset of the queue's doorbell; the queue's number here.
    0x1e QUEUE_NOTIFY_OFF, QUEUE_NOTIFY_OFF_DW: 2 Ro = 0, 0;
    /// Address of the descriptor area (low half; `QUEUE_DESC_HI_DW` is the high one).
    0x20 QUEUE_DESC, QUEUE_DESC_LO_DW: 8 Rw = 0, u64::MAX;
    /// Address of the driver area (available ring).
    0x28 QUEUE_DRIVER, QUEUE_DRIVER_LO_DW: 8 Rw = 0, u64::MAX;
    /// Address of the device area (used ring).
    0x30 QUEUE_DEVICE, QUEUE_DEVICE_LO_DW: 8 Rw = 0, u64::MAX;
    /// With NOTIF_CONFIG_DATA: the word the driver sends as notification, `layout::NOTIFY_DATA` and the queue's number. Not accepted: 0.
    0x38 QUEUE_NOTIF_CONFIG_DATA, QUEUE_NOTIF_CONFIG_DATA_DW: 2 Ro = 0, 0;
    /// With RING_RESET: writing 1 resets the queue; reads 1 until that is done.
    0x3a QUEUE_RESET, QUEUE_RESET_DW: 2 Rw = 0, 1;
    /// With ADMIN_VQ: first administration queue. Not offered: 0.
    0x3c ADMIN_QUEUE_INDEX, ADMIN_QUEUE_INDEX_DW: 2 Ro = 0, 0;
    /// With ADMIN_VQ: administration queues. Not offered: 0.
    0x3e ADMIN_QUEUE_NUM, ADMIN_QUEUE_NUM_DW: 2 Ro = 0, 0;
}

values! { VALUES, VALUE_CONSTANTS in "common";
    /// Bytes of the structure.
    LENGTH: usize = 0x40;
    /// High half of `QUEUE_DESC`.
    QUEUE_DESC_HI_DW: usize = QUEUE_DESC_LO_DW + 1;
    /// High half of `QUEUE_DRIVER`.
    QUEUE_DRIVER_HI_DW: usize = QUEUE_DRIVER_LO_DW + 1;
    /// High half of `QUEUE_DEVICE`.
    QUEUE_DEVICE_HI_DW: usize = QUEUE_DEVICE_LO_DW + 1;
    /// Vector register: none (VIRTIO_MSI_NO_VECTOR).
    NO_VECTOR: u64 = 0xffff;
    /// No queue has this number.
    NO_QUEUE: u64 = 0xffff;
    /// Largest queue size the split ring allows.
    QUEUE_SIZE_LIMIT: u64 = 32768;
}

constants!(REG_CONSTANTS, VALUE_CONSTANTS);
