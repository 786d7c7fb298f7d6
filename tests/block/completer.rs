//! `pcie::completer`: every kind of request, random ones, and what must not touch a register.

use crate::harness::Harness;
use crate::tlps::{Access, Sink, Slave, Source};
use hematite_hw::params::Params;
use hematite_hw::pcie::completer::Completer;
use hematite_hw::port::pcie::PcieSettings;
use hematite_sim::Tlp;
use hematite_sim::root::tlp::{CfgRequest, CplFields, MemRequest};
use hematite_sim::root::{Bdf, Status, View};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

const HOST: Bdf = Bdf(0x0008);
const SELF: Bdf = Bdf(0x1a08);
const BAR: u64 = 0x12_3456_0000;
/// A request of 32 DWORDs at the slowest slave and sink.
const ANSWER_CYCLES: u64 = 4000;

struct Bench<const W: usize> {
    dut: Harness<Completer<W>>,
    rng: ChaCha8Rng,
    source: Source<W>,
    sink: Sink<W>,
    bar: Slave,
    config: Slave,
    unsupported: u32,
    aborted: u32,
    poisoned: u32,
}

impl<const W: usize> Bench<W> {
    fn new(seed: u64, eager: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (bar, config) = (Slave::new(0x1_0000, eager, &mut rng), Slave::new(0x1000, eager, &mut rng));
        let mut bench = Bench {
            dut: Harness::new(Completer::new(&Params::TINY), |uut| &mut uut.clock),
            rng,
            source: Source::new(eager),
            sink: Sink::new(eager),
            bar,
            config,
            unsupported: 0,
            aborted: 0,
            poisoned: 0,
        };
        bench.settings(true, BAR);
        bench.dut.uut.reset.next = true;
        bench.cycle();
        bench.dut.uut.reset.next = false;
        bench.cycle();
        bench
    }

    fn settings(&mut self, memory_enable: bool, bar: u64) {
        self.dut.uut.settings.next = PcieSettings { memory_enable, bar: bar.to_bits(), ..Default::default() };
    }

    fn cycle(&mut self) {
        let Bench { dut, rng, source, sink, bar, config, .. } = self;
        source.drive(&mut dut.uut.request, rng);
        sink.drive(&mut dut.uut.completion, rng);
        dut.settle();
        bar.drive(&mut dut.uut.bar, rng);
        config.drive(&mut dut.uut.cfg, rng);
        dut.settle();
        source.sample(&dut.uut.request);
        sink.sample(&dut.uut.completion);
        self.unsupported += u32::from(self.dut.uut.count_unsupported.val());
        self.aborted += u32::from(self.dut.uut.count_aborted.val());
        self.poisoned += u32::from(self.dut.uut.count_poisoned.val());
        self.dut.tick();
    }

    /// Sends, waits until all is done, and gives the completions.
    fn send(&mut self, tlp: &Tlp) -> Vec<Tlp> {
        self.source.push(tlp, &mut self.rng);
        for _ in 0..ANSWER_CYCLES {
            self.cycle();
            if self.source.beats.is_empty() && !self.dut.uut.busy.val() {
                return self.sink.tlps.drain(..).collect();
            }
        }
        panic!("the answer to {tlp}: not within {ANSWER_CYCLES} cycles");
    }

    fn one(&mut self, tlp: &Tlp) -> Tlp {
        let mut answers = self.send(tlp);
        assert_eq!(answers.len(), 1, "{tlp}: {answers:?}");
        answers.remove(0)
    }

    /// Sends what must be answered without data, and touch nothing.
    fn refused(&mut self, tlp: &Tlp, status: Status) -> CplFields {
        let seen = self.bar.seen.len() + self.config.seen.len();
        let answer = self.one(tlp);
        let View::Cpl(fields) = answer.view() else { panic!("{tlp}: {answer}") };
        assert_eq!(fields.status, status, "{tlp}");
        assert_eq!(fields.requester, HOST, "{tlp}");
        assert_eq!(self.bar.seen.len() + self.config.seen.len(), seen, "{tlp}: touched a register");
        fields
    }

    fn dropped(&mut self, tlp: &Tlp) {
        let seen = self.bar.seen.len() + self.config.seen.len();
        assert_eq!(self.send(tlp), [], "{tlp}");
        assert_eq!(self.bar.seen.len() + self.config.seen.len(), seen, "{tlp}: touched a register");
    }

    fn cfg(&self, offset: u16, be: u8) -> CfgRequest {
        CfgRequest { requester: HOST, tag: 0x2a7, target: SELF, offset, be }
    }

    fn raw(&mut self, kind: u32, words: u32, payload: usize) -> Tlp {
        let four = kind & 0x20 != 0;
        let (high, low) = ((BAR >> 32) as u32, BAR as u32);
        let address = if four { [high, low] } else { [low, 0] };
        let header = [kind << 24 | words, u32::from(HOST.0) << 16 | 0x15 << 8 | 0xf, address[0], address[1]];
        Tlp { header, data: (0..payload).map(|_| self.rng.random()).collect(), error: false }
    }
}

fn completer_id(bench: &mut Bench<64>) -> Bdf {
    let answer = bench.one(&Tlp::mem_read(HOST, 1, BAR, 4));
    let View::CplD(fields, _) = answer.view() else { panic!("{answer}") };
    fields.completer
}

#[test]
fn captures_its_number_from_configuration_writes() {
    let mut bench = Bench::<64>::new(1, 100);
    assert_eq!(completer_id(&mut bench), Bdf(0));
    bench.one(&Tlp::cfg_read0(bench.cfg(0, 15)));
    assert_eq!(completer_id(&mut bench), Bdf(0), "a read captures nothing");
    let answer = bench.one(&Tlp::cfg_write0(bench.cfg(4, 15), 7));
    let View::Cpl(fields) = answer.view() else { panic!("{answer}") };
    assert_eq!((fields.status, fields.completer, fields.byte_count), (Status::Success, SELF, 4));
    assert_eq!((fields.tag, fields.lower_addr), (0x2a7, 0));
    assert_eq!(completer_id(&mut bench), SELF);
    assert_eq!(bench.dut.uut.captured.val().index(), usize::from(SELF.0));
}

#[test]
fn configuration_reaches_every_register_with_every_enable() {
    let mut bench = Bench::<64>::new(2, 60);
    for (offset, be) in [(0, 15), (0xffc, 1), (0x100, 8), (0x40, 6), (0x44, 9), (4, 0)] {
        let value: u32 = bench.rng.random();
        let mut expected = bench.config.bytes.clone();
        for lane in (0..4).filter(|lane| be >> lane & 1 == 1) {
            expected[usize::from(offset) + lane] = value.to_le_bytes()[lane];
        }
        bench.one(&Tlp::cfg_write0(bench.cfg(offset, be), value));
        assert_eq!(bench.config.bytes, expected, "{offset:#x} {be}");
        let answer = bench.one(&Tlp::cfg_read0(bench.cfg(offset, 15)));
        let View::CplD(fields, data) = answer.view() else { panic!("{answer}") };
        assert_eq!((fields.status, fields.byte_count, fields.lower_addr), (Status::Success, 4, 0));
        assert_eq!(data, &expected[usize::from(offset)..][..4]);
    }
    // An access of no byte is none: only the five writes of at least one are there.
    assert_eq!(bench.config.seen.iter().filter(|access| access.write).count(), 5);
    assert_eq!(bench.bar.seen, []);
}

#[test]
fn refuses_what_it_does_not_serve() {
    let mut bench = Bench::<64>::new(3, 70);
    let other = CfgRequest { target: Bdf(SELF.0 + 1), ..bench.cfg(0, 15) };
    bench.refused(&Tlp::cfg_read0(other), Status::UnsupportedRequest);
    bench.refused(&Tlp::cfg_write0(other, 1), Status::UnsupportedRequest);
    bench.refused(&Tlp::cfg_write0(bench.cfg(4, 15), 1).poison(), Status::UnsupportedRequest);
    assert_eq!(bench.dut.uut.captured.val().index(), 0, "what is refused captures nothing");
    // I/O, configuration type 1, atomics: 32 and 64 bits.
    for (kind, words, payload) in [
        (0x02, 1, 0),
        (0x42, 1, 4),
        (0x05, 1, 0),
        (0x45, 1, 4),
        (0x4c, 1, 4),
        (0x6c, 2, 8),
        (0x4d, 1, 4),
        (0x6d, 1, 4),
        (0x4e, 2, 8),
        (0x6e, 4, 16),
    ] {
        let tlp = bench.raw(kind, words, payload);
        let fields = bench.refused(&tlp, Status::UnsupportedRequest);
        assert_eq!((fields.byte_count, fields.lower_addr, fields.tag), (4, 0, 0x15), "{kind:#x}");
    }
    // [PCI Express: CplLk] "Completion for Locked Memory Read without Data - used only in error case".
    let raw = bench.raw(0x21, 1, 0);
    let answer = bench.one(&raw);
    assert_eq!((answer.header[0] >> 24, answer.header[1] >> 13 & 7), (0x0b, 1));
    assert_eq!(bench.unsupported, 14);
    assert_eq!(bench.poisoned, 1);
    bench.refused(&Tlp::mem_read(HOST, 3, BAR, 4).poison(), Status::UnsupportedRequest);
    bench.dropped(&Tlp::mem_write(HOST, BAR, &[1, 2, 3, 4]).poison());
    assert_eq!((bench.unsupported, bench.poisoned), (16, 3));
}

#[test]
fn refuses_what_is_not_in_the_bar() {
    let mut bench = Bench::<64>::new(4, 100);
    for addr in [BAR - 4, BAR + 0x1_0000, BAR & 0xffff_ffff, BAR | 1 << 63] {
        let fields = bench.refused(&Tlp::mem_read(HOST, 9, addr, 4), Status::UnsupportedRequest);
        assert_eq!((fields.byte_count, fields.lower_addr), (4, (addr & 0x7f) as u8));
        bench.dropped(&Tlp::mem_write(HOST, addr, &[0; 4]));
    }
    // Beyond the end of the BAR.
    bench.refused(&Tlp::mem_read(HOST, 9, BAR + 0xfffc, 8), Status::UnsupportedRequest);
    bench.one(&Tlp::mem_read(HOST, 9, BAR + 0xfff8, 8));
    assert_eq!(bench.unsupported, 9);
    bench.settings(false, BAR);
    bench.refused(&Tlp::mem_read(HOST, 9, BAR, 4), Status::UnsupportedRequest);
    bench.dropped(&Tlp::mem_write(HOST, BAR, &[0; 4]));
    bench.settings(true, 0x8000_0000);
    bench.one(&Tlp::mem_read(HOST, 9, 0x8000_0000, 4));
    bench.refused(&Tlp::mem_read(HOST, 9, BAR, 4), Status::UnsupportedRequest);
}

fn large<const W: usize>() {
    let mut bench = Bench::<W>::new(5, 90);
    let fields = bench.refused(&Tlp::mem_read(HOST, 9, BAR + 0x104, 132), Status::CompleterAbort);
    assert_eq!((fields.byte_count, fields.lower_addr), (132, 4));
    let fields = bench.refused(&Tlp::mem_read(HOST, 9, BAR, 4096), Status::CompleterAbort);
    assert_eq!(fields.byte_count, 4096);
    assert_eq!((bench.aborted, bench.unsupported), (2, 0));
    bench.dropped(&Tlp::mem_write(HOST, BAR, &[7; 132]));
    bench.dropped(&Tlp::mem_write(HOST, BAR, &[7; 4096]));
    assert_eq!((bench.aborted, bench.unsupported), (2, 2));
    // The link's mark at the end of a write takes all of it away.
    let mut marked = Tlp::mem_write(HOST, BAR, &[7; 64]);
    marked.error = true;
    bench.dropped(&marked);
    bench.one(&Tlp::mem_read(HOST, 9, BAR, 128));
}

#[test]
fn refuses_more_than_128_bytes() {
    large::<64>();
    large::<512>();
}

/// The lanes that a request of these enables touches, per DWORD.
fn lanes(request: &MemRequest) -> Vec<u8> {
    let mut lanes = vec![15; usize::from(request.words)];
    *lanes.last_mut().unwrap() = request.last_be;
    lanes[0] = request.first_be;
    lanes
}

/// Any byte enables that a request may have.
fn random_memory(rng: &mut ChaCha8Rng) -> MemRequest {
    let words = if rng.random_ratio(1, 2) { rng.random_range(1..=2) } else { rng.random_range(1..=32) };
    let at = u64::from(rng.random_range(0..=0x4000 - u32::from(words))) * 4;
    // [PCI Express: First/Last DW Byte Enables Rules]: any pattern up to a quad word, else contiguous.
    let (first_be, last_be) = match words {
        1 => (rng.random_range(0..16), 0),
        2 => (rng.random_range(1..16), rng.random_range(1..16)),
        _ => ([15, 14, 12, 8][rng.random_range(0..4)], [1, 3, 7, 15][rng.random_range(0..4)]),
    };
    MemRequest { requester: HOST, tag: rng.random_range(0..1024), addr: BAR + at, words, first_be, last_be }
}

fn random<const W: usize>(seed: u64, eager: u32, count: usize) {
    let mut bench = Bench::<W>::new(seed, eager);
    let mut expected = bench.bar.bytes.clone();
    for _ in 0..count {
        let request = random_memory(&mut bench.rng);
        let (at, lanes) = ((request.addr - BAR) as usize, lanes(&request));
        let touched: Vec<Access> = lanes
            .iter()
            .enumerate()
            .filter(|(_, strobe)| **strobe != 0)
            .map(|(i, strobe)| Access { write: false, addr: (at + 4 * i) as u16, strobe: *strobe })
            .collect();
        bench.bar.seen.clear();
        if bench.rng.random() {
            let data: Vec<u8> = (0..4 * lanes.len()).map(|_| bench.rng.random()).collect();
            for (i, byte) in data.iter().enumerate().filter(|(i, _)| lanes[i / 4] >> (i % 4) & 1 == 1) {
                expected[at + i] = *byte;
            }
            assert_eq!(bench.send(&Tlp::memory(request, Some(&data))), []);
            assert_eq!(bench.bar.bytes, expected, "{request:?}");
            let writes: Vec<_> = touched.into_iter().map(|access| Access { write: true, ..access }).collect();
            assert_eq!(bench.bar.seen, writes, "{request:?}");
            continue;
        }
        let mut tlp = Tlp::memory(request, None);
        // Traffic class and attributes come back.
        let kept = bench.rng.random::<u32>() & 0x0074_3000;
        tlp.header[0] |= kept;
        let answer = bench.one(&tlp);
        assert_eq!(answer.header[0] & 0x0074_3000, kept);
        let View::CplD(fields, data) = answer.view() else { panic!("{answer}") };
        let enabled: Vec<usize> = (0..4 * lanes.len()).filter(|i| lanes[i / 4] >> (i % 4) & 1 == 1).collect();
        let (first, last) = (enabled.first().copied().unwrap_or(0), enabled.last().copied().unwrap_or(0));
        assert_eq!(fields.status, Status::Success);
        assert_eq!(usize::from(fields.byte_count), last - first + 1, "{request:?}");
        assert_eq!(usize::from(fields.lower_addr), (at + first) & 0x7f, "{request:?}");
        assert_eq!((fields.tag, fields.requester), (request.tag, HOST));
        assert_eq!(data.len(), 4 * lanes.len());
        enabled.iter().for_each(|i| assert_eq!(data[*i], expected[at + i], "{request:?} byte {i}"));
        assert_eq!(bench.bar.seen, touched, "{request:?}");
    }
    assert_eq!((bench.unsupported, bench.aborted), (0, 0));
}

#[test]
fn random_reads_and_writes() {
    random::<64>(10, 50, 150);
    random::<64>(11, 100, 150);
    random::<128>(12, 70, 60);
    random::<256>(13, 70, 60);
    random::<512>(14, 50, 100);
}
