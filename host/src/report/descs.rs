//! `descs`: a queue's ring as it lies in memory, chain by chain.

use hematite_abi::feature;
use serde::Serialize;

use super::{Head, Queues};
use crate::error::{Error, Result};
use crate::function::Function;
use crate::ring::look::{self, Addresses, Chain, Ram};

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descs {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// Which queue.
    pub queue: u16,
    /// `split` or `packed`.
    pub ring: &'static str,
    /// Entries.
    pub size: u16,
    /// `avail.idx`; of packed rings null.
    pub available_index: Option<u16>,
    /// `used.idx`; of packed rings null.
    pub used_index: Option<u16>,
    /// Chains.
    pub chains: Vec<Chain>,
}

impl Descs {
    /// Gathers it, from the memory that the driver has given the device.
    pub fn gather(function: &mut Function, queue: u16, ram: &dyn Ram) -> Result<Descs> {
        let mut head = Head::of("descs", function);
        let queues = Queues::gather(function)?;
        let unable = |what: String, next| Err(Error::Unable { what, next });
        let Some(one) = queues.queues.iter().find(|one| one.queue == queue) else {
            return unable(
                format!("there is no queue {queue}, only {}", queues.queues.len()),
                "`hematite queues`",
            );
        };
        let (Some(size), Some(descriptors), Some(driver), Some(device)) =
            (one.size, one.descriptors, one.driver, one.device)
        else {
            let next = "only a function with an inspection region says that beside its driver";
            return unable(format!("where queue {queue} lies is not known"), next);
        };
        if one.enabled != Some(true) {
            return unable(format!("queue {queue} is not enabled"), "`hematite queues` shows which are");
        }
        let Ok(size) = u16::try_from(size) else {
            return Err(Error::Device(format!("queue {queue} has size {size}")));
        };
        let accepted = function.kernel.as_ref().and_then(|kernel| kernel.accepted);
        let packed = accepted.is_some_and(|set| set.has(feature::RING_PACKED));
        let at = Addresses { size, descriptors, driver, device };
        let seen = if packed { look::packed(ram, at) } else { look::split(ram, at) }?;
        head.findings.extend(seen.findings);
        Ok(Descs {
            head,
            queue,
            ring: if packed { "packed" } else { "split" },
            size,
            available_index: seen.available_index,
            used_index: seen.used_index,
            chains: seen.chains,
        })
    }
}
