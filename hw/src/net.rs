//! Frames between buffers and the MAC.

pub mod buffer;
pub mod checksum;
pub mod classify;
pub mod filter;
pub mod headers;
pub mod issue;
pub mod patch;
pub mod place;
pub mod rx;
pub mod split;
pub mod steer;
pub mod tx;
pub mod verify;
