//! From TLPs to accesses, DMA and interrupts.

pub mod completer;
pub mod config;
pub mod msix;
pub mod quiesce;
pub mod reader;
pub mod request;
pub mod rx;
pub mod share;
pub mod tx;
pub mod writer;
