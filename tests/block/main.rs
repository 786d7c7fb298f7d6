//! One file per block of `hw`, named after it.

mod cache;
mod completer;
mod config;
mod cut;
mod fetch;
mod gates;
mod harness;
mod msix;
mod pack;
mod reader;
mod rings;
mod root;
mod rx;
mod suppress;
mod tlps;
mod tx;
mod used;
mod walk;
mod writer;
