//! What can be seen without changing anything.

use hematite_abi::{common, feature, ident, net, status};

use super::Checks;
use crate::common::Common;
use crate::error::Result;
use crate::feature::FeatureSet;
use crate::finding::clause;
use crate::function::Function;
use crate::report::Config;
use crate::structure::{Kind, Structure};

pub(super) fn check(function: &mut Function, checks: &mut Checks) -> Result<()> {
    for (title, name) in [
        (clause::DISCOVERY, "ids"),
        (clause::CHAIN, "capability chain"),
        (clause::EXTENDED, "extended capability chain"),
        (clause::CAPABILITIES, "virtio's structures"),
        (clause::MSIX, "MSI-X table and pending bits"),
    ] {
        let wrong = function.findings.iter().filter(|one| one.clause == title).map(|one| one.text.clone());
        let seen = format!("{:04x}:{:04x}", function.header.vendor_id, function.header.device_id);
        checks.made(
            title,
            name,
            wrong.collect(),
            if title == clause::DISCOVERY { seen } else { String::new() },
        );
    }
    places(function, checks);
    let Ok(common) = function.reach(Kind::Common).map(Common) else {
        checks.skipped(clause::COMMON, "registers", "the BARs are out of reach");
        return Ok(());
    };
    features(function, &common, checks)?;
    state(function, &common, checks)?;
    if function.is_network() {
        config(function, checks);
    }
    inspection(function, &common, checks)
}

/// Lengths and alignment of the structures.
fn places(function: &Function, checks: &mut Checks) {
    let mut place = |kind, title, name, least: u64, align: u64| {
        let Some(Structure { offset, length, .. }) = function.structure(kind) else { return };
        let mut wrong = vec![];
        if *length < least {
            wrong.push(format!("{length} bytes, at least {least}"));
        }
        if !offset.is_multiple_of(align) {
            wrong.push(format!("at {offset:#x}, no multiple of {align}"));
        }
        checks.made(title, name, wrong, format!("{length:#x} bytes at {offset:#x}"));
    };
    // A device of before virtio 1.2 ends behind the areas' addresses.
    let least = common::QUEUE_NOTIF_CONFIG_DATA as u64;
    place(Kind::Common, clause::COMMON, "common configuration", least, 4);
    place(Kind::Notify, clause::NOTIFY, "doorbells", 2, 2);
    place(Kind::Isr, "virtio 1.4: ISR status capability", "ISR status", 1, 1);
    place(Kind::Device, "virtio 1.4: Device-specific configuration", "device configuration", 1, 4);
}

fn features(function: &mut Function, common: &Common, checks: &mut Checks) -> Result<()> {
    let name = "VERSION_1 is offered, and nothing without its ground";
    if !function.is_ours() {
        let (offered, known) = common.offered_window(&mut *function.bus)?;
        let there = known.has(feature::VERSION_1);
        let seen = "beside a driver only one window of bits is seen";
        if there {
            checks.that(clause::FEATURES, "VERSION_1 is offered", offered.has(feature::VERSION_1), seen);
        } else {
            checks.skipped(clause::FEATURES, name, seen);
        }
        return Ok(());
    }
    let offered = common.offered(&mut *function.bus)?;
    let mut wrong: Vec<String> = vec![];
    if !offered.has(feature::VERSION_1) {
        wrong.push("VERSION_1 is not offered".into());
    }
    if function.is_network() {
        wrong.extend(offered.check("offered").into_iter().map(|one| one.text));
    }
    checks.made(clause::FEATURES, name, wrong, offered.to_string());
    let again = common.offered(&mut *function.bus)?;
    checks.that(clause::FEATURES, "offered bits stay as they are", again == offered, again.to_string());
    Ok(())
}

fn state(function: &mut Function, common: &Common, checks: &mut Checks) -> Result<()> {
    let network = function.is_network();
    let bus = &mut *function.bus;
    let value = common.status(bus)?;
    let has = |bit: u64| u64::from(value) & bit != 0;
    let mut wrong = vec![];
    for (bit, text) in [
        (status::DEVICE_NEEDS_RESET, "DEVICE_NEEDS_RESET is set"),
        (status::FAILED, "FAILED is set: the driver has given up"),
    ] {
        if has(bit) {
            wrong.push(text.to_string());
        }
    }
    if has(status::DRIVER_OK) && !has(status::FEATURES_OK) {
        wrong.push("DRIVER_OK without FEATURES_OK".into());
    }
    checks.made(clause::STATUS, "device_status", wrong, format!("{value:#04x}"));
    let queues = common.queues(bus)?;
    let least = if network { 2 } else { 1 };
    checks.that(clause::COMMON, "num_queues", queues >= least, format!("{queues} queues"));
    let vector = common.get(bus, common::CONFIG_MSIX_VECTOR)?;
    let vectors = function.msix.as_ref().map_or(0, |msix| u64::from(msix.vectors));
    let good = vector == common::NO_VECTOR || vector < vectors;
    checks.that(clause::COMMON, "config_msix_vector", good, format!("{vector:#x} of {vectors}"));
    Ok(())
}

fn config(function: &mut Function, checks: &mut Checks) {
    let name = "fields of the network device's configuration";
    let known = function.kernel.as_ref().and_then(|kernel| kernel.accepted);
    let offered = match function.reach(Kind::Common).map(Common) {
        Ok(common) if function.is_ours() => common.offered(&mut *function.bus).ok(),
        _ => known,
    };
    // Fields mean something only with their feature.
    let has = |bit| offered.is_some_and(|set: FeatureSet| set.has(bit));
    let config = match Config::gather(function) {
        Ok(config) => config,
        Err(error) => return checks.skipped(clause::NET_CONFIG, name, error.to_string()),
    };
    let mut wrong: Vec<String> = config.head.findings.iter().map(|one| one.text.clone()).collect();
    let net = config.net;
    let mut rule = |bit: usize, good: bool, text: String| {
        if has(bit) && !good {
            wrong.push(text);
        }
    };
    let mtu = net.mtu.unwrap_or(0);
    rule(
        feature::MTU,
        u64::from(mtu) >= net::MTU_LEAST,
        format!("mtu is {mtu}, at least {}", net::MTU_LEAST),
    );
    let pairs = net.max_virtqueue_pairs.unwrap_or(0);
    let most = u16::MAX / 2 + 1;
    rule(feature::MQ, (1..=most).contains(&pairs), format!("max_virtqueue_pairs is {pairs}"));
    let entries = net.rss_max_indirection_table_length.unwrap_or(0);
    let key = usize::from(net.rss_max_key_size.unwrap_or(0));
    rule(
        feature::RSS,
        entries >= 128,
        format!("rss_max_indirection_table_length is {entries}, at least 128"),
    );
    rule(feature::RSS, key >= net::RSS_KEY_BYTES, format!("rss_max_key_size is {key}, at least 40"));
    let speed = net.speed.unwrap_or(0);
    rule(feature::SPEED_DUPLEX, speed <= i32::MAX as u32, format!("speed is {speed:#x}"));
    checks.made(clause::NET_CONFIG, name, wrong, net.mac.unwrap_or_default());
}

fn inspection(function: &mut Function, common: &Common, checks: &mut Checks) -> Result<()> {
    let broken =
        function.findings.iter().find(|one| one.clause == clause::INSPECTION).map(|one| one.text.clone());
    let Some(inspection) = function.inspection() else {
        match broken {
            Some(text) => checks.that(clause::INSPECTION, "inspection region", false, text),
            None => checks.skipped(clause::INSPECTION, "inspection region", "there is none: not one of ours"),
        }
        return Ok(());
    };
    let bus = &mut *function.bus;
    let magic = inspection.read(bus, ident::IDENT_MAGIC)?;
    let version = inspection.read(bus, ident::IDENT_ABI_VERSION)?;
    let mut wrong = vec![];
    if u64::from(magic) != ident::MAGIC {
        wrong.push(format!("it begins with {magic:#x}"));
    }
    if u64::from(version) != ident::ABI_VERSION {
        wrong.push(format!("its version is {version}, {} is known here", ident::ABI_VERSION));
    }
    let (queues, all) = (inspection.queues(bus)?, u32::from(common.queues(bus)?));
    if queues != all {
        wrong.push(format!("it has {queues} queues, num_queues is {all}"));
    }
    checks.made(
        clause::INSPECTION,
        "inspection region",
        wrong,
        format!("version {version}, {queues} queues"),
    );
    Ok(())
}
