//! The blocks between TLPs and registers, and interrupts.

use super::{Cosim, agrees, prints, roomy};
use crate::tlps::{Sink, Slave, Source};
use hematite_abi::layout;
use hematite_hw::params::Params;
use hematite_hw::pcie::completer::Completer;
use hematite_hw::pcie::config::Config;
use hematite_hw::pcie::msix::Msix;
use hematite_hw::pcie::quiesce::Quiesce;
use hematite_hw::pcie::rx::Rx;
use hematite_hw::pcie::share::Share;
use hematite_hw::pcie::tx::Tx;
use hematite_hw::port::irq::Irq;
use hematite_hw::port::pcie::PcieSettings;
use hematite_sim::Tlp;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

const BAR: u64 = 0x12_3456_0000;
/// Passes until a block's outputs follow its inputs.
const SETTLE: usize = 400;

fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, SETTLE), "the block does not settle");
}

/// Requests above all, most of them such as are served; some of no kind there is.
fn random_tlp(rng: &mut ChaCha8Rng) -> Tlp {
    let kinds: [u8; 16] =
        [0x00, 0x20, 0x20, 0x20, 0x40, 0x60, 0x60, 0x04, 0x04, 0x44, 0x44, 0x4a, 0x0a, 0x21, 0x02, 0x70];
    let kind = if rng.random_ratio(1, 10) { rng.random() } else { *kinds.choose(rng).unwrap() };
    let config = kind & 0x1f == 4;
    let words = match rng.random_range(0..20) {
        0 => 40,
        1..6 => rng.random_range(1..=32usize),
        _ => 1,
    };
    let words = if config { 1 } else { words };
    let mut header: [u32; 4] = rng.random();
    header[0] = u32::from(kind) << 24 | header[0] & 0x00f4_3000 | words as u32;
    header[0] |= u32::from(rng.random_ratio(1, 30)) << 14;
    let offset = rng.random_range(0..0x4000u64) * 4;
    let address = if rng.random_ratio(1, 20) { rng.random() } else { BAR + offset };
    match (config, kind & 0x20 != 0) {
        (true, _) => header[2] = header[2] & !(7 << 16) | u32::from(rng.random_ratio(1, 20)) << 16,
        (_, true) => (header[2], header[3]) = ((address >> 32) as u32, address as u32),
        (_, false) => header[2] = address as u32,
    }
    let mut data: Vec<u8> = vec![];
    if kind & 0x40 != 0 {
        let wrong = if rng.random_ratio(1, 20) { 16 } else { 0 };
        data = (0..4 * (words + wrong)).map(|_| rng.random()).collect();
    }
    Tlp { header, data, error: rng.random_ratio(1, 30) }
}

fn completer<const W: usize>(params: &Params, seed: u64) {
    prints("completer", Completer::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut source, mut sink) = (Source::<W>::new(80), Sink::<W>::new(60));
    let (mut bar, mut config) = (Slave::new(0x1_0000, 60, &mut rng), Slave::new(0x1000, 60, &mut rng));
    agrees(
        "completer",
        Completer::<W>::new(params),
        |b| &mut b.clock,
        3000,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            let high = if s.cycle() % 600 < 300 { BAR } else { BAR & 0xffff_ffff };
            b.settings.next = PcieSettings {
                memory_enable: s.cycle() % 500 > 20,
                bar: high.to_bits(),
                ..Default::default()
            };
            if source.beats.is_empty() {
                source.push(&random_tlp(&mut rng), &mut rng);
            }
            source.drive(&mut b.request, &mut rng);
            sink.drive(&mut b.completion, &mut rng);
            settle(b);
            bar.drive(&mut b.bar, &mut rng);
            config.drive(&mut b.cfg, &mut rng);
            settle(b);
            source.sample(&b.request);
            sink.sample(&b.completion);
        },
    );
}

#[test]
fn completers() {
    roomy(|| {
        completer::<64>(&Params::TINY, 1);
        completer::<256>(&Params::SIM, 2);
        completer::<512>(&Params::MAX, 3);
    });
}

fn rx<const W: usize>(params: &Params, seed: u64) {
    prints("rx", Rx::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut source = Source::<W>::new(90);
    agrees(
        "rx",
        Rx::<W>::new(params),
        |b| &mut b.clock,
        2000,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            if source.beats.is_empty() {
                source.push(&random_tlp(&mut rng), &mut rng);
            }
            source.drive(&mut b.tlp, &mut rng);
            s.bit("request_ready", &mut b.request.ready);
            s.bit("completion_ready", &mut b.completion.ready);
            settle(b);
            source.sample(&b.tlp);
        },
    );
}

fn tx<const W: usize>(params: &Params, seed: u64) {
    prints("tx", Tx::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sources: Vec<Source<W>> = [100, 60, 30].map(Source::new).into();
    agrees(
        "tx",
        Tx::<W>::new(params),
        |b| &mut b.clock,
        2000,
        move |b, s| {
            b.reset.next = s.cycle() < 2;
            for (source, port) in sources.iter_mut().zip(&mut b.inputs) {
                if source.beats.is_empty() {
                    source.push(&random_tlp(&mut rng), &mut rng);
                }
                source.drive(port, &mut rng);
            }
            s.bit("tlp_ready", &mut b.tlp.ready);
            settle(b);
            for (source, port) in sources.iter_mut().zip(&b.inputs) {
                source.sample(port);
            }
        },
    );
}

#[test]
fn edges_of_the_link() {
    roomy(|| {
        rx::<64>(&Params::TINY, 1);
        rx::<512>(&Params::MAX, 2);
        tx::<64>(&Params::TINY, 3);
        tx::<512>(&Params::MAX, 4);
    });
}

fn config(params: &Params, seed: u64) {
    prints("pcie_config", Config::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bar = Slave::new(0x1_0000, 50, &mut rng);
    agrees(
        "pcie_config",
        Config::new(params),
        |b| &mut b.clock,
        4000,
        move |b, s| {
            s.rare(&mut b.reset);
            s.bit("pending", &mut b.pending);
            s.bit("unsupported", &mut b.unsupported);
            s.bit("flr_answer", &mut b.flr_answer);
            s.any(&mut b.captured);
            if s.free("access") {
                s.bit("access_valid", &mut b.access.valid);
                s.bit("access_write", &mut b.access.write);
                s.any(&mut b.access.write_data);
                s.any(&mut b.access.strobe);
                // The window and what aims it more often than the rest, and at times at something.
                let dword =
                    if rng.random() { rng.random_range(0x3c..0x40) } else { rng.random_range(0..0x50u64) };
                b.access.addr.next = (4 * dword).to_bits();
                if rng.random() {
                    b.access.strobe.next = 15.into();
                    b.access.write_data.next =
                        [0u64, 1, 2, 4, 0x1004, 0x1002, 0x803].choose(&mut rng).unwrap().to_bits();
                }
            }
            settle(b);
            bar.drive(&mut b.window, &mut rng);
        },
    );
}

fn msix<const W: usize>(params: &Params, seed: u64) {
    prints("msix", Msix::<W>::new(params));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let vectors = params.vectors() as u64;
    agrees(
        "msix",
        Msix::<W>::new(params),
        |b| &mut b.clock,
        6000,
        move |b, s| {
            b.reset.next = s.cycle() < 2 || s.cycle() == 5000;
            b.settings.next = PcieSettings {
                msix_enable: s.cycle() % 2500 > 50,
                msix_mask: s.cycle() % 900 < 200,
                ..Default::default()
            };
            if s.free("access") {
                b.access.valid.next = rng.random_ratio(1, 4);
                s.bit("access_write", &mut b.access.write);
                s.any(&mut b.access.write_data);
                s.any(&mut b.access.strobe);
                let entry = rng.random_range(0..vectors + 2) * 16 + rng.random_range(0..4) * 4;
                let base =
                    if rng.random_ratio(1, 20) { layout::MSIX_PBA_OFFSET } else { layout::MSIX_TABLE_OFFSET };
                b.access.addr.next = (base + entry).to_bits();
            }
            if s.free("irq") {
                s.bit("irq_valid", &mut b.irq.valid);
                let vector = rng.random_range(0..vectors + 2);
                b.irq.data.next = Irq { vector: vector.to_bits() };
            }
            s.bit("write_ready", &mut b.write.ready);
        },
    );
}

#[test]
fn registers_and_interrupts() {
    roomy(|| {
        config(&Params::TINY, 1);
        config(&Params::MAX, 2);
        msix::<64>(&Params::TINY, 3);
        msix::<512>(&Params::MAX, 4);
    });
}

fn share() {
    prints("share", Share::default());
    let mut block = Share::default();
    block.connect_all();
    Cosim::new("share", block)
        .cycles(1000)
        .run(|b, s| {
            for (name, port) in [("bar", &mut b.bar), ("window", &mut b.window)] {
                s.bit(name, &mut port.valid);
                s.bit("write", &mut port.write);
                s.any(&mut port.addr);
                s.any(&mut port.write_data);
                s.any(&mut port.strobe);
            }
            s.bit("ready", &mut b.access.ready);
            s.any(&mut b.access.read_data);
        })
        .unwrap_or_else(|e| panic!("{e}"));
}

fn quiesce() {
    prints("quiesce", Quiesce::default());
    let mut flr = false;
    agrees(
        "quiesce",
        Quiesce::default(),
        |b| &mut b.clock,
        4000,
        move |b, s| {
            s.rare(&mut b.reset);
            // Long enough, at times, to come to an end.
            if s.cycle() % 40 == 0 {
                flr = !flr;
            }
            b.flr.next = flr;
            s.bit("device_reset", &mut b.device_reset);
            b.dma_busy.next = s.rng().random();
            b.completer_busy.next = s.rng().random();
            s.bit("writes", &mut b.writes_busy);
            s.bit("sweep", &mut b.sweep_busy);
        },
    );
}

#[test]
fn shared_registers_and_rest() {
    roomy(|| {
        share();
        quiesce();
    });
}
