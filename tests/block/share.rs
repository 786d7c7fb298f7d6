//! `pcie::share`: each of two masters reaches the registers as if it were alone.

use crate::tlps::{Access, Slave};
use hematite_hw::pcie::share::Share;
use hematite_hw::port::mmio::MmioSlave;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

const SIZE: usize = 0x1000;

fn settle(uut: &mut Share) {
    assert!(simulate(uut, 50), "the block does not settle");
}

/// A master with at most one access under way.
#[derive(Default)]
struct Master {
    access: Option<(Access, u32)>,
    done: usize,
}

impl Master {
    fn ask(&mut self, port: &mut MmioSlave, rng: &mut ChaCha8Rng) {
        let addr = 4 * rng.random_range(0..SIZE as u16 / 4);
        let access = Access { write: rng.random(), addr, strobe: rng.random_range(0..16) };
        let data: u32 = rng.random();
        port.valid.next = true;
        port.write.next = access.write;
        port.addr.next = u64::from(addr).to_bits();
        port.strobe.next = u64::from(access.strobe).to_bits();
        port.write_data.next = u64::from(data).to_bits();
        self.access = Some((access, data));
    }

    /// With the block settled: if this is the cycle of the answer, compares what the slave saw and what came back.
    fn answered(
        &mut self,
        port: &mut MmioSlave,
        slave: &Slave,
        seen: &mut Option<Access>,
        expect: &[u8],
    ) -> bool {
        if !port.ready.val() || self.access.is_none() {
            return false;
        }
        let (access, data) = self.access.take().expect("asked");
        assert_eq!(seen.take(), Some(access.clone()), "answered in the cycle of its own access");
        let at = usize::from(access.addr);
        let before = u32::from_le_bytes(expect[at..at + 4].try_into().expect("four bytes"));
        if access.write {
            let lanes = (0..4).filter(|lane| access.strobe >> lane & 1 == 1);
            let mask = lanes.fold(0, |mask, lane| mask | 0xff << (8 * lane));
            let now = u32::from_le_bytes(slave.bytes[at..at + 4].try_into().expect("four bytes"));
            assert_eq!(now, before & !mask | data & mask);
        } else {
            assert_eq!(u64::from(port.read_data.val()) as u32, before);
        }
        port.valid.next = false;
        self.done += 1;
        true
    }
}

/// As in the function, the bar's master is the one which may find the other at work, never the other way.
#[test]
fn both_reach_the_registers() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut uut = Share::default();
    uut.connect_all();
    let mut slave = Slave::new(SIZE, 30, &mut rng);
    let (mut bar, mut window) = (Master::default(), Master::default());
    let mut waited = 0;
    for cycle in 0..6000 {
        if window.access.is_none() && bar.access.is_none() && rng.random_ratio(1, 4) {
            window.ask(&mut uut.window, &mut rng);
        }
        if bar.access.is_none() && rng.random_ratio(1, 4) {
            bar.ask(&mut uut.bar, &mut rng);
        }
        settle(&mut uut);
        assert_eq!(uut.access.valid.val(), bar.access.is_some() || window.access.is_some());
        let expect = slave.bytes.clone();
        slave.seen.clear();
        slave.drive(&mut uut.access, &mut rng);
        settle(&mut uut);
        let mut seen = slave.seen.pop();
        let both = bar.access.is_some() && window.access.is_some();
        let first = window.answered(&mut uut.window, &slave, &mut seen, &expect);
        let second = bar.answered(&mut uut.bar, &slave, &mut seen, &expect);
        assert!(!(first && second) && seen.is_none(), "cycle {cycle}: an answer for one, and only one");
        assert!(!both || !second, "cycle {cycle}: who comes second waits");
        waited += u32::from(both);
        // Nothing is under way between two accesses of a master.
        settle(&mut uut);
    }
    assert!(bar.done > 400 && window.done > 400 && waited > 400, "{}, {}, {waited}", bar.done, window.done);
}
