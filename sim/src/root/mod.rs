//! The root complex: enumeration, configuration and memory requests, host memory, completions, interrupts.

pub mod access;
pub mod complex;
pub mod credits;
pub mod enumerate;
pub mod faults;
pub mod link;
pub mod memory;
pub mod msix;
pub mod replies;
pub mod slot;
pub mod tap;
pub mod tlp;

pub use access::REQUEST_BYTES;
pub use complex::{RequestError, Root, WaitError};
pub use credits::{Credits, Posted};
pub use enumerate::{EnumerateError, Function};
pub use faults::{Answer, Faults, Which};
pub use link::LinkModel;
pub use memory::{Fault, HostMemory, Windows};
pub use msix::{Message, MsiSink};
pub use slot::Slot;
pub use tap::{Direction, Tap};
pub use tlp::{Bdf, Status, Tlp, View};
