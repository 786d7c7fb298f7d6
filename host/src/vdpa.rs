//! vDPA devices of this machine: what makes them, what there is, one more, one less.
//! Spec: Linux, include/uapi/linux/vdpa.h

mod modules;
mod name;

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::Serialize;

pub use modules::Modules;
pub use name::{Handle, Mac};

use self::name::checked;
use crate::error::{Error, Result};
use crate::feature::{FeatureSet, Features};
use crate::function;
use crate::netlink::{Attribute, Kernel, Message, Netlink, Refusal, Wire};
use crate::report::SCHEMA;

/// The family and its version.
const FAMILY: &str = "vdpa";
const VERSION: u8 = 1;

/// Commands, by the names of the header file.
mod command {
    pub(super) const MGMTDEV_GET: u8 = 2;
    pub(super) const DEV_NEW: u8 = 3;
    pub(super) const DEV_DEL: u8 = 4;
    pub(super) const DEV_GET: u8 = 5;
    pub(super) const DEV_CONFIG_GET: u8 = 6;
}

/// Attributes, by the names of the header file.
mod attribute {
    pub(super) const MGMTDEV_BUS_NAME: u16 = 1;
    pub(super) const MGMTDEV_DEV_NAME: u16 = 2;
    pub(super) const MGMTDEV_SUPPORTED_CLASSES: u16 = 3;
    pub(super) const DEV_NAME: u16 = 4;
    pub(super) const DEV_ID: u16 = 5;
    pub(super) const DEV_VENDOR_ID: u16 = 6;
    pub(super) const DEV_MAX_VQS: u16 = 7;
    pub(super) const DEV_MAX_VQ_SIZE: u16 = 8;
    pub(super) const DEV_MIN_VQ_SIZE: u16 = 9;
    pub(super) const DEV_NET_CFG_MACADDR: u16 = 10;
    pub(super) const DEV_NET_STATUS: u16 = 11;
    pub(super) const DEV_NET_CFG_MAX_VQP: u16 = 12;
    pub(super) const DEV_NET_CFG_MTU: u16 = 13;
    pub(super) const DEV_NEGOTIATED_FEATURES: u16 = 14;
    pub(super) const DEV_MGMTDEV_MAX_VQS: u16 = 15;
    pub(super) const DEV_SUPPORTED_FEATURES: u16 = 16;
    pub(super) const VDPA_DEV_SUPPORTED_FEATURES: u16 = 21;
}

/// What a new device is to be like; what is left out its management device decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Its address.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<u16>,
    /// Its queue pairs.
    pub pairs: Option<u16>,
}

/// What makes devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Management {
    /// As `--mgmt` takes it.
    pub name: String,
    /// Kinds of device it makes.
    pub kinds: Vec<&'static str>,
    /// Queues that one may have.
    pub max_queues: Option<u32>,
    /// Features that one may offer.
    pub features: Option<Features>,
}

/// A network device's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetConfig {
    /// Its address.
    pub mac: Option<String>,
    /// Its link.
    pub link_up: Option<bool>,
    /// Its MTU.
    pub mtu: Option<u16>,
    /// Its queue pairs.
    pub pairs: Option<u16>,
    /// What it offers.
    pub offered: Option<Features>,
    /// What driver and device have agreed on.
    pub accepted: Option<Features>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What has made it.
    pub management: Option<String>,
    /// What kind of device it is.
    pub kind: &'static str,
    /// Its kind's number.
    pub device_id: Option<u32>,
    /// Who has made the hardware.
    pub vendor_id: Option<u32>,
    /// Its queues.
    pub queues: Option<u32>,
    /// The largest a queue may be.
    pub queue_max: Option<u16>,
    /// The smallest.
    pub queue_min: Option<u16>,
    /// Which driver of the vDPA bus has it.
    pub driver: Option<String>,
    /// Its configuration; older kernels tell it only of a device that a driver has set up.
    pub config: Option<NetConfig>,
}

/// `vdpa mgmt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManagementList {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// All there are.
    pub management: Vec<Management>,
    /// What could make one, if there is none.
    pub notes: Vec<String>,
}

/// `vdpa list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceList {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// All there are.
    pub devices: Vec<Device>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// `vdpa add`, `vdpa del`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// The device that has come, or has gone.
    pub device: Device,
}

/// The vDPA devices of a kernel.
pub struct Vdpa<W> {
    netlink: Netlink<W>,
    family: u16,
    modules: Modules,
    /// Where the bus shows its devices.
    bus: PathBuf,
}

impl Vdpa<Kernel> {
    /// Of this machine.
    pub fn open() -> Result<Vdpa<Kernel>> {
        Vdpa::new(Kernel::open()?, Modules::running(), Path::new("/sys/bus/vdpa/devices"))
    }
}

impl<W: Wire> Vdpa<W> {
    /// By a wire.
    pub fn new(wire: W, modules: Modules, bus: &Path) -> Result<Vdpa<W>> {
        let mut netlink = Netlink::new(wire);
        let family = netlink.family(FAMILY)?.ok_or_else(|| modules.no_family())?;
        Ok(Vdpa { netlink, family, modules, bus: bus.into() })
    }

    fn ask(
        &mut self,
        command: u8,
        attributes: Vec<Attribute>,
        all: bool,
    ) -> Result<std::result::Result<Vec<Message>, Refusal>> {
        self.netlink.ask(self.family, Message { command, version: VERSION, attributes }, all)
    }

    /// What makes devices.
    pub fn management(&mut self) -> Result<ManagementList> {
        let answers = self.ask(command::MGMTDEV_GET, vec![], true)?;
        let answers = answers.map_err(|refusal| refusal.error("list management devices", ROOT))?;
        let management: Vec<Management> = answers.iter().map(read_management).collect::<Result<_>>()?;
        let mut notes = vec![];
        if management.is_empty() {
            notes.push("no management device: nothing here makes vDPA devices".into());
            notes.extend(self.modules.makers());
        }
        Ok(ManagementList { schema: SCHEMA, report: "vdpa_mgmt", management, notes })
    }

    /// All devices.
    pub fn devices(&mut self) -> Result<DeviceList> {
        let answers = self.ask(command::DEV_GET, vec![], true)?;
        let answers = answers.map_err(|refusal| refusal.error("list vDPA devices", ROOT))?;
        let mut notes = vec![];
        let mut devices = vec![];
        for answer in &answers {
            let mut device = read_device(answer, &self.bus)?;
            self.configure(&mut device, &mut notes)?;
            devices.push(device);
        }
        Ok(DeviceList { schema: SCHEMA, report: "vdpa_list", devices, notes })
    }

    fn configure(&mut self, device: &mut Device, notes: &mut Vec<String>) -> Result<()> {
        let name = vec![Attribute::text(attribute::DEV_NAME, &device.name)];
        match self.ask(command::DEV_CONFIG_GET, name, false)? {
            Ok(answers) => {
                device.config = answers.first().map(read_config).transpose()?;
            }
            Err(refusal) => {
                let why = refusal.text.unwrap_or_else(|| Errno::from_raw(refusal.code).desc().into());
                notes.push(format!("{}: no configuration: {why}", device.name));
            }
        }
        Ok(())
    }

    fn device(&mut self, name: &str) -> Result<std::result::Result<Device, Refusal>> {
        let named = vec![Attribute::text(attribute::DEV_NAME, name)];
        let answers = match self.ask(command::DEV_GET, named, false)? {
            Ok(answers) => answers,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let first = answers.first().ok_or_else(|| Error::Netlink(format!("no answer about {name}")))?;
        read_device(first, &self.bus).map(Ok)
    }

    /// Makes one more.
    pub fn add(&mut self, name: &str, management: &Handle, wishes: &Wishes) -> Result<Changed> {
        let name = checked(name)?;
        let mut attributes = vec![Attribute::text(attribute::DEV_NAME, &name)];
        management.write(&mut attributes);
        let number = |kind, value: Option<u16>| value.map(|value| Attribute::new(kind, value.to_ne_bytes()));
        attributes.extend(wishes.mac.map(|mac| Attribute::new(attribute::DEV_NET_CFG_MACADDR, mac.0)));
        attributes.extend(number(attribute::DEV_NET_CFG_MTU, wishes.mtu));
        attributes.extend(number(attribute::DEV_NET_CFG_MAX_VQP, wishes.pairs));
        let what = format!("make {name} by {management}");
        if let Err(refusal) = self.ask(command::DEV_NEW, attributes, false)? {
            return Err(refusal.error(what, add_next(refusal.code)));
        }
        let mut device = self.device(&name)?.map_err(|refusal| refusal.error(what, ROOT))?;
        self.configure(&mut device, &mut vec![])?;
        Ok(Changed { schema: SCHEMA, report: "vdpa_add", device })
    }

    /// Ends one.
    pub fn remove(&mut self, name: &str) -> Result<Changed> {
        let name = checked(name)?;
        let what = format!("end {name}");
        let next = "`hematite vdpa list` shows which devices there are";
        let device = self.device(&name)?.map_err(|refusal| refusal.error(&what, next))?;
        if let Some(driver) = &device.driver {
            // The kernel would take it from under whoever uses it.
            let what = format!("{name} is in use: {driver} has it");
            let next = "unbind it first: echo NAME > /sys/bus/vdpa/drivers/DRIVER/unbind";
            return Err(Error::Unable { what, next });
        }
        let named = vec![Attribute::text(attribute::DEV_NAME, &name)];
        if let Err(refusal) = self.ask(command::DEV_DEL, named, false)? {
            return Err(refusal.error(what, if refusal.code == Errno::EPERM as i32 { ROOT } else { next }));
        }
        Ok(Changed { schema: SCHEMA, report: "vdpa_del", device })
    }
}

const ROOT: &str = "are you root, with CAP_NET_ADMIN?";

fn add_next(code: i32) -> &'static str {
    match Errno::from_raw(code) {
        Errno::EPERM => ROOT,
        Errno::ENODEV => "`hematite vdpa mgmt` shows the management devices there are",
        Errno::EEXIST => "another device has this name: `hematite vdpa list`",
        Errno::EOPNOTSUPP => "leave out --mac, --mtu, --pairs: not every management device takes them",
        Errno::EINVAL => "vduse: a program must have made a device of this name before; others: dmesg",
        Errno::ENOSPC | Errno::EBUSY => "this management device makes no more of them: `hematite vdpa list`",
        _ => "dmesg says why the management device did not make it",
    }
}

/// Of a list, or of nothing: the kernel's kinds are bits by their numbers.
fn read_management(message: &Message) -> Result<Management> {
    let handle = Handle::read(message)?;
    let name = handle.ok_or_else(|| Error::Netlink("a management device without a name".into()))?.to_string();
    let classes = message.long(attribute::MGMTDEV_SUPPORTED_CLASSES)?.unwrap_or(0);
    let kinds = (0..64).filter(|bit| classes >> bit & 1 == 1).map(function::kind_name).collect();
    Ok(Management {
        name,
        kinds,
        max_queues: message.word(attribute::DEV_MGMTDEV_MAX_VQS)?,
        features: bits(message, attribute::DEV_SUPPORTED_FEATURES)?,
    })
}

fn bits(message: &Message, kind: u16) -> Result<Option<Features>> {
    Ok(message.long(kind)?.map(|value| FeatureSet(value.into()).shown(true)))
}

fn read_device(message: &Message, bus: &Path) -> Result<Device> {
    let name = message.text(attribute::DEV_NAME)?;
    let name = name.ok_or_else(|| Error::Netlink("a device without a name".into()))?;
    let device_id = message.word(attribute::DEV_ID)?;
    let kind = device_id.and_then(|id| u16::try_from(id).ok()).map_or("unknown", function::kind_name);
    // A name that is a path would lead elsewhere.
    let home = checked(&name).ok().filter(|name| !name.starts_with('.')).map(|name| bus.join(name));
    let driver = home.and_then(|home| fs::read_link(home.join("driver")).ok());
    Ok(Device {
        management: Handle::read(message)?.map(|handle| handle.to_string()),
        kind,
        device_id,
        vendor_id: message.word(attribute::DEV_VENDOR_ID)?,
        queues: message.word(attribute::DEV_MAX_VQS)?,
        queue_max: message.short(attribute::DEV_MAX_VQ_SIZE)?,
        queue_min: message.short(attribute::DEV_MIN_VQ_SIZE)?,
        driver: driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
        config: None,
        name,
    })
}

fn read_config(message: &Message) -> Result<NetConfig> {
    let status = message.short(attribute::DEV_NET_STATUS)?;
    Ok(NetConfig {
        mac: message.mac(attribute::DEV_NET_CFG_MACADDR)?.map(|mac| Mac(mac).to_string()),
        link_up: status.map(|status| u64::from(status) & hematite_abi::net::STATUS_LINK_UP != 0),
        mtu: message.short(attribute::DEV_NET_CFG_MTU)?,
        pairs: message.short(attribute::DEV_NET_CFG_MAX_VQP)?,
        offered: bits(message, attribute::VDPA_DEV_SUPPORTED_FEATURES)?,
        accepted: bits(message, attribute::DEV_NEGOTIATED_FEATURES)?,
    })
}
