//! From TLPs to accesses, DMA and interrupts.

pub mod completer;
pub mod quiesce;
pub mod reader;
pub mod request;
pub mod share;
pub mod writer;
