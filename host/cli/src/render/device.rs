//! `list`, `show`, `config`, `health`.

use hematite_host::inspection::Parameters;
use hematite_host::report::{Config, Health, List, Show, Status, Verdict};

use super::{Table, columns, hex, or_dash, pairs, remarks, yes};

impl Table for List {
    fn table(&self) -> String {
        let names = ["device", "id", "kind", "driver", "group", "queues", "link", "inspection", "interfaces"];
        let mut rows = vec![names.iter().map(ToString::to_string).collect::<Vec<_>>()];
        for one in &self.functions {
            let interfaces: Vec<&str> =
                one.interfaces.iter().map(|interface| interface.name.as_str()).collect();
            let link = one.link_up.map(|up| if up { "up" } else { "down" });
            rows.push(vec![
                one.device.clone(),
                format!("{:04x}:{:04x}", one.vendor_id, one.device_id),
                one.kind.into(),
                or_dash(one.driver.clone()),
                or_dash(one.iommu_group),
                or_dash(one.queues),
                or_dash(link),
                yes(one.hematite),
                one.trouble.clone().unwrap_or_else(|| interfaces.join(" ")),
            ]);
        }
        columns(&rows)
    }
}

fn status(status: &Status) -> String {
    format!("{:#04x} {}", status.value, status.names.join(" ")).trim_end().into()
}

/// Generations of PCI Express have codes for their speeds.
fn speed(code: u8) -> &'static str {
    match code {
        1 => "2.5",
        2 => "5",
        3 => "8",
        4 => "16",
        5 => "32",
        _ => "?",
    }
}

impl Table for Show {
    fn table(&self) -> String {
        let header = &self.header;
        let mut rows = vec![
            ("device", format!("{} {}", self.head.device, self.kind)),
            ("id", format!("{:04x}:{:04x} revision {}", header.vendor_id, header.device_id, header.revision)),
            ("subsystem", format!("{:04x}:{:04x}", header.subsystem_vendor_id, header.subsystem_id)),
            ("class", format!("{:06x}", header.class)),
            ("memory, bus master", format!("{}, {}", yes(header.memory), yes(header.bus_master))),
        ];
        if let Some(kernel) = &self.kernel {
            rows.push(("driver", or_dash(kernel.driver.clone())));
            rows.push(("virtio", or_dash(kernel.virtio.clone())));
            rows.push(("iommu group", or_dash(kernel.iommu_group)));
            for one in &kernel.interfaces {
                rows.push(("interface", format!("{} {} {}", one.name, one.state, one.address)));
            }
        }
        if let Some(value) = &self.status {
            rows.push(("status", status(value)));
        }
        rows.push(("queues", or_dash(self.queues)));
        if let Some(link) = &self.link {
            let (now, most) = (speed(link.speed), speed(link.speed_max));
            rows.push((
                "link",
                format!("{now} GT/s x{}, at most {most} GT/s x{}", link.width, link.width_max),
            ));
        }
        for bar in &self.bars {
            rows.push(("bar", format!("{}: {:#x} bytes", bar.bar, bar.bytes)));
        }
        if let Some(msix) = &self.msix {
            let state = if msix.enabled { "on" } else { "off" };
            let text = format!(
                "{state}, {} vectors, table at {:#x} of BAR {}, pending bits at {:#x} of BAR {}",
                msix.vectors, msix.table.offset, msix.table.bar, msix.pending.offset, msix.pending.bar
            );
            rows.push(("msi-x", text));
        }
        for one in self.capabilities.iter().chain(&self.extended_capabilities) {
            rows.push(("capability", format!("{:#05x} {:#04x} {}", one.offset, one.id, one.name)));
        }
        for one in &self.structures {
            let place = format!("{:#x} bytes at {:#x} of BAR {}", one.length, one.offset, one.bar);
            let multiplier = one.multiplier.map_or(String::new(), |value| format!(", multiplier {value}"));
            let place = if one.usable { place + &multiplier } else { "not used".into() };
            rows.push(("structure", format!("{:?} by {:#x}: {place}", one.kind, one.capability)));
        }
        pairs(&rows) + &self.parameters.as_ref().map_or(String::new(), parameters) + &remarks(&self.head)
    }
}

fn parameters(parameters: &Parameters) -> String {
    pairs(&[
        ("hematite abi", parameters.abi_version.to_string()),
        ("source hash", parameters.source_hash.clone()),
        ("beat, bits", parameters.width.to_string()),
        ("pairs, queues", format!("{}, {}", parameters.pairs, parameters.queues)),
        ("queue size", parameters.queue_max.to_string()),
        ("reads in flight", parameters.tags.to_string()),
        ("vectors", parameters.vectors.to_string()),
        ("read, write, frame", {
            let Parameters { read_bytes, payload_bytes, frame_bytes, .. } = parameters;
            format!("{read_bytes}, {payload_bytes}, {frame_bytes} bytes at most")
        }),
        ("timeout", format!("{} cycles", parameters.timeout_cycles)),
    ])
}

impl Table for Config {
    fn table(&self) -> String {
        let net = &self.net;
        let rows = [
            ("generation", self.generation.to_string()),
            ("mac", or_dash(net.mac.clone())),
            ("link", or_dash(net.link_up.map(|up| if up { "up" } else { "down" }))),
            ("announce", or_dash(net.announce.map(yes))),
            ("max_virtqueue_pairs", or_dash(net.max_virtqueue_pairs)),
            ("mtu", or_dash(net.mtu)),
            ("speed, Mbit/s", or_dash(net.speed)),
            ("duplex", or_dash(net.duplex)),
            ("rss_max_key_size", or_dash(net.rss_max_key_size)),
            ("rss_max_indirection_table_length", or_dash(net.rss_max_indirection_table_length)),
            (
                "supported_hash_types",
                format!("{} {}", hex(net.supported_hash_types.map(u64::from)), net.hash_types.join(" ")),
            ),
        ];
        pairs(&rows) + &remarks(&self.head)
    }
}

impl Table for Health {
    fn table(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Fine => "fine",
            Verdict::Finding => "finding",
        };
        let cause = self.cause.as_ref().map(|cause| format!("{} {}", cause.code, cause.text));
        let rows = [
            ("health", verdict.into()),
            ("status", self.status.as_ref().map_or("-".into(), status)),
            ("cause", or_dash(cause)),
            (
                "busy, in reset",
                format!("{}, {}", or_dash(self.busy.map(yes)), or_dash(self.resetting.map(yes))),
            ),
        ];
        pairs(&rows) + &remarks(&self.head)
    }
}
