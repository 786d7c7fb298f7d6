//! PCI configuration space: type-0 header, capabilities of an endpoint.
//! Spec: [PCIe base: PCI-Compatible Configuration Registers], [PCIe base: PCI Express Capability Structure]

use crate::macros::{constants, fields, flags, registers, values};

registers! { HEADER, HEADER_CONSTANTS in "config", 0x40;
    /// Vendor.
    0x00 VENDOR_ID, VENDOR_ID_DW: 2 Ro = 0, 0;
    /// Device.
    0x02 DEVICE_ID, DEVICE_ID_DW: 2 Ro = 0, 0;
    /// Command: `COMMAND_…`.
    0x04 COMMAND, COMMAND_DW: 2 Rw = 0, 0x0546;
    /// Status: `STATUS_…`; error bits are cleared by ones.
    0x06 STATUS, STATUS_DW: 2 W1c = 0x0010, 0xf900;
    /// Revision.
    0x08 REVISION, REVISION_DW: 1 Ro = 0, 0;
    /// Programming interface.
    0x09 PROG_IF, PROG_IF_DW: 1 Ro = 0, 0;
    /// Sub-class.
    0x0a SUBCLASS, SUBCLASS_DW: 1 Ro = 0, 0;
    /// Base class.
    0x0b BASE_CLASS, BASE_CLASS_DW: 1 Ro = 0, 0;
    /// Cache line size: kept, without effect.
    0x0c CACHE_LINE_SIZE, CACHE_LINE_SIZE_DW: 1 Rw = 0, 0xff;
    /// Latency timer: 0.
    0x0d LATENCY_TIMER, LATENCY_TIMER_DW: 1 Ro = 0, 0;
    /// Header type: 0.
    0x0e HEADER_TYPE, HEADER_TYPE_DW: 1 Ro = 0, 0;
    /// Built-in self test: none.
    0x0f BIST, BIST_DW: 1 Ro = 0, 0;
    /// BAR 0, low half.
    0x10 BAR0, BAR0_DW: 4 Rw = 0x0000_000c, 0xffff_0000;
    /// BAR 0, high half.
    0x14 BAR1, BAR1_DW: 4 Rw = 0, 0xffff_ffff;
    /// Unused.
    0x18 BAR2, BAR2_DW: 4 Ro = 0, 0;
    /// Unused.
    0x1c BAR3, BAR3_DW: 4 Ro = 0, 0;
    /// Unused.
    0x20 BAR4, BAR4_DW: 4 Ro = 0, 0;
    /// Unused.
    0x24 BAR5, BAR5_DW: 4 Ro = 0, 0;
    /// CardBus: 0.
    0x28 CARDBUS_CIS, CARDBUS_CIS_DW: 4 Ro = 0, 0;
    /// Subsystem vendor.
    0x2c SUBSYSTEM_VENDOR_ID, SUBSYSTEM_VENDOR_ID_DW: 2 Ro = 0, 0;
    /// Subsystem.
    0x2e SUBSYSTEM_ID, SUBSYSTEM_ID_DW: 2 Ro = 0, 0;
    /// No expansion ROM.
    0x30 EXPANSION_ROM, EXPANSION_ROM_DW: 4 Ro = 0, 0;
    /// First capability.
    0x34 CAP_POINTER, CAP_POINTER_DW: 1 Ro = 0x40, 0;
    /// Interrupt line: kept for software.
    0x3c INTERRUPT_LINE, INTERRUPT_LINE_DW: 1 Rw = 0, 0xff;
    /// 0: no INTx.
    0x3d INTERRUPT_PIN, INTERRUPT_PIN_DW: 1 Ro = 0, 0;
    /// Unused.
    0x3e MIN_GRANT, MIN_GRANT_DW: 1 Ro = 0, 0;
    /// Unused.
    0x3f MAX_LATENCY, MAX_LATENCY_DW: 1 Ro = 0, 0;
}

flags! { COMMAND_FLAGS, COMMAND_CONSTANTS in "config";
    /// I/O space (no such BAR: 0).
    COMMAND_IO, COMMAND_IO_BIT = 0;
    /// Memory space: the BAR answers.
    COMMAND_MEMORY, COMMAND_MEMORY_BIT = 1;
    /// Bus master: DMA and MSI-X may leave.
    COMMAND_BUS_MASTER, COMMAND_BUS_MASTER_BIT = 2;
    /// Parity error response.
    COMMAND_PARITY, COMMAND_PARITY_BIT = 6;
    /// SERR# enable.
    COMMAND_SERR, COMMAND_SERR_BIT = 8;
    /// INTx off.
    COMMAND_INTX_DISABLE, COMMAND_INTX_DISABLE_BIT = 10;
}

flags! { STATUS_FLAGS, STATUS_CONSTANTS in "config";
    /// INTx pending.
    STATUS_INTX, STATUS_INTX_BIT = 3;
    /// There are capabilities.
    STATUS_CAPABILITIES, STATUS_CAPABILITIES_BIT = 4;
    /// Master data parity error: poisoned data met.
    STATUS_MASTER_PARITY, STATUS_MASTER_PARITY_BIT = 8;
    /// This function answered with CA.
    STATUS_SIGNALED_ABORT, STATUS_SIGNALED_ABORT_BIT = 11;
    /// A CA came back.
    STATUS_RECEIVED_ABORT, STATUS_RECEIVED_ABORT_BIT = 12;
    /// A UR came back.
    STATUS_MASTER_ABORT, STATUS_MASTER_ABORT_BIT = 13;
    /// An error message was sent.
    STATUS_SIGNALED_ERROR, STATUS_SIGNALED_ERROR_BIT = 14;
    /// A poisoned TLP came in.
    STATUS_PARITY, STATUS_PARITY_BIT = 15;
}

fields! { BAR_FIELDS, BAR_CONSTANTS in "config", 32;
    /// 1: I/O.
    BAR_IO_LSB, BAR_IO_BITS = 0, 1;
    /// 2: 64 bits.
    BAR_TYPE_LSB, BAR_TYPE_BITS = 1, 2;
    /// Prefetchable.
    BAR_PREFETCHABLE_LSB, BAR_PREFETCHABLE_BITS = 3, 1;
}

registers! { POWER, POWER_CONSTANTS in "config", 8;
    /// Power management capabilities, after id and next.
    0x02 POWER_CAPABILITIES, POWER_CAPABILITIES_DW: 2 Ro = 0x0003, 0;
    /// Power management control and status.
    0x04 POWER_CONTROL, POWER_CONTROL_DW: 2 Rw = 0x0008, 0x0003;
}

fields! { POWER_FIELDS, POWER_FIELD_CONSTANTS in "config", 16;
    /// Power state: `POWER_D0`, `POWER_D3HOT`.
    POWER_STATE_LSB, POWER_STATE_BITS = 0, 2;
    /// No soft reset: D3hot to D0 keeps all state.
    POWER_NO_SOFT_RESET_LSB, POWER_NO_SOFT_RESET_BITS = 3, 1;
}

registers! { PCIE, PCIE_CONSTANTS in "config", PCIE_BYTES;
    /// Version, port type.
    0x02 PCIE_CAPABILITIES, PCIE_CAPABILITIES_DW: 2 Ro = 0x0002, 0;
    /// Device capabilities.
    0x04 DEVICE_CAPABILITIES, DEVICE_CAPABILITIES_DW: 4 Ro = 0, 0;
    /// Device control.
    0x08 DEVICE_CONTROL, DEVICE_CONTROL_DW: 2 Rw = 0x2810, 0x79ff;
    /// Device status.
    0x0a DEVICE_STATUS, DEVICE_STATUS_DW: 2 W1c = 0, 0x000f;
    /// Link capabilities.
    0x0c LINK_CAPABILITIES, LINK_CAPABILITIES_DW: 4 Ro = 0, 0;
    /// Link control.
    0x10 LINK_CONTROL, LINK_CONTROL_DW: 2 Rw = 0, 0x00cb;
    /// Link status.
    0x12 LINK_STATUS, LINK_STATUS_DW: 2 Ro = 0, 0;
    /// Device capabilities 2.
    0x24 DEVICE_CAPABILITIES2, DEVICE_CAPABILITIES2_DW: 4 Ro = 0, 0;
    /// Device control 2.
    0x28 DEVICE_CONTROL2, DEVICE_CONTROL2_DW: 2 Rw = 0, 0x0010;
    /// Device status 2: reserved.
    0x2a DEVICE_STATUS2, DEVICE_STATUS2_DW: 2 Ro = 0, 0;
    /// Link capabilities 2.
    0x2c LINK_CAPABILITIES2, LINK_CAPABILITIES2_DW: 4 Ro = 0, 0;
    /// Link control 2.
    0x30 LINK_CONTROL2, LINK_CONTROL2_DW: 2 Rw = 0, 0x000f;
    /// Link status 2.
    0x32 LINK_STATUS2, LINK_STATUS2_DW: 2 Ro = 0, 0;
}

fields! { DEVICE_CAPABILITY_FIELDS, DEVICE_CAPABILITY_CONSTANTS in "config", 32;
    /// Largest payload supported: 128 << n.
    DEVCAP_MPS_LSB, DEVCAP_MPS_BITS = 0, 3;
    /// Phantom functions: none.
    DEVCAP_PHANTOM_LSB, DEVCAP_PHANTOM_BITS = 3, 2;
    /// 8-bit tags supported.
    DEVCAP_EXTENDED_TAG_LSB, DEVCAP_EXTENDED_TAG_BITS = 5, 1;
    /// Acceptable latency out of L0s.
    DEVCAP_L0S_LATENCY_LSB, DEVCAP_L0S_LATENCY_BITS = 6, 3;
    /// Acceptable latency out of L1.
    DEVCAP_L1_LATENCY_LSB, DEVCAP_L1_LATENCY_BITS = 9, 3;
    /// Role-based error reporting: 1.
    DEVCAP_ROLE_ERROR_LSB, DEVCAP_ROLE_ERROR_BITS = 15, 1;
    /// Function level reset supported.
    DEVCAP_FLR_LSB, DEVCAP_FLR_BITS = 28, 1;
}

fields! { DEVICE_CONTROL_FIELDS, DEVICE_CONTROL_CONSTANTS in "config", 16;
    /// Report correctable errors.
    DEVCTL_CORRECTABLE_LSB, DEVCTL_CORRECTABLE_BITS = 0, 1;
    /// Report non-fatal errors.
    DEVCTL_NON_FATAL_LSB, DEVCTL_NON_FATAL_BITS = 1, 1;
    /// Report fatal errors.
    DEVCTL_FATAL_LSB, DEVCTL_FATAL_BITS = 2, 1;
    /// Report unsupported requests.
    DEVCTL_UNSUPPORTED_LSB, DEVCTL_UNSUPPORTED_BITS = 3, 1;
    /// Relaxed ordering allowed.
    DEVCTL_RELAXED_LSB, DEVCTL_RELAXED_BITS = 4, 1;
    /// Largest payload: 128 << n.
    DEVCTL_MPS_LSB, DEVCTL_MPS_BITS = 5, 3;
    /// 8-bit tags allowed.
    DEVCTL_EXTENDED_TAG_LSB, DEVCTL_EXTENDED_TAG_BITS = 8, 1;
    /// No snoop allowed.
    DEVCTL_NO_SNOOP_LSB, DEVCTL_NO_SNOOP_BITS = 11, 1;
    /// Largest read request: 128 << n.
    DEVCTL_MRRS_LSB, DEVCTL_MRRS_BITS = 12, 3;
    /// Writing 1 resets the function; reads 0.
    DEVCTL_FLR_LSB, DEVCTL_FLR_BITS = 15, 1;
}

flags! { DEVICE_STATUS_FLAGS, DEVICE_STATUS_CONSTANTS in "config";
    /// A correctable error was met.
    DEVSTA_CORRECTABLE, DEVSTA_CORRECTABLE_BIT = 0;
    /// A non-fatal error was met.
    DEVSTA_NON_FATAL, DEVSTA_NON_FATAL_BIT = 1;
    /// A fatal error was met.
    DEVSTA_FATAL, DEVSTA_FATAL_BIT = 2;
    /// An unsupported request was met.
    DEVSTA_UNSUPPORTED, DEVSTA_UNSUPPORTED_BIT = 3;
    /// Requests of ours are without their completion.
    DEVSTA_PENDING, DEVSTA_PENDING_BIT = 5;
}

fields! { LINK_CAPABILITY_FIELDS, LINK_CAPABILITY_CONSTANTS in "config", 32;
    /// Largest speed: 1 for 2.5 GT/s, 2 for 5, 3 for 8, 4 for 16.
    LNKCAP_SPEED_LSB, LNKCAP_SPEED_BITS = 0, 4;
    /// Largest width, lanes.
    LNKCAP_WIDTH_LSB, LNKCAP_WIDTH_BITS = 4, 6;
    /// Power saving: none.
    LNKCAP_ASPM_LSB, LNKCAP_ASPM_BITS = 10, 2;
    /// ASPM optionality compliance: 1.
    LNKCAP_ASPM_OPTIONAL_LSB, LNKCAP_ASPM_OPTIONAL_BITS = 22, 1;
    /// Port number.
    LNKCAP_PORT_LSB, LNKCAP_PORT_BITS = 24, 8;
}

fields! { LINK_STATUS_FIELDS, LINK_STATUS_CONSTANTS in "config", 16;
    /// Speed now.
    LNKSTA_SPEED_LSB, LNKSTA_SPEED_BITS = 0, 4;
    /// Width now.
    LNKSTA_WIDTH_LSB, LNKSTA_WIDTH_BITS = 4, 6;
    /// The slot's reference clock is used.
    LNKSTA_SLOT_CLOCK_LSB, LNKSTA_SLOT_CLOCK_BITS = 12, 1;
}

fields! { DEVICE_CAPABILITY2_FIELDS, DEVICE_CAPABILITY2_CONSTANTS in "config", 32;
    /// Completion timeout ranges: 0, the value is fixed.
    DEVCAP2_TIMEOUT_RANGES_LSB, DEVCAP2_TIMEOUT_RANGES_BITS = 0, 4;
    /// The completion timeout can be disabled.
    DEVCAP2_TIMEOUT_DISABLE_LSB, DEVCAP2_TIMEOUT_DISABLE_BITS = 4, 1;
    /// 10-bit tags as completer.
    DEVCAP2_TAG10_COMPLETER_LSB, DEVCAP2_TAG10_COMPLETER_BITS = 16, 1;
    /// 10-bit tags as requester.
    DEVCAP2_TAG10_REQUESTER_LSB, DEVCAP2_TAG10_REQUESTER_BITS = 17, 1;
}

fields! { DEVICE_CONTROL2_FIELDS, DEVICE_CONTROL2_CONSTANTS in "config", 16;
    /// Completion timeout value.
    DEVCTL2_TIMEOUT_LSB, DEVCTL2_TIMEOUT_BITS = 0, 4;
    /// Completion timeout off.
    DEVCTL2_TIMEOUT_DISABLE_LSB, DEVCTL2_TIMEOUT_DISABLE_BITS = 4, 1;
}

values! { VALUES, VALUE_CONSTANTS in "config";
    /// Capability: power management.
    CAP_ID_POWER: u64 = 0x01;
    /// Capability: vendor specific.
    CAP_ID_VENDOR: u64 = 0x09;
    /// Capability: PCI Express.
    CAP_ID_PCIE: u64 = 0x10;
    /// Capability: MSI-X.
    CAP_ID_MSIX: u64 = 0x11;
    /// Extended capability: vendor specific.
    EXT_CAP_ID_VENDOR: u64 = 0x000b;
    /// Version field of that capability.
    EXT_CAP_VERSION: u64 = 1;
    /// Bytes of the PCI Express capability of an endpoint.
    PCIE_BYTES: usize = 0x3c;
    /// `BAR_TYPE`: 64 bits.
    BAR_TYPE_64: u64 = 2;
    /// Low bits of a 64-bit prefetchable memory BAR.
    BAR_MEMORY_64_PREFETCHABLE: u64 = 0xc;
    /// `POWER_STATE`: on.
    POWER_D0: u64 = 0;
    /// `POWER_STATE`: off, but configuration answers.
    POWER_D3HOT: u64 = 3;
    /// Least MPS and MRRS, bytes; the fields count doublings of it.
    SIZE_UNIT: u64 = 128;
    /// Bytes of configuration space.
    SPACE_BYTES: usize = 4096;
    /// Bytes of the PCI-compatible part.
    SPACE_PCI_BYTES: usize = 256;
}

constants!(
    HEADER_CONSTANTS,
    COMMAND_CONSTANTS,
    STATUS_CONSTANTS,
    BAR_CONSTANTS,
    POWER_CONSTANTS,
    POWER_FIELD_CONSTANTS,
    PCIE_CONSTANTS,
    DEVICE_CAPABILITY_CONSTANTS,
    DEVICE_CONTROL_CONSTANTS,
    DEVICE_STATUS_CONSTANTS,
    LINK_CAPABILITY_CONSTANTS,
    LINK_STATUS_CONSTANTS,
    DEVICE_CAPABILITY2_CONSTANTS,
    DEVICE_CONTROL2_CONSTANTS,
    VALUE_CONSTANTS
);
