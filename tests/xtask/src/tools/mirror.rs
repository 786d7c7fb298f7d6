//! Which Debian mirror to fetch from: the one that the machine's own apt uses.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cmd;

/// Names a mirror by hand, for a machine whose apt knows none.
pub(crate) const MIRROR_VARIABLE: &str = "HEMATITE_DEBIAN_MIRROR";
const LIMIT: Duration = Duration::from_secs(30);

/// The mirror's address, without a slash at its end.
pub(crate) fn mirror() -> Result<String> {
    if let Ok(given) = std::env::var(MIRROR_VARIABLE) {
        return Ok(given.trim_end_matches('/').into());
    }
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]);
    let targets = cmd::run(&mut command, LIMIT)?;
    match pick(&targets) {
        Some(mirror) => Ok(mirror),
        None => bail!(
            "this machine's apt configuration names no Debian mirror. Name one:\n  \
             {MIRROR_VARIABLE}=http://MIRROR/debian cargo xtask ..."
        ),
    }
}

/// The first archive among apt's index targets whose path ends in `debian`: not security, not a vendor's.
fn pick(targets: &str) -> Option<String> {
    let addresses = targets.lines().filter_map(|line| line.split(' ').next());
    let mut addresses = addresses.map(|address| address.trim_end_matches('/'));
    addresses.find(|address| address.ends_with("/debian")).map(String::from)
}

/// apt's settings for reaching a network here (proxies, certificates, retries), to be used by the private root too.
pub(crate) fn network_settings() -> Result<String> {
    let dump = cmd::run(Command::new("apt-config").arg("dump"), LIMIT)?;
    Ok(keep_network(&dump))
}

fn keep_network(dump: &str) -> String {
    let wanted = ["Acquire::http::", "Acquire::https::", "Acquire::Retries", "Acquire::ForceIPv"];
    let lines = dump.lines().filter(|line| wanted.iter().any(|start| line.starts_with(start)));
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_picked() {
        let targets = "http://x/debian-security/ bookworm-security main\nhttps://y/node_20.x/ nodistro main\n\
                       http://z/debian/ bookworm main\n";
        assert_eq!(pick(targets).as_deref(), Some("http://z/debian"));
        assert_eq!(pick("http://archive.ubuntu.com/ubuntu/ noble main\n"), None);
    }

    #[test]
    fn proxies_are_kept() {
        let dump = "APT::Architecture \"amd64\";\nAcquire::http::Proxy \"http://p\";\nAcquire::cdrom \"\";\n";
        assert_eq!(keep_network(dump), "Acquire::http::Proxy \"http://p\";\n");
    }
}
