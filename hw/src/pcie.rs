//! From TLPs to accesses, DMA and interrupts.

pub mod quiesce;
pub mod request;
pub mod share;
