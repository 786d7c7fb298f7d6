//! Requests and completions which belong together: the device's reads, the host's non-posted requests.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::root::replies::span;
use crate::root::tlp::{Bdf, CplFields, MemRequest, Status, Tlp, View};

const PAGE: u64 = hematite_abi::tlp::PAGE_BYTES as u64;

/// A memory request's own shape.
/// [PCIe base: Memory Request Rules], [PCIe base: Byte Enable Rules]
pub(super) fn shape(tlp: &Tlp, request: &MemRequest, most: usize, limit: &str, broken: &mut Vec<String>) {
    let bytes = usize::from(request.words) * 4;
    if request.addr % PAGE + bytes as u64 > PAGE {
        broken.push("request crosses a 4 KiB boundary".into());
    }
    if bytes > most {
        broken.push(format!("{bytes} bytes, {limit} is {most}"));
    }
    let low = if tlp.header_words() == 4 { tlp.header[3] } else { tlp.header[2] };
    if low & 3 != 0 {
        broken.push("address bits 1:0 are not zero".into());
    }
    if tlp.header_words() == 4 && tlp.header[2] == 0 {
        broken.push("four-word header for an address below 4 GiB".into());
    }
    let (first, last) = (request.first_be, request.last_be);
    match request.words {
        1 if last != 0 => broken.push("last byte enables of a request of one double word".into()),
        1 => {}
        _ if first == 0 || last == 0 => broken.push("empty byte enables of a longer request".into()),
        2 if request.addr.is_multiple_of(8) => {}
        _ => {
            let first_ok = matches!(first, 0b1111 | 0b1110 | 0b1100 | 0b1000);
            let last_ok = matches!(last, 0b1111 | 0b0111 | 0b0011 | 0b0001);
            if !first_ok || !last_ok {
                broken.push("byte enables with holes".into());
            }
        }
    }
}

/// Reads of the device which are not answered in full.
#[derive(Debug, Default)]
pub(super) struct DeviceReads {
    /// By tag: bytes still to come.
    open: BTreeMap<u16, usize>,
}

impl DeviceReads {
    pub(super) fn sent(&mut self, request: &MemRequest, tags: u16, broken: &mut Vec<String>) {
        if request.tag >= tags {
            broken.push(format!("tag {:#x}, only {tags} are enabled", request.tag));
        }
        if self.open.insert(request.tag, span(request).1).is_some() {
            broken.push("tag used again while its read is outstanding".into());
        }
    }

    pub(super) fn forgive(&mut self, tag: u16) {
        self.open.remove(&tag);
    }

    pub(super) fn completion(&mut self, tlp: &Tlp) {
        match tlp.view() {
            View::Cpl(fields) => {
                self.open.remove(&fields.tag);
            }
            View::CplD(fields, data) => {
                let Some(left) = self.open.get_mut(&fields.tag) else { return };
                let bytes = data.len() - usize::from(fields.lower_addr & 3);
                *left = left.saturating_sub(bytes);
                if *left == 0 || fields.status != Status::Success {
                    self.open.remove(&fields.tag);
                }
            }
            _ => {}
        }
    }
}

/// What a host request still waits for.
#[derive(Debug)]
struct Open {
    text: String,
    /// Reads: the next byte's address and the bytes still to come.
    data: Option<(u64, usize)>,
    written: Option<Tlp>,
}

/// Non-posted requests of the host which are not answered in full.
#[derive(Debug, Default)]
pub(super) struct HostRequests {
    open: BTreeMap<(Bdf, u16), Open>,
}

impl HostRequests {
    pub(super) fn sent(&mut self, tlp: &Tlp) {
        if tlp.error {
            return;
        }
        let (requester, tag, data, written) = match tlp.view() {
            View::MemRead(r) => {
                let (lead, len) = span(&r);
                (r.requester, r.tag, Some((r.addr + lead, len)), None)
            }
            View::CfgRead0(r) => (r.requester, r.tag, Some((0, 4)), None),
            View::CfgWrite0(r, _) => (r.requester, r.tag, None, Some(tlp.clone())),
            _ => return,
        };
        self.open.insert((requester, tag), Open { text: tlp.to_string(), data, written });
    }

    pub(super) fn unanswered(&mut self) -> Vec<String> {
        std::mem::take(&mut self.open).into_values().map(|open| open.text).collect()
    }

    /// A completion of the device. Hands back the configuration write which it ends.
    pub(super) fn answered(
        &mut self,
        fields: &CplFields,
        data: Option<&[u8]>,
        settings: &Settings,
        broken: &mut Vec<String>,
    ) -> Option<Tlp> {
        let key = (fields.requester, fields.tag);
        let Some(open) = self.open.get_mut(&key) else {
            broken.push("completion which nobody asked for".into());
            return None;
        };
        // Before the first configuration write the device does not know its number.
        if fields.completer != settings.function() {
            broken.push(format!("completer id is not {}", settings.function()));
        }
        if matches!(fields.status, Status::Reserved(_)) {
            broken.push("reserved completion status".into());
        }
        let done = match (&mut open.data, data) {
            (_, None) | (None, Some(_)) => true,
            (Some((addr, left)), Some(data)) => {
                if usize::from(fields.byte_count) != *left {
                    broken.push(format!("byte count {}, {left} were left", fields.byte_count));
                }
                if u64::from(fields.lower_addr) != *addr & 0x7f {
                    broken.push(format!("lower address {:#x}, next byte is at {addr:#x}", fields.lower_addr));
                }
                if data.len() > settings.payload_bytes() {
                    broken.push(format!(
                        "{} bytes, Max_Payload_Size is {}",
                        data.len(),
                        settings.payload_bytes()
                    ));
                }
                let bytes = data.len() - (*addr & 3) as usize;
                let end = *addr + bytes as u64;
                let whole = bytes >= *left;
                if whole && data.len() > ((*addr & 3) as usize + *left).div_ceil(4) * 4 {
                    broken.push("more payload than was left".into());
                }
                if !whole && !end.is_multiple_of(RCB) {
                    broken.push("completion ends between Read Completion Boundaries".into());
                }
                *addr = end;
                *left = left.saturating_sub(bytes);
                whole
            }
        };
        let success = fields.status == Status::Success;
        match (open.data.is_some(), data.is_some()) {
            (true, false) if success => broken.push("successful read completed without data".into()),
            (false, true) => broken.push("write completed with data".into()),
            (true, true) if !success => broken.push("data in an unsuccessful completion".into()),
            _ => {}
        }
        if !done {
            return None;
        }
        self.open.remove(&key).and_then(|open| open.written).filter(|_| success)
    }
}

/// Read Completion Boundary of an endpoint, fixed. [PCIe base: Data Return for Read Requests]
const RCB: u64 = 128;
