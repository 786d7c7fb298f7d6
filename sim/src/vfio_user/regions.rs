//! The function as the client sees it: configuration space and BARs, every access a TLP, with what a kernel's vfio-pci
//! keeps to itself kept here: where the BAR lies, and (in eventfd mode) the MSI-X table.
//! Spec: [vfio-user: VFIO_USER_REGION_READ], [PCIe base: Configuration Space]

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::dma::GuestMemory;
use super::hide::Hidden;
use super::irqs::Irqs;
use super::message::{Refusal, SetIrqs, refuse};
use super::pci::{self, Place};
use crate::device::Device;
use crate::facts::{config, msix};
use crate::root::complex::{RequestError, Root};
use crate::root::enumerate::EnumerateError;

/// Regions as VFIO numbers them (linux/vfio.h): six BARs, ROM, configuration space, VGA.
pub mod index {
    pub const BAR0: u32 = 0;
    pub const CONFIG: u32 = 7;
    pub const COUNT: u32 = 9;
}

/// Bytes of configuration space.
pub const CONFIG_BYTES: u64 = 4096;

/// Cycles which the function gets to come to rest after a Function Level Reset or a lost client.
pub const REST_CYCLES: u64 = 200_000;

/// Where eventfd mode sends its messages: the root complex takes them there, and the data say which vector.
const MESSAGE_ADDR: u64 = 0xfee0_0000;

/// How interrupts reach the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MsixMode {
    /// The VMM keeps the guest's table; ours is programmed by the server, and messages become eventfds.
    Eventfd,
    /// The guest programs the function's own table; messages leave as posted DMA_WRITE.
    Raw,
}

/// The function behind its root complex, and what the client may not change of it.
pub struct Function<D: Device> {
    pub root: Root<D, GuestMemory>,
    pub irqs: Irqs,
    pub mode: MsixMode,
    /// Features which the client is not shown.
    pub hidden: Hidden,
    place: Place,
    /// BAR 0 and 1 as the client has written them.
    bar: [u8; 8],
    /// Message Control as the client has written it, in eventfd mode.
    control: [u8; 2],
    /// The last request which the function did not answer well, until somebody asks.
    pub trouble: Option<RequestError>,
}

impl<D: Device> Function<D> {
    /// Finds the function behind `root` and places its BAR.
    pub fn new(mut root: Root<D, GuestMemory>, mode: MsixMode) -> Result<Function<D>, EnumerateError> {
        root.reset();
        let place = Place::find(&mut root)?;
        let vectors = if mode == MsixMode::Eventfd { place.vectors() } else { 0 };
        let irqs = Irqs::new(vectors);
        let (bar, control) = ([0; 8], [0; 2]);
        let mut function =
            Function { root, irqs, mode, hidden: Hidden::default(), place, bar, control, trouble: None };
        function.forget_client_writes();
        Ok(function)
    }

    fn forget_client_writes(&mut self) {
        self.bar = self.place.bar_flags.to_le_bytes();
        self.control = (self.place.vectors() - 1).to_le_bytes();
    }

    /// Hot reset. What the client has armed stays armed.
    pub fn reset(&mut self) {
        self.root.reset();
        self.irqs.forget_pending();
        self.forget_client_writes();
        self.restore();
    }

    /// The client is gone: its memory and eventfds too. The function sees its DMA fail, then a reset.
    pub fn abandon(&mut self) {
        self.root.memory.clear();
        self.irqs.clear();
        self.root.pump(REST_CYCLES);
        self.root.msi.drain();
        self.reset();
    }

    /// Puts back what a reset has taken and the client believes to be there.
    fn restore(&mut self) {
        let placed = pci::restore_bar(&mut self.root);
        self.note(placed);
        for vector in 0..self.irqs.count() {
            if self.irqs.armed(vector) {
                self.program(vector);
            }
        }
    }

    fn note(&mut self, result: Result<(), RequestError>) -> bool {
        let ok = result.is_ok();
        self.trouble = result.err().or(self.trouble.take());
        ok
    }

    /// Arms, disarms or triggers what the client names, here and in the function's table.
    pub fn set_irqs(&mut self, set: &SetIrqs, fds: Vec<OwnedFd>) -> Result<(), Refusal> {
        let before: Vec<bool> = (0..self.irqs.count()).map(|vector| self.irqs.armed(vector)).collect();
        self.irqs.set(set, fds)?;
        for (vector, was) in (0..).zip(before) {
            if self.irqs.armed(vector) != was {
                self.program(vector);
            }
        }
        Ok(())
    }

    /// Brings the function's MSI-X table entry into line with what is armed.
    /// [vfio-user: VFIO_USER_DEVICE_SET_IRQS]: the client's view of the table is the client's own.
    fn program(&mut self, vector: u32) {
        let message = self.irqs.armed(vector).then_some((MESSAGE_ADDR, vector));
        let result = self.place.program(&mut self.root, vector, message);
        self.note(result);
    }

    /// Size of a region; 0 if there is none.
    pub fn region_bytes(&self, region: u32) -> u64 {
        match region {
            index::BAR0 => self.place.bar_bytes,
            index::CONFIG => CONFIG_BYTES,
            _ => 0,
        }
    }

    fn check(&self, region: u32, offset: u64, len: usize) -> Result<(), Refusal> {
        let size = self.region_bytes(region);
        match offset.checked_add(len as u64) {
            Some(end) if end <= size => Ok(()),
            _ => Err(refuse(
                Errno::EINVAL,
                format!("{len} bytes at {offset:#x} of region {region} of {size:#x} bytes"),
            )),
        }
    }

    /// Reads a region. What the function refuses reads as ones, as on any PCI bus.
    pub fn read(&mut self, region: u32, offset: u64, len: usize) -> Result<Vec<u8>, Refusal> {
        self.check(region, offset, len)?;
        let mut data = vec![0xff; len];
        let result = match region {
            index::CONFIG => self.root.config_read(offset as u16, &mut data),
            // As the kernel does with a device whose table it keeps.
            _ if self.is_kept(offset, len) => Ok(()),
            _ => self.root.bar_read(offset, &mut data),
        };
        if !self.note(result) {
            data.fill(0xff);
        } else if region == index::CONFIG {
            self.overlay(offset, &mut data);
        } else {
            self.hidden.cover(offset, &mut data);
        }
        Ok(data)
    }

    /// Lays what is kept here over bytes read at `offset` of configuration space.
    fn overlay(&self, offset: u64, data: &mut [u8]) {
        let whole = data.len() > 64 && offset == 0;
        for (at, byte) in (offset..).zip(data.iter_mut()) {
            if let Some(kept) = self.kept_config(at) {
                *byte = kept;
            }
            // QEMU reads configuration space as one piece when it realises the device; guests never read more than four
            // bytes. Without the id QEMU leaves the table to the guest, which finds the id by itself.
            if whole && self.mode == MsixMode::Raw && at == u64::from(self.place.msix()) {
                *byte = 0;
            }
        }
    }

    fn kept_config(&self, at: u64) -> Option<u8> {
        let control = u64::from(self.place.msix() + msix::CAP_CONTROL);
        let bar = u64::from(config::BAR0);
        match at {
            _ if (bar..bar + 8).contains(&at) => Some(self.bar[(at - bar) as usize]),
            _ if self.mode == MsixMode::Eventfd && (control..control + 2).contains(&at) => {
                Some(self.control[(at - control) as usize])
            }
            _ => None,
        }
    }

    /// True if these bytes of the BAR are the table which the server keeps for itself.
    fn is_kept(&self, offset: u64, len: usize) -> bool {
        let (start, end) = (self.place.entry(0), self.place.entry(u32::from(self.place.vectors())));
        self.mode == MsixMode::Eventfd && offset < end && offset + len as u64 > start
    }

    /// Writes a region.
    pub fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), Refusal> {
        self.check(region, offset, data.len())?;
        if region != index::CONFIG {
            self.hidden.written(offset, data);
            if !self.is_kept(offset, data.len()) {
                let result = self.root.bar_write(offset, data);
                self.note(result);
            }
            return Ok(());
        }
        let mut passed = vec![];
        let flr = (offset..).zip(data).any(|(at, byte)| self.place.is_flr(at, *byte));
        for (at, byte) in (offset..).zip(data) {
            if self.kept_config(at).is_some() {
                self.keep(at, *byte);
                self.pass(&mut passed, at);
            } else {
                passed.push(*byte);
            }
        }
        self.pass(&mut passed, offset + data.len() as u64);
        if flr {
            // The function answers the write before it is done: its DMA ends first.
            self.root.pump(REST_CYCLES);
        }
        self.resync();
        Ok(())
    }

    /// Sends the bytes gathered so far, which end before `end`.
    fn pass(&mut self, bytes: &mut Vec<u8>, end: u64) {
        if !bytes.is_empty() {
            let result = self.root.config_write((end - bytes.len() as u64) as u16, bytes);
            self.note(result);
            bytes.clear();
        }
    }

    fn keep(&mut self, at: u64, byte: u8) {
        let bar = u64::from(config::BAR0);
        if (bar..bar + 8).contains(&at) {
            let shift = (at - bar) * 8;
            let mask = (!(self.place.bar_bytes - 1) >> shift) as u8;
            self.bar[(at - bar) as usize] = byte & mask | (self.place.bar_flags >> shift) as u8;
        } else if at == u64::from(self.place.msix() + msix::CAP_CONTROL) + 1 {
            // Of Message Control only enable and function mask are the client's.
            let theirs = ((msix::ENABLE | msix::FUNCTION_MASK) >> 8) as u8;
            self.control[1] = self.control[1] & !theirs | byte & theirs;
        }
    }

    /// A configuration write may have reset the function (Function Level Reset, power states): then its BAR is gone.
    /// The kernel's vfio-pci saves and restores it around the reset; a guest does not know that it was moved.
    fn resync(&mut self) {
        match pci::bar_in_place(&mut self.root) {
            Ok(true) => {}
            Ok(false) => {
                self.root.pump(REST_CYCLES);
                self.restore();
            }
            Err(error) => self.trouble = Some(error),
        }
    }

    /// Hands interrupts on: signals eventfds, or returns the messages (address, data) for the client.
    pub fn deliver(&mut self) -> Vec<(u64, u32)> {
        let messages = self.root.msi.drain();
        match self.mode {
            MsixMode::Raw => messages.iter().map(|message| (message.addr, message.data)).collect(),
            MsixMode::Eventfd => {
                messages.iter().for_each(|message| self.irqs.fire(message.data));
                vec![]
            }
        }
    }
}
