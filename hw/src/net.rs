//! Frames between buffers and the MAC.
