//! A function that vfio-pci has: ours, behind the IOMMU. By iommufd and the device's own file where the kernel has them, else by
//! container and group. Spec: Linux, Documentation/driver-api/vfio.rst

use std::fmt;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use iommufd_ioctls::IommuFd;
use vfio_ioctls::{VfioContainer, VfioDevice, VfioIommufd, VfioOps};
use vmm_sys_util::eventfd::EventFd;

use hematite_abi::config;

use super::interrupts::Interrupts;
use super::regions::{self, CONFIG_REGION, MSIX, Regions};
use super::{Bar, Bus, Holder, Width};
use crate::address::{Address, Bdf};
use crate::error::{Error, Result};
use crate::memory::DmaMemory;

/// The kernel's driver that hands functions out.
pub const DRIVER: &str = "vfio-pci";
const NEXT: &str =
    "is nobody else using it, and is its whole IOMMU group with vfio-pci? `hematite list` shows groups";

/// A function by VFIO.
pub struct Vfio {
    address: Address,
    /// A second descriptor of the device; closed before the device is.
    file: File,
    device: VfioDevice,
    memory: Arc<dyn VfioOps>,
    /// `iommufd` or `group`.
    way: &'static str,
    interrupts: Interrupts,
}

impl fmt::Debug for Vfio {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Vfio {{ {}, {} }}", self.address, self.way)
    }
}

fn failed(what: String, error: impl fmt::Display) -> Error {
    Error::Unable { what: format!("{what}: {error}"), next: NEXT }
}

/// By iommufd: the kernel needs VFIO_DEVICE_CDEV.
fn by_iommufd(home: &Path) -> std::result::Result<(VfioDevice, Arc<dyn VfioOps>), String> {
    let iommufd = IommuFd::new().map_err(|error| format!("/dev/iommu: {error}"))?;
    let memory = VfioIommufd::new(Arc::new(iommufd), None, None).map_err(|error| error.to_string())?;
    let memory: Arc<dyn VfioOps> = Arc::new(memory);
    let device = VfioDevice::new(home, memory.clone(), true).map_err(|error| error.to_string())?;
    Ok((device, memory))
}

fn by_group(home: &Path) -> std::result::Result<(VfioDevice, Arc<dyn VfioOps>), String> {
    let container = VfioContainer::new(None).map_err(|error| format!("/dev/vfio/vfio: {error}"))?;
    let memory: Arc<dyn VfioOps> = Arc::new(container);
    let device = VfioDevice::new(home, memory.clone(), true).map_err(|error| error.to_string())?;
    Ok((device, memory))
}

impl Vfio {
    /// Opens the function in its folder of /sys.
    pub fn open(home: &Path, bdf: Bdf) -> Result<Vfio> {
        let modern = home.join("vfio-dev").exists() && Path::new("/dev/iommu").exists();
        let opened = if modern { by_iommufd(home).map(|pair| (pair, "iommufd")) } else { Err(String::new()) };
        let ((device, memory), way) = match opened {
            Ok(opened) => opened,
            Err(first) => match by_group(home) {
                Ok(pair) => (pair, "group"),
                Err(second) => {
                    let both =
                        if first.is_empty() { second } else { format!("iommufd: {first}; group: {second}") };
                    return Err(failed(format!("open {bdf} by VFIO"), both));
                }
            },
        };
        // SAFETY: the descriptor is open, for `device` owns it; it is only borrowed to be doubled.
        let borrowed = unsafe { BorrowedFd::borrow_raw(device.as_raw_fd()) };
        let file = borrowed
            .try_clone_to_owned()
            .map_err(|error| failed(format!("double the file of {bdf}"), error))?;
        let address = Address::Pci(bdf);
        Ok(Vfio { address, file: file.into(), device, memory, way, interrupts: Interrupts::default() })
    }

    /// Vectors there are.
    fn vectors(&self) -> u16 {
        self.device.get_irq_info(MSIX).map_or(0, |info| info.count.try_into().unwrap_or(u16::MAX))
    }
}

impl Regions for Vfio {
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<()> {
        let place = self.device.get_region_offset(region) + offset;
        let count = data.len();
        let read = self.file.read_exact_at(data, place);
        read.map_err(|error| {
            Error::system(
                format!("read {count} bytes at {offset:#x} of region {region} of {}", self.address),
                error,
                NEXT,
            )
        })
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<()> {
        let place = self.device.get_region_offset(region) + offset;
        self.file.write_all_at(data, place).map_err(|error| {
            let count = data.len();
            Error::system(
                format!("write {count} bytes at {offset:#x} of region {region} of {}", self.address),
                error,
                NEXT,
            )
        })
    }
}

impl Bus for Vfio {
    fn address(&self) -> &Address {
        &self.address
    }

    fn holder(&self) -> &Holder {
        &Holder::Us
    }

    fn config_bytes(&self) -> usize {
        self.device.get_region_size(CONFIG_REGION).min(config::SPACE_BYTES as u64) as usize
    }

    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()> {
        regions::config_read(self, offset, data)
    }

    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        regions::config_write(self, offset, data)
    }

    fn bar_bytes(&self, bar: Bar) -> u64 {
        self.device.get_region_size(bar.number() as u32)
    }

    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        regions::bar_read(self, bar, offset, width)
    }

    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()> {
        regions::bar_write(self, bar, offset, width, value)
    }

    fn map(&mut self, memory: &DmaMemory, iova: u64) -> Result<()> {
        // SAFETY: the memory is only ever reached by atomics and raw pointers (see `DmaMemory`), and is the device's until
        // `unmap`, or until the file is closed with this body, which ends its DMA.
        let mapped = unsafe { self.memory.vfio_dma_map(iova, memory.bytes(), memory.start()) };
        mapped.map_err(|error| {
            failed(format!("let the function reach {} bytes at {iova:#x}", memory.bytes()), error)
        })
    }

    fn unmap(&mut self, iova: u64, bytes: u64) -> Result<()> {
        let unmapped = self.memory.vfio_dma_unmap(iova, bytes as usize);
        unmapped.map_err(|error| failed(format!("withdraw {bytes} bytes at {iova:#x}"), error))
    }

    fn arm(&mut self, vectors: u16) -> Result<u16> {
        let interrupts = Interrupts::new(vectors.min(self.vectors()))?;
        let count = self.arm_with(&interrupts.descriptors())?;
        self.interrupts = interrupts;
        Ok(count)
    }

    fn arm_with(&mut self, events: &[BorrowedFd<'_>]) -> Result<u16> {
        let count = self.vectors().min(events.len().try_into().unwrap_or(u16::MAX));
        if count == 0 {
            return Ok(0);
        }
        let double = |fd: &BorrowedFd<'_>| fd.try_clone_to_owned();
        let events = events[..count.into()].iter().map(double).collect::<std::io::Result<Vec<_>>>();
        let events = events.map_err(|error| failed("double the eventfds".into(), error))?;
        // SAFETY: each descriptor is an eventfd, and from here on nobody's but this wrapper's.
        let events: Vec<EventFd> =
            events.into_iter().map(|fd| unsafe { EventFd::from_raw_fd(fd.into_raw_fd()) }).collect();
        let enabled = self.device.enable_msix(events.iter().collect());
        enabled.map_err(|error| failed(format!("switch {count} vectors of MSI-X on"), error))?;
        Ok(count)
    }

    fn wait(&mut self, vector: u16, limit: Duration) -> Result<bool> {
        self.interrupts.wait(vector, limit)
    }

    fn reset(&mut self) -> Result<()> {
        self.device.reset();
        Ok(())
    }
}
