//! Requests to interrupt the driver: a `StreamSource<Irq>` per origin.

use rust_hdl_core::prelude::*;

/// Interrupt by this MSI-X vector; vectors that do not exist (VIRTIO_MSI_NO_VECTOR) are taken and forgotten.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Irq {
    pub vector: Bits<16>,
}
