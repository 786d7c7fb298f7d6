//! What each verb gathers: plain data, which the command line prints as a table or as JSON. Names are stable; fields are only
//! ever added, or `SCHEMA` grows.

mod config;
mod counters;
mod descs;
mod features;
mod health;
mod list;
mod queues;
mod show;

use serde::Serialize;

pub use config::{Config, NetConfig};
pub use counters::Counters;
pub use descs::Descs;
pub use features::FeatureReport;
pub use health::{Health, Verdict};
pub use list::{Entry, List};
pub use queues::{Queue, Queues};
pub use show::Show;

use crate::finding::Finding;
use crate::function::Function;

/// The version of all reports.
pub const SCHEMA: u32 = 1;

/// What every report begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// Which device.
    pub device: String,
    /// The driver that has it.
    pub driver: Option<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

impl Head {
    pub(crate) fn of(report: &'static str, function: &Function) -> Head {
        Head {
            schema: SCHEMA,
            report,
            device: function.bus.address().to_string(),
            driver: function.kernel.as_ref().and_then(|kernel| kernel.driver.clone()),
            findings: vec![],
            notes: function.notes.clone(),
        }
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// The bits of device_status that are set, by name.
fn status_names(status: u8) -> Vec<&'static str> {
    let flags = hematite_abi::status::FLAGS.iter();
    flags
        .filter(|flag| u128::from(status) & flag.mask() != 0)
        .map(|flag| flag.name.trim_end_matches("_BIT"))
        .collect()
}

/// device_status, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The byte.
    pub value: u8,
    /// Its bits by name.
    pub names: Vec<&'static str>,
}

impl Status {
    fn new(value: u8) -> Status {
        Status { value, names: status_names(value) }
    }

    /// Whether a bit is set.
    pub fn has(&self, bit: u64) -> bool {
        u64::from(self.value) & bit != 0
    }
}
