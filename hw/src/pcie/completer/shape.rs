//! What a request asks for, in bytes, and the header of its completion.
//!
//! In: `header` of the request.
//! Out: `dwords` it touches; `bytes` from its first to its last; `lower`, the low bits of the first one's address.
//! Time: combinational.   Waits: never.
//! Spec: [PCI Express: Completion Rules; Data Return for Read Requests; First/Last DW Byte Enables Rules]

use hematite_abi::tlp;
use rust_hdl_core::prelude::*;

/// DW0 to DW3 of a completion, lowest bit first.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct CompletionHeader {
    /// In DWORDs.
    pub length: Bits<10>,
    pub at: Bits<2>,
    pub attr: Bits<2>,
    pub poisoned: Bit,
    pub digest: Bit,
    /// TH, LN.
    pub hints: Bits<2>,
    pub attr2: Bit,
    pub t8: Bit,
    pub class: Bits<3>,
    pub t9: Bit,
    /// Fmt and Type.
    pub kind: Bits<8>,
    /// Bytes to come, with these.
    pub bytes: Bits<12>,
    pub modified: Bit,
    pub status: Bits<3>,
    pub completer: Bits<16>,
    pub lower: Bits<7>,
    pub reserved: Bit,
    pub tag: Bits<8>,
    pub requester: Bits<16>,
    pub dw3: Bits<32>,
}

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct Shape {
    pub header: Signal<In, Bits<128>>,
    pub dwords: Signal<Out, Bits<11>>,
    pub bytes: Signal<Out, Bits<13>>,
    pub lower: Signal<Out, Bits<7>>,
    count: Signal<Local, Bits<11>>,
    first: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    ahead: Signal<Local, Bits<2>>,
    behind: Signal<Local, Bits<2>>,
    dword: Signal<Local, Bits<5>>,
}

impl Logic for Shape {
    #[hdl_gen]
    fn update(&mut self) {
        self.count.next = bit_cast::<11, 10>(self.header.val().get_bits::<10>(tlp::LENGTH_LSB));
        if !self.header.val().get_bits::<10>(tlp::LENGTH_LSB).any() {
            self.count.next = 1024.into();
        }
        // A request of one DWORD has its byte enables in the first field.
        self.first.next = self.header.val().get_bits::<4>(tlp::FIRST_BE_LSB);
        self.tail.next = self.header.val().get_bits::<4>(tlp::LAST_BE_LSB);
        if self.count.val() == 1 {
            self.tail.next = self.first.val();
        }
        self.dword.next = self.header.val().get_bits::<5>(tlp::ADDR_DW2_LSB + 2);
        if self.header.val().get_bit(tlp::HAS_4DW_BIT) {
            self.dword.next = self.header.val().get_bits::<5>(tlp::ADDR_DW3_LSB + 2);
        }

        self.ahead.next = 0.into();
        if !self.first.val().get_bit(0) {
            if self.first.val().get_bit(1) {
                self.ahead.next = 1.into();
            } else if self.first.val().get_bit(2) {
                self.ahead.next = 2.into();
            } else if self.first.val().get_bit(3) {
                self.ahead.next = 3.into();
            }
        }
        self.behind.next = 0.into();
        if !self.tail.val().get_bit(3) {
            // A request of no byte is answered as one of one byte.
            self.behind.next = 3.into();
            if self.tail.val().get_bit(2) {
                self.behind.next = 1.into();
            } else if self.tail.val().get_bit(1) {
                self.behind.next = 2.into();
            }
        }

        self.dwords.next = self.count.val();
        self.bytes.next = (bit_cast::<13, 11>(self.count.val()) << 2)
            - bit_cast::<13, 2>(self.ahead.val())
            - bit_cast::<13, 2>(self.behind.val());
        self.lower.next = (bit_cast::<7, 5>(self.dword.val()) << 2) | bit_cast::<7, 2>(self.ahead.val());
    }
}
