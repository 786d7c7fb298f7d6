//! `counters`: what one of our functions has counted.

use serde::Serialize;

use super::Head;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::inspection::Counter;

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// All of them.
    pub counters: Vec<Counter>,
}

impl Counters {
    /// Gathers it.
    pub fn gather(function: &mut Function) -> Result<Counters> {
        let head = Head::of("counters", function);
        let Some(inspection) = function.inspection() else {
            let what = format!("{} has no inspection region within reach", head.device);
            let next = "someone else's device counts by DEVICE_STATS or not at all: `ethtool -S`";
            return Err(Error::Unable { what, next });
        };
        Ok(Counters { head, counters: inspection.counters(&mut *function.bus)? })
    }
}
