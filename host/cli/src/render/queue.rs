//! `features`, `queues`, `counters`.

use hematite_host::report::{Counters, FeatureReport, Queues};

use super::{Table, bits, columns, hex, or_dash, remarks, yes};
use crate::verbs::Decoded;

impl Table for Decoded {
    fn table(&self) -> String {
        bits(&self.features)
    }
}

impl Table for FeatureReport {
    fn table(&self) -> String {
        let mut rows = vec![vec!["bit".to_string(), "offered".into(), "accepted".into(), "name".into()]];
        let has =
            |set: &hematite_host::feature::Features, bit: usize| set.bits.iter().any(|one| one.bit == bit);
        let none = hematite_host::feature::FeatureSet::default().shown(true);
        let accepted = self.accepted.as_ref().unwrap_or(&none);
        for bit in 0..hematite_host::feature::FeatureSet::BITS {
            let (here, there) = (has(&self.offered, bit), has(accepted, bit));
            let named = self.offered.bits.iter().chain(&accepted.bits).find(|one| one.bit == bit);
            if let Some(one) = named {
                let accepted = if self.accepted.is_some() { yes(there) } else { "-".into() };
                rows.push(vec![bit.to_string(), yes(here), accepted, one.name.unwrap_or("unknown").into()]);
            }
        }
        columns(&rows) + &remarks(&self.head)
    }
}

impl Table for Queues {
    fn table(&self) -> String {
        let names = [
            "queue",
            "role",
            "enabled",
            "size",
            "vector",
            "descriptors",
            "driver",
            "device",
            "taken",
            "used",
            "in flight",
            "error",
        ];
        let mut rows = vec![names.iter().map(ToString::to_string).collect::<Vec<_>>()];
        for one in &self.queues {
            rows.push(vec![
                one.queue.to_string(),
                one.role.into(),
                one.enabled.map_or("-".into(), yes),
                or_dash(one.size),
                or_dash(one.vector),
                hex(one.descriptors),
                hex(one.driver),
                hex(one.device),
                or_dash(one.available_taken),
                or_dash(one.used),
                or_dash(one.in_flight),
                or_dash(one.error.as_ref().map(|error| error.text)),
            ]);
        }
        columns(&rows) + &remarks(&self.head)
    }
}

impl Table for Counters {
    fn table(&self) -> String {
        let mut rows = vec![];
        for one in &self.counters {
            rows.push(vec![
                one.number.to_string(),
                one.name.clone().unwrap_or("unknown".into()),
                one.value.to_string(),
                one.about.into(),
            ]);
        }
        columns(&rows) + &remarks(&self.head)
    }
}
