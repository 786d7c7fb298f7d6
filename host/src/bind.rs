//! Hands a function from one driver of the kernel to another, as driverctl does: driver_override, unbind, probe. What is in use
//! is not touched. Spec: Linux, Documentation/ABI/testing/sysfs-bus-pci

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::address::Bdf;
use crate::bus::vfio;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::report::SCHEMA;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// Which device.
    pub device: String,
    /// The driver that had it.
    pub from: Option<String>,
    /// The driver that has it now.
    pub to: Option<String>,
    /// Its IOMMU group.
    pub iommu_group: Option<u32>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// The bus of the functions, below /sys.
#[derive(Clone, Debug)]
pub struct PciBus(PathBuf);

const IOMMU_MODULE: &str = "vfio_iommu_type1";
/// Bit of an interface's flags: it has been switched on.
const IFF_UP: u32 = 1;

impl Default for PciBus {
    fn default() -> PciBus {
        PciBus("/sys/bus/pci".into())
    }
}

impl PciBus {
    /// Elsewhere.
    pub fn at(path: &Path) -> PciBus {
        PciBus(path.into())
    }

    fn home(&self, bdf: Bdf) -> Result<PathBuf> {
        let home = self.0.join("devices").join(bdf.to_string());
        if home.exists() {
            return Ok(home);
        }
        let what = format!("there is no function {bdf}");
        Err(Error::Unable { what, next: "`hematite list` shows which there are" })
    }

    /// Takes a function from the kernel, driver and all, before it goes away; refuses what is in use. One that is not there is gone.
    pub fn remove(&self, bdf: Bdf) -> Result<()> {
        let Ok(home) = self.home(bdf) else { return Ok(()) };
        unused(&home, &Kernel::read(&home))?;
        write(&home.join("remove"), "1")
    }

    /// Lets the kernel look what there is.
    pub fn rescan(&self) -> Result<()> {
        // `rescan` of the bus type is one for all.
        write(&self.0.join("rescan"), "1")
    }

    /// Gives a function to a driver; without one, back to the driver that the kernel finds for it.
    pub fn bind(&self, bdf: Bdf, driver: Option<&str>) -> Result<Bound> {
        let home = self.home(bdf)?;
        let before = Kernel::read(&home);
        unused(&home, &before)?;
        if let Some(driver) = driver.filter(|driver| !self.0.join("drivers").join(driver).exists()) {
            load(driver)?;
        }
        let mut notes = vec![];
        if before.driver.is_none() || before.driver.as_deref() != driver {
            write(&home.join("driver_override"), driver.unwrap_or("\n"))?;
            if before.driver.is_some() {
                write(&home.join("driver/unbind"), &bdf.to_string())?;
            }
            write(&self.0.join("drivers_probe"), &bdf.to_string())?;
        }
        let now = Kernel::read(&home);
        if driver.is_some() && now.driver.as_deref() != driver {
            // Back to whom it was with: a function without a driver helps nobody.
            let _ = write(&home.join("driver_override"), "\n");
            let _ = write(&self.0.join("drivers_probe"), &bdf.to_string());
            let has = now.driver.as_deref().unwrap_or("no driver");
            let what = format!("{bdf}: {has} has it, not {}", driver.unwrap_or("?"));
            return Err(Error::Unable { what, next: "dmesg says why the driver did not take it" });
        }
        if driver == Some(vfio::DRIVER) {
            // What maps memory for groups; a kernel with iommufd does without.
            let _ = load(IOMMU_MODULE);
            notes.extend(neighbours(&home, bdf));
            if now.iommu_group.is_none() {
                notes.push("it is in no IOMMU group: VFIO needs an IOMMU (intel_iommu=on)".into());
            }
        }
        let report = if driver.is_some() { "bind" } else { "unbind" };
        let Kernel { driver: to, iommu_group, .. } = now;
        Ok(Bound {
            schema: SCHEMA,
            report,
            device: bdf.to_string(),
            from: before.driver,
            to,
            iommu_group,
            notes,
        })
    }
}

/// Refuses a function that somebody uses: by an interface that is up, or by VFIO.
fn unused(home: &Path, kernel: &Kernel) -> Result<()> {
    for interface in &kernel.interfaces {
        let path =
            home.join(kernel.virtio.as_deref().unwrap_or("")).join("net").join(&interface.name).join("flags");
        let flags = fs::read_to_string(path).unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
        if flags & IFF_UP != 0 || interface.state == "up" {
            let what = format!("it is in use: {} is up", interface.name);
            return Err(Error::Unable {
                what,
                next: "ip link set the interface down first, if nobody needs it",
            });
        }
    }
    let group = kernel.iommu_group.filter(|_| kernel.driver.as_deref() == Some(vfio::DRIVER));
    if let Some(group) = group {
        let path = format!("/dev/vfio/{group}");
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        if opened.is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {
            let what = format!("it is in use: some program has {path} open");
            return Err(Error::Unable { what, next: "end that program: fuser shows which" });
        }
    }
    Ok(())
}

/// Other functions of its IOMMU group that are with drivers of the kernel: VFIO will not hand out the group.
fn neighbours(home: &Path, bdf: Bdf) -> Vec<String> {
    let others = fs::read_dir(home.join("iommu_group/devices")).into_iter().flatten().flatten();
    let others = others.filter(|entry| entry.file_name().to_string_lossy() != bdf.to_string());
    others
        .filter_map(|entry| {
            let driver = Kernel::read(&entry.path()).driver?;
            let harmless = driver == vfio::DRIVER || driver == "pcieport" || driver == "pci-stub";
            let name = entry.file_name().to_string_lossy().into_owned();
            (!harmless)
                .then(|| format!("{name} of the same IOMMU group is with {driver}: VFIO refuses the group"))
        })
        .collect()
}

fn load(driver: &str) -> Result<()> {
    let next = "is the driver's name right, and is the module there?";
    let ended = Command::new("modprobe").arg(driver).output();
    let ended = ended.map_err(|error| Error::system(format!("modprobe {driver}"), error, next))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr).trim().to_string();
    Err(Error::Unable { what: format!("modprobe {driver}: {said}"), next })
}

fn write(path: &Path, text: &str) -> Result<()> {
    let shown = text.trim();
    let written = fs::write(path, text);
    written.map_err(|error| {
        Error::system(format!("write {shown:?} to {}", path.display()), error, "are you root?")
    })
}
