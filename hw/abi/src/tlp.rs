//! TLP headers. Our header is 128 bits: DW0 in bits 31:0 with PCIe's own bit numbering (bit 31 is bit 7 of byte 0 on the
//! link), DW1 in 63:32, DW2 in 95:64, DW3 in 127:96 (absent in 3-DW headers: zero).
//! Spec: [PCIe base: Transaction Layer Protocol - Packet Definition]

use crate::macros::{constants, fields, values};

fields! { DW0, DW0_CONSTANTS in "tlp", 32;
    /// Payload length in DWORDs; 0 stands for 1024.
    LENGTH_LSB, LENGTH_BITS = 0, 10;
    /// Address type.
    AT_LSB, AT_BITS = 10, 2;
    /// Attr[1:0]: relaxed ordering (1), no snoop (0).
    ATTR_LSB, ATTR_BITS = 12, 2;
    /// Poisoned data.
    EP_LSB, EP_BITS = 14, 1;
    /// A digest (ECRC) follows the payload.
    TD_LSB, TD_BITS = 15, 1;
    /// TLP processing hints present.
    TH_LSB, TH_BITS = 16, 1;
    /// Lightweight notification (reserved since PCIe 6).
    LN_LSB, LN_BITS = 17, 1;
    /// Attr[2]: ID-based ordering.
    ATTR2_LSB, ATTR2_BITS = 18, 1;
    /// Tag[8], with 10-bit tags.
    TAG8_LSB, TAG8_BITS = 19, 1;
    /// Traffic class.
    TC_LSB, TC_BITS = 20, 3;
    /// Tag[9], with 10-bit tags.
    TAG9_LSB, TAG9_BITS = 23, 1;
    /// Type.
    TYPE_LSB, TYPE_BITS = 24, 5;
    /// Format.
    FMT_LSB, FMT_BITS = 29, 3;
}

fields! { KIND, KIND_CONSTANTS in "tlp", 32;
    /// Format and type as one byte: compare with the `KIND_…` values.
    KIND_LSB, KIND_BITS = 24, 8;
}

fields! { REQUEST, REQUEST_CONSTANTS in "tlp", 64;
    /// Byte enables of the first DWORD.
    FIRST_BE_LSB, FIRST_BE_BITS = 32, 4;
    /// Byte enables of the last DWORD; 0 when there is one only.
    LAST_BE_LSB, LAST_BE_BITS = 36, 4;
    /// Tag[7:0] of a request.
    TAG_LSB, TAG_BITS = 40, 8;
    /// Who asks.
    REQUESTER_LSB, REQUESTER_BITS = 48, 16;
}

fields! { ADDRESS, ADDRESS_CONSTANTS in "tlp", 128;
    /// DW2: Address[31:0] with 3 DW (bits 1:0 are PH), Address[63:32] with 4 DW.
    ADDR_DW2_LSB, ADDR_DW2_BITS = 64, 32;
    /// DW3: Address[31:0] with 4 DW (bits 1:0 are PH).
    ADDR_DW3_LSB, ADDR_DW3_BITS = 96, 32;
}

fields! { ADDRESS3, ADDRESS3_CONSTANTS in "tlp", 96;
    /// 3 DW: processing hints.
    ADDR3_PH_LSB, ADDR3_PH_BITS = 64, 2;
    /// 3 DW: Address[31:2].
    ADDR3_DWORD_LSB, ADDR3_DWORD_BITS = 66, 30;
}

fields! { ADDRESS4, ADDRESS4_CONSTANTS in "tlp", 128;
    /// 4 DW: Address[63:32].
    ADDR4_HIGH_LSB, ADDR4_HIGH_BITS = 64, 32;
    /// 4 DW: processing hints.
    ADDR4_PH_LSB, ADDR4_PH_BITS = 96, 2;
    /// 4 DW: Address[31:2].
    ADDR4_DWORD_LSB, ADDR4_DWORD_BITS = 98, 30;
}

fields! { CONFIG, CONFIG_CONSTANTS in "tlp", 128;
    /// Register number (DWORD), extended part included.
    CFG_REGISTER_LSB, CFG_REGISTER_BITS = 66, 10;
    /// Target: function.
    CFG_FUNCTION_LSB, CFG_FUNCTION_BITS = 80, 3;
    /// Target: device.
    CFG_DEVICE_LSB, CFG_DEVICE_BITS = 83, 5;
    /// Target: bus.
    CFG_BUS_LSB, CFG_BUS_BITS = 88, 8;
}

fields! { CONFIG_TARGET, CONFIG_TARGET_CONSTANTS in "tlp", 128;
    /// Target of a configuration request: bus, device, function together.
    CFG_TARGET_LSB, CFG_TARGET_BITS = 80, 16;
}

fields! { MESSAGE, MESSAGE_CONSTANTS in "tlp", 64;
    /// Message code.
    MSG_CODE_LSB, MSG_CODE_BITS = 32, 8;
}

fields! { COMPLETION, COMPLETION_CONSTANTS in "tlp", 96;
    /// Bytes left of the request, this completion included; 0 stands for 4096.
    CPL_BYTES_LSB, CPL_BYTES_BITS = 32, 12;
    /// Byte count modified (PCI-X bridges).
    CPL_BCM_LSB, CPL_BCM_BITS = 44, 1;
    /// Completion status.
    CPL_STATUS_LSB, CPL_STATUS_BITS = 45, 3;
    /// Who answers.
    CPL_COMPLETER_LSB, CPL_COMPLETER_BITS = 48, 16;
    /// Lower address: byte address of the first enabled byte, bits 6:0.
    CPL_LOWER_LSB, CPL_LOWER_BITS = 64, 7;
    /// Tag[7:0] of the request.
    CPL_TAG_LSB, CPL_TAG_BITS = 72, 8;
    /// Who asked.
    CPL_REQUESTER_LSB, CPL_REQUESTER_BITS = 80, 16;
}

fields! { ID, ID_CONSTANTS in "tlp", 16;
    /// Function of a requester or completer id.
    ID_FUNCTION_LSB, ID_FUNCTION_BITS = 0, 3;
    /// Device of an id.
    ID_DEVICE_LSB, ID_DEVICE_BITS = 3, 5;
    /// Bus of an id.
    ID_BUS_LSB, ID_BUS_BITS = 8, 8;
}

values! { VALUES, VALUE_CONSTANTS in "tlp";
    /// 3-DW header, no data.
    FMT_3DW: u64 = 0b000;
    /// 4-DW header, no data.
    FMT_4DW: u64 = 0b001;
    /// 3-DW header with data.
    FMT_3DW_DATA: u64 = 0b010;
    /// 4-DW header with data.
    FMT_4DW_DATA: u64 = 0b011;
    /// TLP prefix.
    FMT_PREFIX: u64 = 0b100;
    /// Fmt bit: the header has 4 DW.
    FMT_4DW_BIT: usize = 0;
    /// Fmt bit: data follow.
    FMT_DATA_BIT: usize = 1;
    /// Header bit: the header has 4 DW.
    HAS_4DW_BIT: usize = 29;
    /// Header bit: data follow.
    HAS_DATA_BIT: usize = 30;
    /// Memory request.
    TYPE_MEM: u64 = 0b00000;
    /// Locked memory read.
    TYPE_MEM_LOCKED: u64 = 0b00001;
    /// I/O request.
    TYPE_IO: u64 = 0b00010;
    /// Configuration request, type 0.
    TYPE_CFG0: u64 = 0b00100;
    /// Configuration request, type 1.
    TYPE_CFG1: u64 = 0b00101;
    /// Completion.
    TYPE_CPL: u64 = 0b01010;
    /// Completion of a locked read.
    TYPE_CPL_LOCKED: u64 = 0b01011;
    /// Atomic: fetch and add.
    TYPE_FETCH_ADD: u64 = 0b01100;
    /// Atomic: swap.
    TYPE_SWAP: u64 = 0b01101;
    /// Atomic: compare and swap.
    TYPE_CAS: u64 = 0b01110;
    /// Message; bits 2:0 are the routing. Compare Type[4:3] with [`TYPE_MSG_HIGH`].
    TYPE_MSG: u64 = 0b10000;
    /// Type[4:3] of every message.
    TYPE_MSG_HIGH: u64 = 0b10;
    /// Memory read, 32-bit address.
    KIND_MEM_READ_32: u64 = 0x00;
    /// Memory read, 64-bit address.
    KIND_MEM_READ_64: u64 = 0x20;
    /// Locked memory read, 32-bit address.
    KIND_MEM_READ_LOCKED_32: u64 = 0x01;
    /// Locked memory read, 64-bit address.
    KIND_MEM_READ_LOCKED_64: u64 = 0x21;
    /// Memory write, 32-bit address.
    KIND_MEM_WRITE_32: u64 = 0x40;
    /// Memory write, 64-bit address.
    KIND_MEM_WRITE_64: u64 = 0x60;
    /// I/O read.
    KIND_IO_READ: u64 = 0x02;
    /// I/O write.
    KIND_IO_WRITE: u64 = 0x42;
    /// Configuration read, type 0.
    KIND_CFG_READ_0: u64 = 0x04;
    /// Configuration write, type 0.
    KIND_CFG_WRITE_0: u64 = 0x44;
    /// Configuration read, type 1.
    KIND_CFG_READ_1: u64 = 0x05;
    /// Configuration write, type 1.
    KIND_CFG_WRITE_1: u64 = 0x45;
    /// Completion without data.
    KIND_CPL: u64 = 0x0a;
    /// Completion with data.
    KIND_CPL_D: u64 = 0x4a;
    /// Completion of a locked read, without data.
    KIND_CPL_LOCKED: u64 = 0x0b;
    /// Completion of a locked read, with data.
    KIND_CPL_D_LOCKED: u64 = 0x4b;
    /// Fetch and add, 32-bit address.
    KIND_FETCH_ADD_32: u64 = 0x4c;
    /// Fetch and add, 64-bit address.
    KIND_FETCH_ADD_64: u64 = 0x6c;
    /// Swap, 32-bit address.
    KIND_SWAP_32: u64 = 0x4d;
    /// Swap, 64-bit address.
    KIND_SWAP_64: u64 = 0x6d;
    /// Compare and swap, 32-bit address.
    KIND_CAS_32: u64 = 0x4e;
    /// Compare and swap, 64-bit address.
    KIND_CAS_64: u64 = 0x6e;
    /// Successful completion.
    STATUS_SC: u64 = 0b000;
    /// Unsupported request.
    STATUS_UR: u64 = 0b001;
    /// Configuration request retry status (since PCIe 6: request retry status).
    STATUS_CRS: u64 = 0b010;
    /// Completer abort.
    STATUS_CA: u64 = 0b100;
    /// Routed to the root complex.
    ROUTE_ROOT: u64 = 0b000;
    /// Broadcast from the root complex.
    ROUTE_BROADCAST: u64 = 0b011;
    /// Local: ends at the receiver.
    ROUTE_LOCAL: u64 = 0b100;
    /// Message: power management turn off (must be acknowledged).
    MSG_PME_TURN_OFF: u64 = 0x19;
    /// Message: acknowledges the turn off.
    MSG_PME_TO_ACK: u64 = 0x1b;
    /// Message: set slot power limit.
    MSG_SET_SLOT_POWER_LIMIT: u64 = 0x50;
    /// Message: correctable error.
    MSG_ERR_COR: u64 = 0x30;
    /// Message: non-fatal error.
    MSG_ERR_NONFATAL: u64 = 0x31;
    /// Message: fatal error.
    MSG_ERR_FATAL: u64 = 0x33;
    /// Message: vendor defined, type 0 (unsupported request if not known).
    MSG_VENDOR_0: u64 = 0x7e;
    /// Message: vendor defined, type 1 (silently dropped if not known).
    MSG_VENDOR_1: u64 = 0x7f;
    /// Bits of a header.
    HEADER_BITS: usize = 128;
    /// Largest payload of any TLP, bytes.
    PAYLOAD_MAX: usize = 4096;
    /// No request crosses a multiple of this, bytes.
    PAGE_BYTES: usize = 4096;
}

constants!(
    DW0_CONSTANTS,
    KIND_CONSTANTS,
    REQUEST_CONSTANTS,
    ADDRESS_CONSTANTS,
    ADDRESS3_CONSTANTS,
    ADDRESS4_CONSTANTS,
    CONFIG_CONSTANTS,
    CONFIG_TARGET_CONSTANTS,
    MESSAGE_CONSTANTS,
    COMPLETION_CONSTANTS,
    ID_CONSTANTS,
    VALUE_CONSTANTS
);
