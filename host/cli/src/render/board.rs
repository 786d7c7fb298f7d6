//! `vdpa` and `flash`.

use hematite_host::finding::Finding;
use hematite_host::flash::{Flash, Ident};
use hematite_host::vdpa::{Changed, Device, DeviceList, ManagementList};

use super::{Table, columns, or_dash, pairs};

fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| format!("note: {note}\n")).collect()
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

impl Table for ManagementList {
    fn table(&self) -> String {
        let mut rows = vec![row(&["management", "makes", "queues", "features"])];
        for one in &self.management {
            rows.push(vec![
                one.name.clone(),
                one.kinds.join(" "),
                or_dash(one.max_queues),
                or_dash(one.features.as_ref().map(|features| &features.value)),
            ]);
        }
        let table = if self.management.is_empty() { String::new() } else { columns(&rows) };
        table + &notes(&self.notes)
    }
}

fn devices(devices: &[Device]) -> String {
    let names = ["device", "management", "kind", "queues", "size", "driver", "mac", "mtu", "link"];
    let mut rows = vec![row(&names)];
    for one in devices {
        let config = one.config.as_ref();
        let link = config.and_then(|config| config.link_up).map(|up| if up { "up" } else { "down" });
        rows.push(vec![
            one.name.clone(),
            or_dash(one.management.clone()),
            one.kind.into(),
            or_dash(one.queues),
            or_dash(one.queue_max),
            or_dash(one.driver.clone()),
            or_dash(config.and_then(|config| config.mac.clone())),
            or_dash(config.and_then(|config| config.mtu)),
            or_dash(link),
        ]);
    }
    columns(&rows)
}

impl Table for DeviceList {
    fn table(&self) -> String {
        let table = if self.devices.is_empty() { "no vDPA device\n".into() } else { devices(&self.devices) };
        table + &notes(&self.notes)
    }
}

impl Table for Changed {
    fn table(&self) -> String {
        match self.report {
            "vdpa_del" => format!("{} is gone\n", self.device.name),
            _ => devices(std::slice::from_ref(&self.device)),
        }
    }
}

fn ident(ident: &Ident) -> String {
    format!("abi_version {}, source_hash {}", ident.abi_version, ident.source_hash)
}

/// A word as it may be pasted into a shell: for people, nothing here runs one.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl Table for Flash {
    fn table(&self) -> String {
        let mut rows = vec![("board", self.board.clone()), ("part", self.part.clone())];
        rows.push(("image", format!("{}, {} bytes", self.image, self.image_bytes)));
        let lines = self
            .commands
            .iter()
            .map(|words| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
        rows.extend(lines.map(|line| (if self.dry_run { "would run" } else { "ran" }, line)));
        rows.extend(self.checks.iter().map(|check| ("check", check.clone())));
        rows.extend(self.before.iter().map(|one| ("before", ident(one))));
        rows.extend(self.after.iter().map(|one| ("after", ident(one))));
        let findings =
            self.findings.iter().map(|Finding { clause, text }| format!("finding: {text} [{clause}]\n"));
        pairs(&rows) + &findings.collect::<String>() + &notes(&self.notes)
    }
}
