//! The initialisation list. Spec: [virtio 1.4: Device Initialization], [virtio 1.4: PCI-specific Initialization]

use std::time::{Duration, Instant};

use hematite_abi::{common, config, feature, net, ring as ring_abi, status};
use serde::Serialize;

use super::{CONFIG_VECTOR, Driver, MEMORY, Options, PAUSE, Queue, RX, SEND_BYTES, SENDING, TX, UNDERSTOOD};
use crate::arena::{Arena, Part};
use crate::bus::config_number;
use crate::common::Common;
use crate::error::{Error, Result};
use crate::feature::FeatureSet;
use crate::function::Function;
use crate::ring::Ring;
use crate::structure::{Kind, Structure};

/// One step of the list that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its number in the specification.
    pub number: u8,
    /// What it is.
    pub name: &'static str,
    /// What came of it.
    pub detail: String,
}

/// Bytes of a command and its answer at most: the largest is an indirection table with its key.
const SCRATCH: usize = 4096;

/// Takes the function from reset to DRIVER_OK. If a step fails the device is told FAILED.
pub fn bring_up(mut function: Function, options: Options) -> Result<Driver> {
    if !function.is_ours() {
        let what = format!("{} is not ours to set up", function.bus.address());
        return Err(Error::Unable { what, next: "give it to vfio-pci: `hematite bind`" });
    }
    let common = Common(function.reach(Kind::Common)?);
    let mut steps = vec![];
    let wanted = FeatureSet(UNDERSTOOD.0 & options.features.0);
    let features = negotiate(&mut function, &common, wanted, options.limit, &mut steps);
    let ready = features.and_then(|features| set_up(&mut function, &common, &options, features, &mut steps));
    match ready {
        Ok(parts) => parts.driver(function, common, options, steps),
        Err(error) => {
            let _ = common.set(&mut *function.bus, common::DEVICE_STATUS, status::FAILED);
            Err(error)
        }
    }
}

/// "Writing 0 ... the driver SHOULD consider a reset complete when it reads device status as 0."
pub(crate) fn reset(function: &mut Function, common: &Common, limit: Duration) -> Result<()> {
    let bus = &mut *function.bus;
    common.set(bus, common::DEVICE_STATUS, 0)?;
    let start = Instant::now();
    while common.status(bus)? != 0 {
        if start.elapsed() > limit {
            return Err(Error::Late { what: "device_status reads 0 after a reset".into(), limit });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Steps 1 to 6: of what is offered accepts what is wanted, and has its ground.
pub(crate) fn negotiate(
    function: &mut Function,
    common: &Common,
    wanted: FeatureSet,
    limit: Duration,
    steps: &mut Vec<Step>,
) -> Result<FeatureSet> {
    let mut step = |number, name, detail: String| steps.push(Step { number, name, detail });
    let bus = &mut *function.bus;
    let command = config_number(bus, config::COMMAND, 2)? as u16;
    let master = command | (config::COMMAND_BUS_MASTER | config::COMMAND_MEMORY) as u16;
    bus.config_write(config::COMMAND, &master.to_le_bytes())?;
    reset(function, common, limit)?;
    step(1, "reset", "device_status reads 0".into());
    let bus = &mut *function.bus;
    let mut value = status::ACKNOWLEDGE;
    common.set(bus, common::DEVICE_STATUS, value)?;
    step(2, "ACKNOWLEDGE", format!("device_status reads {:#04x}", common.status(bus)?));
    value |= status::DRIVER;
    common.set(bus, common::DEVICE_STATUS, value)?;
    step(3, "DRIVER", format!("device_status reads {:#04x}", common.status(bus)?));
    let offered = common.offered(bus)?;
    let accepted = supported(FeatureSet(offered.0 & wanted.0));
    if !accepted.has(feature::VERSION_1) {
        return Err(Error::Device(format!("step 4: VERSION_1 is not offered: {offered}")));
    }
    for (window, bits) in (0u64..).zip([0, 32, 64, 96]) {
        common.set(bus, common::DRIVER_FEATURE_SELECT, window)?;
        common.set(bus, common::DRIVER_FEATURE, (accepted.0 >> bits) as u32 as u64)?;
    }
    step(4, "features", format!("offered {offered}, accepted {accepted}"));
    value |= status::FEATURES_OK;
    common.set(bus, common::DEVICE_STATUS, value)?;
    step(5, "FEATURES_OK", String::new());
    let now = common.status(bus)?;
    if u64::from(now) & status::FEATURES_OK == 0 {
        return Err(Error::Device(format!(
            "step 6: FEATURES_OK is refused for {accepted}, of {offered} offered"
        )));
    }
    step(6, "FEATURES_OK is read back", format!("device_status reads {now:#04x}"));
    Ok(accepted)
}

/// Without those whose ground was left out.
pub(crate) fn supported(mut set: FeatureSet) -> FeatureSet {
    for _ in 0..FeatureSet::BITS {
        let lacking = feature::REQUIRES
            .iter()
            .find(|row| set.has(row.feature) && !row.any_of.iter().any(|bit| set.has(*bit)));
        match lacking {
            Some(row) => set.0 &= !(1 << row.feature),
            None => break,
        }
    }
    set
}

/// What steps 7 and 8 make.
struct Parts {
    features: FeatureSet,
    notify: Structure,
    arena: Arena,
    receive: Queue,
    transmit: Queue,
    control: Option<Queue>,
    idle: Vec<Part>,
    scratch: Part,
}

fn set_up(
    function: &mut Function,
    common: &Common,
    options: &Options,
    features: FeatureSet,
    steps: &mut Vec<Step>,
) -> Result<Parts> {
    let notify = function.reach(Kind::Notify)?;
    let wanted = if features.has(feature::CTRL_VQ) { 3 } else { 2 };
    let armed = function.bus.arm(1 + wanted)?;
    if armed > 0 {
        vector(function, common, common::CONFIG_MSIX_VECTOR, CONFIG_VECTOR)?;
    }
    let mut arena = Arena::new(&mut *function.bus, MEMORY, options.pages)?;
    let mut make = |function: &mut Function, number: u16, place: u16| -> Result<Queue> {
        let vector = (place + 1 < armed).then_some(place + 1);
        queue(function, common, &mut arena, features, options, number, vector)
    };
    let receive = make(function, RX, 0)?;
    let transmit = make(function, TX, 1)?;
    let control = if features.has(feature::CTRL_VQ) {
        let number = control_number(function, features)?;
        Some(make(function, number, 2)?)
    } else {
        None
    };
    let detail = format!("queues of {} entries, {armed} vectors", receive.ring.size);
    steps.push(Step { number: 7, name: "queues", detail });
    let scratch = arena.take(SCRATCH, ring_abi::DESC_ALIGN as u64)?;
    let idle = (0..SENDING).map(|_| arena.take(SEND_BYTES, 64)).collect::<Result<Vec<_>>>()?;
    let ready = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
    common.set(&mut *function.bus, common::DEVICE_STATUS, ready)?;
    let now = common.status(&mut *function.bus)?;
    if u64::from(now) != ready {
        return Err(Error::Device(format!(
            "step 8: device_status is {now:#04x} after DRIVER_OK, not {ready:#04x}"
        )));
    }
    steps.push(Step { number: 8, name: "DRIVER_OK", detail: format!("device_status reads {now:#04x}") });
    Ok(Parts { features, notify, arena, receive, transmit, control, idle, scratch })
}

impl Parts {
    /// The driver, with all its receive buffers given away.
    fn driver(
        self,
        function: Function,
        common: Common,
        options: Options,
        steps: Vec<Step>,
    ) -> Result<Driver> {
        let mut driver = Driver {
            function,
            features: self.features,
            interrupts: 0,
            steps,
            options,
            common,
            notify: self.notify,
            arena: self.arena,
            buffers: vec![],
            receiving: vec![None; self.receive.ring.size.into()],
            sending: vec![None; self.transmit.ring.size.into()],
            receive: self.receive,
            transmit: self.transmit,
            control: self.control,
            idle: self.idle,
            scratch: self.scratch,
        };
        driver.lay_out_receive_buffers()?;
        driver.fill()?;
        Ok(driver)
    }
}

/// "controlq: N=1 if VIRTIO_NET_F_MQ and VIRTIO_NET_F_RSS are not negotiated, otherwise N is set by max_virtqueue_pairs."
fn control_number(function: &mut Function, features: FeatureSet) -> Result<u16> {
    if !features.has(feature::MQ) && !features.has(feature::RSS) {
        return Ok(2);
    }
    let device = function.reach(Kind::Device)?;
    let pairs = device.read(&mut *function.bus, net::REGS, net::MAX_VIRTQUEUE_PAIRS)?;
    match u16::try_from(2 * pairs) {
        Ok(number) if pairs > 0 => Ok(number),
        _ => Err(Error::Device(format!("max_virtqueue_pairs is {pairs}"))),
    }
}

/// Sets a vector register, and looks whether the device has taken it.
fn vector(function: &mut Function, common: &Common, register: usize, vector: u16) -> Result<()> {
    let bus = &mut *function.bus;
    common.set(bus, register, vector.into())?;
    let now = common.get(bus, register)?;
    if now != u64::from(vector) {
        return Err(Error::Device(format!("vector {vector} is not taken: {now:#x} is read")));
    }
    Ok(())
}

fn queue(
    function: &mut Function,
    common: &Common,
    arena: &mut Arena,
    features: FeatureSet,
    options: &Options,
    number: u16,
    vector: Option<u16>,
) -> Result<Queue> {
    let packed = features.has(feature::RING_PACKED);
    let there = common.queue(&mut *function.bus, number)?;
    if there.size == 0 || there.enabled {
        let text = format!("queue {number}: size {}, enabled {}", there.size, there.enabled);
        return Err(Error::Device(text));
    }
    if !packed && !there.size.is_power_of_two() || u64::from(there.size) > common::QUEUE_SIZE_LIMIT {
        return Err(Error::Device(format!("queue {number}: queue_size is {}", there.size)));
    }
    // A power of two of what is there and what is wanted: both kinds of ring take that.
    let most = there.size.min(options.queue_size.max(2));
    let size = 1 << most.ilog2();
    let ring = Ring::new(arena, number, size, packed)?;
    enable(function, common, arena, &ring, vector)?;
    let multiplier = function.reach(Kind::Notify)?.multiplier.unwrap_or(0);
    Ok(Queue { ring, doorbell: u64::from(there.notify_offset) * u64::from(multiplier), vector })
}

/// Tells the device of a ring, and enables it.
pub(super) fn enable(
    function: &mut Function,
    common: &Common,
    arena: &Arena,
    ring: &Ring,
    number: Option<u16>,
) -> Result<()> {
    let areas = [ring.areas.descriptors, ring.areas.driver, ring.areas.device];
    place(function, common, ring.number, ring.size, areas.map(|part| arena.iova(part.at)), number)?;
    let bus = &mut *function.bus;
    let size = common.get(bus, common::QUEUE_SIZE)?;
    let enabled = common.get(bus, common::QUEUE_ENABLE)?;
    if size != u64::from(ring.size) || enabled != 1 {
        let text = format!("queue {}: size {size} of {}, queue_enable {enabled}", ring.number, ring.size);
        return Err(Error::Device(text));
    }
    Ok(())
}

/// Writes where a queue stands, descriptors, driver area, device area, and enables it.
pub(crate) fn place(
    function: &mut Function,
    common: &Common,
    number: u16,
    size: u16,
    areas: [u64; 3],
    by: Option<u16>,
) -> Result<()> {
    common.set(&mut *function.bus, common::QUEUE_SELECT, number.into())?;
    common.set(&mut *function.bus, common::QUEUE_SIZE, size.into())?;
    if let Some(by) = by {
        vector(function, common, common::QUEUE_MSIX_VECTOR, by)?;
    }
    let bus = &mut *function.bus;
    let registers = [common::QUEUE_DESC, common::QUEUE_DRIVER, common::QUEUE_DEVICE];
    for (register, address) in registers.into_iter().zip(areas) {
        common.set(bus, register, address)?;
    }
    common.set(bus, common::QUEUE_ENABLE, 1)
}
