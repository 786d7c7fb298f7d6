//! One file per block of `hw`, named after it.

mod cut;
mod harness;
mod rings;

mod fetch;
mod walk;
