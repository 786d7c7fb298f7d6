//! Two bodies side by side: what one shows, the other shows. Here the model over two links; the RTL joins it.

use hematite_sim::driver::{self, Driver, Options};
use hematite_sim::facts::common;
use hematite_sim::pair::Pair;
use hematite_sim::root::LinkModel;
use hematite_sim::seed::{ReplayLine, Seed};
use hematite_tests::{Make, frame, on_bodies};
use rand::Rng;

on_bodies!(agrees_with_the_model, agrees_with_the_model_about_registers);

const REST: u64 = 400_000;

fn pair(make: Make, seed: Seed) -> (Pair, [Driver; 2]) {
    let links = [LinkModel::fast(), LinkModel::random(seed.0)];
    let mut pair = Pair::new(make.device(), make.model(), driver::windows(), links);
    let drivers = [0, 1].map(|side| {
        let options = Options { queue_size: 16, rx_buffers: 12, rx_bytes: 700, ..Options::default() };
        Driver::start(&mut pair.sides[side], options).unwrap_or_else(|error| panic!("side {side}: {error}"))
    });
    assert_eq!(drivers[0].function, drivers[1].function);
    let cfg = drivers[0].function.device_cfg;
    let read = pair.both("device configuration", REST, |_, root| {
        let mut bytes = vec![0; cfg.len as usize];
        root.bar_read(cfg.offset, &mut bytes).map(|()| bytes)
    });
    read.unwrap_or_else(|difference| panic!("{difference}")).unwrap_or_else(|error| panic!("{error}"));
    (pair, drivers)
}

/// Traffic one frame at a time, so that both coalesce interrupts alike.
fn agrees_with_the_model(make: Make) {
    let seed = Seed::from_env(0xa9ee);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(20);
    let (mut pair, mut drivers) = pair(make, seed);
    for round in 0..60u8 {
        let packet = frame(rng.random_range(14..=1514), round);
        let kind = rng.random_range(0..10);
        let done = pair.both(&format!("round {round}"), REST, |side, root| {
            let driver = &mut drivers[side];
            match kind {
                0..4 => driver.send(root, &packet).map(|()| None),
                4..8 => {
                    root.frame_in(packet.clone());
                    root.pump(REST);
                    driver.receive(root)
                }
                8 => driver.take_tx(root).map(|used| used.map(|used| used.len.to_le_bytes().to_vec())),
                _ => driver.initialise(root).map(|()| None),
            }
            .map_err(|error| error.to_string())
        });
        let done = done.unwrap_or_else(|difference| panic!("{difference}"));
        // a full transmit ring is no fault, and both are full
        assert!(done.as_ref().err().is_none_or(|error| error.contains("wanted")), "{done:?}");
    }
    pair.sides.iter().for_each(|side| side.monitor.assert_silent());
}

/// Random writes to all of common configuration but the doorbells; after each, all of it reads the same.
fn agrees_with_the_model_about_registers(make: Make) {
    let seed = Seed::from_env(0x4e95);
    let _replay = ReplayLine(seed);
    let mut rng = seed.rng(21);
    let (mut pair, mut drivers) = pair(make, seed);
    let region = drivers[0].function.common;
    for round in 0..300 {
        let at = rng.random_range(0..u64::from(region.len) - 8);
        let len = rng.random_range(1..=8);
        let mut data = vec![0; len];
        match rng.random_range(0..3) {
            0 => rng.fill(&mut data[..]),
            1 => data[0] = 1 << rng.random_range(0..8),
            _ => data[0] = rng.random_range(0..4),
        }
        // A receive queue enabled with nonsense for addresses fails when its ring is first read: the RTL does so ahead, the model
        // with the first frame. So none is.
        if let Some(byte) = (common::QUEUE_ENABLE.checked_sub(at)).and_then(|i| data.get_mut(i as usize)) {
            *byte &= !1;
        }
        if round % 50 == 0 {
            let fresh = pair.both("initialise", REST, |side, root| {
                drivers[side].initialise(root).map_err(|error| error.to_string())
            });
            fresh
                .unwrap_or_else(|difference| panic!("{difference}"))
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let read = pair.both(&format!("round {round}: {data:02x?} at {at:#x}"), REST, |_, root| {
            root.bar_write(region.offset + at, &data)?;
            root.pump(REST);
            let mut bytes = vec![0; region.len as usize];
            root.bar_read(region.offset, &mut bytes).map(|()| bytes)
        });
        read.unwrap_or_else(|difference| panic!("{difference}")).unwrap_or_else(|error| panic!("{error}"));
    }
}
