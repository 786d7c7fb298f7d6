//! What the texts of the guest's programs must show: facts by name, and `lspci -vv` line for line.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::place;

/// With it the golden text is written instead of compared.
const BLESS_VARIABLE: &str = "UPDATE_EXPECT";
const GOLDEN: &str = "tests/golden/lspci.txt";
/// The parameter set which the golden text is of.
const GOLDEN_SET: &str = "SIM";

/// Capabilities as `lspci -vv` names them (pciutils, cap-vendor.c); it knows no word for type 5, PCI_CFG.
const CAPABILITIES: [&str; 5] =
    ["VirtIO: CommonCfg", "VirtIO: Notify", "VirtIO: ISR", "VirtIO: DeviceCfg", "VirtIO: <unknown>"];

/// Looks at the text that a step showed; returns what to add to its line.
pub(crate) fn check(step: &str, text: &str, params: &str) -> Result<String> {
    match step {
        "lspci" => {
            let facts = lspci(text)?;
            if params == GOLDEN_SET {
                let bless = std::env::var_os(BLESS_VARIABLE).is_some();
                golden(&place::root().join(GOLDEN), &stable(text), bless)?;
            }
            Ok(facts)
        }
        "ethtool" => ethtool(text),
        "iperf3" => iperf3(text),
        "agree" => super::agree::check(text),
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

/// The text without what the machine around the function decides: addresses, interrupt numbers.
fn stable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.trim_end().to_string();
        for mark in ["Memory at ", "routed to IRQ ", "Latency: "] {
            if let Some(at) = line.find(mark) {
                let start = at + mark.len();
                let length =
                    line[start..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(line.len() - start);
                line.replace_range(start..start + length, "N");
            }
        }
        out += &line;
        out.push('\n');
    }
    out.trim_end().to_string() + "\n"
}

/// Compares with the text that was reviewed once.
fn golden(path: &Path, text: &str, bless: bool) -> Result<()> {
    if bless {
        return std::fs::write(path, text).with_context(|| format!("writing {}", path.display()));
    }
    let name = place::short(path);
    let want = std::fs::read_to_string(path).with_context(|| format!("reading {name}"))?;
    let mut lines = (1..).zip(want.lines().map(Some).chain(std::iter::repeat(None)).zip(text.lines()));
    let differs = lines.find(|(_, (want, have))| *want != Some(have));
    if let Some((number, (want, have))) = differs {
        bail!(
            "{name}:{number} says `{}`, the guest `{have}`; {BLESS_VARIABLE}=1 writes it anew",
            want.unwrap_or("(end)")
        );
    }
    if want.lines().count() > text.lines().count() {
        bail!("the guest's lspci ends before {name}");
    }
    Ok(())
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

/// What iperf3 reports (`-J`): every byte which was sent has come, no datagram is lost. Of TCP a block more may have come
/// from each stream: one that was being written when iperf3 stopped counting. If the time decides when the far end stops sending
/// some of it is still under way.
fn iperf3(text: &str) -> Result<String> {
    let report: serde_json::Value = serde_json::from_str(text).context("iperf3's report is no JSON")?;
    if let Some(error) = report["error"].as_str() {
        bail!("iperf3: {error}");
    }
    let (start, end) = (&report["start"]["test_start"], &report["end"]);
    let streams = start["num_streams"].as_u64().context("no number of streams")?;
    let protocol = start["protocol"].as_str().unwrap_or("?");
    let way = if start["reverse"].as_u64() == Some(1) { "down" } else { "up" };
    let number = |part: &str, key: &str| -> Result<f64> {
        end[part][key].as_f64().with_context(|| format!("iperf3 reports no {part}.{key}"))
    };
    let (sent, came) = (number("sum_sent", "bytes")?, number("sum_received", "bytes")?);
    let rate = number("sum_received", "bits_per_second")? / 1e6;
    let mut facts = format!("{protocol} {way}, {streams} streams, {came} bytes, {rate:.1} Mbit/s");
    if protocol == "UDP" {
        let (lost, packets) = (number("sum", "lost_packets")?, number("sum", "packets")?);
        if lost != 0.0 {
            bail!("{lost} of {packets} datagrams lost");
        }
        facts += &format!(", {packets} datagrams");
    } else {
        let block = start["blksize"].as_f64().context("no size of blocks")?;
        let under_way = way == "down" && start["bytes"].as_u64() == Some(0);
        let surplus = came - sent;
        if surplus > block * streams as f64 || surplus < 0.0 && !under_way {
            bail!("{sent} bytes sent, {came} came");
        }
    }
    Ok(facts)
}

/// What a server says of the link.
const LINK: &str = "link ";

/// Lines of a server's log behind the last which says how the link is.
pub(crate) fn since_link(log: &str) -> impl Iterator<Item = &str> {
    let last = log.lines().enumerate().filter(|(_, line)| line.starts_with(LINK)).last();
    log.lines().skip(last.map_or(0, |(at, _)| at + 1))
}

/// What the traffic generator on the wire reports of one round (sim/src/wire/generate.rs).
#[derive(Debug, PartialEq)]
pub(crate) struct Round {
    sent: u64,
    received: u64,
    readdressed: u64,
    per_second: f64,
    /// Of frames which were lost, disordered, damaged or repeated: as it was said.
    faults: Vec<String>,
}

/// The rounds in a server's log.
pub(crate) fn rounds(log: &str) -> Vec<Round> {
    log.lines().filter_map(|line| round(line.strip_prefix("gen: round ")?)).collect()
}

fn round(line: &str) -> Option<Round> {
    let mut round = Round { sent: 0, received: 0, readdressed: 0, per_second: 0.0, faults: vec![] };
    for part in line.split_once(": ")?.1.split(", ") {
        let (one, two) = part.split_once(' ')?;
        match one {
            "sent" => round.sent = two.parse().ok()?,
            "received" => round.received = two.parse().ok()?,
            "readdressed" => round.readdressed = two.parse().ok()?,
            _ if two == "frames/s" => round.per_second = one.parse().ok()?,
            _ if two != "0" => round.faults.push(part.into()),
            _ => {}
        }
    }
    Some(round)
}

/// What became of the frames in one of testpmd's forward modes.
pub(crate) fn forwarded(mode: &str, frames: u64, round: &Round) -> Result<String> {
    let addresses = if mode == "mac" { round.received } else { 0 };
    if round.sent != frames || round.received != frames || !round.faults.is_empty() {
        bail!(
            "{mode}: {} of {frames} sent, {} came back; {}",
            round.sent,
            round.received,
            round.faults.join(", ")
        );
    }
    if round.readdressed != addresses {
        bail!("{mode}: of {frames} frames {} have new addresses, not {addresses}", round.readdressed);
    }
    Ok(format!("{mode} {frames} of {frames}, {:.0}/s", round.per_second))
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
    fn addresses_do_not_count_but_capabilities_do() {
        let text = |address: &str, pm: &str| {
            format!("00:01.0 Net\n\tRegion 0: Memory at {address} (64-bit)\n\t[{pm}] PM\n")
        };
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lspci.txt");
        golden(&path, &stable(&text("febf8000", "40")), true).unwrap();
        golden(&path, &stable(&text("c0001000", "40")), false).unwrap();
        let error = golden(&path, &stable(&text("febf8000", "44")), false).unwrap_err().to_string();
        assert!(error.contains(":3 says `\t[40] PM`, the guest `\t[44] PM`"), "{error}");
        assert!(golden(&path, "00:01.0 Net\n", false).is_err());
    }

    #[test]
    fn a_round_without_loss_is_good() {
        let line = "gen: round 2: sent 9, received 9, lost 0, disordered 0, damaged 0, repeated 0, readdressed 9, 51 frames/s";
        let log = format!("ready\n{line}\n{}\n", line.replace("received 9, lost 0", "received 8, lost 1"));
        let rounds = rounds(&log);
        assert_eq!(forwarded("mac", 9, &rounds[0]).unwrap(), "mac 9 of 9, 51/s");
        assert!(forwarded("io", 9, &rounds[0]).unwrap_err().to_string().contains("new addresses"));
        assert!(forwarded("mac", 9, &rounds[1]).unwrap_err().to_string().contains("lost 1"));
        assert!(forwarded("mac", 10, &rounds[0]).is_err());
    }

    #[test]
    fn what_is_said_of_another_link_does_not_count() {
        let behind = |log| since_link(log).collect::<Vec<_>>();
        assert_eq!(behind("a\nb\n"), ["a", "b"]);
        assert_eq!(behind("a\nlink down\nb\nlink up\nc link \nd\n"), ["c link ", "d"]);
        assert!(behind("a\nlink up\n").is_empty());
    }

    #[test]
    fn iperf3_has_to_account_for_every_byte() {
        let report = |protocol: &str, reverse: u64, ordered: u64, sent: u64, came: u64, lost: u64| {
            let sum = |bytes: u64| serde_json::json!({"bytes": bytes, "bits_per_second": 8e6});
            let report = serde_json::json!({
                "start": {"test_start": {"protocol": protocol, "num_streams": 2, "blksize": 10, "reverse": reverse, "bytes": ordered}},
                "end": {"sum_sent": sum(sent), "sum_received": sum(came), "sum": {"lost_packets": lost, "packets": 50}},
            });
            iperf3(&report.to_string())
        };
        assert_eq!(report("TCP", 0, 0, 100, 100, 0).unwrap(), "TCP up, 2 streams, 100 bytes, 8.0 Mbit/s");
        assert!(report("TCP", 0, 0, 100, 120, 0).is_ok() && report("TCP", 0, 0, 100, 121, 0).is_err());
        assert!(report("TCP", 0, 0, 100, 99, 0).is_err() && report("TCP", 1, 100, 100, 99, 0).is_err());
        assert!(report("TCP", 1, 0, 100, 99, 0).is_ok());
        assert!(report("UDP", 1, 0, 100, 100, 0).is_ok());
        assert!(report("UDP", 1, 0, 100, 100, 1).unwrap_err().to_string().contains("1 of 50"));
        assert!(iperf3("{\"error\": \"no route\"}").unwrap_err().to_string().contains("no route"));
    }

    #[test]
    fn ethtool_names_the_driver() {
        assert!(ethtool("driver: virtio_net\nbus-info: 0000:00:01.0\n").is_ok());
        assert!(ethtool("driver: e1000\n").is_err());
    }
}
