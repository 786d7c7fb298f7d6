//! The host's side of a virtio-net PCI function, ours or anybody's: the ways to it, what it says of itself, and what drives it.
//! Nothing a device says is believed: every parser is total, and what is wrong becomes a finding.

pub mod address;
pub mod arena;
pub mod bind;
pub mod bus;
pub mod common;
pub mod control;
pub mod difference;
pub mod error;
pub mod feature;
pub mod finding;
pub mod flash;
pub mod function;
pub mod inspection;
pub mod kernel;
pub mod memory;
pub mod netlink;
pub mod pci;
pub mod physical;
pub mod report;
pub mod ring;
pub mod structure;
pub mod validate;
pub mod vdpa;
pub mod vhost_user;

pub use address::{Address, Bdf};
pub use error::{Error, Result};
pub use function::Function;
