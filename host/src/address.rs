//! Where a function is: an address on the PCI bus, or a vfio-user socket.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::Error;

/// Domain, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdf {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// Devices of a bus, functions of a device.
const DEVICES: u8 = 32;
const FUNCTIONS: u8 = 8;

impl FromStr for Bdf {
    type Err = Error;

    /// `0000:00:01.0`, or `00:01.0` of domain 0.
    fn from_str(text: &str) -> Result<Bdf, Error> {
        parse(text)
            .ok_or_else(|| Error::Words { text: text.into(), wanted: "PCI address such as 0000:00:01.0" })
    }
}

fn parse(text: &str) -> Option<Bdf> {
    let (rest, function) = text.rsplit_once('.')?;
    let mut parts = rest.rsplit(':');
    let device = number(parts.next()?, 2)? as u8;
    let bus = number(parts.next()?, 2)? as u8;
    let domain = parts.next().map_or(Some(0), |part| number(part, 8))?;
    let function = number(function, 1)? as u8;
    let whole = parts.next().is_none() && device < DEVICES && function < FUNCTIONS;
    whole.then_some(Bdf { domain, bus, device, function })
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let good = !text.is_empty() && text.len() <= digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| u32::from_str_radix(text, 16).ok())?
}

impl fmt::Display for Bdf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04x}:{:02x}:{:02x}.{}", self.domain, self.bus, self.device, self.function)
    }
}

/// Which function, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// On this machine's PCI bus.
    Pci(Bdf),
    /// Behind a socket, as `hematite-sim serve` has it.
    VfioUser(PathBuf),
}

/// What comes before a socket's path.
const VFIO_USER: &str = "vfio-user:";

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address, Error> {
        match text.strip_prefix(VFIO_USER) {
            Some("") => Err(Error::Words {
                text: text.into(),
                wanted: "vfio-user:PATH: the socket's path is missing",
            }),
            Some(path) => Ok(Address::VfioUser(path.into())),
            None => text.parse().map(Address::Pci).map_err(|_| Error::Words {
                text: text.into(),
                wanted: "device: a PCI address such as 0000:00:01.0, or vfio-user:PATH",
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Pci(bdf) => write!(out, "{bdf}"),
            Address::VfioUser(path) => write!(out, "{VFIO_USER}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for (text, shown) in [
            ("0000:00:01.0", "0000:00:01.0"),
            ("3f:1f.7", "0000:3f:1f.7"),
            ("10000:01:00.0", "10000:01:00.0"),
        ] {
            assert_eq!(text.parse::<Bdf>().unwrap().to_string(), shown);
        }
        for text in
            ["", "1", "00:01", "00:20.0", "00:01.8", "0:0:0:0.0", "+0:01.0", "00:0g.0", "00:01.", ":01.0"]
        {
            assert!(text.parse::<Bdf>().is_err(), "{text:?}");
        }
        assert_eq!("vfio-user:/tmp/s".parse::<Address>().unwrap(), Address::VfioUser("/tmp/s".into()));
        assert!("vfio-user:".parse::<Address>().is_err() && "eth0".parse::<Address>().is_err());
    }
}
