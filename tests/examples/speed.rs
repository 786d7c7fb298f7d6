//! How fast the RTL of each parameter set is simulated, with a driver, a root complex and the monitors around it: what
//! `cargo xtask report --speed` prints. A figure of this machine; no test looks at it.

use std::time::Instant;

use hematite_sim::driver::Options;
use hematite_tests::{Bench, Params, frame, rtl};

/// The best of so many rounds: what else runs on the machine slows some of them.
const ROUNDS: usize = 7;
const CYCLES: u64 = 100_000;
const FRAME_BYTES: usize = 512;
const FRAMES: u8 = 16;

/// Cycles per second while frames arrive, and while they leave.
fn speed(params: &'static Params) -> [f64; 2] {
    let options = Options { queue_size: 64, rx_buffers: 64, ..Options::default() };
    let mut bench = Bench::new(rtl(params), options);
    let packets: Vec<_> = (0..FRAMES).map(|mark| frame(FRAME_BYTES, mark)).collect();
    let arrive = |bench: &mut Bench| {
        packets.iter().for_each(|packet| bench.root.frame_in(packet.clone()));
        bench.rest();
        assert!(packets.iter().all(|packet| bench.received().as_ref() == Some(packet)));
    };
    let leave = |bench: &mut Bench| assert_eq!(bench.transmit(&packets), packets);
    [best(&mut bench, arrive), best(&mut bench, leave)]
}

fn best(bench: &mut Bench, traffic: impl Fn(&mut Bench)) -> f64 {
    let round = |_| {
        let (from, start) = (bench.root.device.now(), Instant::now());
        while bench.root.device.now() < from + CYCLES {
            traffic(bench);
            bench.root.msi.drain();
        }
        (bench.root.device.now() - from) as f64 / start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(0.0, f64::max)
}

fn main() {
    println!("| parameter set | beat, bits | pairs | simulated, frames arrive, cycles/s | frames leave |");
    println!("| --- | --- | --- | --- | --- |");
    for params in [&Params::TINY, &Params::SIM, &Params::BOARD, &Params::MAX] {
        let [arrive, leave] = speed(params);
        println!("| {} | {} | {} | {arrive:.0} | {leave:.0} |", params.name, params.width, params.pairs);
    }
}
