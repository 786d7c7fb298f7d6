//! What a request asks for.
//!
//! In: `header` of the request; `bar`.
//! Out: its kind; `hit`, its address is in the BAR; `dword` of its address; `dwords` it touches; `bytes` from its first to its last; `lower`,
//! the low bits of the first one's address.
//! Time: combinational.   Waits: never.
//! Spec: [PCI Express: Completion Rules; Data Return for Read Requests; First/Last DW Byte Enables Rules]

use hematite_abi::tlp;
use rust_hdl_core::prelude::*;

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct Shape {
    pub header: Signal<In, Bits<128>>,
    pub mem_read: Signal<Out, Bit>,
    pub mem_write: Signal<Out, Bit>,
    pub locked: Signal<Out, Bit>,
    pub posted: Signal<Out, Bit>,
    /// Configuration type 0 of function 0. We are function 0; there is no other.
    pub configures: Signal<Out, Bit>,
    /// Bits 63:16 of the BAR.
    pub bar: Signal<In, Bits<48>>,
    pub hit: Signal<Out, Bit>,
    pub dword: Signal<Out, Bits<14>>,
    pub dwords: Signal<Out, Bits<11>>,
    pub bytes: Signal<Out, Bits<13>>,
    pub lower: Signal<Out, Bits<7>>,
    count: Signal<Local, Bits<11>>,
    first: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    ahead: Signal<Local, Bits<2>>,
    behind: Signal<Local, Bits<2>>,
    kind: Signal<Local, Bits<8>>,
    place: Signal<Local, Bits<14>>,
    writes: Signal<Local, Bit>,
}

impl Logic for Shape {
    #[hdl_gen]
    fn update(&mut self) {
        self.count.next = bit_cast::<11, 10>(self.header.val().get_bits::<10>(tlp::LENGTH_LSB));
        if !self.header.val().get_bits::<10>(tlp::LENGTH_LSB).any() {
            self.count.next = 1024.into();
        }
        self.kind.next = self.header.val().get_bits::<8>(tlp::KIND_LSB);
        self.mem_read.next =
            (self.kind.val() == tlp::KIND_MEM_READ_32) | (self.kind.val() == tlp::KIND_MEM_READ_64);
        self.writes.next =
            (self.kind.val() == tlp::KIND_MEM_WRITE_32) | (self.kind.val() == tlp::KIND_MEM_WRITE_64);
        self.mem_write.next = self.writes.val();
        self.locked.next = (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_32)
            | (self.kind.val() == tlp::KIND_MEM_READ_LOCKED_64);
        self.posted.next = self.writes.val() | (self.kind.val().get_bits::<2>(3) == tlp::TYPE_MSG_HIGH);
        self.configures.next = ((self.kind.val() == tlp::KIND_CFG_READ_0)
            | (self.kind.val() == tlp::KIND_CFG_WRITE_0))
            & (self.count.val() == 1)
            & !self.header.val().get_bits::<3>(tlp::CFG_FUNCTION_LSB).any();

        // A request of one DWORD has its byte enables in the first field.
        self.first.next = self.header.val().get_bits::<4>(tlp::FIRST_BE_LSB);
        self.tail.next = self.header.val().get_bits::<4>(tlp::LAST_BE_LSB);
        if self.count.val() == 1 {
            self.tail.next = self.first.val();
        }
        self.hit.next = (self.header.val().get_bits::<16>(tlp::ADDR_DW2_LSB + 16)
            == self.bar.val().get_bits::<16>(0))
            & !self.bar.val().get_bits::<32>(16).any();
        self.place.next = self.header.val().get_bits::<14>(tlp::ADDR_DW2_LSB + 2);
        if self.header.val().get_bit(tlp::HAS_4DW_BIT) {
            self.hit.next = (self.header.val().get_bits::<16>(tlp::ADDR_DW3_LSB + 16)
                == self.bar.val().get_bits::<16>(0))
                & (self.header.val().get_bits::<32>(tlp::ADDR_DW2_LSB) == self.bar.val().get_bits::<32>(16));
            self.place.next = self.header.val().get_bits::<14>(tlp::ADDR_DW3_LSB + 2);
        }
        self.dword.next = self.place.val();

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
        self.lower.next =
            (bit_cast::<7, 5>(self.place.val().get_bits::<5>(0)) << 2) | bit_cast::<7, 2>(self.ahead.val());
    }
}
