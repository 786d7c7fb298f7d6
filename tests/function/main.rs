//! The whole function, on every body of the device: one file per theme.

mod bench;
mod coalesce;
mod commands;
mod control;
mod enumerate;
mod events;
mod faults;
mod hashes;
mod inspection;
mod interrupt;
mod link;
mod mmio;
mod monitor;
mod negotiate;
mod notify;
mod offload;
mod packed;
mod pair;
mod reads;
mod reset;
mod rx;
mod segment;
mod stats;
mod steer;
mod told;
mod tx;
