//! Sets the function up, once with each kind of ring, and tries out what was agreed on.

use std::time::{Duration, Instant};

use hematite_abi::{common, feature, net};

use super::Checks;
use crate::common::Common;
use crate::control::{Command, Driver, Mode, Options, Side, Step, TX, bring_up};
use crate::error::{Error, Result};
use crate::feature::FeatureSet;
use crate::finding::clause;
use crate::function::Function;
use crate::report::Config;
use crate::structure::Kind;

/// What is tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Frames that go round.
    pub frames: u32,
    /// How the function is set up.
    pub options: Options,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { frames: 1000, options: Options::default() }
    }
}

const OPERATION: &str = "virtio 1.4: Network Device, Device Operation";
const CONTROL: &str = "virtio 1.4: Network Device, Control Virtqueue";
const INITIALIZATION: &str = "virtio 1.4: Device Initialization";
const QUEUE_RESET: &str = "virtio 1.4: Virtqueue Reset";
const VECTORS: &str = "virtio 1.4: MSI-X Vector Configuration";
/// Lengths of the frames that go round, without check sequence.
const LENGTHS: [usize; 5] = [60, 61, 127, 590, 1514];
/// Frames under way at a time.
const WINDOW: u32 = 32;
/// The part of the limit which the first frame may take before the wire is held to be no mirror.
const MIRROR: u32 = 5;

pub(super) fn check(mut function: Function, plan: &Plan, checks: &mut Checks) -> Result<Vec<Step>> {
    if !function.is_ours() {
        let what = format!("try out {}, which is not ours", function.bus.address());
        return Err(Error::Unable { what, next: "give it to vfio-pci: `hematite bind`" });
    }
    registers(&mut function, checks)?;
    let common = Common(function.reach(Kind::Common)?);
    let packed = common.offered(&mut *function.bus)?.has(feature::RING_PACKED);
    let split = FeatureSet(!(1 << feature::RING_PACKED));
    let (mut function, mut steps) = run(function, plan, split, "split rings", checks)?;
    if packed {
        let Some(ours) = function.take() else { return Ok(steps) };
        let (_, more) = run(ours, plan, FeatureSet(u128::MAX), "packed rings", checks)?;
        steps.extend(more);
    }
    Ok(steps)
}

/// Registers that need no bring-up.
fn registers(function: &mut Function, checks: &mut Checks) -> Result<()> {
    let common = Common(function.reach(Kind::Common)?);
    let vectors = function.msix.as_ref().map_or(0, |msix| msix.vectors);
    let bus = &mut *function.bus;
    let queues = common.queues(bus)?;
    let beyond = common.queue(bus, queues)?.size;
    let seen = format!("queue {queues} has size {beyond}");
    checks.that(clause::COMMON, "queue_size is 0 for a queue that is not there", beyond == 0, seen);
    common.set(bus, common::DEVICE_FEATURE_SELECT, u64::from(u32::MAX))?;
    let bits = common.get(bus, common::DEVICE_FEATURE)?;
    common.set(bus, common::DEVICE_FEATURE_SELECT, 0)?;
    checks.that(clause::COMMON, "device_feature is 0 beyond all bits", bits == 0, format!("{bits:#x}"));
    if vectors > 0 && u64::from(vectors) < common::NO_VECTOR {
        common.set(bus, common::CONFIG_MSIX_VECTOR, vectors.into())?;
        let now = common.get(bus, common::CONFIG_MSIX_VECTOR)?;
        let seen = format!("vector {vectors} of {vectors} reads {now:#x}");
        checks.that(VECTORS, "a vector that is not there reads NO_VECTOR", now == common::NO_VECTOR, seen);
        common.set(bus, common::CONFIG_MSIX_VECTOR, common::NO_VECTOR)?;
    }
    Ok(())
}

/// One bring-up and all that hangs on it. The function comes back unless it cannot be used any more.
fn run(
    function: Function,
    plan: &Plan,
    features: FeatureSet,
    kind: &'static str,
    checks: &mut Checks,
) -> Result<(Option<Function>, Vec<Step>)> {
    let features = FeatureSet(features.0 & (plan.options.features.0 | 1 << feature::RING_PACKED));
    let options = Options { features, ..plan.options.clone() };
    let mut driver = match bring_up(function, options) {
        Ok(driver) => driver,
        Err(error) => {
            checks.that(INITIALIZATION, kind, false, error.to_string());
            return Ok((None, vec![]));
        }
    };
    checks.that(INITIALIZATION, kind, true, format!("{} agreed on", driver.features));
    commands(&mut driver, checks);
    frames(&mut driver, plan.frames, checks);
    if driver.has(feature::RING_RESET) {
        let reset = driver.reset_queue(TX).and_then(|()| driver.reset_queue(crate::control::RX));
        if checks.result(QUEUE_RESET, "both queues of pair 0 are reset and set up anew", reset, "").is_some()
        {
            frames(&mut driver, plan.frames.min(WINDOW), checks);
        }
    }
    let steps = driver.steps.clone();
    let function = checks.result(clause::RESET, "device_status reads 0 after all that", driver.finish(), "");
    Ok((function, steps))
}

fn commands(driver: &mut Driver, checks: &mut Checks) {
    if !driver.has(feature::CTRL_VQ) {
        return checks.skipped(CONTROL, "commands", "CTRL_VQ is not offered");
    }
    let table: Vec<u16> = vec![0; net::RSS_TABLE];
    let rss = Command::SetRss {
        hash_types: net::HASH_IPV4 as u32,
        unclassified: 0,
        table,
        transmit_queues: 1,
        key: vec![0x5a; net::RSS_KEY_BYTES],
    };
    for (name, command) in [
        ("all multicasts", Command::SetMode(Mode::AllMulticast, true)),
        ("not all multicasts", Command::SetMode(Mode::AllMulticast, false)),
        ("a table of addresses", Command::SetMacTable(vec![], vec![[1, 0, 0x5e, 0, 0, 1]])),
        ("a VLAN", Command::AddVlan(5)),
        ("no VLAN", Command::RemoveVlan(5)),
        ("receive side scaling", rss),
        ("one pair", Command::SetPairs(1)),
        ("limits of interrupts", Command::SetCoalescing(Side::Transmit, 50, 4)),
        ("limits of a queue's interrupts", Command::SetCoalescing(Side::Queue(TX), 20, 2)),
        ("no limits of interrupts", Command::SetCoalescing(Side::Transmit, 0, 1)),
        ("all packets", Command::SetMode(Mode::Promiscuous, true)),
    ] {
        if driver.has(command.needs()) {
            let done = driver.command(&command);
            let seen = match &done {
                Ok(true) => String::new(),
                Ok(false) => "refused".into(),
                Err(error) => error.to_string(),
            };
            checks.that(CONTROL, name, done.is_ok_and(|done| done), seen);
        }
    }
    if driver.has(feature::CTRL_MAC_ADDR) {
        let result = address(driver);
        checks.result(CONTROL, "the address is set, read back, and set again", result, "");
    }
}

fn address(driver: &mut Driver) -> Result<()> {
    let before = mac(driver)?;
    let mut other = before;
    other[5] ^= 0xff;
    for wanted in [other, before] {
        let done = driver.command(&Command::SetMac(wanted))?;
        let now = mac(driver)?;
        if !done || now != wanted {
            return Err(Error::Device(format!("{wanted:02x?} is set ({done}), {now:02x?} is read")));
        }
    }
    Ok(())
}

fn mac(driver: &mut Driver) -> Result<[u8; net::MAC_BYTES]> {
    let text = Config::gather(&mut driver.function)?.net.mac.unwrap_or_default();
    let mut bytes = [0; net::MAC_BYTES];
    for (byte, part) in bytes.iter_mut().zip(text.split(':')) {
        *byte = u8::from_str_radix(part, 16).unwrap_or(0);
    }
    Ok(bytes)
}

/// A frame that says its number and can be told from any other.
fn frame(mac: [u8; net::MAC_BYTES], number: u32) -> Vec<u8> {
    let length = LENGTHS[number as usize % LENGTHS.len()];
    let mut frame: Vec<u8> =
        (0..length as u32).map(|at| (at.wrapping_mul(7) ^ number.wrapping_mul(31)) as u8).collect();
    frame[..6].copy_from_slice(&mac);
    frame[6..12].copy_from_slice(&mac);
    // An experimental ethertype: nobody's stack answers it.
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    frame[14..18].copy_from_slice(&number.to_le_bytes());
    frame
}

fn frames(driver: &mut Driver, count: u32, checks: &mut Checks) {
    let name = "frames go out, come back from a mirror, and are the same";
    // Those of earlier frames do not count.
    let _ = driver.interrupted(Duration::ZERO);
    let before = driver.interrupts;
    let round = round(driver, count);
    let mirror = !matches!(round, Ok(None));
    match round {
        Ok(None) => {
            checks.skipped(OPERATION, name, "the first frame has not come back: the wire is no mirror")
        }
        Ok(Some(text)) => checks.that(OPERATION, name, true, text),
        Err(error) => checks.that(OPERATION, name, false, error.to_string()),
    }
    let name = "used buffers are told by interrupts";
    if !driver.has_vectors() || !mirror || count == 0 {
        return checks.skipped(VECTORS, name, "there are no vectors, or no frame has come");
    }
    let late = if driver.interrupts == before { driver.interrupted(driver.limit()).err() } else { None };
    let came = driver.interrupts - before;
    let seen = late.map_or(String::new(), |error| format!(": {error}"));
    checks.that(VECTORS, name, came > 0, format!("{came} interrupts{seen}"));
}

/// Sends so many frames and compares what comes back; none: nothing came.
fn round(driver: &mut Driver, count: u32) -> Result<Option<String>> {
    let mac = mac(driver)?;
    let (mut sent, mut came) = (0, 0);
    let start = Instant::now();
    while came < count {
        let room = if came == 0 { 1 } else { WINDOW };
        while sent < count && sent - came < room {
            driver.send(&frame(mac, sent))?;
            sent += 1;
        }
        let limit = if came == 0 { driver.limit() / MIRROR } else { driver.limit() };
        match driver.receive(limit)? {
            None if came == 0 => return Ok(None),
            None => return Err(Error::Late { what: format!("frame {came} of {count} comes back"), limit }),
            Some(seen) => {
                let wanted = frame(mac, came);
                if seen != wanted {
                    let text = format!(
                        "frame {came}: {} bytes came, {} were sent, or they differ",
                        seen.len(),
                        wanted.len()
                    );
                    return Err(Error::Device(text));
                }
                came += 1;
            }
        }
    }
    let out = wait_sent(driver)?;
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    Ok(Some(format!("{came} of {count} frames, {out} still out, {rate:.0} frames/s")))
}

fn wait_sent(driver: &mut Driver) -> Result<usize> {
    let start = Instant::now();
    loop {
        match driver.sent()? {
            0 => return Ok(0),
            out if start.elapsed() > driver.limit() => {
                let what = format!("{out} frames that were sent come back");
                return Err(Error::Late { what, limit: driver.limit() });
            }
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
