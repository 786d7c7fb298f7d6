//! The registers a virtio driver sees.

pub mod command;
pub mod common;
pub mod counters;
pub mod device_cfg;
pub mod errors;
pub mod inspection;
pub mod interrupts;
pub mod isr;
pub mod notify;
pub mod queues;
pub mod regions;
pub mod relay;
pub mod stats;
pub mod status;
