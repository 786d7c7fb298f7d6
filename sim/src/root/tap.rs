//! Listeners on both edges of the device: TLP log, pcap, monitors of a test.

use super::tlp::Tlp;

/// Which way something goes, seen from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the device.
    In,
    /// Out of the device.
    Out,
}

/// Hears everything which crosses the device's edges, in order.
pub trait Tap {
    fn tlp(&mut self, now: u64, direction: Direction, tlp: &Tlp);
    fn frame(&mut self, now: u64, direction: Direction, frame: &[u8]);
}
