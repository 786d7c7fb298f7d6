//! Names: of management devices, of devices, and addresses.

use std::fmt;
use std::str::FromStr;

use super::attribute::{MGMTDEV_BUS_NAME, MGMTDEV_DEV_NAME};
use crate::error::{Error, Result};
use crate::netlink::{Attribute, Message};

/// No name of a device is longer.
const NAME_MAX: usize = 127;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Mac> {
        let byte = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(part, 16).ok())?
        };
        let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
        let bytes: Option<[u8; 6]> = bytes.and_then(|bytes| bytes.try_into().ok());
        // The first bit of the first byte means many.
        let single = bytes.filter(|bytes| bytes[0] & 1 == 0);
        let wanted = "address of one interface, such as 52:54:00:12:34:56";
        single.map(Mac).ok_or_else(|| Error::Words { text: text.into(), wanted })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        out.write_str(&bytes.join(":"))
    }
}

/// A management device, as `BUS/NAME`, or `NAME` if it is on no bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    bus: Option<String>,
    name: String,
}

impl FromStr for Handle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Handle> {
        let (bus, name) = match text.split_once('/') {
            Some((bus, name)) => (Some(checked(bus)?), checked(name)?),
            None => (None, checked(text)?),
        };
        Ok(Handle { bus, name })
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(bus) = &self.bus {
            write!(out, "{bus}/")?;
        }
        out.write_str(&self.name)
    }
}

impl Handle {
    pub(super) fn read(message: &Message) -> Result<Option<Handle>> {
        let bus = message.text(MGMTDEV_BUS_NAME)?;
        Ok(message.text(MGMTDEV_DEV_NAME)?.map(|name| Handle { bus, name }))
    }

    pub(super) fn write(&self, attributes: &mut Vec<Attribute>) {
        let bus = self.bus.iter().map(|bus| Attribute::text(MGMTDEV_BUS_NAME, bus));
        attributes.extend(bus);
        attributes.push(Attribute::text(MGMTDEV_DEV_NAME, &self.name));
    }
}

/// A name that a device can have.
pub(super) fn checked(name: &str) -> Result<String> {
    let good = (1..=NAME_MAX).contains(&name.len()) && !name.contains(['/', '\0']);
    let wanted = "name of a device: 1 to 127 bytes, without `/`";
    good.then(|| name.to_string()).ok_or_else(|| Error::Words { text: name.into(), wanted })
}
