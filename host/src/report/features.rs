//! `features`: what is offered, what was accepted, and the difference.

use serde::Serialize;

use super::Head;
use crate::common::Common;
use crate::error::Result;
use crate::feature::{FeatureSet, Features};
use crate::finding::{Finding, clause};
use crate::function::Function;
use crate::structure::Kind;

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeatureReport {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// What the device offers, as far as `offered_known` goes.
    pub offered: Features,
    /// Which bits of `offered` could be seen: all, if the function is ours.
    pub offered_known: String,
    /// What the driver has accepted; none: nobody has accepted anything.
    pub accepted: Option<Features>,
    /// Where that is known from: `kernel` or `device`.
    pub accepted_from: Option<&'static str>,
    /// Offered and not accepted.
    pub not_accepted: Option<Features>,
}

/// Which bits, and which of them are known.
type Seen = (FeatureSet, FeatureSet);

impl FeatureReport {
    /// Gathers it. Beside a driver the selectors are its own: with `select` they are moved all the same, and put back.
    pub fn gather(function: &mut Function, select: bool) -> Result<FeatureReport> {
        let mut head = Head::of("features", function);
        let common = Common(function.reach(Kind::Common)?);
        let free = function.is_ours() || select;
        let bus = &mut *function.bus;
        let all = FeatureSet(u128::MAX);
        let (offered, offered_known): Seen =
            if free { (common.offered(bus)?, all) } else { common.offered_window(bus)? };
        if !free {
            let text = "beside a driver only the window of offered bits is seen which it has left selected; \
                        --select moves the selector for a moment";
            head.note(text);
        }
        let kernel = function.kernel.as_ref().and_then(|kernel| kernel.accepted);
        let device: Seen = if free { (common.accepted(bus)?, all) } else { common.accepted_window(bus)? };
        let agreed = u64::from(common.status(bus)?) & hematite_abi::status::FEATURES_OK != 0;
        let accepted = kernel.or((agreed && device.1 == all).then_some(device.0));
        let network = function.is_network();
        if network && offered_known == all {
            head.findings.extend(offered.check("offered"));
        }
        if let Some(accepted) = accepted {
            head.findings.extend(if network { accepted.check("accepted") } else { vec![] });
            let known = FeatureSet(accepted.0 & offered_known.0);
            let strange = known.without(offered);
            if strange != FeatureSet(0) {
                let text = format!("accepted and not offered: {strange}");
                head.findings.push(Finding::new(clause::FEATURES, text));
            }
            let (seen, both) = (device.0, FeatureSet(accepted.0 & device.1.0));
            if agreed && seen != both {
                let text = format!("the driver has accepted {both}, the device says {seen}");
                head.findings.push(Finding::new(clause::FEATURES, text));
            }
        }
        Ok(FeatureReport {
            head,
            offered: offered.shown(network),
            offered_known: offered_known.to_string(),
            accepted: accepted.map(|set| set.shown(network)),
            accepted_from: accepted.map(|_| if kernel.is_some() { "kernel" } else { "device" }),
            not_accepted: accepted.map(|set| offered.without(set).shown(network)),
        })
    }
}
