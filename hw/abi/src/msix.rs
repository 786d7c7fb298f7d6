//! MSI-X. Spec: [PCIe base: MSI-X Capability and Table Structures]

use crate::macros::{constants, fields, flags, registers, values};

registers! { ENTRY, ENTRY_CONSTANTS in "msix", ENTRY_BYTES;
    /// Message address, low half; bits 1:0 are zero.
    0x0 ENTRY_ADDR, ENTRY_ADDR_DW: 4 Rw = 0, 0xffff_fffc;
    /// Message address, high half.
    0x4 ENTRY_ADDR_HI, ENTRY_ADDR_HI_DW: 4 Rw = 0, 0xffff_ffff;
    /// Message data.
    0x8 ENTRY_DATA, ENTRY_DATA_DW: 4 Rw = 0, 0xffff_ffff;
    /// Vector control: bit 0 masks.
    0xc ENTRY_CONTROL, ENTRY_CONTROL_DW: 4 Rw = 1, 1;
}

flags! { ENTRY_FLAGS, ENTRY_FLAG_CONSTANTS in "msix";
    /// `ENTRY_CONTROL`: the vector is masked (its reset value).
    ENTRY_MASKED, ENTRY_MASKED_BIT = 0;
}

fields! { CONTROL, CONTROL_CONSTANTS in "msix", 16;
    /// Message control: vectors minus one, read only.
    CONTROL_SIZE_LSB, CONTROL_SIZE_BITS = 0, 11;
}

flags! { CONTROL_FLAGS, CONTROL_FLAG_CONSTANTS in "msix";
    /// Message control: all vectors masked.
    CONTROL_FUNCTION_MASK, CONTROL_FUNCTION_MASK_BIT = 14;
    /// Message control: MSI-X enabled.
    CONTROL_ENABLE, CONTROL_ENABLE_BIT = 15;
}

fields! { LOCATION, LOCATION_CONSTANTS in "msix", 32;
    /// Table and PBA register: which BAR.
    LOCATION_BIR_LSB, LOCATION_BIR_BITS = 0, 3;
    /// Table and PBA register: offset in it, 8-byte units.
    LOCATION_OFFSET_LSB, LOCATION_OFFSET_BITS = 3, 29;
}

values! { VALUES, VALUE_CONSTANTS in "msix";
    /// Bytes of a table entry.
    ENTRY_BYTES: usize = 16;
    /// DWORDs of a table entry.
    ENTRY_DWORDS: usize = 4;
    /// Vectors per DWORD of the PBA.
    PBA_DWORD_VECTORS: usize = 32;
    /// Capability: offset of message control.
    CAP_CONTROL: usize = 2;
    /// Capability: offset of the table's place.
    CAP_TABLE: usize = 4;
    /// Capability: offset of the PBA's place.
    CAP_PBA: usize = 8;
    /// Capability: bytes.
    CAP_BYTES: usize = 12;
    /// Vectors a function can have at most.
    VECTORS_LIMIT: usize = 2048;
    /// `CONTROL_ENABLE` where it stands in the capability's first DWORD.
    CONTROL_ENABLE_DW_BIT: usize = 31;
    /// `CONTROL_FUNCTION_MASK` where it stands in the capability's first DWORD.
    CONTROL_FUNCTION_MASK_DW_BIT: usize = 30;
}

constants!(
    ENTRY_CONSTANTS,
    ENTRY_FLAG_CONSTANTS,
    CONTROL_CONSTANTS,
    CONTROL_FLAG_CONSTANTS,
    LOCATION_CONSTANTS,
    VALUE_CONSTANTS
);
