//! queue::suppress: an interrupt for each publication whose driver wants one, in order, and for no other.

use crate::harness::Harness;
use crate::rings::{Memory, Offer, Reader, Taken, enable, settings};
use hematite_abi::ident;
use hematite_hw::params::Params;
use hematite_hw::port::chain::Published;
use hematite_hw::queue::suppress::Suppress;
use hematite_sim::facts::packed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Flags in the driver area of each queue: what a driver may put there, and whether it wants to be interrupted.
const FLAGS: [(u16, bool); 4] = [(0, true), (1, false), (0xfffe, true), (0xffff, false)];

fn random_flags<const W: usize>(params: &Params, seed: u64, stall: u32) -> u64 {
    let mut harness = Harness::new(Suppress::<W>::new(params), |b| &mut b.clock);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut memory = Memory::default();
    let mut reader = Reader::<W>::new(20, stall);
    let mut published = Offer::<Published>::new(stall);
    let mut watch = Taken::default();
    let (mut expect, mut suppressed, mut errors) = (VecDeque::new(), 0, VecDeque::new());
    harness.uut.reset.next = true;
    harness.tick();
    harness.uut.reset.next = false;
    let queues = params.queues() as u64;
    let mut flags = vec![];
    for queue in 0..queues {
        let driver = ((queue + 1) << 20) + 2 * rng.random_range(0..100);
        let with = settings(queue, 8, 0, driver, 0);
        reader.learn(&with);
        enable(&mut harness.uut.control, Some(with));
        harness.tick();
        let (value, wanted) = FLAGS[rng.random_range(0..4)];
        memory.write(driver - 2, &[rng.random(), rng.random()]);
        memory.write_u16(driver, value);
        memory.write_u16(driver + 2, rng.random());
        let bad = (queue % 8 == 5).then(|| rng.random());
        if let Some(timeout) = bad {
            memory.bad.insert(driver + 1, timeout);
        }
        flags.push((wanted, bad));
    }
    enable(&mut harness.uut.control, None);
    for _ in 0..400 {
        let queue = rng.random_range(0..queues);
        published.words.push_back(Published { queue: queue.into(), index: 0.into() });
        match flags[queue as usize] {
            (_, Some(timeout)) => errors.push_back((queue, timeout)),
            (true, None) => expect.push_back(queue),
            (false, None) => suppressed += 1,
        }
    }
    for cycle in 0..20_000 {
        published.drive(&mut rng, &mut harness.uut.published);
        harness.uut.irq.ready.next = rng.random_range(0..100) >= stall;
        harness.uut.error.ready.next = rng.random_range(0..100) >= stall;
        let uut = &mut harness.uut;
        reader.drive(&mut rng, cycle, &memory, &mut uut.request, &mut uut.reply);
        harness.settle();
        let uut = &mut harness.uut;
        published.sample(&uut.published);
        reader.sample(&mut rng, cycle, &uut.request, &uut.reply);
        if let Some(irq) = watch.sample(&uut.irq) {
            assert_eq!(expect.pop_front(), Some(u64::from(irq.queue)));
        }
        suppressed -= i64::from(uut.count_irq_suppressed.val());
        if uut.error.valid.val() && uut.error.ready.val() {
            let (queue, timeout) = errors.pop_front().expect("an error of no queue");
            let code = if timeout { ident::ERROR_DMA_TIMEOUT } else { ident::ERROR_DMA_READ };
            assert_eq!(
                (u64::from(uut.error.data.val().queue), u64::from(uut.error.data.val().code)),
                (queue, code)
            );
        }
        if published.words.is_empty() && !uut.busy.val() {
            assert!(reader.quiet() && expect.is_empty() && errors.is_empty());
            assert_eq!(suppressed, 0);
            return cycle;
        }
        harness.tick();
    }
    panic!("all answered: not within 20000 cycles");
}

#[test]
fn random_flags_all_widths() {
    random_flags::<64>(&Params::TINY, 1, 30);
    random_flags::<128>(&Params::BOARD, 2, 30);
    random_flags::<256>(&Params::SIM, 3, 30);
    random_flags::<512>(&Params::MAX, 4, 30);
}

/// Reads do not wait for each other.
#[test]
fn pipelined() {
    let cycles = random_flags::<64>(&Params::TINY, 5, 0);
    assert!(cycles < 400 * 8, "400 publications with a read of up to 20 cycles each took {cycles} cycles");
}

/// EVENT_IDX: the driver's wish is an element; publications move the index by one or more.
#[test]
fn events() {
    for (size, shift) in [(1u64, 0u64), (8, 0), (256, 2)] {
        let mut harness = Harness::new(Suppress::<256>::new(&Params::SIM), |b| &mut b.clock);
        let mut rng = ChaCha8Rng::seed_from_u64(7 + size);
        let (mut memory, mut reader) = (Memory::default(), Reader::<256>::new(20, 30));
        harness.uut.reset.next = true;
        harness.tick();
        harness.uut.reset.next = false;
        harness.uut.event_idx.next = true;
        harness.uut.irq.ready.next = true;
        let driver = (1 << 20) + shift;
        let with = settings(3, size, 0, driver, 0);
        reader.learn(&with);
        enable(&mut harness.uut.control, Some(with));
        harness.tick();
        enable(&mut harness.uut.control, None);
        let (mut index, mut interrupts) = (0u16, 0);
        for round in 0..300 {
            let old = index;
            index = index.wrapping_add(if round == 100 { 0xff00 } else { rng.random_range(1..20) });
            let event = old.wrapping_add(rng.random_range(0..30)).wrapping_sub(5);
            memory.write(driver, &vec![rng.random(); 4 + 2 * size as usize]);
            memory.write_u16(driver + 4 + 2 * size, event);
            harness.uut.published.valid.next = true;
            harness.uut.published.data.next = Published { queue: 3.into(), index: u64::from(index).into() };
            let mut got = 0;
            for _ in 0..200 {
                let cycle = harness.cycle;
                reader.drive(&mut rng, cycle, &memory, &mut harness.uut.request, &mut harness.uut.reply);
                harness.settle();
                let uut = &mut harness.uut;
                reader.sample(&mut rng, cycle, &uut.request, &uut.reply);
                got += u32::from(uut.irq.valid.val());
                let taken = uut.published.ready.val();
                harness.tick();
                if taken {
                    harness.uut.published.valid.next = false;
                }
            }
            // Elements old to index - 1 have come: is the one it names among them?
            let wanted = event.wrapping_sub(old) < index.wrapping_sub(old);
            assert_eq!(got, u32::from(wanted), "size {size}: {old} to {index}, event {event}");
            interrupts += got;
        }
        assert!((50..250).contains(&interrupts), "{interrupts} interrupts");
    }
}

/// Packed rings: on, off, or at a descriptor, which any of a chain's descriptors passes.
#[test]
fn event_suppression_structures() {
    for size in [1u16, 8, 256, 32768] {
        let mut harness = Harness::new(Suppress::<256>::new(&Params::SIM), |b| &mut b.clock);
        let mut rng = ChaCha8Rng::seed_from_u64(9 + u64::from(size));
        let (mut memory, mut reader) = (Memory::default(), Reader::<256>::new(20, 30));
        harness.uut.reset.next = true;
        harness.tick();
        harness.uut.reset.next = false;
        harness.uut.packed.next = true;
        harness.uut.irq.ready.next = true;
        let driver = 1 << 20;
        let with = settings(3, size.into(), 0, driver, 0);
        reader.learn(&with);
        enable(&mut harness.uut.control, Some(with));
        harness.tick();
        enable(&mut harness.uut.control, None);
        let mut count = 0u16;
        for round in 0..400 {
            let events = round % 8 != 0;
            harness.uut.event_idx.next = events;
            let old = count;
            count = count.wrapping_add(rng.random_range(1..=size.min(9)));
            let near = old.wrapping_add(rng.random_range(0..12)).wrapping_sub(3);
            let kind = rng.random_range(0..5u16).min(2);
            memory.write_u16(driver, packed::place(near, size));
            memory.write_u16(driver + 2, kind);
            harness.uut.published.valid.next = true;
            harness.uut.published.data.next = Published { queue: 3.into(), index: u64::from(count).into() };
            let mut got = 0;
            for _ in 0..100 {
                let cycle = harness.cycle;
                reader.drive(&mut rng, cycle, &memory, &mut harness.uut.request, &mut harness.uut.reply);
                harness.settle();
                let uut = &mut harness.uut;
                reader.sample(&mut rng, cycle, &uut.request, &uut.reply);
                got += u32::from(uut.irq.valid.val());
                let taken = uut.published.ready.val();
                harness.tick();
                if taken {
                    harness.uut.published.valid.next = false;
                }
            }
            let wanted = match kind {
                packed::EVENT_DISABLE => false,
                packed::EVENT_DESC if events => packed::passes(packed::place(near, size), old, count, size),
                _ => true,
            };
            assert_eq!(got, u32::from(wanted), "size {size}: {old} to {count}, {near}, kind {kind}");
        }
    }
}
