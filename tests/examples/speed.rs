//! How fast the RTL of each parameter set is simulated, with a driver, a root complex and the monitors around it: what
//! `cargo xtask report --speed` prints. A figure of this machine; no test looks at it. What runs is `hematite-sim bench`.

use std::time::Instant;

use hematite_sim::bench::{self, Options};
use hematite_tests::Params;

/// The best of so many rounds: what else runs on the machine slows some of them.
const ROUNDS: usize = 7;

/// Cycles per second while frames go one way.
fn speed(params: &Params, direction: &str) -> f64 {
    let line = format!("--params {} --sizes 512 --frames 4096 --direction {direction}", params.name);
    let options = Options::parse(&line).expect("a command line");
    let round = |_| {
        let start = Instant::now();
        let report = bench::run(&options, |_| ()).expect("a bench which ends");
        assert!(report.clean(), "{:?}", report.findings());
        report.cases[0].simulated_cycles as f64 / start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(0.0, f64::max)
}

fn main() {
    println!("| parameter set | beat, bits | pairs | simulated, frames arrive, cycles/s | frames leave |");
    println!("| --- | --- | --- | --- | --- |");
    for params in [&Params::TINY, &Params::SIM, &Params::BOARD, &Params::MAX] {
        let [arrive, leave] = ["rx", "tx"].map(|direction| speed(params, direction));
        println!("| {} | {} | {} | {arrive:.0} | {leave:.0} |", params.name, params.width, params.pairs);
    }
}
