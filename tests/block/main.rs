//! One file per block of `hw`, named after it.

mod completer;
mod cut;
mod fetch;
mod harness;
mod pack;
mod rings;
mod tlps;
mod walk;
