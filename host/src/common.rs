//! The common configuration structure, by its fields. What depends on a selector is for a function that is ours: beside a
//! driver the selector is the driver's. Spec: [virtio 1.4: Common configuration structure layout]

use hematite_abi::common;

use crate::bus::Bus;
use crate::error::Result;
use crate::feature::FeatureSet;
use crate::structure::Structure;

/// The structure.
#[derive(Clone, Debug)]
pub struct Common(pub Structure);

/// 32-bit windows of feature bits.
const WINDOWS: u64 = 4;

/// A queue's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRegisters {
    /// Entries; 0: there is no such queue.
    pub size: u16,
    /// MSI-X vector.
    pub vector: u16,
    /// Enabled.
    pub enabled: bool,
    /// Where its doorbell is, in units of the multiplier.
    pub notify_offset: u16,
    /// Descriptor area.
    pub descriptors: u64,
    /// Driver area.
    pub driver: u64,
    /// Device area.
    pub device: u64,
}

impl Common {
    /// A register by abi's offset.
    pub fn get(&self, bus: &mut dyn Bus, offset: usize) -> Result<u64> {
        self.0.read(bus, common::REGS, offset)
    }

    /// Writes one.
    pub fn set(&self, bus: &mut dyn Bus, offset: usize, value: u64) -> Result<()> {
        self.0.write(bus, common::REGS, offset, value)
    }

    /// The device's state.
    pub fn status(&self, bus: &mut dyn Bus) -> Result<u8> {
        Ok(self.get(bus, common::DEVICE_STATUS)? as u8)
    }

    /// Queues there are.
    pub fn queues(&self, bus: &mut dyn Bus) -> Result<u16> {
        Ok(self.get(bus, common::NUM_QUEUES)? as u16)
    }

    /// All feature bits offered. Moves the selector; it is put back.
    pub fn offered(&self, bus: &mut dyn Bus) -> Result<FeatureSet> {
        self.windows(bus, common::DEVICE_FEATURE_SELECT, common::DEVICE_FEATURE)
    }

    /// All feature bits accepted. Moves the selector; it is put back.
    pub fn accepted(&self, bus: &mut dyn Bus) -> Result<FeatureSet> {
        self.windows(bus, common::DRIVER_FEATURE_SELECT, common::DRIVER_FEATURE)
    }

    fn windows(&self, bus: &mut dyn Bus, select: usize, feature: usize) -> Result<FeatureSet> {
        let before = self.get(bus, select)?;
        let mut set = 0;
        for window in 0..WINDOWS {
            self.set(bus, select, window)?;
            set |= u128::from(self.get(bus, feature)? as u32) << (32 * window);
        }
        self.set(bus, select, before)?;
        Ok(FeatureSet(set))
    }

    /// The window of offered bits which the driver has left selected, and which bits these are. Writes nothing.
    pub fn offered_window(&self, bus: &mut dyn Bus) -> Result<(FeatureSet, FeatureSet)> {
        self.window(bus, common::DEVICE_FEATURE_SELECT, common::DEVICE_FEATURE)
    }

    /// The same of accepted bits.
    pub fn accepted_window(&self, bus: &mut dyn Bus) -> Result<(FeatureSet, FeatureSet)> {
        self.window(bus, common::DRIVER_FEATURE_SELECT, common::DRIVER_FEATURE)
    }

    fn window(&self, bus: &mut dyn Bus, select: usize, feature: usize) -> Result<(FeatureSet, FeatureSet)> {
        let before = self.get(bus, select)?;
        let bits = u128::from(self.get(bus, feature)? as u32);
        // The driver may move it between the two.
        if before >= WINDOWS || self.get(bus, select)? != before {
            return Ok((FeatureSet(0), FeatureSet(0)));
        }
        let place = 32 * before;
        Ok((FeatureSet(bits << place), FeatureSet(u128::from(u32::MAX) << place)))
    }

    /// A queue's registers. Moves the selector: for a function that is ours.
    pub fn queue(&self, bus: &mut dyn Bus, number: u16) -> Result<QueueRegisters> {
        self.set(bus, common::QUEUE_SELECT, number.into())?;
        Ok(QueueRegisters {
            size: self.get(bus, common::QUEUE_SIZE)? as u16,
            vector: self.get(bus, common::QUEUE_MSIX_VECTOR)? as u16,
            enabled: self.get(bus, common::QUEUE_ENABLE)? == 1,
            notify_offset: self.get(bus, common::QUEUE_NOTIFY_OFF)? as u16,
            descriptors: self.get(bus, common::QUEUE_DESC)?,
            driver: self.get(bus, common::QUEUE_DRIVER)?,
            device: self.get(bus, common::QUEUE_DEVICE)?,
        })
    }
}
