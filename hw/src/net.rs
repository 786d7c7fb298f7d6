//! Frames between buffers and the MAC.

pub mod buffer;
pub mod filter;
pub mod issue;
pub mod place;
pub mod rx;
pub mod tx;
