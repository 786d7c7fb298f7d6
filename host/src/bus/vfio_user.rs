//! A function behind a vfio-user socket: `hematite-sim serve`, or any other server. It is ours while we are connected.
//! Spec: [vfio-user: Protocol Specification]

mod channel;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use hematite_abi::config;

use self::channel::{Channel, command};
use super::interrupts::Interrupts;
use super::regions::{self, CONFIG_REGION, MSIX, Regions};
use super::{Bar, Bus, Holder, Width};
use crate::address::Address;
use crate::error::{Error, Result};
use crate::memory::DmaMemory;

/// SET_IRQS: data are eventfds, and they are to be signalled.
const EVENTFD_TRIGGER: u32 = 0b100_100;
/// Descriptors that one message carries: fewer than any server takes.
const FDS: usize = 8;
const VERSION: &[u8] = b"\0\0\x01\0{\"capabilities\":{\"max_msg_fds\":8}}\0";

/// A connected function.
#[derive(Debug)]
pub struct VfioUser {
    address: Address,
    channel: Channel,
    config_bytes: usize,
    sizes: [u64; Bar::COUNT as usize],
    vectors: u16,
    interrupts: Interrupts,
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

impl VfioUser {
    /// Connects, agrees on the version, asks what there is.
    pub fn connect(path: &Path) -> Result<VfioUser> {
        let mut channel = Channel::connect(path)?;
        let version = channel.ask(command::VERSION, VERSION, &[], 4)?;
        let major = word(&version, 0) & 0xffff;
        if major != 0 {
            return Err(Error::Protocol(format!("version {major}, only 0 is known")));
        }
        let info = channel.ask(command::DEVICE_GET_INFO, &words(&[16, 0, 0, 0]), &[], 16)?;
        let regions = word(&info, 8);
        let mut sizes = [0; Bar::COUNT as usize];
        for (region, size) in (0..regions).zip(&mut sizes) {
            *size = region_bytes(&mut channel, region)?;
        }
        let config_bytes =
            if regions > CONFIG_REGION { region_bytes(&mut channel, CONFIG_REGION)? } else { 0 };
        let irqs = channel.ask(command::DEVICE_GET_IRQ_INFO, &words(&[16, 0, MSIX, 0]), &[], 16)?;
        Ok(VfioUser {
            address: Address::VfioUser(path.into()),
            channel,
            config_bytes: config_bytes.min(config::SPACE_BYTES as u64) as usize,
            sizes,
            vectors: word(&irqs, 12).try_into().unwrap_or(u16::MAX),
            interrupts: Interrupts::default(),
        })
    }
}

fn region_bytes(channel: &mut Channel, region: u32) -> Result<u64> {
    let info =
        channel.ask(command::DEVICE_GET_REGION_INFO, &words(&[32, 0, region, 0, 0, 0, 0, 0]), &[], 32)?;
    Ok(u64::from(word(&info, 20)) << 32 | u64::from(word(&info, 16)))
}

impl Regions for VfioUser {
    fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<()> {
        let request = [&offset.to_le_bytes()[..], &words(&[region, data.len() as u32])].concat();
        let reply = self.channel.ask(command::REGION_READ, &request, &[], request.len() + data.len())?;
        data.copy_from_slice(&reply[request.len()..request.len() + data.len()]);
        Ok(())
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<()> {
        let request = [&offset.to_le_bytes()[..], &words(&[region, data.len() as u32]), data].concat();
        self.channel.ask(command::REGION_WRITE, &request, &[], 0)?;
        Ok(())
    }
}

impl Bus for VfioUser {
    fn address(&self) -> &Address {
        &self.address
    }

    fn holder(&self) -> &Holder {
        &Holder::Us
    }

    fn config_bytes(&self) -> usize {
        self.config_bytes
    }

    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()> {
        regions::config_read(self, offset, data)
    }

    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        regions::config_write(self, offset, data)
    }

    fn bar_bytes(&self, bar: Bar) -> u64 {
        self.sizes[bar.number()]
    }

    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        regions::bar_read(self, bar, offset, width)
    }

    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()> {
        regions::bar_write(self, bar, offset, width, value)
    }

    fn map(&mut self, memory: &DmaMemory, iova: u64) -> Result<()> {
        let mut request = words(&[32, 0b11]);
        [memory.file_offset(), iova, memory.bytes() as u64]
            .iter()
            .for_each(|field| request.extend(field.to_le_bytes()));
        self.channel.ask(command::DMA_MAP, &request, &[memory.as_fd()], 0)?;
        Ok(())
    }

    fn unmap(&mut self, iova: u64, bytes: u64) -> Result<()> {
        let mut request = words(&[24, 0]);
        [iova, bytes].iter().for_each(|field| request.extend(field.to_le_bytes()));
        self.channel.ask(command::DMA_UNMAP, &request, &[], 0)?;
        Ok(())
    }

    fn arm(&mut self, vectors: u16) -> Result<u16> {
        let count = vectors.min(self.vectors);
        let interrupts = Interrupts::new(count)?;
        self.arm_with(&interrupts.descriptors())?;
        self.interrupts = interrupts;
        Ok(count)
    }

    fn arm_with(&mut self, events: &[BorrowedFd<'_>]) -> Result<u16> {
        let count = self.vectors.min(events.len().try_into().unwrap_or(u16::MAX));
        for (piece, fds) in (0u32..).zip(events[..count.into()].chunks(FDS)) {
            let request = words(&[20, EVENTFD_TRIGGER, MSIX, piece * FDS as u32, fds.len() as u32]);
            self.channel.ask(command::DEVICE_SET_IRQS, &request, fds, 0)?;
        }
        Ok(count)
    }

    fn wait(&mut self, vector: u16, limit: Duration) -> Result<bool> {
        self.interrupts.wait(vector, limit)
    }

    fn reset(&mut self) -> Result<()> {
        self.channel.ask(command::DEVICE_RESET, &[], &[], 0)?;
        Ok(())
    }
}
