//! `diff`: two devices, or files with a report, in any pairing.

use std::fs;
use std::path::Path;

use hematite_host::difference::Diff;
use hematite_host::error::{Error, Result};
use hematite_host::function::{self, Function};
use hematite_host::report::{Config, Counters, FeatureReport, Health, Queues, Show};
use hematite_host::validate::Validation;
use serde::Serialize;
use serde_json::{Value, json};

/// Compares them.
pub(super) fn diff(a: &str, b: &str) -> Result<Diff> {
    // A file says which report it is: the other side gathers the same.
    let (one, other) = (saved(a)?, saved(b)?);
    let kind =
        [&one, &other].into_iter().flatten().find_map(|json| Some(json["report"].as_str()?.to_string()));
    let side = |saved: Option<Value>, text: &str| match saved {
        Some(json) => Ok(json),
        None => gather(text, kind.as_deref()),
    };
    let (one, other) = (side(one, a)?, side(other, b)?);
    Ok(Diff::of((a.into(), &one), (b.into(), &other)))
}

/// The report in a file; none if there is no such file.
fn saved(text: &str) -> Result<Option<Value>> {
    let path = Path::new(text);
    if !path.is_file() {
        return Ok(None);
    }
    let read = fs::read_to_string(path)
        .map_err(|error| Error::system(format!("read {text}"), error, "may you read it?"))?;
    let json: Value = serde_json::from_str(&read).map_err(|_| Error::Words {
        text: text.into(),
        wanted: "file with a report: `hematite show --json` prints one",
    })?;
    Ok(Some(json))
}

fn gather(text: &str, kind: Option<&str>) -> Result<Value> {
    let mut function = function::open(&text.parse()?)?;
    let function = &mut function;
    match kind {
        Some("show") => value(&Show::gather(function)?),
        Some("features") => value(&FeatureReport::gather(function, false)?),
        Some("queues") => value(&Queues::gather(function)?),
        Some("config") => value(&Config::gather(function)?),
        Some("counters") => value(&Counters::gather(function)?),
        Some("health") => value(&Health::gather(function)?),
        Some("validate") => value(&Validation::gather(function)?),
        Some(_) => Err(Error::Words {
            text: text.into(),
            wanted: "report that can be gathered: show, features, queues, config",
        }),
        None => all(function),
    }
}

/// What a device is, without what moves.
fn all(function: &mut Function) -> Result<Value> {
    Ok(json!({
        "show": value(&Show::gather(function)?)?,
        "features": value(&FeatureReport::gather(function, false)?)?,
        "config": if function.is_network() { value(&Config::gather(function)?)? } else { Value::Null },
    }))
}

fn value(report: &impl Serialize) -> Result<Value> {
    serde_json::to_value(report).map_err(|error| Error::Device(format!("print: {error}")))
}
