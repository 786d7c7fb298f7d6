//! Guest and function played by hand: what ours does not do, and neither should.

use std::os::fd::AsFd;

use super::super::guest::{Place, Region};
use super::*;
use crate::ring::tests::Nowhere;

const GUEST: u64 = 0x4000_0000;
const SIZE: u16 = 8;
/// Descriptors, available, used.
const AREAS: [u64; 3] = [0, 0x1000, 0x2000];
const BYTES: u64 = 0x10_0000;

struct Played {
    ram: DmaMemory,
    memory: Memory,
    shadow: Shadow,
    log: Option<(DmaMemory, Log)>,
}

fn played(features: usize, base: u16) -> Played {
    let ram = DmaMemory::new(BYTES as usize, Pages::Usual).unwrap();
    let place: Vec<u8> = [GUEST, BYTES, 0x7000, 0].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
    let region = Region::new(Place::parse(&place).unwrap(), ram.as_fd().try_clone_to_owned().unwrap());
    let mut memory = Memory::default();
    memory.add(&mut Nowhere, region.unwrap()).unwrap();
    for at in [AREAS[1], AREAS[2]] {
        ram.store(at + 2, base).unwrap();
    }
    let placed = Placed { size: SIZE, areas: AREAS.map(|at| GUEST + at) };
    let shadow = Shadow::new(&mut Nowhere, &memory, [placed; QUEUES], [base; QUEUES], 1 << features).unwrap();
    Played { ram, memory, shadow, log: None }
}

impl Played {
    /// The guest offers a chain of one descriptor that the function writes.
    fn offer(&mut self, head: u16, address: u64, bytes: u32) {
        let descriptor = [&address.to_le_bytes()[..], &bytes.to_le_bytes(), &[2, 0, 0, 0]].concat();
        self.ram.write(AREAS[0] + u64::from(head) * 16, &descriptor).unwrap();
        let index = self.ram.load(AREAS[1] + 2).unwrap();
        self.ram.store(AREAS[1] + avail_entry(SIZE, index), head).unwrap();
        self.ram.store(AREAS[1] + 2, index.wrapping_add(1)).unwrap();
    }

    /// The function uses chains, and says that these were `more` beside.
    fn uses(&mut self, chains: &[(u32, u32)], more: u16) {
        let (ours, at) = (&self.shadow.arena.memory, self.shadow.relays[0].used);
        let mut index = ours.load(at + 2).unwrap();
        for (id, bytes) in chains {
            let element = [id.to_le_bytes(), bytes.to_le_bytes()].concat();
            ours.write(at + used_entry(SIZE, index), &element).unwrap();
            index = index.wrapping_add(1);
        }
        ours.store(at + 2, index.wrapping_add(more)).unwrap();
    }

    fn side(&self) -> Side<'_> {
        let used = [self.log.as_ref().map(|_| GUEST + AREAS[2]); QUEUES];
        Side { memory: &self.memory, log: self.log.as_ref().map(|(_, log)| log), used }
    }

    fn give(&mut self) -> Done<bool> {
        let side = Side { memory: &self.memory, log: None, used: [None; QUEUES] };
        self.shadow.give(0, &side)
    }

    fn take(&mut self) -> Done<bool> {
        let mut shadow = std::mem::replace(&mut self.shadow, played(0, 0).shadow);
        let done = shadow.take(0, &self.side());
        self.shadow = shadow;
        done
    }

    /// What the guest has been given back since an index.
    fn back(&self, mut from: u16) -> Vec<(u32, u32)> {
        let mut chains = vec![];
        while from != self.ram.load(AREAS[2] + 2).unwrap() {
            let element: [u8; 8] = self.ram.array(AREAS[2] + used_entry(SIZE, from)).unwrap();
            let word = |at: usize| u32::from_le_bytes(element[at..at + 4].try_into().unwrap());
            chains.push((word(0), word(4)));
            from = from.wrapping_add(1);
        }
        chains
    }
}

#[test]
fn chains_go_back_in_the_order_they_came() {
    let mut played = played(feature::MRG_RXBUF, 0xfffe);
    for head in [3, 1, 2] {
        played.offer(head, GUEST, 64);
    }
    assert!(played.give().unwrap() && !played.give().unwrap());
    played.uses(&[(2, 20), (1, 10)], 0);
    assert!(!played.take().unwrap(), "the first is missing");
    assert_eq!(played.back(0xfffe), []);
    played.uses(&[(3, 30)], 0);
    assert!(played.take().unwrap());
    assert_eq!(played.back(0xfffe), [(3, 30), (1, 10), (2, 20)]);
    assert_eq!(played.shadow.base(0), 1);
}

#[test]
fn a_batch_used_in_order_is_told_one_by_one() {
    let mut played = played(feature::IN_ORDER, 7);
    for head in [4, 5, 6, 7] {
        played.offer(head, GUEST, 100 + u32::from(head));
    }
    assert!(played.give().unwrap());
    // One element for three chains, then one for itself.
    played.uses(&[(6, 10)], 2);
    assert!(played.take().unwrap());
    assert_eq!(played.back(7), [(4, 104), (5, 105), (6, 10)]);
    played.uses(&[(7, 9)], 0);
    assert!(played.take().unwrap());
    assert_eq!(played.back(10), [(7, 9)]);
}

#[test]
fn a_function_that_lies_is_an_error() {
    for (features, chains, more) in [
        (feature::MRG_RXBUF, vec![(3, 1)], 0),
        (feature::MRG_RXBUF, vec![(1, 1), (1, 1)], 0),
        (feature::MRG_RXBUF, vec![(1 << 16 | 1, 1)], 0),
        (feature::MRG_RXBUF, vec![(1, 1), (2, 1)], 1),
        (feature::MRG_RXBUF, vec![], 0xffff),
        (feature::IN_ORDER, vec![(2, 1)], 0),
        (feature::IN_ORDER, vec![(2, 1)], 2),
    ] {
        let mut played = played(features, 9);
        [1, 2].iter().for_each(|head| played.offer(*head, GUEST, 64));
        assert!(played.give().unwrap());
        played.uses(&chains, more);
        assert!(matches!(played.take(), Err(Trouble::Function(_))), "{features} {chains:?} {more}");
    }
}

#[test]
fn a_guest_that_lies_is_heard_no_more() {
    let mut played = played(feature::MRG_RXBUF, 5);
    played.offer(1, GUEST, 64);
    assert!(played.give().unwrap());
    played.ram.store(AREAS[1] + 2, 5 + 9).unwrap();
    assert!(!played.give().unwrap());
    played.ram.store(AREAS[1] + 2, 6).unwrap();
    played.offer(2, GUEST, 64);
    assert!(!played.give().unwrap(), "it has to begin anew");
    played.uses(&[(1, 3)], 0);
    assert!(played.take().unwrap());
    assert_eq!(played.back(5), [(1, 3)]);
}

#[test]
fn both_sides_are_told_when_they_asked() {
    let mut played = played(feature::EVENT_IDX, 100);
    let guests_event = AREAS[1] + used_event(SIZE);
    played.ram.store(guests_event, 101).unwrap();
    [1, 2].iter().for_each(|head| played.offer(*head, GUEST, 64));
    assert!(played.give().unwrap());
    assert_eq!(played.ram.load(AREAS[2] + avail_event(SIZE)).unwrap(), 102, "kick at the next");
    let ours = |played: &Played| {
        let at = played.shadow.relays[0].available + used_event(SIZE);
        played.shadow.arena.memory.load(at).unwrap()
    };
    played.uses(&[(1, 1)], 0);
    assert!(!played.take().unwrap(), "it has not asked for the first");
    assert_eq!(ours(&played), 1, "interrupt at the next");
    played.uses(&[(2, 1)], 0);
    assert!(played.take().unwrap(), "but for the second");
    let mut played = self::played(feature::MRG_RXBUF, 0);
    played.ram.store(AREAS[1], 1).unwrap();
    played.ram.store(AREAS[2], 1).unwrap();
    played.shadow.begin(&played.side()).unwrap();
    assert_eq!(played.ram.load(AREAS[2]).unwrap(), 0, "kicks are wanted");
    played.offer(1, GUEST, 64);
    assert!(played.give().unwrap());
    played.uses(&[(1, 1)], 0);
    assert!(!played.take().unwrap(), "NO_INTERRUPT");
}

#[test]
fn pages_of_a_chain_are_marked_as_far_as_it_was_written() {
    let mut played = played(feature::MRG_RXBUF, 0);
    // Across two pages; one which is not the guest's; one of which nothing is written.
    played.offer(1, GUEST + 0x5ff0, 0x40);
    played.offer(2, GUEST + BYTES - 0x10, 0x40);
    played.offer(3, GUEST + 0x9000, 0x40);
    assert!(played.give().unwrap());
    let bits = DmaMemory::new(1 << 16, Pages::Usual).unwrap();
    let log = Log::new(bits.as_fd().try_clone_to_owned().unwrap(), 1 << 16, 0).unwrap();
    assert!(log.covers(GUEST + BYTES));
    played.log = Some((bits, log));
    played.uses(&[(1, 0x11), (2, 0x40), (3, 0)], 0);
    assert!(played.take().unwrap());
    let bits = &played.log.as_ref().unwrap().0;
    let first = GUEST / PAGE / 8;
    let marked: Vec<u64> = (0..BYTES / PAGE + 8)
        .filter(|page| bits.array::<1>(first + page / 8).unwrap()[0] >> (page % 8) & 1 == 1)
        .collect();
    assert_eq!(marked, [2, 5, 6, 0xff], "the used ring, and buffers");
}
