//! The registers a driver sees.

use super::{agrees, prints, roomy};
use crate::streams::{Feed, Watch};
use hematite_abi::{common, ctrl, layout};
use hematite_hw::params::Params;
use hematite_hw::pcie::quiesce::Quiesce;
use hematite_hw::pcie::share::Share;
use hematite_hw::port::chain::QueueIrq;
use hematite_hw::port::irq::Irq;
use hematite_hw::port::mmio::{MmioMaster, MmioSlave};
use hematite_hw::port::queue::QueueError;
use hematite_hw::prim::merge::Merge;
use hematite_hw::virtio::common::Common;
use hematite_hw::virtio::counters::Counters;
use hematite_hw::virtio::device_cfg::DeviceCfg;
use hematite_hw::virtio::errors::Errors;
use hematite_hw::virtio::inspection::Inspection;
use hematite_hw::virtio::interrupts::Interrupts;
use hematite_hw::virtio::isr::Isr;
use hematite_hw::virtio::notify::Notify;
use hematite_hw::virtio::queues::Queues;
use hematite_hw::virtio::regions::Regions;
use hematite_hw::virtio::status::Status;
use hematite_verilog::gate::Stimulus;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use rust_hdl_core::simulate::simulate;

/// Passes until a block's outputs follow its inputs.
const SETTLE: usize = 400;
/// Cycles compared.
const CYCLES: usize = 3000;

fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, SETTLE), "the block does not settle");
}

/// Accesses at random addresses, each held until it is answered.
struct Master {
    first: u64,
    end: u64,
    busy: bool,
}

impl Master {
    fn new(first: u64, end: u64) -> Self {
        Master { first, end, busy: false }
    }

    fn drive(&mut self, port: &mut MmioSlave, s: &mut Stimulus) {
        if self.busy {
            return;
        }
        s.bit("access", &mut port.valid);
        s.bit("write", &mut port.write);
        s.any(&mut port.write_data);
        s.any(&mut port.strobe);
        let addr = self.first + s.rng().next_u64() % (self.end - self.first) / 4 * 4;
        port.addr.next = addr.into();
        // Small values mean more than most.
        if s.rng().next_u32().is_multiple_of(2) {
            let small = s.rng().next_u64() % 8;
            port.write_data.next = (small << (16 * (small % 2))).into();
        }
    }

    /// With the answer settled.
    fn sample(&mut self, port: &MmioSlave) {
        self.busy = port.valid.val() && !port.ready.val();
    }
}

fn answer(name: &str, port: &mut MmioMaster, s: &mut Stimulus) {
    s.bit(name, &mut port.ready);
    s.any(&mut port.read_data);
}

fn commons(params: &'static Params) {
    prints("common", Common::new(params));
    let mut master = Master::new(0, common::LENGTH as u64);
    agrees(
        "common",
        Common::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            s.rare(&mut b.reset);
            s.any(&mut b.status);
            s.any(&mut b.generation);
            b.features_fixed.next = s.cycle() % 500 > 400;
            master.drive(&mut b.access, s);
            answer("queues", &mut b.queue_access, s);
            settle(b);
            master.sample(&b.access);
        },
    );
}

fn queues(params: &'static Params) {
    prints("queues", Queues::new(params));
    let mut master = Master::new(common::QUEUE_SIZE as u64, common::LENGTH as u64);
    agrees(
        "queues",
        Queues::new(params),
        |b| &mut b.clock,
        CYCLES,
        move |b, s| {
            b.reset.next = s.cycle() < 2 || s.cycle() == 2500;
            b.quiet.next = s.cycle() % 100 > 50;
            b.notify_data.next = s.cycle() % 70 > 40;
            s.any(&mut b.irq_queue);
            let queues = params.queues() as u64;
            b.irq_queue.next = (s.rng().next_u64() % queues).into();
            b.inspect_addr.next = (s.rng().next_u64() % (8 * queues)).into();
            if !master.busy {
                let known = s.rng().next_u64() % 2;
                b.queue_select.next =
                    if s.rng().next_u32().is_multiple_of(10) { 0xff80 } else { known }.into();
            }
            master.drive(&mut b.access, s);
            settle(b);
            master.sample(&b.access);
        },
    );
}

#[test]
fn common_configuration() {
    roomy(|| {
        commons(&Params::TINY);
        commons(&Params::MAX);
        queues(&Params::TINY);
        queues(&Params::MAX);
    });
}

#[test]
fn inspections() {
    roomy(|| {
        prints("counters", Counters::default());
        for params in [Params::TINY, Params::MAX] {
            prints("inspection", Inspection::new(&params));
            let mut master = Master::new(layout::INSPECTION_OFFSET, layout::INSPECTION_END);
            agrees(
                "inspection",
                Inspection::new(&params),
                |b| &mut b.clock,
                CYCLES,
                move |b, s| {
                    b.reset.next = s.cycle() < 2;
                    b.events.next.kicks = s.cycle() % 3 == 0;
                    b.events.next.tlp_in = s.cycle() % 7 < 5;
                    b.tx_bytes.next = (s.rng().next_u64() % 65).into();
                    b.rx_bytes.next = (s.rng().next_u64() % 65).into();
                    s.bit("active", &mut b.active);
                    s.bit("resetting", &mut b.resetting);
                    s.any(&mut b.settings_data);
                    s.bit("settings", &mut b.settings_ready);
                    s.any(&mut b.enabled);
                    s.any(&mut b.error);
                    s.any(&mut b.tx_seen);
                    s.any(&mut b.tx_taken);
                    s.any(&mut b.rx_seen);
                    s.any(&mut b.rx_taken);
                    s.any(&mut b.used_idx);
                    b.failed.next = s.cycle() % 900 == 800;
                    s.any(&mut b.failed_queue);
                    s.any(&mut b.failed_code);
                    if s.cycle() % 3 == 0 && !master.busy {
                        // Many in the part where something is.
                        master.end = layout::INSPECTION_OFFSET + 0x1100;
                    } else if !master.busy {
                        master.end = layout::INSPECTION_END;
                    }
                    master.drive(&mut b.access, s);
                    settle(b);
                    master.sample(&b.access);
                },
            );
        }
    });
}

#[test]
fn small_registers() {
    roomy(|| {
        let mut master = Master::new(0, 0x1_0000);
        prints("regions", Regions::default());
        agrees(
            "regions",
            Regions::default(),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                s.rare(&mut b.reset);
                answer("common", &mut b.common, s);
                answer("isr", &mut b.isr, s);
                answer("device", &mut b.device, s);
                answer("notify", &mut b.notify, s);
                answer("msix", &mut b.msix, s);
                answer("inspection", &mut b.inspection, s);
                master.end = if s.cycle() % 2 == 0 { 0x1_0000 } else { 0x1400 };
                master.drive(&mut b.access, s);
                settle(b);
                master.sample(&b.access);
            },
        );
        let mut master = Master::new(0, 4);
        prints("isr", Isr::default());
        agrees(
            "isr",
            Isr::default(),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                s.rare(&mut b.reset);
                b.queue_event.next = s.rng().next_u32().is_multiple_of(10);
                b.config_event.next = s.rng().next_u32().is_multiple_of(10);
                master.drive(&mut b.access, s);
                settle(b);
                master.sample(&b.access);
            },
        );
        let mut master = Master::new(layout::DEVICE_OFFSET, layout::DEVICE_END);
        prints("device_cfg", DeviceCfg::new(&Params::SIM));
        // So that the driver is asked to announce itself within the run: a microsecond is a cycle, and half of it has no reset.
        let quick = Params { clock_mhz: 1, ..Params::SIM };
        let calm = CYCLES;
        agrees(
            "device_cfg",
            DeviceCfg::new(&quick),
            |b| &mut b.clock,
            2 * CYCLES,
            move |b, s| {
                if s.cycle() < calm {
                    s.rare(&mut b.reset);
                    b.link_up.next = s.cycle() % 40 > 20;
                } else {
                    b.reset.next = false;
                    b.link_up.next = s.cycle() % 1500 > 120;
                }
                b.announces.next = s.cycle() % 300 > 100;
                b.settings.valid.next = s.cycle() % 17 == 0;
                b.settings.item.next = (s.rng().next_u64() % (ctrl::SET_ANNOUNCED + 1)).into();
                master.drive(&mut b.access, s);
                settle(b);
                master.sample(&b.access);
            },
        );
        let mut master = Master::new(layout::NOTIFY_OFFSET, layout::NOTIFY_END);
        prints("notify", Notify::new(&Params::MAX));
        agrees(
            "notify",
            Notify::new(&Params::MAX),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                s.rare(&mut b.reset);
                b.driver_ok.next = s.cycle() % 700 > 300;
                b.with_index.next = s.cycle() % 90 > 30;
                b.by_data.next = s.cycle() % 110 > 100;
                b.enable.next = s.rng().next_u32().is_multiple_of(50);
                s.any(&mut b.enable_queue);
                s.rare(&mut b.enable_control);
                master.drive(&mut b.access, s);
                settle(b);
                master.sample(&b.access);
            },
        );
    });
}

#[test]
fn errors_and_interrupts() {
    roomy(|| {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut feeds: Vec<Feed<QueueError>> = (0..6).map(|_| Feed::new(0.2)).collect();
        prints("errors", Errors::new(&Params::SIM));
        agrees(
            "errors",
            Errors::new(&Params::SIM),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                s.rare(&mut b.reset);
                b.inspect_queue.next = (s.rng().next_u64() % 8).into();
                for (feed, port) in feeds.iter_mut().zip(&mut b.errors) {
                    if feed.queue.is_empty() {
                        let (queue, code) = (rng.random_range(0..8u64), rng.random_range(1..12u64));
                        feed.queue.push_back(QueueError { queue: queue.into(), code: code.into() });
                    }
                    feed.drive(port, &mut rng);
                }
                settle(b);
                for (feed, port) in feeds.iter_mut().zip(&b.errors) {
                    feed.taken(port);
                }
            },
        );
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut feed, mut irqs) = (Feed::<QueueIrq>::new(0.5), Watch::<Irq>::new("irq", 0.6));
        prints("interrupts", Interrupts::default());
        agrees(
            "interrupts",
            Interrupts::default(),
            |b| &mut b.clock,
            CYCLES,
            move |b, s| {
                b.reset.next = s.cycle() < 2;
                if feed.queue.is_empty() {
                    feed.queue.push_back(QueueIrq { queue: rng.random_range(0..8u64).into() });
                }
                feed.drive(&mut b.queue_irq, &mut rng);
                irqs.drive(&mut b.irq, &mut rng);
                b.config_change.next = rng.random_bool(0.1);
                s.any(&mut b.config_vector);
                s.any(&mut b.lookup_vector);
                settle(b);
                feed.taken(&b.queue_irq);
                irqs.taken(&b.irq);
            },
        );
    });
}

#[test]
fn resets() {
    roomy(|| {
        prints("merge", Merge::default());
        prints("share", Share::default());
        prints("status", Status::default());
        agrees(
            "status",
            Status::default(),
            |b| &mut b.clock,
            CYCLES,
            |b, s| {
                s.rare(&mut b.reset);
                b.write.next = s.rng().next_u32().is_multiple_of(5);
                s.any(&mut b.value);
                s.bit("good", &mut b.features_good);
                b.failed.next = s.rng().next_u32().is_multiple_of(20);
                s.bit("quiet", &mut b.quiet);
            },
        );
        prints("quiesce", Quiesce::default());
        agrees(
            "quiesce",
            Quiesce::default(),
            |b| &mut b.clock,
            CYCLES,
            |b, s| {
                s.rare(&mut b.reset);
                b.flr.next = s.cycle() % 200 > 150;
                s.bit("device", &mut b.device_reset);
                b.dma_busy.next = s.cycle() % 70 > 40;
                s.bit("completer", &mut b.completer_busy);
                s.bit("sweep", &mut b.sweep_busy);
            },
        );
    });
}
