//! `validate` and `descs`.

use hematite_host::report::Descs;
use hematite_host::validate::{Validation, Verdict};

use super::{Table, columns, or_dash, remarks};

impl Table for Validation {
    fn table(&self) -> String {
        let mut rows = vec![];
        for one in &self.checks {
            let verdict = match one.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "FAIL",
                Verdict::Skipped => "skip",
            };
            rows.push(vec![verdict.into(), one.name.into(), one.detail.clone(), format!("[{}]", one.clause)]);
        }
        let mut text = columns(&rows);
        for step in &self.steps {
            text += format!("step {}: {} {}", step.number, step.name, step.detail).trim_end();
            text.push('\n');
        }
        let notes: String = self.head.notes.iter().map(|note| format!("note: {note}\n")).collect();
        text + &notes + &format!("{} passed, {} failed, {} skipped\n", self.passed, self.failed, self.skipped)
    }
}

impl Table for Descs {
    fn table(&self) -> String {
        let mut text = format!("queue {}, {} ring of {} entries", self.queue, self.ring, self.size);
        if self.available_index.is_some() {
            let (available, used) = (or_dash(self.available_index), or_dash(self.used_index));
            text += &format!(", avail.idx {available}, used.idx {used}");
        }
        text.push('\n');
        let mut rows = vec![];
        for chain in &self.chains {
            for (place, one) in chain.descriptors.iter().enumerate() {
                let state = if chain.available { "device's" } else { "driver's" };
                rows.push(vec![
                    if place == 0 { format!("{} {state}", chain.head) } else { String::new() },
                    format!("{}{}", if one.indirect { "table " } else { "" }, one.index),
                    format!("{:#x}", one.address),
                    one.bytes.to_string(),
                    one.names.join(" "),
                ]);
            }
            if let Some(broken) = &chain.broken {
                rows.push(vec![String::new(), "broken".into(), broken.clone()]);
            }
        }
        text + &columns(&rows) + &remarks(&self.head)
    }
}
