//! The header of a memory request.
//!
//! In: `addr`, `len` (bytes, at least 1), `write`, `tag`, `requester`.
//! Out: `header`; `last_dword`, the number of the last DWORD the request touches, from 0.
//! Time: combinational.   Waits: never.
//! Spec: [PCI Express: Memory, I/O, and Configuration Request Rules; First/Last DW Byte Enables Rules]

use rust_hdl_core::prelude::*;

/// DW0 to DW3 of a memory request, lowest bit first.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct RequestHeader {
    /// In DWORDs; 1024 is 0.
    pub length: Bits<10>,
    pub at: Bits<2>,
    pub attr: Bits<2>,
    pub poisoned: Bit,
    pub digest: Bit,
    /// TH, LN, Attr 2, T8.
    pub hints: Bits<4>,
    pub class: Bits<3>,
    pub t9: Bit,
    pub kind: Bits<5>,
    /// Fmt 0: the header has four DWORDs.
    pub four: Bit,
    /// Fmt 1: data follow.
    pub with_data: Bit,
    /// Fmt 2.
    pub prefix: Bit,
    pub first_be: Bits<4>,
    pub last_be: Bits<4>,
    pub tag: Bits<8>,
    pub requester: Bits<16>,
    /// The address, or its high half if `four`.
    pub dw2: Bits<32>,
    /// The address's low half if `four`.
    pub dw3: Bits<32>,
}

/// A request, made, and the number of its last DWORD.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Shaped {
    pub header: RequestHeader,
    pub last_dword: Bits<11>,
}

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct RequestShape {
    pub addr: Signal<In, Bits<64>>,
    pub len: Signal<In, Bits<13>>,
    pub write: Signal<In, Bit>,
    pub tag: Signal<In, Bits<8>>,
    pub requester: Signal<In, Bits<16>>,
    pub header: Signal<Out, RequestHeader>,
    pub last_dword: Signal<Out, Bits<11>>,
    offset: Signal<Local, Bits<2>>,
    whole: Signal<Local, Bits<11>>,
    rest: Signal<Local, Bits<3>>,
    more: Signal<Local, Bits<11>>,
    more_last: Signal<Local, Bits<11>>,
    count: Signal<Local, Bits<11>>,
    head: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    low: Signal<Local, Bits<32>>,
    high: Signal<Local, Bits<32>>,
    one: Signal<Local, Bit>,
    long: Signal<Local, Bit>,
}

impl Logic for RequestShape {
    #[hdl_gen]
    fn update(&mut self) {
        self.offset.next = self.addr.val().get_bits::<2>(0);
        // Whole DWORDs of the length, and what its rest and the offset add to them: one short carry chain for each sum.
        self.whole.next = self.len.val().get_bits::<11>(2);
        self.rest.next =
            bit_cast::<3, 2>(self.offset.val()) + bit_cast::<3, 2>(self.len.val().get_bits::<2>(0));
        match self.rest.val().index() {
            0 => {
                self.more.next = 0.into();
                self.more_last.next = 2047.into();
            }
            5 => {
                self.more.next = 2.into();
                self.more_last.next = 1.into();
            }
            6 => {
                self.more.next = 2.into();
                self.more_last.next = 1.into();
            }
            _ => {
                self.more.next = 1.into();
                self.more_last.next = 0.into();
            }
        }
        self.count.next = self.whole.val() + self.more.val();
        self.one.next = ((self.whole.val() == 0) & (self.more.val() == 1))
            | ((self.whole.val() == 1) & (self.more.val() == 0));
        self.low.next = bit_cast::<32, 30>(self.addr.val().get_bits::<30>(2)) << 2;
        self.high.next = self.addr.val().get_bits::<32>(32);
        self.long.next = self.high.val().any();

        match self.offset.val().index() {
            0 => self.head.next = 15.into(),
            1 => self.head.next = 14.into(),
            2 => self.head.next = 12.into(),
            _ => self.head.next = 8.into(),
        }
        match self.rest.val().get_bits::<2>(0).index() {
            0 => self.tail.next = 15.into(),
            1 => self.tail.next = 1.into(),
            2 => self.tail.next = 3.into(),
            _ => self.tail.next = 7.into(),
        }

        self.last_dword.next = self.whole.val() + self.more_last.val();
        self.header.next.length = bit_cast::<10, 11>(self.count.val());
        self.header.next.at = 0.into();
        self.header.next.attr = 0.into();
        self.header.next.poisoned = false;
        self.header.next.digest = false;
        self.header.next.hints = 0.into();
        self.header.next.class = 0.into();
        self.header.next.t9 = false;
        self.header.next.kind = 0.into();
        self.header.next.four = self.long.val();
        self.header.next.with_data = self.write.val();
        self.header.next.prefix = false;
        self.header.next.first_be = self.head.val();
        self.header.next.last_be = self.tail.val();
        // A request of one DWORD has its byte enables in the first field, and zeros in the last.
        if self.one.val() {
            self.header.next.first_be = self.head.val() & self.tail.val();
            self.header.next.last_be = 0.into();
        }
        self.header.next.tag = self.tag.val();
        self.header.next.requester = self.requester.val();
        // "For Addresses below 4 GB, Requesters must use the 32-bit format."
        if self.long.val() {
            self.header.next.dw2 = self.high.val();
            self.header.next.dw3 = self.low.val();
        } else {
            self.header.next.dw2 = self.low.val();
            self.header.next.dw3 = 0.into();
        }
    }
}
