//! Numbers of Hematite, each in one place: registers, fields, bits, layouts, ids. No behaviour.
//!
//! Typing, for use inside rust-hdl kernels: bit positions, byte offsets and DWORD indices are `usize` (slices, `match` labels),
//! values compared with or given to `Bits` are `u64`. [`constants`] lists them all by path for the Verilog emitter.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod macros;

pub mod clause;
pub mod common;
pub mod config;
pub mod ctrl;
pub mod feature;
pub mod ident;
pub mod isr;
pub mod layout;
pub mod msix;
pub mod net;
pub mod packed;
pub mod pci_cap;
pub mod ring;
pub mod space;
pub mod status;
pub mod tlp;

/// Who may do what with a register. Seen from the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only: writes are ignored.
    Ro,
    /// Read and write.
    Rw,
    /// Writing one clears.
    W1c,
    /// Reading clears.
    Rc,
    /// Write only: reads as zero.
    Wo,
}

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg {
    /// Name of its offset constant.
    pub name: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub width: usize,
    /// Who may do what.
    pub access: Access,
    /// Value after reset, as far as the specification fixes it.
    pub reset: u64,
    /// Writable bits.
    pub mask: u64,
    /// One sentence.
    pub doc: &'static str,
}

/// A field of a word of at most 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name of its position constant.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: usize,
    /// Width, bits.
    pub bits: usize,
    /// One sentence.
    pub doc: &'static str,
}

impl Field {
    /// The bits of this field.
    pub const fn mask(&self) -> u128 {
        (u128::MAX >> (128 - self.bits)) << self.lsb
    }
}

/// A number with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Name of the constant.
    pub name: &'static str,
    /// The number.
    pub value: u64,
    /// One sentence.
    pub doc: &'static str,
}

/// The constants of all modules, by path below this crate (`tlp::LENGTH_LSB`).
pub const CONSTANTS: &[&[(&str, u64)]] = &[
    common::CONSTANTS,
    config::CONSTANTS,
    ctrl::CONSTANTS,
    feature::CONSTANTS,
    ident::CONSTANTS,
    isr::CONSTANTS,
    layout::CONSTANTS,
    msix::CONSTANTS,
    net::CONSTANTS,
    packed::CONSTANTS,
    pci_cap::CONSTANTS,
    ring::CONSTANTS,
    status::CONSTANTS,
    tlp::CONSTANTS,
];

/// Every constant a kernel may name, with its value.
pub fn constants() -> impl Iterator<Item = (&'static str, u64)> {
    CONSTANTS.iter().flat_map(|table| table.iter().copied())
}
