//! One file per block of `hw`, named after it.

mod cut;
mod fetch;
mod harness;
mod pack;
mod rings;
mod walk;
