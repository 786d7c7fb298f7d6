//! Generic netlink: a question, and all messages that answer it. The kernel's answers are checked like a device's.
//! Spec: Linux, Documentation/userspace-api/netlink/intro.rst

use std::io;
use std::time::Duration;

use netlink_packet_core::{
    DecodeError, Emitable, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_REQUEST,
    NetlinkMessage, NetlinkPayload, Nla, NlasIterator, ParseableParametrized, parse_string, parse_u16,
    parse_u32, parse_u64,
};
use netlink_packet_generic::constants::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{MsgFlags, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use crate::error::{Error, Result};

/// The controller's version, which it does not look at.
const CONTROLLER_VERSION: u8 = 2;
/// Of an error's extended part: what is wrong, in words.
const ERROR_TEXT: u16 = 1;
/// Bytes of a message's header.
const HEADER: usize = 16;
/// The kernel answers at once, but for drivers that set a device up.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest value of an attribute.
const ATTRIBUTE: usize = u16::MAX as usize - 4;
/// Larger than what the kernel puts into one datagram.
const DATAGRAM: usize = 1 << 16;
/// Datagrams that an answer may have: nobody has so many devices.
const DATAGRAMS: usize = 4096;

/// The way to the kernel.
pub trait Wire {
    /// Sends one message.
    fn send(&mut self, message: &[u8]) -> Result<()>;
    /// The next datagram, which may hold several messages.
    fn receive(&mut self) -> Result<Vec<u8>>;
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its number, without its flags.
    pub kind: u16,
    /// Its bytes.
    pub value: Vec<u8>,
}

impl Attribute {
    /// Of bytes.
    pub fn new(kind: u16, value: impl Into<Vec<u8>>) -> Attribute {
        Attribute { kind, value: value.into() }
    }

    /// Of a text, with its end.
    pub fn text(kind: u16, text: &str) -> Attribute {
        Attribute::new(kind, [text.as_bytes(), b"\0"].concat())
    }
}

impl Nla for Attribute {
    fn value_len(&self) -> usize {
        self.value.len()
    }

    fn kind(&self) -> u16 {
        self.kind
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.value);
    }
}

/// A message of any family: a command and attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which command.
    pub command: u8,
    /// Of which version of the family.
    pub version: u8,
    /// What comes with it.
    pub attributes: Vec<Attribute>,
}

fn wrong(error: impl std::fmt::Display) -> Error {
    Error::Netlink(error.to_string())
}

impl Message {
    fn find(&self, kind: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|one| one.kind == kind).map(|one| one.value.as_slice())
    }

    fn read<T>(
        &self,
        kind: u16,
        parse: impl Fn(&[u8]) -> std::result::Result<T, DecodeError>,
    ) -> Result<Option<T>> {
        let read = self.find(kind).map(parse).transpose();
        read.map_err(|error| wrong(format!("attribute {kind}: {error}")))
    }

    /// A text.
    pub fn text(&self, kind: u16) -> Result<Option<String>> {
        self.read(kind, parse_string)
    }

    /// A number of 16 bits.
    pub fn short(&self, kind: u16) -> Result<Option<u16>> {
        self.read(kind, parse_u16)
    }

    /// A number of 32 bits.
    pub fn word(&self, kind: u16) -> Result<Option<u32>> {
        self.read(kind, parse_u32)
    }

    /// A number of 64 bits.
    pub fn long(&self, kind: u16) -> Result<Option<u64>> {
        self.read(kind, parse_u64)
    }

    /// Six bytes.
    pub fn mac(&self, kind: u16) -> Result<Option<[u8; 6]>> {
        self.read(kind, |bytes| bytes.try_into().map_err(|_| DecodeError::invalid_mac_address(bytes.len())))
    }
}

impl GenlFamily for Message {
    /// Not asked for: families are resolved by name, see [`Netlink::family`].
    fn family_name() -> &'static str {
        ""
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        self.version
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> std::result::Result<Message, DecodeError> {
        let attributes = attributes(bytes)?;
        Ok(Message { command: header.cmd, version: header.version, attributes })
    }
}

fn attributes(bytes: &[u8]) -> std::result::Result<Vec<Attribute>, DecodeError> {
    let parsed = NlasIterator::new(bytes);
    parsed.map(|one| one.map(|one| Attribute { kind: one.kind(), value: one.value().to_vec() })).collect()
}

/// The kernel's answer is an error: its number, and what it says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number, positive.
    pub code: i32,
    /// In words, if the kernel has some.
    pub text: Option<String>,
}

impl Refusal {
    /// Of an error message's rest, which begins with the header of what was asked.
    fn read(code: i32, rest: &[u8], flags: u16) -> Refusal {
        let text = || {
            if flags & NLM_F_ACK_TLVS == 0 {
                return None;
            }
            let asked: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            let whole = u32::from_ne_bytes(asked) as usize;
            let skip = if flags & NLM_F_CAPPED == 0 { whole.max(HEADER) } else { HEADER };
            let more = attributes(rest.get(skip.checked_next_multiple_of(4)?..)?).ok()?;
            let said = more.iter().find(|one| one.kind == ERROR_TEXT)?;
            parse_string(&said.value).ok()
        };
        Refusal { code: code.saturating_abs(), text: text() }
    }

    /// As an error of what was tried.
    pub fn error(&self, what: impl Into<String>, next: &'static str) -> Error {
        let said = self.text.as_ref().map_or(String::new(), |text| format!(": the kernel says {text:?}"));
        Error::system(what.into() + &said, io::Error::from_raw_os_error(self.code), next)
    }
}

/// A conversation.
pub struct Netlink<W> {
    wire: W,
    sequence: u32,
}

impl<W: Wire> Netlink<W> {
    /// By a wire.
    pub fn new(wire: W) -> Netlink<W> {
        Netlink { wire, sequence: 0 }
    }

    /// Asks, and takes all answers. `all`: for each there is, not for one.
    pub fn ask(
        &mut self,
        family: u16,
        message: Message,
        all: bool,
    ) -> Result<std::result::Result<Vec<Message>, Refusal>> {
        if message.attributes.iter().any(|one| one.value.len() > ATTRIBUTE) {
            return Err(wrong("a question with an attribute that is too long"));
        }
        self.sequence = self.sequence.wrapping_add(1);
        let header = GenlHeader { cmd: message.command, version: message.version };
        let mut asked = NetlinkMessage::from(GenlMessage::new(header, message, family));
        asked.header.flags = NLM_F_REQUEST | if all { NLM_F_DUMP } else { NLM_F_ACK };
        asked.header.sequence_number = self.sequence;
        asked.finalize();
        let mut bytes = vec![0; asked.buffer_len()];
        asked.serialize(&mut bytes);
        self.wire.send(&bytes)?;
        let mut answers = vec![];
        for _ in 0..DATAGRAMS {
            let datagram = self.wire.receive()?;
            if let Some(end) = self.take(family, &datagram, &mut answers)? {
                return Ok(end.map(|()| answers));
            }
        }
        Err(wrong(format!("no end after {DATAGRAMS} datagrams")))
    }

    /// The messages of a datagram; how the answer ends, if it does in it.
    fn take(
        &self,
        family: u16,
        datagram: &[u8],
        answers: &mut Vec<Message>,
    ) -> Result<Option<std::result::Result<(), Refusal>>> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let read = NetlinkMessage::<GenlMessage<Message>>::deserialize(rest).map_err(wrong)?;
            let (header, payload) = read.into_parts();
            // The parser has checked that the length is inside, and not shorter than a header.
            let length = (header.length as usize).checked_next_multiple_of(4).unwrap_or(usize::MAX);
            rest = rest.get(length.max(HEADER)..).unwrap_or_default();
            if header.sequence_number != self.sequence {
                // Of an earlier question, or told to everybody.
                continue;
            }
            match payload {
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(Some(Ok(()))),
                NetlinkPayload::Error(error) => {
                    let refusal = Refusal::read(error.raw_code(), &error.header, header.flags);
                    return Ok(Some(Err(refusal)));
                }
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Ok(Some(Err(Refusal { code: done.code.saturating_abs(), text: None })));
                }
                NetlinkPayload::Done(_) => return Ok(Some(Ok(()))),
                NetlinkPayload::InnerMessage(message) if header.message_type == family => {
                    answers.push(message.payload);
                }
                NetlinkPayload::InnerMessage(_) => {
                    return Err(wrong(format!("an answer of family {}, not {family}", header.message_type)));
                }
                NetlinkPayload::Overrun(_) => return Err(wrong("the kernel has lost messages")),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The number of a family; none if this kernel has none of that name.
    pub fn family(&mut self, name: &str) -> Result<Option<u16>> {
        let attributes = vec![Attribute::text(CTRL_ATTR_FAMILY_NAME, name)];
        let message = Message { command: CTRL_CMD_GETFAMILY, version: CONTROLLER_VERSION, attributes };
        match self.ask(GENL_ID_CTRL, message, false)? {
            Ok(answers) => {
                let first = answers.first().ok_or_else(|| wrong(format!("no answer about {name}")))?;
                let id = first.short(CTRL_ATTR_FAMILY_ID)?.filter(|id| *id > GENL_ID_CTRL);
                id.map(Some).ok_or_else(|| wrong(format!("the family {name} has no number")))
            }
            Err(refusal) if refusal.code == nix::errno::Errno::ENOENT as i32 => Ok(None),
            Err(refusal) => Err(refusal.error(format!("look for the family {name}"), "is it a Linux?")),
        }
    }
}

/// The kernel's socket.
pub struct Kernel(Socket);

impl Kernel {
    /// Opens it.
    pub fn open() -> Result<Kernel> {
        let fail = |error: io::Error| {
            Error::system("open a generic netlink socket", error, "a sandbox may forbid it: run outside")
        };
        let mut socket = Socket::new(NETLINK_GENERIC).map_err(fail)?;
        socket.bind_auto().map_err(fail)?;
        // Without these there are fewer words, and nothing else: an old kernel knows neither.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        let limit = TimeVal::new(LIMIT.as_secs() as i64, 0);
        setsockopt(&socket, sockopt::ReceiveTimeout, &limit).map_err(|error| fail(error.into()))?;
        Ok(Kernel(socket))
    }
}

impl Wire for Kernel {
    fn send(&mut self, message: &[u8]) -> Result<()> {
        let sent = self.0.send_to(message, &SocketAddr::new(0, 0), 0);
        let next = "dmesg may say why the kernel takes no netlink messages";
        sent.map(drop).map_err(|error| Error::system("send to the kernel", error, next))
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM);
            // MSG_TRUNC: the length that the datagram has, not what fits.
            let (length, from) = match self.0.recv_from(&mut datagram, MsgFlags::MSG_TRUNC.bits()) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Error::Late { what: "the kernel's answer".into(), limit: LIMIT });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Error::system("receive from the kernel", error, "the same again may help"));
                }
            };
            if length > datagram.len() {
                return Err(wrong(format!("a datagram of {length} bytes: more than there is room for")));
            }
            // Others may send to our port; only the kernel's answers count.
            if from.port_number() == 0 {
                return Ok(datagram);
            }
        }
    }
}
