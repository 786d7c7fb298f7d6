//! The header of a completion.
//!
//! In: the request's `header`; what is answered to it.   Out: `reply`.
//! Time: combinational.   Waits: never.
//! Spec: [PCI Express: Completion Rules]

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
pub struct Reply {
    pub header: Signal<In, Bits<128>>,
    pub completer: Signal<In, Bits<16>>,
    pub status: Signal<In, Bits<3>>,
    pub with_data: Signal<In, Bit>,
    /// In DWORDs, if `with_data`.
    pub length: Signal<In, Bits<6>>,
    /// The request reads memory, here or elsewhere; locked or not.
    pub memory: Signal<In, Bit>,
    pub locked: Signal<In, Bit>,
    pub bytes: Signal<In, Bits<13>>,
    pub lower: Signal<In, Bits<7>>,
    pub reply: Signal<Out, CompletionHeader>,
}

impl Logic for Reply {
    #[hdl_gen]
    fn update(&mut self) {
        self.reply.next.length = bit_cast::<10, 6>(self.length.val());
        self.reply.next.kind = tlp::KIND_CPL_D.into();
        if !self.with_data.val() {
            self.reply.next.length = 0.into();
            self.reply.next.kind = tlp::KIND_CPL.into();
            // "Completion for Locked Memory Read without Data - used only in error case."
            if self.locked.val() {
                self.reply.next.kind = tlp::KIND_CPL_LOCKED.into();
            }
        }
        self.reply.next.at = 0.into();
        self.reply.next.attr = self.header.val().get_bits::<2>(tlp::ATTR_LSB);
        self.reply.next.poisoned = false;
        self.reply.next.digest = false;
        self.reply.next.hints = 0.into();
        self.reply.next.attr2 = self.header.val().get_bit(tlp::ATTR2_LSB);
        self.reply.next.t8 = self.header.val().get_bit(tlp::TAG8_LSB);
        self.reply.next.class = self.header.val().get_bits::<3>(tlp::TC_LSB);
        self.reply.next.t9 = self.header.val().get_bit(tlp::TAG9_LSB);
        // Byte Count is 4 and Lower Address 0 for what is no memory read.
        self.reply.next.bytes = 4.into();
        self.reply.next.lower = 0.into();
        if self.memory.val() {
            self.reply.next.bytes = self.bytes.val().get_bits::<12>(0);
            self.reply.next.lower = self.lower.val();
        }
        self.reply.next.modified = false;
        self.reply.next.status = self.status.val();
        self.reply.next.completer = self.completer.val();
        self.reply.next.reserved = false;
        self.reply.next.tag = self.header.val().get_bits::<8>(tlp::TAG_LSB);
        self.reply.next.requester = self.header.val().get_bits::<16>(tlp::REQUESTER_LSB);
        self.reply.next.dw3 = 0.into();
    }
}
