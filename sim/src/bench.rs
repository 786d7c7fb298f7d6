//! `hematite-sim bench`: a driver in the process, traffic at the wire, and how fast the RTL is between them.
//!
//! A run is untimed on the host's side: the driver looks at its rings every [`Options::poll_cycles`] cycles and does what it
//! finds to do in no time. What is slow is the function, or the link as [`Slot`](crate::root::Slot) models it.

mod case;
mod frames;
mod host;
mod latency;
mod negotiate;
mod options;
mod plot;
mod report;
mod targets;
mod tlps;

pub use case::{Case, Figures, SeamUse};
pub use latency::Latency;
pub use options::{Direction, Directions, Interrupts, Options, Suppression};
pub use plot::svg;
pub use report::{Report, table};
pub use targets::Target;
pub use tlps::{Step, Tlps};

use crate::driver::DriverError;

/// Why a bench did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("{0}")]
    Options(String),
    #[error(transparent)]
    Driver(#[from] DriverError),
    #[error("{case}: nothing for {limit} cycles: {missing}")]
    Stuck { case: String, limit: u64, missing: String },
}

/// Runs every case of the options; `done` hears of each when it is through.
pub fn run(options: &Options, mut done: impl FnMut(&Figures)) -> Result<Report, BenchError> {
    options.check().map_err(BenchError::Options)?;
    let limits = negotiate::limits(options)?;
    let selected = options.cases(&limits).map_err(BenchError::Options)?;
    let mut cases = vec![];
    for case in selected.iter().copied() {
        let figures = case::run(options, case)?;
        done(&figures);
        cases.push(figures);
    }
    let latency = options.latency.then(|| latency::run(options, &selected)).transpose()?;
    Ok(Report::new(options, &limits, cases, latency))
}
