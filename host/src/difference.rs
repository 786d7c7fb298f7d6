//! `diff`: what two reports say differently, field by field.

use serde::Serialize;
use serde_json::Value;

use crate::report::SCHEMA;

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The field's path: `net.mtu`, `queues[0].size`.
    pub field: String,
    /// What the first says; null: it has no such field.
    pub a: Value,
    /// What the second says.
    pub b: Value,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// The first.
    pub a: String,
    /// The second.
    pub b: String,
    /// Where they differ.
    pub differences: Vec<Difference>,
}

/// Fields that say where a device is, not what it is.
const OWN: [&str; 3] = ["device", "notes", "kernel"];

impl Diff {
    /// Compares two reports.
    pub fn of(a: (String, &Value), b: (String, &Value)) -> Diff {
        let mut differences = vec![];
        compare("", a.1, b.1, &mut differences);
        Diff { schema: SCHEMA, report: "diff", a: a.0, b: b.0, differences }
    }
}

fn compare(path: &str, a: &Value, b: &Value, out: &mut Vec<Difference>) {
    match (a, b) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names.into_iter().filter(|name| !OWN.contains(&name.as_str())) {
                let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let (one, other) = (one.get(name), other.get(name));
                compare(&field, one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null), out);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for place in 0..one.len().max(other.len()) {
                let (one, other) = (one.get(place), other.get(place));
                let field = format!("{path}[{place}]");
                compare(&field, one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null), out);
            }
        }
        _ if a != b => out.push(Difference { field: path.into(), a: a.clone(), b: b.clone() }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_named_by_their_path() {
        let a = json!({"device": "x", "net": {"mtu": 1, "mac": "m"}, "queues": [1, 2]});
        let b = json!({"device": "y", "net": {"mtu": 2, "mac": "m"}, "queues": [1]});
        let diff = Diff::of(("x".into(), &a), ("y".into(), &b));
        let fields: Vec<&str> = diff.differences.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["net.mtu", "queues[1]"]);
        assert_eq!(diff.differences[1].b, Value::Null);
    }
}
