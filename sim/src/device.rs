//! The one device trait: the RTL under Verilator and the plain Rust model both wear it, and the same tests run on both.

use crate::root::credits::Credits;
use crate::root::tlp::Tlp;

/// A virtio-net PCIe function at its edge: TLPs on one side, Ethernet frames on the other.
///
/// `tlp_in` and `frame_in` queue without limit inside the body; a body which is hardware applies its own
/// back pressure to that queue. Nothing moves except inside [`Device::step`] and [`Device::reset`].
pub trait Device {
    /// Power-on or hot reset: the PCIe scope. Everything queued on either side is lost; the frame in the midst of which it comes is too,
    /// though its rest still comes from the wire.
    fn reset(&mut self);
    /// Queues a TLP from the root complex.
    fn tlp_in(&mut self, tlp: Tlp);
    /// Takes the oldest TLP which the device has sent.
    fn tlp_out(&mut self) -> Option<Tlp>;
    /// Queues a frame from the wire (destination MAC first, no FCS).
    fn frame_in(&mut self, frame: Vec<u8>);
    /// Takes the oldest frame which the device has sent to the wire.
    fn frame_out(&mut self) -> Option<Vec<u8>>;
    /// The wire's link comes up or goes down. It is up when a body is made.
    fn link(&mut self, up: bool);
    /// From now on so many credits of posted requests may have been taken in all, and a request waits for its own. A body without
    /// a clocked edge heeds nothing.
    fn posted_limit(&mut self, _limit: Credits) {}
    /// Advances the clock by `cycles`.
    fn step(&mut self, cycles: u64);
    /// Cycles since the body was made; a reset does not turn it back.
    fn now(&self) -> u64;
    /// False when stepping would change nothing until something is put in.
    fn busy(&self) -> bool;
    /// Which body this is, for messages: `model`, `rtl SIM` and so on.
    fn name(&self) -> &str;
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn reset(&mut self) {
        (**self).reset();
    }
    fn tlp_in(&mut self, tlp: Tlp) {
        (**self).tlp_in(tlp);
    }
    fn tlp_out(&mut self) -> Option<Tlp> {
        (**self).tlp_out()
    }
    fn frame_in(&mut self, frame: Vec<u8>) {
        (**self).frame_in(frame);
    }
    fn frame_out(&mut self) -> Option<Vec<u8>> {
        (**self).frame_out()
    }
    fn link(&mut self, up: bool) {
        (**self).link(up);
    }
    fn posted_limit(&mut self, limit: Credits) {
        (**self).posted_limit(limit);
    }
    fn step(&mut self, cycles: u64) {
        (**self).step(cycles);
    }
    fn now(&self) -> u64 {
        (**self).now()
    }
    fn busy(&self) -> bool {
        (**self).busy()
    }
    fn name(&self) -> &str {
        (**self).name()
    }
}
