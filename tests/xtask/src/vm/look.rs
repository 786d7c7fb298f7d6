//! What the texts of the guest's programs must show.

use anyhow::{Result, bail};

/// Capabilities as `lspci -vv` names them (pciutils, cap-vendor.c); it knows no word for type 5, PCI_CFG.
const CAPABILITIES: [&str; 5] =
    ["VirtIO: CommonCfg", "VirtIO: Notify", "VirtIO: ISR", "VirtIO: DeviceCfg", "VirtIO: <unknown>"];

/// Looks at the text that a step showed; returns what to add to its line.
pub(crate) fn check(step: &str, text: &str) -> Result<String> {
    match step {
        "lspci" => lspci(text),
        "ethtool" => ethtool(text),
        _ => Ok(String::new()),
    }
}

fn lspci(text: &str) -> Result<String> {
    for capability in CAPABILITIES {
        match text.matches(capability).count() {
            1 => {}
            count => bail!("`{capability}` appears {count} times, not once"),
        }
    }
    let Some(line) = text.lines().find(|line| line.contains("MSI-X:")) else {
        bail!("no MSI-X capability");
    };
    if !line.contains("Enable+") {
        bail!("MSI-X is not enabled: {}", line.trim());
    }
    let count = line.split("Count=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?");
    Ok(format!("5 virtio capabilities, MSI-X enabled, {count} vectors"))
}

fn ethtool(text: &str) -> Result<String> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    match value("driver:") {
        Some("virtio_net") => {
            Ok(format!("driver virtio_net, bus-info {}", value("bus-info:").unwrap_or("?")))
        }
        other => bail!("driver is {other:?}, not virtio_net"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Capabilities: [9c] MSI-X: Enable+ Count=3 Masked-\n\
        VirtIO: CommonCfg\nVirtIO: Notify\nVirtIO: ISR\nVirtIO: DeviceCfg\nVirtIO: <unknown>\n";

    #[test]
    fn lspci_shows_all_or_says_what_lacks() {
        assert!(lspci(GOOD).unwrap().contains("3 vectors"));
        let error = |text: String| lspci(&text).unwrap_err().to_string();
        assert!(error(GOOD.replace("Enable+", "Enable-")).contains("not enabled"));
        assert!(error(GOOD.replace("VirtIO: ISR\n", "")).contains("`VirtIO: ISR` appears 0 times"));
    }

    #[test]
    fn ethtool_names_the_driver() {
        assert!(ethtool("driver: virtio_net\nbus-info: 0000:00:01.0\n").is_ok());
        assert!(ethtool("driver: e1000\n").is_err());
    }
}
