//! What `hematite` says of a function in the guest, against ethtool, lspci and the kernel, field by field.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Texts by the names of their sections: `@ NAME` lines of the step `agree`.
struct Sections<'a>(BTreeMap<&'a str, Vec<&'a str>>);

/// Fields compared, and those that differ.
#[derive(Default)]
struct Fields {
    same: usize,
    differ: Vec<String>,
}

impl Fields {
    fn equal(&mut self, name: &str, hematite: impl ToString, other: impl ToString) {
        let (hematite, other) = (hematite.to_string(), other.to_string());
        if hematite == other {
            self.same += 1;
        } else {
            self.differ.push(format!("{name}: hematite says {hematite}, the other {other}"));
        }
    }

    fn that(&mut self, name: &str, good: bool, seen: impl ToString) {
        self.equal(name, if good { String::new() } else { seen.to_string() }, "");
    }
}

impl<'a> Sections<'a> {
    fn read(text: &'a str) -> Result<Sections<'a>> {
        let mut sections = BTreeMap::new();
        let mut name = "";
        for line in text.lines() {
            match line.strip_prefix("@ ") {
                Some(failed) if failed.starts_with("failed") => bail!("{name}: {failed}"),
                Some(next) => {
                    name = next;
                    sections.insert(name, vec![]);
                }
                None => sections.entry(name).or_default().push(line),
            }
        }
        Ok(Sections(sections))
    }

    fn lines(&self, name: &str) -> Result<&[&'a str]> {
        self.0.get(name).map(Vec::as_slice).with_context(|| format!("no section `{name}`"))
    }

    fn json(&self, name: &str) -> Result<Value> {
        let text = self.lines(name)?.join("\n");
        serde_json::from_str(&text)
            .with_context(|| format!("`hematite {name} --json` printed no JSON:\n{text}"))
    }

    /// What stands behind `key` in a line of a section.
    fn value(&self, name: &str, key: &str) -> Result<&'a str> {
        let lines = self.lines(name)?.iter();
        let mut values = lines.filter_map(|line| line.trim_start().strip_prefix(key));
        values.next().map(str::trim).with_context(|| format!("no `{key}` in `{name}`"))
    }
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn text(json: &Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), String::from)
}

fn number(json: &Value) -> u64 {
    json.as_u64().unwrap_or(u64::MAX)
}

/// Looks at all sections; says how many fields agree.
pub(super) fn check(all: &str) -> Result<String> {
    let sections = Sections::read(all)?;
    let mut fields = Fields::default();
    for name in ["show", "features", "queues", "config", "health"] {
        let findings = &sections.json(name)?["findings"];
        fields.equal(&format!("findings of {name}"), findings, "[]");
    }
    identity(&sections, &mut fields)?;
    capabilities(&sections, &mut fields)?;
    features(&sections, &mut fields)?;
    queues(&sections, &mut fields)?;
    config(&sections, &mut fields)?;
    counters(&sections, &mut fields)?;
    if fields.differ.is_empty() {
        return Ok(format!("{} fields agree", fields.same));
    }
    bail!("{} fields agree, {} do not:\n  {}", fields.same, fields.differ.len(), fields.differ.join("\n  "))
}

fn identity(sections: &Sections, fields: &mut Fields) -> Result<()> {
    let (found, show) = (sections.json("list")?, sections.json("show")?);
    let one = &found["functions"][0];
    let bdf = sections.value("ethtool_i", "bus-info:")?;
    fields.equal("device", text(&one["device"]), bdf);
    fields.equal("driver", text(&one["driver"]), sections.value("lspci", "Kernel driver in use:")?);
    let line = sections.lines("lspci")?.first().context("lspci says nothing")?;
    let id = format!("[{:04x}:{:04x}]", number(&one["vendor_id"]), number(&one["device_id"]));
    fields.that("vendor and device", line.contains(&id), format!("{id} is not in {line}"));
    let class = format!("[{:04x}]", number(&show["header"]["class"]) >> 8);
    fields.that("class", line.contains(&class), format!("{class} is not in {line}"));
    let revision = format!("(rev {:02x})", number(&show["header"]["revision"]));
    fields.that("revision", line.contains(&revision), format!("{revision} is not in {line}"));
    let header = &show["header"];
    let subsystem =
        format!("[{:04x}:{:04x}]", number(&header["subsystem_vendor_id"]), number(&header["subsystem_id"]));
    let line = sections.value("lspci", "Subsystem:")?;
    fields.that("subsystem", line.contains(&subsystem), format!("{subsystem} is not in {line}"));
    let control = sections.value("lspci", "Control:")?;
    for (name, mark) in [("memory", "Mem+"), ("bus_master", "BusMaster+")] {
        fields.equal(name, &header[name], control.contains(mark));
    }
    Ok(())
}

fn capabilities(sections: &Sections, fields: &mut Fields) -> Result<()> {
    let show = sections.json("show")?;
    let lspci = sections.lines("lspci")?;
    let heads = lspci.iter().filter_map(|line| line.trim_start().strip_prefix("Capabilities: ["));
    let places: Vec<String> =
        heads.filter_map(|rest| Some(rest.split([' ', ']']).next()?.to_string())).collect();
    let ours = list(&show["capabilities"]).iter().chain(list(&show["extended_capabilities"]));
    let ours: Vec<String> = ours.map(|one| format!("{:x}", number(&one["offset"]))).collect();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.join(" ")
    };
    fields.equal("places of capabilities", sorted(ours), sorted(places));
    // Behind each of virtio's there is a line with its place in a BAR.
    let virtio = lspci.windows(2).filter(|pair| pair[0].contains("VirtIO:"));
    let virtio: Vec<&str> = virtio.map(|pair| pair[1].trim()).collect();
    for (one, line) in list(&show["structures"]).iter().zip(&virtio) {
        if text(&one["kind"]) == "pci_cfg" {
            continue;
        }
        let mut wanted = format!(
            "BAR={} offset={:08x} size={:08x}",
            number(&one["bar"]),
            number(&one["offset"]),
            number(&one["length"])
        );
        if let Some(multiplier) = one["multiplier"].as_u64() {
            wanted += &format!(" multiplier={multiplier:08x}");
        }
        fields.equal(&format!("structure {}", text(&one["kind"])), wanted, line);
    }
    fields.equal("number of structures", list(&show["structures"]).len(), virtio.len());
    let msix = lspci.iter().find(|line| line.contains("MSI-X:")).context("lspci shows no MSI-X")?;
    let ours = &show["msix"];
    let state = if ours["enabled"] == true { '+' } else { '-' };
    let mask = if ours["masked"] == true { '+' } else { '-' };
    let wanted = format!("MSI-X: Enable{state} Count={} Masked{mask}", number(&ours["vectors"]));
    fields.that("MSI-X", msix.contains(&wanted), format!("{wanted} is not in {msix}"));
    for (name, key) in [("table", "Vector table:"), ("pending", "PBA:")] {
        let place = &ours[name];
        let wanted = format!("BAR={} offset={:08x}", number(&place["bar"]), number(&place["offset"]));
        fields.equal(&format!("MSI-X {name}"), wanted, sections.value("lspci", key)?);
    }
    Ok(())
}

fn features(sections: &Sections, fields: &mut Fields) -> Result<()> {
    let report = sections.json("features")?;
    let bits = |set: &Value| list(&set["bits"]).iter().map(|one| number(&one["bit"])).collect::<Vec<_>>();
    let row = sections.lines("sysfs")?.first().context("sysfs shows no features")?.trim();
    let accepted: Vec<u64> = (0..).zip(row.chars()).filter(|(_, c)| *c == '1').map(|(bit, _)| bit).collect();
    let ours = bits(&report["accepted"]);
    let shown = |bits: &[u64]| bits.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    fields.equal("accepted features", shown(&ours), shown(&accepted));
    let offered = bits(&report["offered"]);
    fields.equal(
        "bits of offered that are known",
        text(&report["offered_known"]),
        format!("{:#x}", u128::MAX),
    );
    let strange: Vec<u64> = accepted.iter().copied().filter(|bit| !offered.contains(bit)).collect();
    fields.equal("accepted and not offered", shown(&strange), "");
    let rest: Vec<u64> = offered.iter().copied().filter(|bit| !accepted.contains(bit)).collect();
    fields.equal("not accepted", shown(&bits(&report["not_accepted"])), shown(&rest));
    Ok(())
}

fn queues(sections: &Sections, fields: &mut Fields) -> Result<()> {
    let (report, show) = (sections.json("queues")?, sections.json("show")?);
    let queues = list(&report["queues"]);
    // The first `Combined:` is the most there may be, the second what is used.
    let pairs: u64 = sections.value("ethtool_l", "Combined:")?.parse()?;
    let count = |role: &str| queues.iter().filter(|one| text(&one["role"]) == role).count() as u64;
    fields.equal("queues", number(&show["queues"]), queues.len());
    for role in ["receive", "transmit"] {
        fields.equal(&format!("{role} queues"), count(role), pairs);
    }
    if show["parameters"].is_null() {
        // Someone else's device: beside its driver nothing more is seen, and none of it is made up.
        let unknown = queues.iter().all(|one| one["size"].is_null() && one["enabled"].is_null());
        fields.that("queues without inspection", unknown, &report["queues"]);
        return Ok(());
    }
    let now = sections.lines("ethtool_g")?.iter().skip_while(|line| !line.starts_with("Current")).copied();
    let now: Vec<&str> = now.collect();
    for (key, place) in [("RX:", 0), ("TX:", 1)] {
        let size = now.iter().find_map(|line| line.strip_prefix(key)).context("ethtool -g shows no ring")?;
        fields.equal(&format!("size, {key}"), number(&queues[place]["size"]), size.trim());
    }
    let enabled = queues.iter().filter(|one| one["enabled"] == true).count();
    fields.equal("enabled queues", enabled, queues.len());
    let areas =
        queues.iter().filter(|one| number(&one["descriptors"]) != 0 && !one["vector"].is_null()).count();
    // Linux polls the control queue: it has no vector.
    fields.that("areas and vectors", areas + 1 >= queues.len(), &report["queues"]);
    Ok(())
}

fn config(sections: &Sections, fields: &mut Fields) -> Result<()> {
    let net = &sections.json("config")?["net"];
    let speaks = |key: &str| sections.value("interface", key);
    fields.equal("mac", text(&net["mac"]), speaks("address:")?);
    fields.equal("link", net["link_up"] == true, speaks("carrier:")? == "1");
    let one = &sections.json("list")?["functions"][0];
    fields.equal("link in list", &one["link_up"], &net["link_up"]);
    let has = |bit: u64| {
        let offered = sections.json("features").map(|report| report["offered"]["bits"].clone());
        offered.is_ok_and(|bits| list(&bits).iter().any(|one| number(&one["bit"]) == bit))
    };
    // Bits MTU and SPEED_DUPLEX: without them the fields mean nothing.
    if has(3) {
        fields.equal("mtu", number(&net["mtu"]), speaks("mtu:")?);
    }
    if has(63) && !net["speed"].is_null() {
        fields.equal("speed", number(&net["speed"]), speaks("speed:")?);
        fields.equal("duplex", text(&net["duplex"]), speaks("duplex:")?);
    }
    Ok(())
}

fn counters(sections: &Sections, fields: &mut Fields) -> Result<()> {
    if sections.json("show")?["parameters"].is_null() {
        return Ok(());
    }
    let report = sections.json("counters")?;
    let counted = |name: &str| {
        let found = list(&report["counters"]).iter().find(|one| text(&one["name"]) == name);
        found.map_or(u64::MAX, |one| number(&one["value"]))
    };
    // The kernel's are read before and behind: frames may pass meanwhile, and each is counted on both sides.
    for (ours, theirs) in [("tx_frames", "tx_packets:"), ("rx_frames", "rx_packets:")] {
        let at = |name: &str| -> Result<u64> { Ok(sections.value(name, theirs)?.parse()?) };
        let (before, value, after) = (at("statistics_before")?, counted(ours), at("statistics_after")?);
        let seen = format!("{value}, and the kernel {before} to {after}");
        fields.that(ours, (before..=after).contains(&value) && value > 0, seen);
    }
    let kicks = sections.lines("ethtool_s")?.iter().filter(|line| line.contains("_kicks:"));
    let kicks: u64 = kicks.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    fields.that("kicks", counted("kicks") >= kicks && kicks > 0, format!("{} of {kicks}", counted("kicks")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_and_failures_told() {
        let sections = Sections::read("@ one\na: 1\nb: 2\n@ two\n{}\n").unwrap();
        assert_eq!(sections.value("one", "b:").unwrap(), "2");
        assert!(sections.json("two").unwrap().is_object() && sections.json("three").is_err());
        assert!(Sections::read("@ one\n@ failed 3: hematite\n").is_err());
    }

    #[test]
    fn what_differs_is_named() {
        let mut fields = Fields::default();
        fields.equal("mtu", 1500, "1500");
        fields.equal("mac", "a", "b");
        assert_eq!((fields.same, fields.differ.len()), (1, 1));
        assert!(fields.differ[0].contains("hematite says a"));
    }
}
