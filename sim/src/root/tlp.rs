//! A TLP as it crosses the device's edge, the builders of the ones we send, and a total parser of the ones we get.
//! Spec: [PCIe base: Transaction Layer Protocol - Packet Definition]

mod text;
mod view;

use std::fmt;

use hematite_abi::tlp as abi;

/// Bus, device and function number, as in a requester id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bdf(pub u16);

impl Bdf {
    /// The function number.
    pub fn function(self) -> u16 {
        self.0 & ((1 << abi::ID_FUNCTION_BITS) - 1)
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.0 >> 8, (self.0 >> 3) & 0x1f, self.0 & 7)
    }
}

/// One TLP: four header double words (word 0 holds byte 0 in its top bits, as the specification draws them; a
/// three-word header leaves the fourth 0), payload bytes in address order, and the link's error mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlp {
    pub header: [u32; 4],
    pub data: Vec<u8>,
    pub error: bool,
}

/// Completion status. [PCIe base: Completion Status field]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Success,
    UnsupportedRequest,
    RequestRetry,
    CompleterAbort,
    Reserved(u8),
}

/// What a memory request says beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemRequest {
    pub requester: Bdf,
    pub tag: u16,
    /// Double word address of the first byte named by `words`.
    pub addr: u64,
    /// Length in double words, 1 to 1024.
    pub words: u16,
    pub first_be: u8,
    pub last_be: u8,
}

/// What a configuration request says beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CfgRequest {
    pub requester: Bdf,
    pub tag: u16,
    pub target: Bdf,
    /// Offset of the double word, 0 to 4092.
    pub offset: u16,
    pub be: u8,
}

/// What a completion says beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CplFields {
    pub completer: Bdf,
    pub status: Status,
    /// Bytes still to come including this completion's, 1 to 4096.
    pub byte_count: u16,
    pub requester: Bdf,
    pub tag: u16,
    /// Low seven bits of the address of the first byte.
    pub lower_addr: u8,
}

/// A parsed TLP. Every bit pattern is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View<'a> {
    MemRead(MemRequest),
    MemWrite(MemRequest, &'a [u8]),
    CfgRead0(CfgRequest),
    CfgWrite0(CfgRequest, u32),
    Cpl(CplFields),
    CplD(CplFields, &'a [u8]),
    Msg {
        code: u8,
        routing: u8,
    },
    /// A legal TLP which nobody here speaks (I/O, atomics, type 1 configuration, locked, prefixes).
    Unsupported {
        format: u8,
        kind: u8,
    },
    Malformed(&'static str),
}

// The formats and types, as wide as their fields.
const FMT_3: u8 = abi::FMT_3DW as u8;
const FMT_4: u8 = abi::FMT_4DW as u8;
const FMT_3_DATA: u8 = abi::FMT_3DW_DATA as u8;
const FMT_4_DATA: u8 = abi::FMT_4DW_DATA as u8;
const MEM: u8 = abi::TYPE_MEM as u8;
const MEM_LOCKED: u8 = abi::TYPE_MEM_LOCKED as u8;
const IO: u8 = abi::TYPE_IO as u8;
const CFG0: u8 = abi::TYPE_CFG0 as u8;
const CFG1: u8 = abi::TYPE_CFG1 as u8;
const CPL: u8 = abi::TYPE_CPL as u8;
const CPL_LOCKED: u8 = abi::TYPE_CPL_LOCKED as u8;
const FETCH_ADD: u8 = abi::TYPE_FETCH_ADD as u8;
const SWAP: u8 = abi::TYPE_SWAP as u8;
const COMPARE_SWAP: u8 = abi::TYPE_CAS as u8;
const MSG: u8 = abi::TYPE_MSG as u8;
/// Type bits which are a message's routing.
const MSG_ROUTING: u8 = 0b111;

/// Longest payload a length field can say, in bytes.
pub const MAX_BYTES: usize = abi::PAYLOAD_MAX;
const MAX_WORDS: u16 = (MAX_BYTES / 4) as u16;

impl Status {
    fn from_bits(bits: u32) -> Status {
        match u64::from(bits) {
            abi::STATUS_SC => Status::Success,
            abi::STATUS_UR => Status::UnsupportedRequest,
            abi::STATUS_CRS => Status::RequestRetry,
            abi::STATUS_CA => Status::CompleterAbort,
            _ => Status::Reserved(bits as u8),
        }
    }

    fn bits(self) -> u32 {
        let bits = match self {
            Status::Success => abi::STATUS_SC,
            Status::UnsupportedRequest => abi::STATUS_UR,
            Status::RequestRetry => abi::STATUS_CRS,
            Status::CompleterAbort => abi::STATUS_CA,
            Status::Reserved(bits) => u64::from(bits),
        };
        bits as u32
    }
}

/// A header being filled: fields by their place in the 128 bits.
#[derive(Default)]
struct Header(u128);

impl Header {
    fn put(mut self, lsb: usize, bits: usize, value: u64) -> Header {
        self.0 |= (u128::from(value) & ((1 << bits) - 1)) << lsb;
        self
    }

    fn start(format: u8, kind: u8, tag: u16, words: u16) -> Header {
        Header::default()
            .put(abi::FMT_LSB, abi::FMT_BITS, format.into())
            .put(abi::TYPE_LSB, abi::TYPE_BITS, kind.into())
            .put(abi::TAG8_LSB, abi::TAG8_BITS, u64::from(tag >> abi::TAG_BITS))
            .put(abi::TAG9_LSB, abi::TAG9_BITS, u64::from(tag >> (abi::TAG_BITS + 1)))
            .put(abi::LENGTH_LSB, abi::LENGTH_BITS, words.into())
    }

    fn request(self, requester: Bdf, tag: u16, first_be: u8, last_be: u8) -> Header {
        self.put(abi::REQUESTER_LSB, abi::REQUESTER_BITS, requester.0.into())
            .put(abi::TAG_LSB, abi::TAG_BITS, tag.into())
            .put(abi::LAST_BE_LSB, abi::LAST_BE_BITS, last_be.into())
            .put(abi::FIRST_BE_LSB, abi::FIRST_BE_BITS, first_be.into())
    }

    fn words(self) -> [u32; 4] {
        [0, 32, 64, 96].map(|lsb| (self.0 >> lsb) as u32)
    }
}

/// The byte enables of `len` bytes at `addr`: first, last, and the number of double words.
/// [PCIe base: Byte Enable Rules]
pub fn byte_enables(addr: u64, len: usize) -> (u8, u8, u16) {
    assert!((1..=MAX_BYTES).contains(&len), "request of {len} bytes");
    let first_lane = (addr & 3) as usize;
    let words = (first_lane + len).div_ceil(4);
    let last_lane = (first_lane + len - 1) & 3;
    let first = (0xf << first_lane) & 0xf;
    let last = 0xf >> (3 - last_lane);
    if words == 1 { ((first & last) as u8, 0, 1) } else { (first as u8, last as u8, words as u16) }
}

impl Tlp {
    /// A memory request with every field given; `data` is empty for a read.
    pub fn memory(request: MemRequest, data: Option<&[u8]>) -> Tlp {
        let wide = request.addr > u64::from(u32::MAX);
        let format = match (wide, data.is_some()) {
            (false, false) => FMT_3,
            (true, false) => FMT_4,
            (false, true) => FMT_3_DATA,
            (true, true) => FMT_4_DATA,
        };
        let header = Header::start(format, MEM, request.tag, request.words).request(
            request.requester,
            request.tag,
            request.first_be,
            request.last_be,
        );
        let addr = request.addr & !3;
        let header = if wide {
            header.put(abi::ADDR_DW2_LSB, abi::ADDR_DW2_BITS, addr >> abi::ADDR_DW2_BITS).put(
                abi::ADDR_DW3_LSB,
                abi::ADDR_DW3_BITS,
                addr,
            )
        } else {
            header.put(abi::ADDR_DW2_LSB, abi::ADDR_DW2_BITS, addr)
        };
        Tlp { header: header.words(), data: data.unwrap_or_default().to_vec(), error: false }
    }

    /// Reads `len` bytes at `addr`, any alignment.
    pub fn mem_read(requester: Bdf, tag: u16, addr: u64, len: usize) -> Tlp {
        let (first_be, last_be, words) = byte_enables(addr, len);
        Tlp::memory(MemRequest { requester, tag, addr: addr & !3, words, first_be, last_be }, None)
    }

    /// Writes `bytes` at `addr`, any alignment.
    pub fn mem_write(requester: Bdf, addr: u64, bytes: &[u8]) -> Tlp {
        let (first_be, last_be, words) = byte_enables(addr, bytes.len());
        let mut data = vec![0; usize::from(words) * 4];
        let lane = (addr & 3) as usize;
        data[lane..lane + bytes.len()].copy_from_slice(bytes);
        Tlp::memory(MemRequest { requester, tag: 0, addr: addr & !3, words, first_be, last_be }, Some(&data))
    }

    fn config(request: CfgRequest, value: Option<u32>) -> Tlp {
        let format = if value.is_some() { FMT_3_DATA } else { FMT_3 };
        let header = Header::start(format, CFG0, request.tag, 1)
            .request(request.requester, request.tag, request.be, 0)
            .put(abi::CFG_TARGET_LSB, abi::CFG_TARGET_BITS, request.target.0.into())
            .put(abi::CFG_REGISTER_LSB, abi::CFG_REGISTER_BITS, u64::from(request.offset / 4));
        let data = value.map(|value| value.to_le_bytes().to_vec()).unwrap_or_default();
        Tlp { header: header.words(), data, error: false }
    }

    /// A type 0 configuration read.
    pub fn cfg_read0(request: CfgRequest) -> Tlp {
        Tlp::config(request, None)
    }

    /// A type 0 configuration write of the lanes in `request.be`.
    pub fn cfg_write0(request: CfgRequest, value: u32) -> Tlp {
        Tlp::config(request, Some(value))
    }

    fn completion_header(format: u8, fields: CplFields, words: u16) -> [u32; 4] {
        Header::start(format, CPL, fields.tag, words)
            .put(abi::CPL_COMPLETER_LSB, abi::CPL_COMPLETER_BITS, fields.completer.0.into())
            .put(abi::CPL_STATUS_LSB, abi::CPL_STATUS_BITS, fields.status.bits().into())
            .put(abi::CPL_BYTES_LSB, abi::CPL_BYTES_BITS, fields.byte_count.into())
            .put(abi::CPL_REQUESTER_LSB, abi::CPL_REQUESTER_BITS, fields.requester.0.into())
            .put(abi::CPL_TAG_LSB, abi::CPL_TAG_BITS, fields.tag.into())
            .put(abi::CPL_LOWER_LSB, abi::CPL_LOWER_BITS, fields.lower_addr.into())
            .words()
    }

    /// A completion without data.
    pub fn cpl(fields: CplFields) -> Tlp {
        Tlp { header: Tlp::completion_header(FMT_3, fields, 0), data: vec![], error: false }
    }

    /// The same completion, for a locked read. [PCIe base: Completion Rules]
    pub fn locked(mut self) -> Tlp {
        self.header[0] |= u32::from(CPL ^ CPL_LOCKED) << abi::TYPE_LSB;
        self
    }

    /// A completion with `data`, whole double words.
    pub fn cpl_d(fields: CplFields, data: Vec<u8>) -> Tlp {
        let words = (data.len() / 4) as u16;
        Tlp { header: Tlp::completion_header(FMT_3_DATA, fields, words), data, error: false }
    }

    /// A field by its place in the 128 bits.
    fn field(&self, lsb: usize, bits: usize) -> u64 {
        let header = (0..4).fold(0, |header, word| header | u128::from(self.header[word]) << (32 * word));
        (header >> lsb) as u64 & (u64::MAX >> (64 - bits))
    }

    /// The poisoned bit (EP): the sender knows that the payload is bad.
    pub fn poisoned(&self) -> bool {
        self.field(abi::EP_LSB, abi::EP_BITS) == 1
    }

    /// The same TLP with the poisoned bit set.
    pub fn poison(mut self) -> Tlp {
        self.header[0] |= 1 << abi::EP_LSB;
        self
    }

    /// Format field.
    pub fn format(&self) -> u8 {
        self.field(abi::FMT_LSB, abi::FMT_BITS) as u8
    }

    /// Type field.
    pub fn kind(&self) -> u8 {
        self.field(abi::TYPE_LSB, abi::TYPE_BITS) as u8
    }

    /// Words of header, 3 or 4.
    pub fn header_words(&self) -> usize {
        3 + usize::from(self.format() >> abi::FMT_4DW_BIT & 1)
    }

    /// The length field, in double words (0 means 1024).
    pub fn words(&self) -> u16 {
        match self.field(abi::LENGTH_LSB, abi::LENGTH_BITS) {
            0 => MAX_WORDS,
            words => words as u16,
        }
    }

    /// Bytes on the link with framing, sequence number and LCRC: what the bandwidth model charges.
    pub fn wire_bytes(&self) -> u64 {
        // 4 framing, 2 sequence, 4 LCRC, less what the measured table of DESIGN 10 rounds: MWr/MRd 24 (four words), CplD 20.
        8 + 4 * self.header_words() as u64 + self.data.len() as u64
    }

    /// Whether its sender waits for a completion. [PCIe base: Transaction Types, posted and non-posted]
    pub fn non_posted(&self) -> bool {
        let data = self.format() == FMT_3_DATA || self.format() == FMT_4_DATA;
        match self.kind() {
            MEM => !data,
            MEM_LOCKED => !data,
            IO | CFG0 | CFG1 => true,
            FETCH_ADD | SWAP | COMPARE_SWAP => data,
            _ => false,
        }
    }

    /// Whether it is a locked read.
    pub fn is_locked_read(&self) -> bool {
        self.kind() == MEM_LOCKED && self.non_posted()
    }

    /// Where a request's completion goes.
    pub fn requester_and_tag(&self) -> (Bdf, u16) {
        let requester = Bdf(self.field(abi::REQUESTER_LSB, abi::REQUESTER_BITS) as u16);
        (requester, self.tag(abi::TAG_LSB))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn byte_enables_of_every_small_request() {
        for addr in 0..4u64 {
            for len in 1..=16usize {
                let (first, last, words) = byte_enables(addr, len);
                let mut bytes: Vec<u64> = (0..4).filter(|b| first >> b & 1 == 1).collect();
                if words > 1 {
                    bytes.extend(4..u64::from(words - 1) * 4);
                    bytes.extend((0..4).filter(|b| last >> b & 1 == 1).map(|b| u64::from(words - 1) * 4 + b));
                }
                assert_eq!(bytes, (addr..addr + len as u64).collect::<Vec<_>>(), "{addr} {len}");
            }
        }
    }

    #[test]
    fn parses_what_it_builds() {
        let host = Bdf(0);
        let tlp = Tlp::mem_read(host, 0x2a5, 0x1_2345_6789, 7);
        let View::MemRead(request) = tlp.view() else { panic!("{tlp}") };
        assert_eq!((request.addr, request.words, request.tag), (0x1_2345_6788, 2, 0x2a5));
        let tlp = Tlp::mem_write(host, 0x1002, &[1, 2, 3]);
        let View::MemWrite(request, data) = tlp.view() else { panic!("{tlp}") };
        assert_eq!((request.first_be, request.last_be), (0xc, 1));
        assert_eq!(data, [0, 0, 1, 2, 3, 0, 0, 0]);
        assert_eq!(tlp.to_string(), "MWr32 00:00.0 tag 00 addr 0x1000 dw 2 be c/1 00000102 03000000");
    }

    #[test]
    fn any_bits_have_a_view() {
        let mut rng = crate::seed::Seed(1).rng(0);
        for _ in 0..20_000 {
            let data = vec![0; rng.random_range(0..6) * 4];
            let tlp = Tlp { header: rng.random(), data, error: rng.random() };
            assert!(!tlp.to_string().is_empty());
        }
    }
}
