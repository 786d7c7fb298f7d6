//! The virtio-net PCIe function's hardware, in rust-hdl.
//!
//! `README.md` beside this crate is the drawing, the seams and the catalogue of blocks.
//! Floors, each seeing only those below it: `function`, `emit` > `pcie`, `virtio`, `queue`, `net` (never each
//! other) > `port` > `prim`.

pub mod emit;
pub mod function;
pub mod net;
pub mod params;
pub mod pcie;
pub mod port;
pub mod prim;
pub mod queue;
pub mod virtio;
