//! A function on this machine by sysfs: for looking, beside a bound driver or without one.
//! `config`, `resource` and `resourceN` of /sys/bus/pci/devices; what the kernel does not give out is read by the window.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};

use super::window::Window;
use super::{Bar, Bus, CONFIG_SIZES, Holder, Width, inside, inside_bar, inside_config};
use crate::address::{Address, Bdf};
use crate::error::{Error, Result};
use crate::memory::DmaMemory;

/// What helps where only looking is possible.
const TAKE_IT: &str = "give the function to vfio-pci first: `hematite bind`";

/// How a BAR is read.
#[derive(Debug)]
enum Way {
    Untried,
    Mapped(MmapRaw),
    Window(Window),
}

/// A function by sysfs.
#[derive(Debug)]
pub struct Sysfs {
    address: Address,
    home: PathBuf,
    config: File,
    config_bytes: usize,
    holder: Holder,
    sizes: [u64; Bar::COUNT as usize],
    ways: [Way; Bar::COUNT as usize],
}

impl Sysfs {
    /// Opens it; `devices` is `/sys/bus/pci/devices`.
    pub fn open(devices: &Path, bdf: Bdf) -> Result<Sysfs> {
        let home = devices.join(bdf.to_string());
        let next = "`hematite list` shows which functions there are";
        let path = home.join("config");
        // Written for the window alone. Who may not, can look all the same.
        let config = OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(&path));
        let config =
            config.map_err(|error| Error::system(format!("open {}", path.display()), error, next))?;
        let path = home.join("resource");
        let text = fs::read_to_string(&path)
            .map_err(|error| Error::system(format!("read {}", path.display()), error, next))?;
        let mut sizes = [0; Bar::COUNT as usize];
        for (size, line) in sizes.iter_mut().zip(text.lines()) {
            *size = resource_bytes(line);
        }
        let config_bytes = readable(&config);
        let holder = match fs::read_link(home.join("driver")) {
            Ok(driver) => {
                Holder::Driver(driver.file_name().unwrap_or_default().to_string_lossy().into_owned())
            }
            Err(_) => Holder::Nobody,
        };
        let ways = std::array::from_fn(|_| Way::Untried);
        Ok(Sysfs { address: Address::Pci(bdf), home, config, config_bytes, holder, sizes, ways })
    }

    /// The function's folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Decides how a BAR is read.
    fn find_way(&mut self, bar: Bar) -> Result<()> {
        let slot = bar.number();
        if !matches!(self.ways[slot], Way::Untried) {
            return Ok(());
        }
        let path = self.home.join(format!("resource{slot}"));
        let length = self.sizes[slot] as usize;
        let mapped =
            File::open(&path).and_then(|file| MmapOptions::new().len(length).map_raw_read_only(&file));
        self.ways[slot] = match mapped {
            Ok(map) => Way::Mapped(map),
            Err(refused) => Way::Window(Window::find(self).map_err(|_| {
                Error::system(
                    format!("map {}", path.display()),
                    refused,
                    "are you root? Otherwise: `hematite bind`",
                )
            })?),
        };
        Ok(())
    }
}

/// `start end flags`: 0 0 0 if there is no such BAR.
fn resource_bytes(line: &str) -> u64 {
    let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let mut words = line.split_whitespace().map(number);
    match (words.next().flatten(), words.next().flatten()) {
        (Some(start), Some(end)) if end > start => (end - start).saturating_add(1),
        _ => 0,
    }
}

/// How much of configuration space can be read: who is not root gets its head alone.
fn readable(config: &File) -> usize {
    let can = |bytes: &usize| config.read_exact_at(&mut [0; 4], *bytes as u64 - 4).is_ok();
    CONFIG_SIZES.into_iter().rev().find(can).unwrap_or(0)
}

impl Bus for Sysfs {
    fn address(&self) -> &Address {
        &self.address
    }

    fn holder(&self) -> &Holder {
        &self.holder
    }

    fn config_bytes(&self) -> usize {
        self.config_bytes
    }

    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()> {
        inside_config(self, offset, data.len())?;
        let what = format!("read {} bytes at {offset:#x} of {}/config", data.len(), self.home.display());
        let read = self.config.read_exact_at(data, offset as u64);
        read.map_err(|error| Error::system(what, error, "beyond the first 64 bytes only root may read"))
    }

    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        inside_config(self, offset, data.len())?;
        let what = || format!("write {} bytes at {offset:#x} of {}/config", data.len(), self.home.display());
        self.config
            .write_all_at(data, offset as u64)
            .map_err(|error| Error::system(what(), error, "are you root?"))
    }

    fn bar_bytes(&self, bar: Bar) -> u64 {
        self.sizes[bar.number()]
    }

    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        inside_bar(self, bar, offset, width)?;
        self.find_way(bar)?;
        let map = match &self.ways[bar.number()] {
            Way::Mapped(map) => map,
            Way::Window(window) => return (*window).read(self, bar, offset, width),
            Way::Untried => return Err(Error::Device(format!("{bar} is out of reach"))),
        };
        inside(bar, map.len() as u64, offset, width.bytes() as u64)?;
        // SAFETY: inside the map, which lives as long as `self`; aligned, as was checked; a device's registers are read by
        // volatile accesses of their width.
        unsafe {
            let at = map.as_ptr().add(offset as usize);
            Ok(match width {
                Width::Byte => u32::from(at.read_volatile()),
                Width::Half => u32::from(u16::from_le(at.cast::<u16>().read_volatile())),
                Width::Word => u32::from_le(at.cast::<u32>().read_volatile()),
            })
        }
    }

    /// By the window alone: what is mapped is mapped for reading.
    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()> {
        inside_bar(self, bar, offset, width)?;
        Window::find(self)?.write(self, bar, offset, width, value)
    }

    fn map(&mut self, _memory: &DmaMemory, _iova: u64) -> Result<()> {
        Err(Error::Unable { what: "sysfs gives the function no memory".into(), next: TAKE_IT })
    }

    fn unmap(&mut self, _iova: u64, _bytes: u64) -> Result<()> {
        Ok(())
    }

    fn arm(&mut self, _vectors: u16) -> Result<u16> {
        Err(Error::Unable { what: "sysfs gives out no interrupts".into(), next: TAKE_IT })
    }

    fn wait(&mut self, _vector: u16, _limit: Duration) -> Result<bool> {
        Err(Error::Unable { what: "sysfs gives out no interrupts".into(), next: TAKE_IT })
    }

    fn reset(&mut self) -> Result<()> {
        Err(Error::Unable { what: "a function that is only looked at is not reset".into(), next: TAKE_IT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_resource_are_read() {
        let line = "0x00000000c0000000 0x00000000c000ffff 0x000000000014220c";
        assert_eq!(resource_bytes(line), 0x1_0000);
        for line in ["0x0000000000000000 0x0000000000000000 0x0000000000000000", "", "x y z", "0x5"] {
            assert_eq!(resource_bytes(line), 0, "{line:?}");
        }
        assert_eq!(resource_bytes("0x0 0xffffffffffffffff 0x0"), u64::MAX, "and no overflow");
    }
}
