//! queue::arm: each request is written behind the used ring it is for, or into a packed ring's structure, and said to have left in order.

use crate::harness::Harness;
use crate::rings::{Memory, Offer, Writer, enable, settings};
use hematite_abi::packed::EVENT_DESC;
use hematite_hw::params::Params;
use hematite_hw::port::chain::Arm as Request;
use hematite_hw::queue::arm::Arm;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

fn random<const W: usize>(params: &Params, seed: u64, packed: bool) {
    let mut harness = Harness::new(Arm::<W>::new(params), |b| &mut b.clock);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut memory, mut writer) = (Memory::default(), Writer::new(20, 30));
    harness.uut.packed.next = packed;
    harness.uut.reset.next = true;
    harness.tick();
    harness.uut.reset.next = false;
    let mut places = BTreeMap::new();
    for queue in 0..params.queues() as u64 {
        let size = 1u64 << rng.random_range(0..11);
        let device = ((queue + 1) << 33) + 4 * rng.random_range(0..5000);
        let low = rng.random_range(0..4);
        places.insert(queue, if packed { device } else { device + 4 + 8 * size });
        enable(&mut harness.uut.control, Some(settings(queue, size, 0, 0, device | low)));
        harness.tick();
    }
    enable(&mut harness.uut.control, None);
    let mut arms = [Offer::<Request>::new(30), Offer::<Request>::new(30)];
    for (direction, arm) in arms.iter_mut().enumerate() {
        for _ in 0..200 {
            let queue = 2 * rng.random_range(0..params.pairs as u64) + direction as u64;
            arm.words
                .push_back(Request { queue: queue.into(), index: u64::from(rng.random::<u16>()).into() });
        }
    }
    let (mut asked, mut left) = (VecDeque::new(), VecDeque::new());
    for cycle in 0..20_000 {
        for (arm, port) in arms.iter_mut().zip(&mut harness.uut.arms) {
            arm.drive(&mut rng, port);
        }
        writer.drive(&mut rng, cycle, &mut harness.uut.write, &mut harness.uut.notified);
        harness.settle();
        let uut = &mut harness.uut;
        assert!(
            uut.busy.val() || (asked.is_empty() && left.is_empty()),
            "not busy, and something is in hand"
        );
        for (arm, port) in arms.iter_mut().zip(&uut.arms) {
            if arm.sample(port) {
                let Request { queue, index } = port.data.val();
                asked.push_back((u64::from(queue), u64::from(index) as u16));
            }
        }
        if let Some((addr, bytes, notify)) =
            writer.sample(&mut rng, cycle, &mut memory, &uut.write, &uut.notified)
        {
            let (queue, index) = asked.pop_front().expect("a write nobody asked for");
            let mut expected = index.to_le_bytes().to_vec();
            if packed {
                expected.extend((EVENT_DESC as u16).to_le_bytes());
            }
            assert_eq!((addr, bytes, notify), (places[&queue], expected, true));
            left.push_back(queue);
        }
        if uut.rearmed.valid.val() {
            assert_eq!(left.pop_front(), Some(u64::from(uut.rearmed.queue.val())));
        }
        let idle = !uut.busy.val() && arms.iter().all(|arm| arm.words.is_empty());
        if idle && asked.is_empty() && left.is_empty() {
            assert_eq!(writer.pieces, 400);
            return;
        }
        harness.tick();
    }
    panic!("all written: not within 20000 cycles");
}

#[test]
fn random_requests() {
    for packed in [false, true] {
        random::<128>(&Params::BOARD, 1, packed);
        random::<256>(&Params::SIM, 2, packed);
        random::<512>(&Params::MAX, 3, packed);
    }
}
