//! `pcie::msix` against a plain account of the specification: table, masks, pending bits, messages.

use crate::harness::Harness;
use hematite_abi::{layout, msix};
use hematite_hw::params::Params;
use hematite_hw::pcie::msix::Msix;
use hematite_hw::port::irq::Irq;
use hematite_hw::port::pcie::PcieSettings;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// Clearing 129 entries, or walking through them with a message each to a slow writer.
const WAIT_CYCLES: u64 = 8000;

/// A message as the writer gets it.
#[derive(Clone, Debug, PartialEq)]
struct Message {
    addr: u64,
    data: u32,
}

struct Bench<const W: usize> {
    dut: Harness<Msix<W>>,
    rng: ChaCha8Rng,
    vectors: usize,
    messages: VecDeque<Message>,
    /// Chance in 100 that the writer takes a message in a cycle.
    eager: u32,
    sent: u64,
    masked: u64,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, params: &Params, eager: u32) -> Self {
        let mut bench = Bench {
            dut: Harness::new(Msix::new(params), |uut| &mut uut.clock),
            rng: ChaCha8Rng::seed_from_u64(seed),
            vectors: params.vectors(),
            messages: VecDeque::new(),
            eager,
            sent: 0,
            masked: 0,
        };
        bench.reset();
        bench
    }

    fn reset(&mut self) {
        self.dut.uut.reset.next = true;
        self.dut.tick();
        self.dut.uut.reset.next = false;
    }

    fn settings(&mut self, msix_enable: bool, msix_mask: bool) {
        self.dut.uut.settings.next = PcieSettings { msix_enable, msix_mask, ..Default::default() };
        self.cycle();
    }

    fn cycle(&mut self) {
        let port = &mut self.dut.uut.write;
        port.ready.next = self.rng.random_ratio(self.eager, 100);
        self.dut.settle();
        let port = &self.dut.uut.write;
        if port.valid.val() && port.ready.val() {
            let side = port.side.val();
            assert!(port.last.val() && side.len.index() == 4 && !side.notify.any());
            let data = port.data.val().get_bits::<32>(0).index() as u32;
            self.messages.push_back(Message { addr: side.addr.into(), data });
        }
        self.sent += u64::from(self.dut.uut.count_irq_sent.val());
        self.masked += u64::from(self.dut.uut.count_irq_masked.val());
        self.dut.tick();
    }

    /// Until nothing moves any more; the messages that have left.
    fn settle(&mut self) -> Vec<Message> {
        for _ in 0..WAIT_CYCLES {
            self.cycle();
            if !self.dut.uut.busy.val() {
                return self.messages.drain(..).collect();
            }
        }
        panic!("nothing moves any more: not within {WAIT_CYCLES} cycles");
    }

    fn access(&mut self, write: bool, addr: u64, strobe: u8, value: u32) -> u32 {
        let port = &mut self.dut.uut.access;
        (port.valid.next, port.write.next) = (true, write);
        port.addr.next = addr.to_bits();
        port.strobe.next = u64::from(strobe).to_bits();
        port.write_data.next = u64::from(value).to_bits();
        for _ in 0..WAIT_CYCLES {
            self.dut.settle();
            let (ready, data) = (self.dut.uut.access.ready.val(), self.dut.uut.access.read_data.val());
            self.cycle();
            if ready {
                self.dut.uut.access.valid.next = false;
                return data.index() as u32;
            }
        }
        panic!("an access of {addr:#x}: not within {WAIT_CYCLES} cycles");
    }

    fn entry(vector: usize, dword: usize) -> u64 {
        layout::MSIX_TABLE_OFFSET + (vector * msix::ENTRY_BYTES + 4 * dword) as u64
    }

    fn read(&mut self, addr: u64) -> u32 {
        self.access(false, addr, 15, 0)
    }

    fn write(&mut self, addr: u64, value: u32) {
        self.access(true, addr, 15, value);
    }

    fn mask(&mut self, vector: usize, masked: bool) {
        self.write(Self::entry(vector, msix::ENTRY_CONTROL_DW), u32::from(masked));
    }

    fn message(vector: usize) -> Message {
        Message { addr: 0x12_fee0_0000 + 16 * vector as u64, data: 0xabc0_0000 + vector as u32 }
    }

    /// Every vector gets its message, and stays masked.
    fn program(&mut self) {
        for vector in 0..self.vectors {
            let message = Self::message(vector);
            self.write(Self::entry(vector, msix::ENTRY_ADDR_DW), message.addr as u32);
            self.write(Self::entry(vector, msix::ENTRY_ADDR_HI_DW), (message.addr >> 32) as u32);
            self.write(Self::entry(vector, msix::ENTRY_DATA_DW), message.data);
        }
    }

    fn irq(&mut self, vector: usize) {
        self.dut.uut.irq.valid.next = true;
        self.dut.uut.irq.data.next = Irq { vector: vector.to_bits() };
        for _ in 0..WAIT_CYCLES {
            self.dut.settle();
            let taken = self.dut.uut.irq.ready.val();
            self.cycle();
            if taken {
                self.dut.uut.irq.valid.next = false;
                return;
            }
        }
        panic!("interrupt {vector} is taken: not within {WAIT_CYCLES} cycles");
    }

    fn pending(&mut self) -> Vec<usize> {
        let words: Vec<u32> = (0..9).map(|i| self.read(layout::MSIX_PBA_OFFSET + 4 * i)).collect();
        (0..9 * 32).filter(|bit| words[bit / 32] >> (bit % 32) & 1 == 1).collect()
    }
}

#[test]
fn the_table_keeps_what_is_written_byte_by_byte() {
    let mut bench = Bench::<64>::new(1, &Params::SIM, 100);
    let mut expected = vec![[0u32, 0, 0, 1]; bench.vectors];
    for round in 0..400 {
        let (vector, dword) = (bench.rng.random_range(0..256), bench.rng.random_range(0..4usize));
        let vector = if round % 4 == 0 { vector } else { vector % bench.vectors };
        let (strobe, value): (u8, u32) = (bench.rng.random_range(0..16), bench.rng.random());
        bench.access(true, Bench::<64>::entry(vector, dword), strobe, value);
        if vector < bench.vectors {
            let lanes =
                (0..4).filter(|lane| strobe >> lane & 1 == 1).fold(0, |all, lane| all | 0xff << (8 * lane));
            let mask = lanes & [!3, !0, !0, 1][dword];
            expected[vector][dword] = expected[vector][dword] & !mask | value & mask;
        }
        let want = expected.get(vector).map_or(0, |entry| entry[dword]);
        assert_eq!(bench.read(Bench::<64>::entry(vector, dword)), want, "vector {vector} dword {dword}");
    }
    bench.reset();
    for vector in 0..bench.vectors {
        assert_eq!(bench.read(Bench::<64>::entry(vector, msix::ENTRY_CONTROL_DW)), 1, "masked after reset");
    }
}

fn sends<const W: usize>(params: &Params) {
    let mut bench = Bench::<W>::new(2, params, 50);
    bench.program();
    bench.settings(true, false);
    for vector in 0..bench.vectors {
        bench.mask(vector, false);
    }
    for _ in 0..100 {
        let vector = bench.rng.random_range(0..bench.vectors);
        bench.irq(vector);
        assert_eq!(bench.settle(), [Bench::<W>::message(vector)]);
    }
    assert_eq!((bench.sent, bench.masked), (100, 0));
    assert!(bench.pending().is_empty());
}

#[test]
fn every_interrupt_is_a_message() {
    sends::<64>(&Params::TINY);
    sends::<512>(&Params::MAX);
}

#[test]
fn what_is_masked_waits_and_is_sent_once() {
    let mut bench = Bench::<64>::new(3, &Params::MAX, 70);
    bench.program();
    bench.settings(true, false);
    for vector in [0, 31, 32, 77, 128, 77] {
        bench.irq(vector);
    }
    assert_eq!(bench.settle(), []);
    assert_eq!((bench.masked, bench.sent), (6, 0));
    assert_eq!(bench.pending(), [0, 31, 32, 77, 128]);
    bench.write(layout::MSIX_PBA_OFFSET, 0);
    assert_eq!(bench.pending(), [0, 31, 32, 77, 128], "pending bits are read only");
    bench.mask(77, false);
    assert_eq!(bench.settle(), [Bench::<64>::message(77)]);
    // Nothing of it is left behind.
    bench.mask(77, true);
    bench.mask(77, false);
    assert_eq!(bench.settle(), []);
    // Under the function's mask a vector's own does not help; lifting it sends all that are open.
    bench.settings(true, true);
    bench.mask(128, false);
    bench.mask(32, false);
    bench.irq(77);
    assert_eq!(bench.settle(), []);
    assert_eq!(bench.pending(), [0, 31, 32, 77, 128]);
    bench.settings(true, false);
    assert_eq!(bench.settle(), [32, 77, 128].map(Bench::<64>::message));
    assert_eq!(bench.pending(), [0, 31]);
    // Off, everything is forgotten.
    bench.settings(false, false);
    bench.settle();
    assert!(bench.pending().is_empty());
}

#[test]
fn what_cannot_be_sent_is_taken_and_forgotten() {
    let mut bench = Bench::<64>::new(4, &Params::TINY, 100);
    bench.program();
    bench.mask(0, false);
    bench.irq(0);
    assert_eq!(bench.settle(), [], "MSI-X is off");
    bench.settings(true, false);
    for vector in [3, 4, 7, 255, 256, 0xffff] {
        bench.irq(vector);
    }
    assert_eq!(bench.settle(), []);
    assert!(bench.pending().is_empty());
    assert_eq!((bench.sent, bench.masked), (0, 0));
    bench.irq(0);
    assert_eq!(bench.settle(), [Bench::<64>::message(0)]);
}

#[test]
fn reset_masks_and_forgets() {
    let mut bench = Bench::<64>::new(5, &Params::SIM, 100);
    bench.program();
    bench.settings(true, false);
    bench.irq(4);
    bench.settle();
    assert_eq!(bench.pending(), [4]);
    bench.reset();
    assert!(bench.pending().is_empty());
    bench.mask(4, false);
    assert_eq!(bench.settle(), []);
}

/// Random everything; each vector's account: at most one message is owed, and none is lost.
#[test]
fn random_masks_and_interrupts_lose_nothing() {
    let mut bench = Bench::<64>::new(6, &Params::SIM, 30);
    bench.program();
    let mut masked = vec![true; bench.vectors];
    let mut owed = vec![false; bench.vectors];
    let mut function_mask = false;
    bench.settings(true, false);
    for _ in 0..600 {
        let vector = bench.rng.random_range(0..bench.vectors);
        match bench.rng.random_range(0..8) {
            0..4 => {
                bench.irq(vector);
                owed[vector] = true;
            }
            4 | 5 => {
                let to = bench.rng.random();
                bench.mask(vector, to);
                masked[vector] = to;
            }
            6 => {
                function_mask = !function_mask;
                bench.settings(true, function_mask);
            }
            _ => {
                let waits: Vec<usize> = (0..bench.vectors).filter(|vector| owed[*vector]).collect();
                assert_eq!(bench.pending(), waits);
            }
        }
        let mut sent = bench.settle();
        sent.sort_by_key(|message| message.addr);
        let due: Vec<usize> =
            (0..bench.vectors).filter(|vector| owed[*vector] && !masked[*vector] && !function_mask).collect();
        assert_eq!(sent, due.iter().map(|vector| Bench::<64>::message(*vector)).collect::<Vec<_>>());
        due.into_iter().for_each(|vector| owed[vector] = false);
    }
    assert!(bench.sent > 100 && bench.masked > 50, "{} sent, {} masked", bench.sent, bench.masked);
}
