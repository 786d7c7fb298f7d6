//! The vfio-user server: any VMM may attach to the simulated function as if it were a device of its own.
//!
//! `channel` cuts the socket's bytes into messages, `message` gives them a meaning, `server` answers them: `regions`
//! (configuration space and BARs, by TLPs), `dma` (the client's memory), `irqs` (MSI-X to eventfds).
//! Spec: [vfio-user: Protocol Specification] (QEMU's docs/interop/vfio-user.rst)

pub mod channel;
pub mod dma;
pub mod header;
pub mod hide;
pub mod irqs;
mod mapping;
pub mod message;
mod pci;
pub mod regions;
pub mod server;
pub mod session;
