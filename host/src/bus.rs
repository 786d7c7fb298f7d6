//! The way to a function: configuration space, BARs, memory that it may reach, interrupts. One trait, a body per way.

mod interrupts;
mod regions;
pub mod sysfs;
pub mod vfio;
pub mod vfio_user;
mod window;

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use hematite_abi::config;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::memory::DmaMemory;

/// One of the six BARs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Bar(u8);

impl Bar {
    /// BARs of a function.
    pub const COUNT: u8 = 6;

    /// None: there is no such BAR.
    pub fn new(number: u64) -> Option<Bar> {
        u8::try_from(number).ok().filter(|number| *number < Bar::COUNT).map(Bar)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Bar> {
        (0..Bar::COUNT).map(Bar)
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.0.into()
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BAR {}", self.0)
    }
}

/// Bytes of one access to a BAR: devices promise nothing for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two.
    Half,
    /// Four.
    Word,
}

impl Width {
    /// How many.
    pub fn bytes(self) -> usize {
        match self {
            Width::Byte => 1,
            Width::Half => 2,
            Width::Word => 4,
        }
    }
}

/// Who else uses the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody: it is ours, and may be set up.
    Us,
    /// A driver of this name. Nothing is written, and nothing read that changes by reading.
    Driver(String),
    /// Nobody, and we only look.
    Nobody,
}

/// A function within reach.
pub trait Bus {
    /// Where it is.
    fn address(&self) -> &Address;

    /// Who has it.
    fn holder(&self) -> &Holder;

    /// Bytes of configuration space that can be read: 64, 256 or 4096.
    fn config_bytes(&self) -> usize;

    /// Reads configuration space. Inside one DWORD, inside `config_bytes`.
    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()>;

    /// Writes it.
    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()>;

    /// Bytes of a BAR; 0: there is none.
    fn bar_bytes(&self, bar: Bar) -> u64;

    /// Reads a BAR: one access.
    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32>;

    /// Writes it.
    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()>;

    /// Lets the function reach `memory`, at `iova`.
    fn map(&mut self, memory: &DmaMemory, iova: u64) -> Result<()>;

    /// And no more.
    fn unmap(&mut self, iova: u64, bytes: u64) -> Result<()>;

    /// From now on MSI-X vectors 0 to `vectors` can be waited for; how many there are of them.
    fn arm(&mut self, vectors: u16) -> Result<u16>;

    /// The same, by eventfds of somebody else, who waits for them himself; those of before are not signalled any more.
    fn arm_with(&mut self, events: &[BorrowedFd<'_>]) -> Result<u16> {
        let what = format!("{}: interrupts cannot be handed on to {} eventfds", self.address(), events.len());
        Err(Error::Unable { what, next: "give the function to vfio-pci: `hematite bind`" })
    }

    /// Waits for a vector; false: it did not come.
    fn wait(&mut self, vector: u16, limit: Duration) -> Result<bool>;

    /// Resets the function as a whole.
    fn reset(&mut self) -> Result<()>;
}

/// Checks an access of `bytes` at `offset` of a region of `length`.
pub(crate) fn inside(region: impl fmt::Display, length: u64, offset: u64, bytes: u64) -> Result<()> {
    if offset.checked_add(bytes).is_some_and(|end| end <= length) {
        return Ok(());
    }
    Err(Error::Bounds { region: region.to_string(), offset, bytes, length })
}

/// Checks an access to configuration space.
pub(crate) fn inside_config(bus: &(impl Bus + ?Sized), offset: usize, bytes: usize) -> Result<()> {
    inside("configuration space", bus.config_bytes() as u64, offset as u64, bytes as u64)
}

/// Checks an access to a BAR: inside it, and at a multiple of its width.
pub(crate) fn inside_bar(bus: &(impl Bus + ?Sized), bar: Bar, offset: u64, width: Width) -> Result<()> {
    let bytes = width.bytes() as u64;
    if !offset.is_multiple_of(bytes) {
        return Err(Error::Device(format!(
            "{bytes} bytes at {offset:#x} of {bar}: at no multiple of {bytes}"
        )));
    }
    inside(bar, bus.bar_bytes(bar), offset, bytes)
}

/// Reads up to four bytes of configuration space as a number.
pub fn config_number(bus: &mut (impl Bus + ?Sized), offset: usize, bytes: usize) -> Result<u32> {
    let mut word = [0; 4];
    bus.config_read(offset, &mut word[..bytes.min(4)])?;
    Ok(u32::from_le_bytes(word))
}

/// Sizes by flags: bytes of configuration space that anybody may read, those of the PCI-compatible part, all.
pub(crate) const CONFIG_SIZES: [usize; 3] =
    [config::INTERRUPT_LINE + 4, config::SPACE_PCI_BYTES, config::SPACE_BYTES];
