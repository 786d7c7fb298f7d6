//! The function is found and features are agreed upon; what it can do at most.

use super::BenchError;
use super::frames::FCS;
use super::host::World;
use super::options::{Options, Rings};
use crate::driver::{self, Driver, DriverError};
use crate::facts::{bar, common, net, virtio};
use crate::root::Root;
use crate::rtl::Rtl;

/// What the function can do at most.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) pairs: u16,
    pub(super) ring_entries: u16,
    /// Bytes of a frame with its check sequence.
    pub(super) frame_bytes: usize,
    /// EVENT_IDX is in use.
    pub(super) events: bool,
}

/// Enumerates and negotiates.
pub(super) fn bind(options: &Options, queue_size: u16) -> Result<(World, Driver, Limits), BenchError> {
    let rtl = Rtl::new(&options.params).map_err(BenchError::Options)?;
    let mut root = Root::new(rtl, driver::windows(), options.link());
    root.device.pace(options.slot().rate());
    let function = root.enumerate().map_err(DriverError::from)?;
    let packed = options.ring == Rings::Packed;
    let known = if options.events() { FEATURES | 1 << virtio::F_EVENT_IDX } else { FEATURES };
    let features = options.wanted().fold(known, |features, (bit, _)| features | 1 << bit);
    let setup = driver::Options { features, queue_size, packed, ..driver::Options::default() };
    let mut driver = Driver::unbound(&mut root, function, setup);
    driver.negotiate(&mut root)?;
    if let Some((_, option)) = options.wanted().find(|(bit, _)| driver.features >> bit & 1 == 0) {
        return Err(BenchError::Options(format!("{option}: {} does not offer it", options.params)));
    }
    let mut mtu = [0; 2];
    root.bar_read(bar::DEVICE + net::CFG_MTU, &mut mtu).map_err(DriverError::from)?;
    let limits = Limits {
        pairs: u16::from_le_bytes(driver.common(&mut root, common::NUM_QUEUES)?) / 2,
        ring_entries: u16::from_le_bytes(driver.common(&mut root, common::QUEUE_SIZE)?),
        frame_bytes: usize::from(u16::from_le_bytes(mtu)) + net::ETHERNET_HEADER_BYTES as usize + FCS,
        events: driver.features >> virtio::F_EVENT_IDX & 1 == 1,
    };
    Ok((root, driver, limits))
}

/// What the function says of itself.
pub(super) fn limits(options: &Options) -> Result<Limits, BenchError> {
    Ok(bind(options, 1)?.2)
}

/// What this driver's rings know how to use.
const FEATURES: u128 = {
    use hematite_abi::feature as f;
    1 << f::VERSION_1
        | 1 << f::MAC
        | 1 << f::STATUS
        | 1 << f::MTU
        | 1 << f::MRG_RXBUF
        | 1 << f::CTRL_VQ
        | 1 << f::MQ
};
