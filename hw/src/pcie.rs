//! From TLPs to accesses, DMA and interrupts.

pub mod request;
