//! What both ways by VFIO share, the kernel's and the socket's: registers are bytes of numbered regions (linux/vfio.h).

use super::{Bar, Bus, Width, inside_bar, inside_config};
use crate::error::Result;

/// Behind those of the BARs, which have their numbers.
pub(super) const CONFIG_REGION: u32 = 7;
/// Which interrupts are meant.
pub(super) const MSIX: u32 = 2;

/// A bus of regions; who calls has checked that the bytes are there.
pub(super) trait Regions: Bus {
    /// Reads a region.
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<()>;

    /// Writes it.
    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<()>;
}

pub(super) fn config_read(bus: &mut impl Regions, offset: usize, data: &mut [u8]) -> Result<()> {
    inside_config(bus, offset, data.len())?;
    bus.read(CONFIG_REGION, offset as u64, data)
}

pub(super) fn config_write(bus: &mut impl Regions, offset: usize, data: &[u8]) -> Result<()> {
    inside_config(bus, offset, data.len())?;
    bus.write(CONFIG_REGION, offset as u64, data)
}

pub(super) fn bar_read(bus: &mut impl Regions, bar: Bar, offset: u64, width: Width) -> Result<u32> {
    inside_bar(bus, bar, offset, width)?;
    let mut bytes = [0; 4];
    bus.read(bar.number() as u32, offset, &mut bytes[..width.bytes()])?;
    Ok(u32::from_le_bytes(bytes))
}

pub(super) fn bar_write(
    bus: &mut impl Regions,
    bar: Bar,
    offset: u64,
    width: Width,
    value: u32,
) -> Result<()> {
    inside_bar(bus, bar, offset, width)?;
    bus.write(bar.number() as u32, offset, &value.to_le_bytes()[..width.bytes()])
}
