//! Numbers of the split ring and of queue errors which belong in `hematite_abi` and move there.

/// Error codes of a queue.
pub mod ident {
    pub const ERROR_AVAIL_INDEX: u64 = 1;
    pub const ERROR_DESC_INDEX: u64 = 2;
    pub const ERROR_DESC_LOOP: u64 = 3;
    pub const ERROR_WRONG_DIRECTION: u64 = 4;
    pub const ERROR_DMA_READ: u64 = 5;
    pub const ERROR_DMA_TIMEOUT: u64 = 6;
    pub const ERROR_INDIRECT: u64 = 7;
}

/// [virtio: Split Virtqueues]
pub mod ring {
    pub const DESC_BYTES: u64 = 16;
    pub const DESC_F_NEXT: u64 = 1;
    pub const DESC_F_WRITE: u64 = 2;
    pub const DESC_F_INDIRECT: u64 = 4;
    pub const AVAIL_IDX: u64 = 2;
    pub const AVAIL_RING: u64 = 4;
    pub const AVAIL_F_NO_INTERRUPT: u64 = 1;
    pub const USED_IDX: u64 = 2;
    pub const USED_RING: u64 = 4;
    pub const USED_ELEM_BYTES: u64 = 8;
}
