//! Stand-in for `hematite-abi` until it lands; goes away with it. Nothing new belongs here.
pub mod ident {
    pub const ERROR_DMA_READ: u8 = 1;
    pub const ERROR_DMA_TIMEOUT: u8 = 2;
    pub const ERROR_AVAIL_IDX: u8 = 3;
    pub const ERROR_DESC_INDEX: u8 = 4;
    pub const ERROR_DESC_FLAGS: u8 = 5;
    pub const ERROR_DIRECTION: u8 = 6;
    pub const ERROR_CHAIN_LOOP: u8 = 7;
}
pub mod net {
    pub const HDR_BYTES: u32 = 12;
    pub const ETHERNET_HEADER_BYTES: u32 = 14;
    pub const F_MRG_RXBUF: u32 = 15;
    pub const F_MAC: u32 = 5;
    pub const F_STATUS: u32 = 16;
    pub const F_MTU: u32 = 3;
    pub const HDR_NUM_BUFFERS: u32 = 10;
    pub const CFG_BYTES: u64 = 64;
    pub const CFG_MAC: u64 = 0;
    pub const CFG_STATUS: u64 = 6;
    pub const CFG_MTU: u64 = 10;
    pub const STATUS_LINK_UP: u16 = 1;
}
pub mod ring {
    pub const DESC_BYTES: u64 = 16;
    pub const USED_ALIGN: u64 = 4;
    pub const USED_IDX: u64 = 2;
    pub const USED_RING: u64 = 4;
    pub const USED_ELEM_BYTES: u64 = 8;
    pub const AVAIL_FLAGS: u64 = 0;
    pub const AVAIL_IDX: u64 = 2;
    pub const AVAIL_RING: u64 = 4;
    pub const AVAIL_ENTRY: u64 = 2;
    pub const AVAIL_F_NO_INTERRUPT: u16 = 1;
    pub const DESC_F_NEXT: u16 = 1;
    pub const DESC_F_WRITE: u16 = 2;
    pub const DESC_F_INDIRECT: u16 = 4;
    pub const fn desc_bytes(s: u16) -> u64 {
        s as u64 * 16
    }
    pub const fn avail_bytes(s: u16) -> u64 {
        6 + 2 * s as u64
    }
    pub const fn used_bytes(s: u16) -> u64 {
        6 + 8 * s as u64
    }
}
pub mod status {
    pub const ACKNOWLEDGE: u8 = 1;
    pub const DRIVER: u8 = 2;
    pub const DRIVER_OK: u8 = 4;
    pub const FEATURES_OK: u8 = 8;
    pub const NEEDS_RESET: u8 = 64;
    pub const FAILED: u8 = 128;
}
pub mod virtio {
    pub const NO_VECTOR: u16 = 0xffff;
    pub const F_VERSION_1: u32 = 32;
    pub const F_RING_RESET: u32 = 40;
    pub const ISR_QUEUE: u8 = 1;
    pub const ISR_CONFIG: u8 = 2;
}
pub mod common {
    pub const DEVICE_FEATURE_SELECT: u64 = 0;
    pub const DEVICE_FEATURE: u64 = 4;
    pub const DRIVER_FEATURE_SELECT: u64 = 8;
    pub const DRIVER_FEATURE: u64 = 12;
    pub const CONFIG_MSIX_VECTOR: u64 = 16;
    pub const NUM_QUEUES: u64 = 18;
    pub const DEVICE_STATUS: u64 = 20;
    pub const CONFIG_GENERATION: u64 = 21;
    pub const QUEUE_SELECT: u64 = 22;
    pub const QUEUE_SIZE: u64 = 24;
    pub const QUEUE_MSIX_VECTOR: u64 = 26;
    pub const QUEUE_ENABLE: u64 = 28;
    pub const QUEUE_NOTIFY_OFF: u64 = 30;
    pub const QUEUE_DESC: u64 = 32;
    pub const QUEUE_DRIVER: u64 = 40;
    pub const QUEUE_DEVICE: u64 = 48;
    pub const QUEUE_NOTIFY_DATA: u64 = 56;
    pub const QUEUE_RESET: u64 = 58;
    pub const LENGTH: u64 = 64;
}
pub mod bar {
    pub const ACCESS_BYTES: usize = 128;
    pub const BYTES: u64 = 0x10000;
    pub const COMMON: u64 = 0;
    pub const ISR: u64 = 0x400;
    pub const DEVICE: u64 = 0x800;
    pub const NOTIFY: u64 = 0x1000;
    pub const NOTIFY_MULTIPLIER: u64 = 4;
    pub const NOTIFY_BYTES: u64 = 0x1000;
    pub const TABLE: u64 = 0x2000;
    pub const PENDING: u64 = 0x3000;
}
pub mod config {
    pub const VENDOR_ID: u64 = 0;
    pub const DEVICE_ID: u64 = 2;
    pub const COMMAND: u64 = 4;
    pub const STATUS: u64 = 6;
    pub const REVISION: u64 = 8;
    pub const BAR0: u64 = 0x10;
    pub const CAP_POINTER: u64 = 0x34;
    pub const BAR_MEM64: u64 = 4;
    pub const COMMAND_MEMORY: u16 = 2;
    pub const COMMAND_BUS_MASTER: u16 = 4;
    pub const VENDOR_VIRTIO: u16 = 0x1af4;
    pub const DEVICE_NET: u16 = 0x1041;
    pub const CLASS_ETHERNET: u32 = 0x020000;
    pub const STATUS_CAPABILITIES: u16 = 16;
    pub fn space(vectors: u16) -> ([u8; 256], [u8; 256]) {
        let mut c = [0u8; 256];
        let mut w = [0u8; 256];
        let put = |c: &mut [u8; 256], o: usize, b: &[u8]| c[o..o + b.len()].copy_from_slice(b);
        put(&mut c, 0, &[0xf4, 0x1a, 0x41, 0x10]);
        c[6] = 0x10;
        put(&mut c, 8, &[1, 0, 0, 2]);
        put(&mut c, 0x10, &[0x0c, 0, 0, 0]);
        put(&mut c, 0x2c, &[0xf4, 0x1a, 0, 0x11]);
        c[0x34] = 0x40;
        w[4] = 6;
        w[5] = 4;
        w[0x3c] = 0xff;
        w[0x12..0x18].fill(0xff);
        put(&mut c, 0x40, &[1, 0x60, 3, 0]);
        put(&mut c, 0x60, &[0x10, 0x9c, 2, 0, 1, 0x80, 0, 0x10]);
        put(&mut c, 0x68, &[0x10, 0x20]);
        w[0x68] = 0xff;
        w[0x69] = 0x7f;
        put(&mut c, 0x9c, &[0x11, 0xa8]);
        put(&mut c, 0x9e, &(vectors - 1).to_le_bytes());
        put(&mut c, 0xa0, &[0, 0x20, 0, 0, 0, 0x30, 0, 0]);
        w[0x9f] = 0xc0;
        let mut cap = |o: usize, next: u8, len: u8, ty: u8, off: u32, l: u32| {
            c[o] = 9;
            c[o + 1] = next;
            c[o + 2] = len;
            c[o + 3] = ty;
            c[o + 8..o + 12].copy_from_slice(&off.to_le_bytes());
            c[o + 12..o + 16].copy_from_slice(&l.to_le_bytes());
        };
        cap(0xa8, 0xb8, 16, 1, 0, 64);
        cap(0xb8, 0xcc, 20, 2, 0x1000, 0x1000);
        cap(0xcc, 0xdc, 16, 3, 0x400, 4);
        cap(0xdc, 0xec, 16, 4, 0x800, 64);
        cap(0xec, 0, 20, 5, 0, 0);
        c[0xc8] = 4;
        w[0xf0] = 0xff;
        w[0xf4..0xfc].fill(0xff);
        (c, w)
    }
}
pub mod capability {
    pub const ID_POWER: u8 = 1;
    pub const ID_PCIE: u8 = 0x10;
    pub const ID_MSIX: u8 = 0x11;
    pub const ID_VENDOR: u8 = 9;
    pub const VIRTIO_TYPE: u16 = 3;
    pub const VIRTIO_BAR: u16 = 4;
    pub const VIRTIO_OFFSET: u16 = 8;
    pub const VIRTIO_LENGTH: u16 = 12;
    pub const NOTIFY_MULTIPLIER: u16 = 16;
    pub const WINDOW_DATA: u16 = 16;
    pub const TYPE_COMMON: u8 = 1;
    pub const TYPE_NOTIFY: u8 = 2;
    pub const TYPE_ISR: u8 = 3;
    pub const TYPE_DEVICE: u8 = 4;
    pub const TYPE_PCI_CFG: u8 = 5;
    pub const PCIE_DEVICE_CONTROL: u16 = 8;
    pub const DEVCTL_MPS_MASK: u16 = 7 << 5;
    pub const DEVCTL_MRRS_MASK: u16 = 7 << 12;
    pub const DEVCTL_MPS_SHIFT: u16 = 5;
    pub const DEVCTL_MRRS_SHIFT: u16 = 12;
    pub const DEVCTL_EXTENDED_TAG: u16 = 1 << 8;
    pub const DEVCTL_FLR: u16 = 1 << 15;
    pub const PM_AT: usize = 0x40;
    pub const PCIE_AT: usize = 0x60;
    pub const MSIX_AT: usize = 0x9c;
    pub const WINDOW_AT: usize = 0xec;
}
pub mod msix {
    pub const SIZE_MASK: u16 = 0x7ff;
    pub const ENABLE: u16 = 1 << 15;
    pub const FUNCTION_MASK: u16 = 1 << 14;
    pub const ENTRY_BYTES: u64 = 16;
    pub const ENTRY_WORDS: u64 = 4;
    pub const ENTRY_DATA: u64 = 8;
    pub const ENTRY_CONTROL: u64 = 12;
    pub const CONTROL_MASKED: u32 = 1;
}
