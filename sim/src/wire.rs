//! The far end of the wire: whoever answers the function's frames.
//!
//! `vlans` are small networks in the process, a `stack` each, `tap` the host's, `pcap` a recording, `loopback` a mirror,
//! `generate` sends numbered frames and expects them back.

pub mod arp;
mod datagrams;
pub mod dhcp;
pub mod generate;
mod iperf;
mod iperf_stream;
pub mod loopback;
pub mod pcap;
pub mod services;
pub mod stack;
pub mod tap;
pub mod vlans;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// One end of an Ethernet wire. Frames begin with the destination MAC and have no FCS.
pub trait Wire {
    /// Takes a frame which the function has sent.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;
    /// The next frame for the function.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>>;
    /// Tells the time, counted from any fixed moment; it never goes back. Called before frames are fetched.
    fn advance(&mut self, _now: Duration) {}
    /// When `advance` should be called even if nothing arrives, by the same count.
    fn deadline(&self) -> Option<Duration> {
        None
    }
    /// Readable when `receive` has something; none for ends which live in this process.
    fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
