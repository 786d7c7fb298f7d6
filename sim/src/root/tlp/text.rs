//! A TLP as one line of the log.

use std::fmt;

use super::{CfgRequest, CplFields, MemRequest, Tlp, View};

/// One line for the TLP log.
impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>| {
            for word in self.data.chunks(4).take(8) {
                write!(f, " ")?;
                word.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
            if self.data.len() > 32 { write!(f, " ... ({} bytes)", self.data.len()) } else { Ok(()) }
        };
        let mem = |f: &mut fmt::Formatter<'_>, name: &str, r: MemRequest| {
            let width = if self.header_words() == 4 { 64 } else { 32 };
            write!(
                f,
                "{name}{width} {} tag {:02x} addr {:#x} dw {} be {:x}/{:x}",
                r.requester, r.tag, r.addr, r.words, r.first_be, r.last_be
            )
        };
        let cfg = |f: &mut fmt::Formatter<'_>, name: &str, r: CfgRequest| {
            write!(
                f,
                "{name} {} tag {:02x} to {} offset {:#05x} be {:x}",
                r.requester, r.tag, r.target, r.offset, r.be
            )
        };
        let cpl = |f: &mut fmt::Formatter<'_>, name: &str, c: CplFields| {
            write!(
                f,
                "{name} {} to {} tag {:02x} {:?} bytes {} lower {:#04x}",
                c.completer, c.requester, c.tag, c.status, c.byte_count, c.lower_addr
            )
        };
        match self.view() {
            View::MemRead(r) => mem(f, "MRd", r)?,
            View::MemWrite(r, _) => mem(f, "MWr", r)?,
            View::CfgRead0(r) => cfg(f, "CfgRd0", r)?,
            View::CfgWrite0(r, _) => cfg(f, "CfgWr0", r)?,
            View::Cpl(c) => cpl(f, "Cpl", c)?,
            View::CplD(c, _) => cpl(f, "CplD", c)?,
            View::Msg { code, routing } => write!(f, "Msg code {code:#04x} routing {routing}")?,
            View::Unsupported { format, kind } => {
                write!(f, "unsupported fmt {format} type {kind:#04x} {:08x?}", self.header)?
            }
            View::Malformed(reason) => write!(f, "MALFORMED ({reason}) {:08x?}", self.header)?,
        }
        if self.poisoned() {
            write!(f, " poisoned")?;
        }
        if self.error {
            write!(f, " link-error")?;
        }
        hex(f)
    }
}
