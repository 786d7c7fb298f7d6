//! Every report as JSON is what host/schema.json says, and has no field that is not told there.

use std::path::Path;

use hematite_host::report::{Descs, Queues};
use hematite_host::ring::look::{Chain, Descriptor};
use serde_json::{Value, json};

use crate::served::{Bench, Body, hematite};

/// The schema, as far as it is used: `$ref`, `type`, `const`, `enum`, `oneOf`, `required`, `properties`, `items`.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn read() -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/schema.json");
        let text = std::fs::read_to_string(path).expect("the schema is there");
        Schema(serde_json::from_str(&text).expect("the schema is JSON"))
    }

    /// Panics with all that is wrong.
    pub(crate) fn check(&self, report: &Value) {
        let name = report["report"].as_str().expect("a report says which it is");
        let listed = json!({ "$ref": format!("#/$defs/{name}") });
        assert!(self.0["oneOf"].as_array().unwrap().contains(&listed), "{name} is no report of the schema");
        let mut wrong = vec![];
        self.walk(&listed, report, name, &mut wrong);
        assert_eq!(wrong, Vec::<String>::new());
    }

    fn walk(&self, rule: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
        if let Some(name) = rule["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/").expect("references lead into $defs");
            let rule = self.0["$defs"].get(name).unwrap_or_else(|| panic!("no definition of {name}"));
            return self.walk(rule, value, path, wrong);
        }
        if let Some(choices) = rule["oneOf"].as_array() {
            let fits = |choice: &&Value| {
                let mut found = vec![];
                self.walk(choice, value, path, &mut found);
                found.is_empty()
            };
            if choices.iter().filter(fits).count() != 1 {
                wrong.push(format!("{path}: not one of the choices: {value}"));
            }
            return;
        }
        let types =
            rule.get("type").map(|kind| kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]));
        if types.is_some_and(|types| !types.iter().any(|kind| is(kind.as_str().unwrap(), value))) {
            wrong.push(format!("{path}: {value} is no {}", rule["type"]));
        }
        if rule.get("const").is_some_and(|only| only != value) {
            wrong.push(format!("{path}: {value} is not {}", rule["const"]));
        }
        if rule["enum"].as_array().is_some_and(|choices| !choices.contains(value)) {
            wrong.push(format!("{path}: {value} is none of {}", rule["enum"]));
        }
        if let Some(fields) = value.as_object().filter(|_| rule.get("properties").is_some()) {
            for name in rule["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(name.as_str().unwrap()) {
                    wrong.push(format!("{path}: no field {name}"));
                }
            }
            for (name, field) in fields {
                let snake = name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
                match rule["properties"].get(name) {
                    Some(rule) if snake => self.walk(rule, field, &format!("{path}.{name}"), wrong),
                    _ => wrong.push(format!("{path}: the field {name} is not told")),
                }
            }
        }
        for (place, item) in value.as_array().into_iter().flatten().enumerate() {
            self.walk(&rule["items"], item, &format!("{path}[{place}]"), wrong);
        }
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

#[test]
fn every_report_of_a_served_function_is_as_told() {
    let (schema, bench) = (Schema::read(), Bench::start(Body::Model));
    for words in [
        &["list"][..],
        &["show"],
        &["features"],
        &["queues"],
        &["config"],
        &["counters"],
        &["health"],
        &["validate"],
        &["validate", "--active", "--frames", "10"],
    ] {
        let said = bench.hematite(&[words, &["--json"]].concat());
        assert!(
            said.out.ends_with("}\n") && said.out.lines().all(|line| line.trim_end() == line),
            "{words:?}"
        );
        schema.check(&said.json());
    }
    schema.check(&hematite(&["features", "--decode", "0,127", "--json"]).json());
    schema.check(&hematite(&["diff", &bench.name(), &bench.name(), "--json"]).json());
    bench.finish();
}

#[test]
fn reports_that_need_a_driver_are_as_told() {
    let schema = Schema::read();
    let bench = Bench::start(Body::Model);
    let head = Queues::gather(&mut bench.open()).unwrap().head;
    let names = vec!["next", "write"];
    let one = Descriptor { index: 1, address: 2, bytes: 3, flags: 3, names, indirect: true, id: Some(4) };
    let chain = Chain { head: 1, available: true, descriptors: vec![one], broken: Some("x".into()) };
    let (available_index, used_index) = (Some(1), None);
    let head = hematite_host::report::Head { report: "descs", ..head };
    let descs =
        Descs { head, queue: 0, ring: "split", size: 8, available_index, used_index, chains: vec![chain] };
    schema.check(&serde_json::to_value(&descs).unwrap());
    let bound = hematite_host::bind::Bound {
        schema: 1,
        report: "bind",
        device: "0000:00:01.0".into(),
        from: Some("virtio-pci".into()),
        to: None,
        iommu_group: Some(1),
        notes: vec!["x".into()],
    };
    schema.check(&serde_json::to_value(&bound).unwrap());
}

#[test]
#[should_panic(expected = "is not told")]
fn a_field_that_is_not_told_is_found() {
    Schema::read().check(&json!({"schema": 1, "report": "list", "functions": [], "extra": 1}));
}
