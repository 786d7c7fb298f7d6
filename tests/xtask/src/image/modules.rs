//! The two index files that modprobe reads (`modules.dep`, `modules.alias`), made from the modules themselves.
//! With them the guest loads drivers by the device's own alias, as udev does: nothing names `virtio_net`.

use std::fs;

use anyhow::Result;

use super::cpio::Tree;
use super::kernel::{self, Fetched};

/// Puts modules and indexes into the tree.
pub(crate) fn add(tree: &mut Tree, fetched: &Fetched) -> Result<()> {
    let home = format!("lib/modules/{}", fetched.release()?);
    let mut names = Vec::new();
    for entry in fs::read_dir(fetched.modules())? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        names.push((name, fs::read(path)?));
    }
    names.sort();
    let mut dep = String::new();
    let mut alias = String::new();
    for (name, bytes) in &names {
        let needs = all_needs(name, &names);
        let needs: String = needs.iter().map(|need| format!(" {need}.ko")).collect();
        dep += &format!("{name}.ko:{needs}\n");
        for pattern in kernel::modinfo(bytes, "alias") {
            alias += &format!("alias {pattern} {name}\n");
        }
        tree.file(&format!("{home}/{name}.ko"), 0o644, bytes.as_slice());
    }
    tree.file(&format!("{home}/modules.dep"), 0o644, dep);
    tree.file(&format!("{home}/modules.alias"), 0o644, alias);
    tree.file(&format!("{home}/modules.symbols"), 0o644, "");
    Ok(())
}

/// All modules below one, nearest first: modprobe loads them from the end.
fn all_needs(name: &str, modules: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut todo = vec![name.to_string()];
    while let Some(name) = todo.pop() {
        let Some((_, bytes)) = modules.iter().find(|(other, _)| *other == name) else { continue };
        for need in kernel::depends(bytes) {
            // Seen again further down: it must come later in the list.
            found.retain(|other| *other != need);
            if modules.iter().any(|(other, _)| *other == need) {
                found.push(need.clone());
                todo.push(need);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_listed_nearest_first() {
        let module =
            |name: &str, depends: &str| (name.to_string(), format!("\0depends={depends}\0").into_bytes());
        let modules = [
            module("virtio_net", "net_failover"),
            module("net_failover", "failover"),
            module("failover", ""),
        ];
        assert_eq!(all_needs("virtio_net", &modules), ["net_failover", "failover"]);
    }
}
