//! The total parser: whatever the bits, there is a [`View`].
//! Spec: [PCIe base: Transaction Layer Protocol - Packet Definition]

use hematite_abi::tlp as abi;

use super::{
    Bdf, CFG0, CPL, CPL_LOCKED, CfgRequest, CplFields, FMT_3_DATA, FMT_4_DATA, MAX_BYTES, MEM, MSG,
    MSG_ROUTING, MemRequest, Status, Tlp, View,
};

impl Tlp {
    /// The tag whose low bits are at `lsb`, with bits 8 and 9 of the first word.
    pub(super) fn tag(&self, lsb: usize) -> u16 {
        let low = self.field(lsb, abi::TAG_BITS);
        let t8 = self.field(abi::TAG8_LSB, abi::TAG8_BITS);
        let t9 = self.field(abi::TAG9_LSB, abi::TAG9_BITS);
        (t9 << (abi::TAG_BITS + 1) | t8 << abi::TAG_BITS | low) as u16
    }

    fn mem_request(&self) -> MemRequest {
        let (requester, tag) = self.requester_and_tag();
        let dw2 = self.field(abi::ADDR_DW2_LSB, abi::ADDR_DW2_BITS);
        let addr = match self.header_words() {
            4 => dw2 << abi::ADDR_DW2_BITS | self.field(abi::ADDR_DW3_LSB, abi::ADDR_DW3_BITS),
            _ => dw2,
        };
        MemRequest {
            requester,
            tag,
            addr: addr & !3,
            words: self.words(),
            first_be: self.field(abi::FIRST_BE_LSB, abi::FIRST_BE_BITS) as u8,
            last_be: self.field(abi::LAST_BE_LSB, abi::LAST_BE_BITS) as u8,
        }
    }

    fn cfg_request(&self) -> CfgRequest {
        let (requester, tag) = self.requester_and_tag();
        CfgRequest {
            requester,
            tag,
            target: Bdf(self.field(abi::CFG_TARGET_LSB, abi::CFG_TARGET_BITS) as u16),
            offset: 4 * self.field(abi::CFG_REGISTER_LSB, abi::CFG_REGISTER_BITS) as u16,
            be: self.field(abi::FIRST_BE_LSB, abi::FIRST_BE_BITS) as u8,
        }
    }

    fn cpl_fields(&self) -> CplFields {
        let count = self.field(abi::CPL_BYTES_LSB, abi::CPL_BYTES_BITS) as u16;
        CplFields {
            completer: Bdf(self.field(abi::CPL_COMPLETER_LSB, abi::CPL_COMPLETER_BITS) as u16),
            status: Status::from_bits(self.field(abi::CPL_STATUS_LSB, abi::CPL_STATUS_BITS) as u32),
            byte_count: if count == 0 { MAX_BYTES as u16 } else { count },
            requester: Bdf(self.field(abi::CPL_REQUESTER_LSB, abi::CPL_REQUESTER_BITS) as u16),
            tag: self.tag(abi::CPL_TAG_LSB),
            lower_addr: self.field(abi::CPL_LOWER_LSB, abi::CPL_LOWER_BITS) as u8,
        }
    }

    /// Parses. Total: whatever the bits, there is an answer.
    pub fn view(&self) -> View<'_> {
        let (format, kind) = (self.format(), self.kind());
        if format > FMT_4_DATA {
            return View::Unsupported { format, kind };
        }
        let has_data = format == FMT_3_DATA || format == FMT_4_DATA;
        let promised = if has_data { usize::from(self.words()) * 4 } else { 0 };
        if self.data.len() != promised {
            return View::Malformed(if has_data {
                "payload is not as long as the length field says"
            } else {
                "payload behind a header without data"
            });
        }
        if self.field(abi::TD_LSB, abi::TD_BITS) == 1 {
            return View::Malformed("digest bit set, no digest crosses this edge");
        }
        match (kind, has_data) {
            (MEM, false) => View::MemRead(self.mem_request()),
            (MEM, true) => View::MemWrite(self.mem_request(), &self.data),
            (CFG0, _) if self.words() != 1 || self.header_words() != 3 => {
                View::Malformed("configuration request is not one double word behind a three-word header")
            }
            (CFG0, false) => View::CfgRead0(self.cfg_request()),
            (CFG0, true) => {
                let mut word = [0; 4];
                word.copy_from_slice(&self.data);
                View::CfgWrite0(self.cfg_request(), u32::from_le_bytes(word))
            }
            (CPL | CPL_LOCKED, _) if self.header_words() != 3 => {
                View::Malformed("completion with a four-word header")
            }
            (CPL | CPL_LOCKED, false) => View::Cpl(self.cpl_fields()),
            (CPL | CPL_LOCKED, true) => View::CplD(self.cpl_fields(), &self.data),
            (kind, _) if kind & !MSG_ROUTING == MSG => View::Msg {
                code: self.field(abi::MSG_CODE_LSB, abi::MSG_CODE_BITS) as u8,
                routing: kind & MSG_ROUTING,
            },
            _ => View::Unsupported { format, kind },
        }
    }
}
