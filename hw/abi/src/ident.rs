//! The inspection region: what the function is, what each queue does, what was counted. Read only, DWORDs.
//! Ours; found by the vendor-specific extended capability at [`crate::layout::CAP_INSPECTION`].

use crate::macros::{constants, registers, values};

registers! { REGS, REG_CONSTANTS in "ident", COUNTERS_OFFSET;
    /// `MAGIC`.
    0x00 IDENT_MAGIC, IDENT_MAGIC_DW: 4 Ro = 0x6174_6548, 0;
    /// `ABI_VERSION`.
    0x04 IDENT_ABI_VERSION, IDENT_ABI_VERSION_DW: 4 Ro = 1, 0;
    /// Hash of the source, first four bytes.
    0x08 SOURCE_HASH_0, SOURCE_HASH_0_DW: 4 Ro = 0, 0;
    /// Hash of the source, next four bytes.
    0x0c SOURCE_HASH_1, SOURCE_HASH_1_DW: 4 Ro = 0, 0;
    /// Hash of the source, next four bytes.
    0x10 SOURCE_HASH_2, SOURCE_HASH_2_DW: 4 Ro = 0, 0;
    /// Hash of the source, next four bytes.
    0x14 SOURCE_HASH_3, SOURCE_HASH_3_DW: 4 Ro = 0, 0;
    /// Hash of the source, last four bytes.
    0x18 SOURCE_HASH_4, SOURCE_HASH_4_DW: 4 Ro = 0, 0;
    /// Bits of a beat.
    0x20 PARAM_WIDTH, PARAM_WIDTH_DW: 4 Ro = 0, 0;
    /// Queue pairs.
    0x24 PARAM_PAIRS, PARAM_PAIRS_DW: 4 Ro = 0, 0;
    /// Queues in all.
    0x28 PARAM_QUEUES, PARAM_QUEUES_DW: 4 Ro = 0, 0;
    /// Largest queue size.
    0x2c PARAM_QUEUE_MAX, PARAM_QUEUE_MAX_DW: 4 Ro = 0, 0;
    /// DMA reads in flight.
    0x30 PARAM_TAGS, PARAM_TAGS_DW: 4 Ro = 0, 0;
    /// MSI-X vectors.
    0x34 PARAM_VECTORS, PARAM_VECTORS_DW: 4 Ro = 0, 0;
    /// Largest read request, bytes.
    0x38 PARAM_READ_BYTES, PARAM_READ_BYTES_DW: 4 Ro = 0, 0;
    /// Largest write, bytes.
    0x3c PARAM_PAYLOAD_BYTES, PARAM_PAYLOAD_BYTES_DW: 4 Ro = 0, 0;
    /// Largest frame, bytes.
    0x40 PARAM_FRAME_BYTES, PARAM_FRAME_BYTES_DW: 4 Ro = 0, 0;
    /// Cycles after which a read has failed.
    0x44 PARAM_TIMEOUT_CYCLES, PARAM_TIMEOUT_CYCLES_DW: 4 Ro = 0, 0;
    /// Counters there are: `COUNTERS`.
    0x48 COUNTER_COUNT, COUNTER_COUNT_DW: 4 Ro = 0, 0;
    /// Error which made the device ask for reset: `ERROR_…`.
    0x4c DEVICE_ERROR, DEVICE_ERROR_DW: 4 Ro = 0, 0;
    /// The queue it happened on.
    0x50 DEVICE_ERROR_QUEUE, DEVICE_ERROR_QUEUE_DW: 4 Ro = 0, 0;
    /// Bit 0: an engine holds work; bit 1: a reset is running.
    0x54 ACTIVITY, ACTIVITY_DW: 4 Ro = 0, 0;
}

registers! { QUEUE, QUEUE_CONSTANTS in "ident", QUEUE_STATE_BYTES;
    /// 1: enabled.
    0x00 QUEUE_ENABLED, QUEUE_ENABLED_DW: 4 Ro = 0, 0;
    /// Entries.
    0x04 QUEUE_SIZE, QUEUE_SIZE_DW: 4 Ro = 0, 0;
    /// MSI-X vector.
    0x08 QUEUE_VECTOR, QUEUE_VECTOR_DW: 4 Ro = 0xffff, 0;
    /// Last error: `ERROR_…`.
    0x0c QUEUE_ERROR, QUEUE_ERROR_DW: 4 Ro = 0, 0;
    /// Descriptor area, low half.
    0x10 QUEUE_DESC_LO, QUEUE_DESC_LO_DW: 4 Ro = 0, 0;
    /// Descriptor area, high half.
    0x14 QUEUE_DESC_HI, QUEUE_DESC_HI_DW: 4 Ro = 0, 0;
    /// Driver area, low half.
    0x18 QUEUE_DRIVER_LO, QUEUE_DRIVER_LO_DW: 4 Ro = 0, 0;
    /// Driver area, high half.
    0x1c QUEUE_DRIVER_HI, QUEUE_DRIVER_HI_DW: 4 Ro = 0, 0;
    /// Device area, low half.
    0x20 QUEUE_DEVICE_LO, QUEUE_DEVICE_LO_DW: 4 Ro = 0, 0;
    /// Device area, high half.
    0x24 QUEUE_DEVICE_HI, QUEUE_DEVICE_HI_DW: 4 Ro = 0, 0;
    /// `avail.idx` as last read. Packed rings: descriptors, modulo 65536, here and below; the wrap counter is 1 while the count by the size is even.
    0x28 QUEUE_AVAIL_SEEN, QUEUE_AVAIL_SEEN_DW: 4 Ro = 0, 0;
    /// Entries of the available ring taken.
    0x2c QUEUE_AVAIL_TAKEN, QUEUE_AVAIL_TAKEN_DW: 4 Ro = 0, 0;
    /// `used.idx` as last published.
    0x30 QUEUE_USED_IDX, QUEUE_USED_IDX_DW: 4 Ro = 0, 0;
    /// Chains taken and not yet used; packed rings: their descriptors.
    0x34 QUEUE_IN_FLIGHT, QUEUE_IN_FLIGHT_DW: 4 Ro = 0, 0;
}

values! { VALUES, VALUE_CONSTANTS in "ident";
    /// "Heta", little endian.
    MAGIC: u64 = 0x6174_6548;
    /// Grows with each change of this region or of `layout`.
    ABI_VERSION: u64 = 1;
    /// Words of the source hash.
    SOURCE_HASH_WORDS: usize = 5;
    /// Vendor-specific capability: its id.
    VSEC_ID: u64 = 0x4865;
    /// Vendor-specific capability: its revision.
    VSEC_REVISION: u64 = 1;
    /// Vendor-specific capability: bytes: header, id, BAR, offset, length, magic.
    VSEC_BYTES: usize = 0x18;
    /// Offset of the counters in the region.
    COUNTERS_OFFSET: usize = 0x400;
    /// Offset of the first queue's block.
    QUEUES_OFFSET: usize = 0x1000;
    /// Bytes of a queue's block.
    QUEUE_STATE_BYTES: usize = 0x40;
    /// Bytes of the region.
    LENGTH: usize = 0x8000;
}

values! { ERRORS, ERROR_CONSTANTS in "ident";
    /// None.
    ERROR_NONE: u64 = 0;
    /// A descriptor index is not below the queue size.
    ERROR_DESC_INDEX: u64 = 1;
    /// A chain comes back to itself: more descriptors than the queue has.
    ERROR_DESC_LOOP: u64 = 2;
    /// A chain has more descriptors or bytes than it may.
    ERROR_CHAIN_TOO_LONG: u64 = 3;
    /// A buffer to write where one to read must be, or the reverse.
    ERROR_WRONG_DIRECTION: u64 = 4;
    /// `avail.idx` is further ahead than the queue is long.
    ERROR_AVAIL_INDEX: u64 = 5;
    /// A DMA read was answered by UR, CA or poisoned data.
    ERROR_DMA_READ: u64 = 6;
    /// A DMA read was not answered in time.
    ERROR_DMA_TIMEOUT: u64 = 7;
    /// A transmit chain is shorter than header and Ethernet header.
    ERROR_CHAIN_TOO_SHORT: u64 = 8;
    /// INDIRECT is set, which was not agreed, or not on a whole table at a multiple of 16 that ends the chain.
    ERROR_INDIRECT: u64 = 9;
    /// A descriptor of no bytes.
    ERROR_ZERO_LENGTH: u64 = 10;
    /// A buffer wraps around the end of the address space.
    ERROR_ADDRESS: u64 = 11;
}

values! { COUNTERS, COUNTER_CONSTANTS in "ident";
    /// Frames sent to the wire.
    TX_FRAMES: usize = 0;
    /// Their bytes, low half.
    TX_BYTES_LO: usize = 1;
    /// Their bytes, high half.
    TX_BYTES_HI: usize = 2;
    /// Frames given to the driver.
    RX_FRAMES: usize = 3;
    /// Their bytes, low half.
    RX_BYTES_LO: usize = 4;
    /// Their bytes, high half.
    RX_BYTES_HI: usize = 5;
    /// Frames dropped: no receive buffer.
    RX_NO_BUFFER: usize = 6;
    /// Frames dropped: bad, too long, or not running.
    RX_DROPPED: usize = 7;
    /// Packets dropped: shorter than the headers.
    TX_DROPPED_SHORT: usize = 8;
    /// Packets dropped: longer than the largest frame.
    TX_DROPPED_LONG: usize = 9;
    /// TLPs received.
    TLP_IN: usize = 10;
    /// TLPs sent.
    TLP_OUT: usize = 11;
    /// TLPs dropped: malformed.
    TLP_MALFORMED: usize = 12;
    /// Requests answered UR (or dropped: posted).
    TLP_UNSUPPORTED: usize = 13;
    /// Requests answered CA.
    TLP_ABORTED: usize = 14;
    /// TLPs with the poison or error mark.
    TLP_POISONED: usize = 15;
    /// Completions nobody waits for.
    CPL_UNEXPECTED: usize = 16;
    /// Reads without an answer.
    CPL_TIMEOUT: usize = 17;
    /// Reads answered by UR, CA or poison.
    CPL_ERROR: usize = 18;
    /// MSI-X messages sent.
    IRQ_SENT: usize = 19;
    /// Interrupts held back by a mask.
    IRQ_MASKED: usize = 20;
    /// Interrupts the driver did not want (flags).
    IRQ_SUPPRESSED: usize = 21;
    /// Doorbells rung.
    KICKS: usize = 22;
    /// Doorbells of queues which are off or absent.
    KICKS_IGNORED: usize = 23;
    /// Memory reads sent: TLPs.
    DMA_READS: usize = 24;
    /// Memory writes sent, MSI-X messages among them: TLPs.
    DMA_WRITES: usize = 25;
    /// Queue errors of any kind.
    QUEUE_ERRORS: usize = 26;
    /// Device resets.
    DEVICE_RESETS: usize = 27;
    /// Queue resets.
    QUEUE_RESETS: usize = 28;
    /// Frames the driver did not want: addresses, VLANs.
    RX_FILTERED: usize = 29;
    /// Packets dropped: what the driver wants done to them cannot be (`csum_start`, `csum_offset`).
    TX_DROPPED_OFFLOAD: usize = 30;
    /// Frames whose checksum the driver was told to be right.
    RX_RIGHT: usize = 31;
}

constants!(REG_CONSTANTS, QUEUE_CONSTANTS, VALUE_CONSTANTS, ERROR_CONSTANTS, COUNTER_CONSTANTS);
