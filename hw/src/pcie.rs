//! From TLPs to accesses, DMA and interrupts.
