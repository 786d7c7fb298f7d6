//! `pcie::config`: every register against the abi's table, what the settings say, the window.

use crate::harness::Harness;
use crate::tlps::{Access, Slave};
use hematite_abi::space::{CONFIG_DWORDS, ConfigParams, DwReg, config_space};
use hematite_abi::{config, layout};
use hematite_hw::params::Params;
use hematite_hw::pcie::config::Config;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

const ACCESS_CYCLES: u64 = 100;
const COMMAND: usize = config::COMMAND;
const DEVICE_CONTROL: usize = layout::CAP_PCIE + config::DEVICE_CONTROL;
const POWER_CONTROL: usize = layout::CAP_POWER + config::POWER_CONTROL;
const WINDOW: usize = layout::CAP_PCI_CFG;

struct Bench {
    dut: Harness<Config>,
    rng: ChaCha8Rng,
    bar: Slave,
    space: [DwReg; CONFIG_DWORDS],
}

impl Bench {
    fn new(seed: u64, params: &Params) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let bar = Slave::new(0x1_0000, 40, &mut rng);
        let space =
            config_space(&ConfigParams::new(params.vectors(), params.numbers(), params.payload_bytes));
        let dut = Harness::new(Config::new(params), |uut| &mut uut.clock);
        let mut bench = Bench { dut, rng, bar, space };
        bench.dut.uut.flr_answer.next = true;
        bench.reset();
        bench
    }

    fn reset(&mut self) {
        self.dut.uut.reset.next = true;
        self.dut.tick();
        self.dut.uut.reset.next = false;
        self.dut.tick();
    }

    fn access(&mut self, write: bool, offset: usize, strobe: u8, value: u32) -> u32 {
        let port = &mut self.dut.uut.access;
        (port.valid.next, port.write.next) = (true, write);
        port.addr.next = (offset & !3).to_bits();
        port.strobe.next = u64::from(strobe).to_bits();
        port.write_data.next = u64::from(value).to_bits();
        for _ in 0..ACCESS_CYCLES {
            self.dut.settle();
            self.bar.drive(&mut self.dut.uut.window, &mut self.rng);
            self.dut.settle();
            let (ready, data) = (self.dut.uut.access.ready.val(), self.dut.uut.access.read_data.val());
            self.dut.tick();
            if ready {
                self.dut.uut.access.valid.next = false;
                self.dut.tick();
                return data.index() as u32;
            }
        }
        panic!("an access of {offset:#x}: not within {ACCESS_CYCLES} cycles");
    }

    fn read(&mut self, offset: usize) -> u32 {
        self.access(false, offset, 15, 0)
    }

    fn write(&mut self, offset: usize, value: u32) {
        self.access(true, offset, 15, value);
    }

    /// The low or high half of a DWORD, by its offset.
    fn write16(&mut self, offset: usize, value: u16) {
        let high = offset & 2 != 0;
        self.access(true, offset, if high { 12 } else { 3 }, u32::from(value) << if high { 16 } else { 0 });
    }

    fn settings(&mut self) -> hematite_hw::port::pcie::PcieSettings {
        self.dut.tick();
        self.dut.uut.settings.val()
    }

    fn aim(&mut self, bar: u32, offset: u32, length: u32) {
        self.access(true, WINDOW + 4, 1, bar);
        self.write(WINDOW + 8, offset);
        self.write(WINDOW + 12, length);
    }
}

fn registers_follow_the_table(params: &Params) {
    let mut bench = Bench::new(1, params);
    let mut expected: Vec<u32> = bench.space.iter().map(|reg| reg.reset).collect();
    let data = layout::WINDOW_DATA_DW;
    for dword in (0..1024).filter(|dword| *dword != data) {
        assert_eq!(
            bench.read(4 * dword),
            expected.get(dword).copied().unwrap_or(0),
            "reset value of {:#x}",
            4 * dword
        );
    }
    for round in 0..400 {
        let dword = if round < 200 {
            bench.rng.random_range(0..CONFIG_DWORDS)
        } else {
            bench.rng.random_range(0..1024)
        };
        if dword == data {
            continue;
        }
        let (strobe, mut value): (u8, u32) = (bench.rng.random_range(0..16), bench.rng.random());
        if 4 * dword == DEVICE_CONTROL & !3 {
            value &= !(1 << config::DEVCTL_FLR_LSB);
        }
        if 4 * dword == POWER_CONTROL & !3 {
            value |= u32::from(bench.rng.random::<bool>()) * 3;
            value &= if value & 3 == 3 { !0 } else { !3 };
        }
        bench.access(true, 4 * dword, strobe, value);
        if dword < CONFIG_DWORDS {
            let lanes =
                (0..4).filter(|lane| strobe >> lane & 1 == 1).fold(0, |all, lane| all | 0xff << (8 * lane));
            let mask = bench.space[dword].write & lanes;
            expected[dword] = expected[dword] & !mask | value & mask;
        }
        let again = bench.rng.random_range(0..CONFIG_DWORDS);
        for dword in [dword, again].into_iter().filter(|dword| *dword != data) {
            let expected = expected.get(dword).copied().unwrap_or(0);
            assert_eq!(bench.read(4 * dword), expected, "{:#x} after {value:#x}/{strobe:x}", 4 * dword);
        }
    }
    bench.reset();
    let space = bench.space;
    for reg in space.iter().filter(|reg| reg.offset != 4 * data) {
        assert_eq!(bench.read(reg.offset), reg.reset, "{:#x} after reset", reg.offset);
    }
}

#[test]
fn registers_follow_the_table_of_every_set() {
    registers_follow_the_table(&Params::TINY);
    registers_follow_the_table(&Params::MAX);
}

#[test]
fn the_bar_says_its_size_and_moves() {
    let mut bench = Bench::new(2, &Params::TINY);
    bench.write(config::BAR0, !0);
    bench.write(config::BAR1, !0);
    assert_eq!((bench.read(config::BAR0), bench.read(config::BAR1)), (0xffff_000c, !0));
    bench.write(config::BAR0, 0x3456_789a);
    bench.write(config::BAR1, 0x12);
    assert_eq!(u64::from(bench.settings().bar), 0x12_3456_0000);
}

#[test]
fn settings_follow_command_power_and_msix() {
    let mut bench = Bench::new(3, &Params::SIM);
    let made = bench.settings();
    assert!(!made.memory_enable && !made.bus_master && !made.msix_enable);
    bench.write16(COMMAND, 0x406);
    bench.write16(layout::CAP_MSIX + 2, 0xc000);
    bench.dut.uut.captured.next = 0x1a08u64.to_bits();
    let made = bench.settings();
    assert!(made.memory_enable && made.bus_master && made.msix_enable && made.msix_mask);
    assert_eq!(made.requester.index(), 0x1a08);
    bench.write16(layout::CAP_MSIX + 2, 0x8000);
    assert!(bench.settings().msix_enable && !bench.settings().msix_mask);
    // D1 and D2 are not there; D3hot keeps everything and serves no memory.
    for state in [1, 2] {
        bench.write16(POWER_CONTROL, state);
        assert_eq!(bench.read(POWER_CONTROL) & 3, 0);
    }
    bench.write16(POWER_CONTROL, 3);
    assert_eq!(bench.read(POWER_CONTROL), 0xb);
    assert!(!bench.settings().memory_enable && !bench.settings().bus_master);
    bench.write16(POWER_CONTROL, 0);
    assert!(bench.settings().memory_enable && bench.settings().bus_master);
}

#[test]
fn sizes_are_the_hosts_or_less() {
    for params in [Params::TINY, Params::SIM, Params::MAX] {
        let mut bench = Bench::new(4, &params);
        for code in 0..8usize {
            bench.write16(
                DEVICE_CONTROL,
                (code << config::DEVCTL_MRRS_LSB | code << config::DEVCTL_MPS_LSB) as u16,
            );
            let (read, payload) =
                (bench.settings().read_bytes.index(), bench.settings().payload_bytes.index());
            assert_eq!(read, (128 << code).min(params.read_bytes), "{} code {code}", params.name);
            assert_eq!(payload, (128 << code).min(params.payload_bytes), "{} code {code}", params.name);
        }
    }
}

#[test]
fn flr_is_held_until_reset() {
    let mut bench = Bench::new(5, &Params::TINY);
    bench.access(true, DEVICE_CONTROL, 1, 0x8000);
    assert!(!bench.dut.uut.flr.val(), "the byte with the bit was not written");
    bench.write16(COMMAND, 6);
    bench.write16(DEVICE_CONTROL, 0x8000);
    assert!(bench.dut.uut.flr.val());
    assert_eq!(bench.read(DEVICE_CONTROL) & 0x8000, 0);
    assert!(bench.dut.uut.flr.val());
    bench.reset();
    assert!(!bench.dut.uut.flr.val() && !bench.settings().memory_enable);
}

#[test]
fn what_asks_for_an_flr_is_answered_when_our_writes_have_left() {
    let mut bench = Bench::new(7, &Params::TINY);
    let uut = &mut bench.dut.uut;
    uut.flr_answer.next = false;
    (uut.access.valid.next, uut.access.write.next) = (true, true);
    uut.access.addr.next = (DEVICE_CONTROL & !3).to_bits();
    uut.access.strobe.next = 15.into();
    uut.access.write_data.next = 0x8000.into();
    for _ in 0..100 {
        bench.dut.tick();
        assert!(!bench.dut.uut.access.ready.val());
    }
    assert!(bench.dut.uut.flr.val());
    bench.dut.uut.flr_answer.next = true;
    bench.dut.until("the answer", 4, |uut| uut.access.ready.val());
}

#[test]
fn device_status_tells_of_what_is_pending_and_what_was_not_supported() {
    let mut bench = Bench::new(6, &Params::TINY);
    bench.dut.uut.pending.next = true;
    assert_eq!(bench.read(DEVICE_CONTROL) >> 16, config::DEVSTA_PENDING as u32);
    bench.dut.uut.pending.next = false;
    bench.dut.uut.unsupported.next = true;
    bench.dut.tick();
    bench.dut.uut.unsupported.next = false;
    bench.dut.tick();
    let seen = config::DEVSTA_UNSUPPORTED as u16;
    assert_eq!(bench.read(DEVICE_CONTROL) >> 16, u32::from(seen));
    bench.write16(DEVICE_CONTROL, 0);
    assert_eq!(bench.read(DEVICE_CONTROL) >> 16, u32::from(seen), "a zero clears nothing");
    bench.write16(DEVICE_CONTROL + 2, seen);
    assert_eq!(bench.read(DEVICE_CONTROL) >> 16, 0);
}

#[test]
fn the_window_reads_and_writes_the_bar() {
    let mut bench = Bench::new(7, &Params::TINY);
    for _ in 0..200 {
        let length = [1usize, 2, 4][bench.rng.random_range(0..3)];
        let offset = bench.rng.random_range(0..0x1_0000 / length) * length;
        bench.aim(0, offset as u32, length as u32);
        bench.bar.seen.clear();
        let mut expected = bench.bar.bytes.clone();
        let strobe = ((1u8 << length) - 1) << (offset & 3);
        let write = bench.rng.random::<bool>();
        if write {
            let value: u32 = bench.rng.random();
            expected[offset..offset + length].copy_from_slice(&value.to_le_bytes()[..length]);
            bench.write(WINDOW + 16, value);
        } else {
            let mut word = [0; 4];
            word[..length].copy_from_slice(&expected[offset..offset + length]);
            assert_eq!(bench.read(WINDOW + 16), u32::from_le_bytes(word), "{offset:#x} {length}");
        }
        assert_eq!(bench.bar.seen, [Access { write, addr: (offset & !3) as u16, strobe }]);
        assert_eq!(bench.bar.bytes, expected, "{offset:#x} {length}");
    }
    // Only the enabled bytes of a narrow write arrive.
    bench.aim(0, 0x40, 4);
    bench.write(WINDOW + 16, 0x1122_3344);
    bench.access(true, WINDOW + 16, 2, 0x5566_7788);
    assert_eq!(bench.bar.bytes[0x40..0x44], [0x44, 0x77, 0x22, 0x11]);
}

#[test]
fn a_window_aimed_at_nothing_reads_zero() {
    let mut bench = Bench::new(8, &Params::TINY);
    for (bar, offset, length) in [
        (1, 0, 4),
        (0, 0x1_0000, 4),
        (0, 2, 4),
        (0, 1, 4),
        (0, 1, 2),
        (0, 0, 0),
        (0, 0, 3),
        (0, 0, 8),
        (0, 0, 0x104),
    ] {
        bench.aim(bar, offset, length);
        bench.write(WINDOW + 16, !0);
        assert_eq!(bench.read(WINDOW + 16), 0, "{bar} {offset:#x} {length}");
    }
    assert_eq!(bench.bar.seen, []);
}
