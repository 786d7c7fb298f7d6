//! The memory of the front end's guest: its regions, each reached by the function at its guest physical address, and by us
//! where rings are shadowed.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use super::message::long;
use super::{Done, Trouble};
use crate::bus::Bus;
use crate::error::{Error, Result};
use crate::memory::DmaMemory;
use crate::ring::look::Ram;

/// Regions there may be, of which one SET_MEM_TABLE has eight.
pub(super) const SLOTS: usize = 64;
/// Bytes of a region's description.
pub(super) const REGION: usize = 32;
/// What VFIO maps begins and ends at a multiple of this.
const PAGE: u64 = 4096;

/// A piece of the guest's memory.
#[derive(Debug)]
pub(super) struct Region {
    place: Place,
    /// Device and inode of its file.
    file: (u64, u64),
    memory: DmaMemory,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Guest physical address: also where the function has it.
    guest: u64,
    bytes: u64,
    /// Address in the front end's process, as it writes those of rings.
    user: u64,
    /// First byte in its file.
    offset: u64,
}

fn meet(a: u64, b: u64, a_bytes: u64, b_bytes: u64) -> bool {
    a < b.saturating_add(b_bytes) && b < a.saturating_add(a_bytes)
}

impl Place {
    /// As it lies in a message, checked.
    pub(super) fn parse(bytes: &[u8]) -> Done<Place> {
        let [guest, bytes, user, offset] = std::array::from_fn(|place| long(bytes, place * 8));
        let place = Place { guest, bytes, user, offset };
        let whole = [guest, bytes, offset].iter().all(|number| number.is_multiple_of(PAGE));
        let ends = [guest, user, offset].iter().all(|start| start.checked_add(bytes).is_some());
        if bytes == 0 || !whole || !ends {
            return Err(Trouble::Refused(format!("no region of memory: {place:x?}")));
        }
        Ok(place)
    }

    /// Whether a guest physical address and so many bytes behind it touch it.
    pub(super) fn is_at(&self, guest: u64, bytes: u64) -> bool {
        meet(self.guest, guest, self.bytes, bytes)
    }

    /// The first guest physical address beyond it.
    pub(super) fn end(&self) -> u64 {
        self.guest + self.bytes
    }

    fn meets(&self, other: &Place) -> bool {
        meet(self.guest, other.guest, self.bytes, other.bytes)
            || meet(self.user, other.user, self.bytes, other.bytes)
    }

    /// Where `bytes` at a user address are for the guest, if all of them are here.
    fn translate(&self, user: u64, bytes: u64) -> Option<u64> {
        let at = user.checked_sub(self.user)?;
        at.checked_add(bytes).filter(|end| *end <= self.bytes).map(|_| self.guest + at)
    }
}

impl Region {
    pub(super) fn new(place: Place, fd: OwnedFd) -> Done<Region> {
        let refuse = |error: String| Trouble::Refused(format!("{place:x?}: {error}"));
        let file = File::from(fd);
        let its = file.metadata().map_err(|error| refuse(error.to_string()))?;
        let memory = DmaMemory::foreign(file, place.offset, place.bytes);
        let memory = memory.map_err(|error| refuse(error.to_string()))?;
        Ok(Region { place, file: (its.dev(), its.ino()), memory })
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    fn is(&self, other: &Region) -> bool {
        self.place == other.place && self.file == other.file
    }
}

/// The guest's memory is the front end's affair.
fn refuse(error: Error) -> Trouble {
    Trouble::Refused(error.to_string())
}

/// All regions, none of which meets another.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Region>);

impl Memory {
    /// So many.
    pub(super) fn regions(&self) -> usize {
        self.0.len()
    }

    /// Where `bytes` at a user address are for the function.
    pub(super) fn translate(&self, user: u64, bytes: u64) -> Option<u64> {
        self.0.iter().find_map(|region| region.place.translate(user, bytes))
    }

    /// The first address beyond all of it.
    pub(super) fn end(&self) -> u64 {
        self.0.iter().map(|region| region.place.end()).max().unwrap_or(0)
    }

    /// Whether a guest physical address and so many bytes behind it touch any of it.
    pub(super) fn is_at(&self, guest: u64, bytes: u64) -> bool {
        self.0.iter().any(|region| region.place.is_at(guest, bytes))
    }

    /// The region of a guest physical address, where in it that is, and how many bytes there are from there on.
    fn find_guest(&self, guest: u64) -> Result<(&DmaMemory, u64, u64)> {
        let there = self.0.iter().find_map(|region| {
            let at = guest.checked_sub(region.place.guest)?;
            let left = region.place.bytes.checked_sub(at).filter(|left| *left > 0)?;
            Some((&region.memory, at, left))
        });
        there.ok_or_else(|| Error::Device(format!("{guest:#x} is in no region of memory")))
    }

    /// Sixteen bits of the guest's in one piece; what is read afterwards is not older.
    pub(super) fn load(&self, guest: u64) -> Done<u16> {
        self.find_guest(guest).and_then(|(memory, at, _)| memory.load(at)).map_err(refuse)
    }

    /// Sixteen bits in one piece; what was written before is seen before.
    pub(super) fn store(&self, guest: u64, value: u16) -> Done<()> {
        self.find_guest(guest).and_then(|(memory, at, _)| memory.store(at, value)).map_err(refuse)
    }

    /// Copies bytes in, which are in one region.
    pub(super) fn write(&self, guest: u64, data: &[u8]) -> Done<()> {
        self.find_guest(guest).and_then(|(memory, at, _)| memory.write(at, data)).map_err(refuse)
    }

    /// Sixteen bits which nobody writes now.
    pub(super) fn look(&self, guest: u64) -> Done<u16> {
        let mut bytes = [0; 2];
        let read = self.find_guest(guest).and_then(|(memory, at, _)| memory.look(at, &mut bytes));
        read.map(|()| u16::from_le_bytes(bytes)).map_err(refuse)
    }

    /// Whether they can be a guest's memory.
    pub(super) fn check(regions: &[Region]) -> Done<()> {
        for (number, one) in regions.iter().enumerate() {
            if let Some(other) = regions[..number].iter().find(|other| other.place.meets(&one.place)) {
                let text = format!("{:x?} and {:x?} overlap", one.place, other.place);
                return Err(Trouble::Refused(text));
            }
        }
        Ok(())
    }

    /// Has these and no others from now on; what stays is not touched.
    pub(super) fn replace(&mut self, bus: &mut dyn Bus, regions: Vec<Region>) -> Done<()> {
        let (stay, go) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|old: &Region| regions.iter().any(|new| new.is(old)));
        self.0 = stay;
        for old in go {
            bus.unmap(old.place.guest, old.place.bytes)?;
        }
        for new in regions {
            if !self.0.iter().any(|old| old.is(&new)) {
                self.add(bus, new)?;
            }
        }
        Ok(())
    }

    /// One more.
    pub(super) fn add(&mut self, bus: &mut dyn Bus, region: Region) -> Done<()> {
        if self.0.len() >= SLOTS {
            return Err(Trouble::Refused(format!("there are {SLOTS} regions of memory already")));
        }
        if let Some(other) = self.0.iter().find(|other| other.place.meets(&region.place)) {
            return Err(Trouble::Refused(format!("{:x?} and {:x?} overlap", region.place, other.place)));
        }
        // It may be the memory that the kernel or the server will not have: that is no failure of the function's.
        let mapped = bus.map(&region.memory, region.place.guest);
        mapped.map_err(|error| Trouble::Refused(error.to_string()))?;
        self.0.push(region);
        Ok(())
    }

    /// Which region is meant: its file may be another, or none.
    pub(super) fn find(&self, place: &Place) -> Option<usize> {
        let meant = |one: &Place| (one.guest, one.bytes, one.user) == (place.guest, place.bytes, place.user);
        self.0.iter().position(|region| meant(&region.place))
    }

    /// Whether bytes at a user address are in the region of this number.
    pub(super) fn holds(&self, number: usize, user: u64) -> bool {
        self.0.get(number).is_some_and(|region| region.place.translate(user, 1).is_some())
    }

    /// One less.
    pub(super) fn remove(&mut self, bus: &mut dyn Bus, number: usize) -> Done<()> {
        let gone = self.0.remove(number);
        Ok(bus.unmap(gone.place.guest, gone.place.bytes)?)
    }

    /// Whether regions put these bytes where they are now.
    pub(super) fn agrees(&self, regions: &[Region], user: u64, bytes: u64) -> bool {
        let then = regions.iter().find_map(|region| region.place.translate(user, bytes));
        then.is_some() && then == self.translate(user, bytes)
    }
}

impl Ram for Memory {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < data.len() {
            let address = address.checked_add(done as u64);
            let address = address.ok_or_else(|| Error::Device("an address beyond the last".into()))?;
            let (memory, at, left) = self.find_guest(address)?;
            let part = (data.len() - done).min(usize::try_from(left).unwrap_or(usize::MAX));
            memory.read(at, &mut data[done..done + part])?;
            done += part;
        }
        Ok(())
    }
}
