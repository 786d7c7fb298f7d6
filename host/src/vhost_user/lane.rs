//! The function's side: one pair of its queues, set up in the guest's memory and set free again.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use hematite_abi::{common, feature, status};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Done, Trouble};
use crate::bus::{Bus, Width};
use crate::common::Common;
use crate::control::bring_up;
use crate::error::{Error, Result};
use crate::feature::FeatureSet;
use crate::function::Function;
use crate::structure::{Kind, Structure};

/// Queues of the pair: receive, transmit; the vector of each has its number.
pub(super) const QUEUES: usize = 2;

/// What a front end may agree on: what lies in rings and frames. All else is commands, which it does not hand on, or is ours.
const PASSED: u128 = 1 << feature::VERSION_1
    | 1 << feature::INDIRECT_DESC
    | 1 << feature::EVENT_IDX
    | 1 << feature::IN_ORDER
    | 1 << feature::MRG_RXBUF
    | 1 << feature::CSUM
    | 1 << feature::GUEST_CSUM
    | 1 << feature::HOST_TSO4
    | 1 << feature::HOST_TSO6
    | 1 << feature::HOST_ECN
    | 1 << feature::HOST_USO
    | 1 << feature::MAC
    | 1 << feature::MTU;
/// What is agreed on beside: how the function reaches memory.
const OURS: u128 = 1 << feature::ACCESS_PLATFORM | 1 << feature::ORDER_PLATFORM;

/// A ring, as the function is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) size: u16,
    /// Descriptors, driver area, device area.
    pub(super) areas: [u64; 3],
}

/// A function and how it is told things.
pub(super) struct Lane {
    function: Function,
    common: Common,
    notify: Structure,
    device: Structure,
    offered: FeatureSet,
    largest: [u16; QUEUES],
    doorbells: [u64; QUEUES],
    live: bool,
    limit: Duration,
}

impl Lane {
    /// A function that is ours, reset.
    pub(super) fn new(mut function: Function, limit: Duration) -> Result<Lane> {
        let name = function.bus.address().to_string();
        if !function.is_ours() {
            let what = format!("{name} is not ours to hand on");
            return Err(Error::Unable { what, next: "give it to vfio-pci: `hematite bind`" });
        }
        if !function.is_network() {
            return Err(Error::Device(format!("{name} is no network device, but: {}", function.kind())));
        }
        let common = Common(function.reach(Kind::Common)?);
        let (notify, device) = (function.reach(Kind::Notify)?, function.reach(Kind::Device)?);
        bring_up::reset(&mut function, &common, limit)?;
        // Whether interrupts can be handed on is known before anybody comes.
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC);
        let event = event.map_err(|errno| Error::system("make an eventfd", errno, "ulimit -n"))?;
        arm(&mut function, [event.as_fd(); QUEUES])?;
        let offered = common.offered(&mut *function.bus)?;
        let multiplier = u64::from(notify.multiplier.unwrap_or(0));
        let (mut largest, mut doorbells) = ([0; QUEUES], [0; QUEUES]);
        for (number, (size, doorbell)) in (0..).zip(largest.iter_mut().zip(&mut doorbells)) {
            let there = common.queue(&mut *function.bus, number)?;
            *size = there.size;
            *doorbell = u64::from(there.notify_offset) * multiplier;
        }
        Ok(Lane { function, common, notify, device, offered, largest, doorbells, live: false, limit })
    }

    pub(super) fn bus(&mut self) -> &mut dyn Bus {
        &mut *self.function.bus
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// What front ends are offered of the function.
    pub(super) fn offered(&self) -> u64 {
        bring_up::supported(FeatureSet(self.offered.0 & PASSED)).0 as u64
    }

    /// Whether these can be agreed on together.
    pub(super) fn takes(&self, features: u64) -> bool {
        features & !self.offered() == 0
            && bring_up::supported(FeatureSet(features.into())).0 == u128::from(features)
    }

    /// Entries that a queue has at most.
    pub(super) fn largest(&self, queue: usize) -> u16 {
        self.largest[queue]
    }

    /// From reset to DRIVER_OK with the guest's rings; each queue's interrupt goes to its eventfd.
    pub(super) fn start(
        &mut self,
        features: u64,
        rings: [Placed; QUEUES],
        events: [BorrowedFd<'_>; QUEUES],
    ) -> Done<()> {
        let begun = self.begin(features, rings, events);
        if begun.is_err() {
            bring_up::reset(&mut self.function, &self.common, self.limit)?;
        }
        self.live = begun.is_ok();
        begun
    }

    fn begin(
        &mut self,
        features: u64,
        rings: [Placed; QUEUES],
        events: [BorrowedFd<'_>; QUEUES],
    ) -> Done<()> {
        let (function, common) = (&mut self.function, &self.common);
        let wanted = FeatureSet(u128::from(features) | OURS);
        let agreed = bring_up::negotiate(function, common, wanted, self.limit, &mut vec![]);
        // What the function does not take together is the front end's choice, and no failure of the function's.
        let accepted = agreed.map_err(|error| match error {
            Error::Device(text) => Trouble::Refused(text),
            other => other.into(),
        })?;
        if accepted.0 & PASSED != u128::from(features) {
            return Err(Trouble::Refused(format!("of {features:#x} the function takes {accepted}")));
        }
        arm(function, events)?;
        for (number, ring) in (0..).zip(rings) {
            bring_up::place(function, common, number, ring.size, ring.areas, Some(number))?;
        }
        let ready = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
        common.set(&mut *function.bus, common::DEVICE_STATUS, ready)?;
        let now = common.status(&mut *function.bus)?;
        // What rings of nonsense make of it (DEVICE_NEEDS_RESET) is the guest's to see.
        if u64::from(now) & ready != ready {
            return Err(Error::Device(format!("device_status is {now:#04x} after DRIVER_OK")).into());
        }
        Ok(())
    }

    /// Other eventfds from now on.
    pub(super) fn rearm(&mut self, events: [BorrowedFd<'_>; QUEUES]) -> Done<()> {
        Ok(arm(&mut self.function, events)?)
    }

    /// Rings a queue's doorbell, if there is a queue.
    pub(super) fn ring(&mut self, queue: usize) -> Result<bool> {
        if self.live {
            let bus = &mut *self.function.bus;
            self.notify.ring(bus, self.doorbells[queue], Width::Half, queue as u32)?;
        }
        Ok(self.live)
    }

    /// Resets the function: none of its accesses to memory is under way afterwards.
    pub(super) fn stop(&mut self) -> Result<()> {
        if std::mem::take(&mut self.live) {
            bring_up::reset(&mut self.function, &self.common, self.limit)?;
        }
        Ok(())
    }

    /// Bytes of the device's configuration; 0 beyond its end.
    pub(super) fn config(&mut self, offset: usize, bytes: usize) -> Result<Vec<u8>> {
        let length = self.device.length;
        let mut data = vec![];
        for at in offset..offset + bytes {
            let there = (at as u64) < length;
            data.push(if there { self.device.byte(&mut *self.function.bus, at)? } else { 0 });
        }
        Ok(data)
    }
}

fn arm(function: &mut Function, events: [BorrowedFd<'_>; QUEUES]) -> Result<()> {
    let armed = function.bus.arm_with(&events)?;
    if usize::from(armed) < QUEUES {
        let what = format!("the function has {armed} vectors, and {QUEUES} queues");
        let next = "serve it with interrupts: without --msix raw";
        return Err(Error::Unable { what, next });
    }
    Ok(())
}
