//! One file per block of `hw`, named after it.

mod harness;
