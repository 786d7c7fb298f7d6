//! `bind`, `unbind`, `diff`, `vhost-user`.

use hematite_host::bind::Bound;
use hematite_host::difference::Diff;
use hematite_host::vhost_user::Served;

use super::{Table, columns, or_dash, pairs};

impl Table for Bound {
    fn table(&self) -> String {
        let (from, to) = (or_dash(self.from.clone()), or_dash(self.to.clone()));
        let group = self.iommu_group.map_or(String::new(), |group| format!(", IOMMU group {group}"));
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        format!("{}: {from} -> {to}{group}\n{notes}", self.device)
    }
}

impl Table for Diff {
    fn table(&self) -> String {
        let mut rows = vec![vec!["field".to_string(), self.a.clone(), self.b.clone()]];
        for one in &self.differences {
            rows.push(vec![one.field.clone(), one.a.to_string(), one.b.to_string()]);
        }
        if self.differences.is_empty() { "no difference\n".into() } else { columns(&rows) }
    }
}

impl Table for Served {
    fn table(&self) -> String {
        let Served { device, socket, counts, .. } = self;
        let rows = [
            ("device", device.clone()),
            ("socket", socket.clone()),
            ("clients", counts.clients.to_string()),
            ("doorbells", counts.doorbells.to_string()),
            ("refused", counts.refused.to_string()),
            ("shadowed", counts.shadowed.to_string()),
            ("marked", counts.marked.to_string()),
        ];
        pairs(&rows)
    }
}
