//! A device played by hand: what it may do, and lies.

use hematite_abi::{packed as packed_abi, ring as abi};

use super::*;
use crate::memory::Pages;

/// A bus without a device behind it.
pub(crate) struct Nowhere;

impl crate::bus::Bus for Nowhere {
    fn address(&self) -> &crate::Address {
        unreachable!("not asked for")
    }
    fn holder(&self) -> &crate::bus::Holder {
        &crate::bus::Holder::Us
    }
    fn config_bytes(&self) -> usize {
        0
    }
    fn config_read(&mut self, _: usize, _: &mut [u8]) -> Result<()> {
        Ok(())
    }
    fn config_write(&mut self, _: usize, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn bar_bytes(&self, _: crate::bus::Bar) -> u64 {
        0
    }
    fn bar_read(&mut self, _: crate::bus::Bar, _: u64, _: crate::bus::Width) -> Result<u32> {
        Ok(0)
    }
    fn bar_write(&mut self, _: crate::bus::Bar, _: u64, _: crate::bus::Width, _: u32) -> Result<()> {
        Ok(())
    }
    fn map(&mut self, _: &DmaMemory, _: u64) -> Result<()> {
        Ok(())
    }
    fn unmap(&mut self, _: u64, _: u64) -> Result<()> {
        Ok(())
    }
    fn arm(&mut self, _: u16) -> Result<u16> {
        Ok(0)
    }
    fn wait(&mut self, _: u16, _: std::time::Duration) -> Result<bool> {
        Ok(false)
    }
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An arena without a device behind it.
fn arena() -> Arena {
    Arena::new(&mut Nowhere, 1 << 16, Pages::Usual).unwrap()
}

fn pieces(count: usize, bytes: u32) -> Vec<Buffer> {
    (0..count).map(|number| Buffer { iova: number as u64, bytes, writable: number > 0 }).collect()
}

/// Gives a chain back as a device would.
fn give_back(arena: &Arena, ring: &Ring, count: u16, id: u32, bytes: u32) {
    let used = ring.areas.device.at;
    let entry = u64::from((count - 1) % ring.size) * abi::USED_ELEM_BYTES as u64;
    let element = [id.to_le_bytes(), bytes.to_le_bytes()].concat();
    arena.memory.write(used + abi::USED_RING as u64 + entry, &element).unwrap();
    arena.memory.store(used + abi::USED_IDX as u64, count).unwrap();
}

#[test]
fn split_chains_come_back_in_any_order_and_descriptors_are_free_again() {
    let mut arena = arena();
    let mut ring = Ring::new(&mut arena, 0, 8, false).unwrap();
    let mut count = 0;
    for round in 0..20_000u32 {
        let one = ring.post(&arena.memory, &pieces(3, 10)).unwrap().unwrap();
        let two = ring.post(&arena.memory, &pieces(4, 10)).unwrap().unwrap();
        assert_eq!((ring.room(), ring.post(&arena.memory, &pieces(2, 1)).unwrap()), (1, None));
        for id in [two, one] {
            count = u16::wrapping_add(count, 1);
            give_back_at(&arena, &ring, count, id.into(), 20);
            assert_eq!(ring.take(&arena.memory).unwrap(), Some(Used { id, bytes: 20 }), "round {round}");
        }
        assert_eq!((ring.take(&arena.memory).unwrap(), ring.out(), ring.room()), (None, 0, 8));
    }
}

fn give_back_at(arena: &Arena, ring: &Ring, count: u16, id: u32, bytes: u32) {
    let entry = u64::from(count.wrapping_sub(1) % ring.size) * abi::USED_ELEM_BYTES as u64;
    let used = ring.areas.device.at;
    let element = [id.to_le_bytes(), bytes.to_le_bytes()].concat();
    arena.memory.write(used + abi::USED_RING as u64 + entry, &element).unwrap();
    arena.memory.store(used + abi::USED_IDX as u64, count).unwrap();
}

/// Pages that are neighbours for the device need not be so in memory, and not every device cuts what it writes where they meet.
#[test]
fn nothing_that_a_device_writes_at_once_lies_in_two_pages() {
    const PAGE: u64 = 4096;
    for size in (1..=10).map(|log| 1u16 << log) {
        for packed in [false, true] {
            let mut arena = arena();
            // Whatever is before it.
            for before in [0, 2, 12, 100, 1000] {
                arena.clear();
                arena.take(before, 1).unwrap();
                let Areas { descriptors, device, .. } = Ring::new(&mut arena, 0, size, packed).unwrap().areas;
                let pieces = |start: u64, bytes: usize| {
                    (0..u64::from(size)).map(move |n| (start + n * bytes as u64, bytes))
                };
                let event = [(device.at, packed_abi::EVENT_BYTES)];
                let used = pieces(device.at + abi::USED_RING as u64, abi::USED_ELEM_BYTES);
                let written: Vec<_> = if packed {
                    pieces(descriptors.at, abi::DESC_BYTES).chain(event).collect()
                } else {
                    used.chain(event).collect()
                };
                for (at, bytes) in written {
                    let last = at + bytes as u64 - 1;
                    assert_eq!(
                        at / PAGE,
                        last / PAGE,
                        "{bytes} bytes at {at:#x}, ring of {size} behind {before}"
                    );
                }
                assert!(device.at.is_multiple_of(abi::USED_ALIGN as u64));
            }
        }
    }
}

#[test]
fn lies_of_a_split_device_are_refused() {
    for (count, id, bytes, said) in [
        (2, 0, 0, "1 chains are out"),
        (1, 9, 0, "not out"),
        (1, 1, 0, "not out"),
        (1, u32::MAX, 0, "not out"),
        (1, 0, 11, "room for 10"),
    ] {
        let mut arena = arena();
        let mut ring = Ring::new(&mut arena, 0, 8, false).unwrap();
        assert_eq!(ring.post(&arena.memory, &pieces(2, 10)).unwrap(), Some(0));
        give_back(&arena, &ring, count, id, bytes);
        let error = ring.take(&arena.memory).unwrap_err().to_string();
        assert!(error.contains(said), "{count} {id} {bytes}: {error}");
    }
}

#[test]
fn packed_chains_go_round_and_lies_are_refused() {
    let mut arena = arena();
    let mut ring = Ring::new(&mut arena, 1, 4, true).unwrap();
    let (mut at, mut wrap) = (0u16, true);
    for round in 0..100 {
        let id = ring.post(&arena.memory, &pieces(3, 10)).unwrap().unwrap();
        let place = ring.areas.descriptors.at + u64::from(at) * abi::DESC_BYTES as u64;
        let seen: [u8; 16] = arena.memory.array(place).unwrap();
        assert_eq!(u64::from(seen[14]) & packed_abi::DESC_F_AVAIL != 0, wrap, "round {round}");
        assert_eq!(ring.take(&arena.memory).unwrap(), None);
        let mut bytes = [0; 16];
        bytes[8] = 20;
        bytes[12..14].copy_from_slice(&id.to_le_bytes());
        let mark = packed_abi::DESC_F_AVAIL | packed_abi::DESC_F_USED;
        let flags = abi::DESC_F_WRITE | if wrap { mark } else { 0 };
        bytes[14..].copy_from_slice(&(flags as u16).to_le_bytes());
        arena.memory.write(place, &bytes).unwrap();
        assert_eq!(ring.take(&arena.memory).unwrap(), Some(Used { id, bytes: 20 }), "round {round}");
        assert_eq!(ring.take(&arena.memory).unwrap(), None);
        at += 3;
        if at >= 4 {
            (at, wrap) = (at - 4, !wrap);
        }
    }
    let id = ring.post(&arena.memory, &pieces(1, 10)).unwrap().unwrap();
    let place = ring.areas.descriptors.at + u64::from(at) * abi::DESC_BYTES as u64;
    let mark = if wrap { packed_abi::DESC_F_AVAIL | packed_abi::DESC_F_USED } else { 0 };
    arena.memory.write(place + 12, &(id + 1).to_le_bytes()).unwrap();
    arena.memory.store(place + 14, mark as u16).unwrap();
    assert!(ring.take(&arena.memory).unwrap_err().to_string().contains("not out"));
}
