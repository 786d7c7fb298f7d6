//! What a kernel does with a function which it finds: size and place the BAR, walk the capabilities, enable memory, bus
//! mastering and MSI-X. Spec: [PCIe base: Configuration Space], [virtio 1.4: PCI Device Discovery]

use crate::facts::{capability as cap, config, msix};

use super::complex::{RequestError, Root};
use super::memory::HostMemory;
use crate::device::Device;

/// A virtio structure in the BAR, as its capability names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Offset of the capability in configuration space.
    pub cap: u16,
    pub bar: u8,
    pub offset: u64,
    pub len: u32,
}

/// Everything which was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub vendor: u16,
    pub device: u16,
    pub bar: u64,
    pub bar_bytes: u64,
    /// Offsets of the capabilities; absent ones are `None`.
    pub power: Option<u16>,
    pub pcie: u16,
    pub msix: u16,
    pub vectors: u16,
    /// MSI-X table and pending bits, offsets in the BAR.
    pub table: u64,
    pub pending: u64,
    pub common: Structure,
    pub notify: Structure,
    pub notify_multiplier: u32,
    pub isr: Structure,
    pub device_cfg: Structure,
    /// Offset of VIRTIO_PCI_CAP_PCI_CFG.
    pub window: u16,
    /// All capabilities in the order of the chain: id and offset.
    pub chain: Vec<(u8, u16)>,
}

/// Why a function cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnumerateError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("nobody there: vendor id reads {0:#06x}")]
    Nobody(u16),
    #[error("BAR 0 reads {0:#010x} after all ones: not a 64-bit memory BAR")]
    BadBar(u64),
    #[error("capability chain: {0}")]
    Chain(String),
}

/// Where BARs are placed: above 4 GiB, as a kernel does with 64-bit ones.
pub const BAR_BASE: u64 = 0x40_0000_0000;

impl<D: Device, M: HostMemory> Root<D, M> {
    fn config<const N: usize>(&mut self, offset: u16) -> Result<[u8; N], RequestError> {
        let mut bytes = [0; N];
        self.config_read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Sixteen bits of configuration space.
    pub fn config_u16(&mut self, offset: u16) -> Result<u16, RequestError> {
        self.config(offset).map(u16::from_le_bytes)
    }

    /// Thirty-two bits of configuration space.
    pub fn config_u32(&mut self, offset: u16) -> Result<u32, RequestError> {
        self.config(offset).map(u32::from_le_bytes)
    }

    /// Finds the function and makes it usable.
    pub fn enumerate(&mut self) -> Result<Function, EnumerateError> {
        let vendor = self.config_u16(config::VENDOR_ID)?;
        if vendor == u16::MAX {
            return Err(EnumerateError::Nobody(vendor));
        }
        let device = self.config_u16(config::DEVICE_ID)?;
        self.config_write(config::COMMAND, &0u16.to_le_bytes())?;
        let bar_bytes = self.place_bar()?;
        let mut function = self.walk()?;
        (function.vendor, function.device) = (vendor, device);
        (function.bar, function.bar_bytes) = (BAR_BASE, bar_bytes);
        self.enable(&function)?;
        Ok(function)
    }

    /// Sizes BAR 0, places it, and returns its size.
    pub fn place_bar(&mut self) -> Result<u64, EnumerateError> {
        let bar0 = config::BAR0;
        self.config_write(bar0, &u64::MAX.to_le_bytes())?;
        let sized = u64::from_le_bytes(self.config(bar0)?);
        let size = (sized & !config::BAR_FLAGS).wrapping_neg();
        if sized & config::BAR_TYPE_MASK != config::BAR_MEM64 || !size.is_power_of_two() {
            return Err(EnumerateError::BadBar(sized));
        }
        self.config_write(bar0, &BAR_BASE.to_le_bytes())?;
        self.bar = Some(BAR_BASE);
        Ok(size)
    }

    /// Walks the capability chain.
    pub fn walk(&mut self) -> Result<Function, EnumerateError> {
        let bad = |text: String| EnumerateError::Chain(text);
        let mut chain = vec![];
        let mut at = u16::from(self.config::<1>(config::CAP_POINTER)?[0]);
        while at != 0 {
            if at < FIRST_CAP || at & 3 != 0 || chain.len() > CAPS_MOST {
                return Err(bad(format!("pointer {at:#x} after {chain:x?}")));
            }
            let [id, next] = self.config(at)?;
            chain.push((id, at));
            at = u16::from(next);
        }
        let find = |id: u8| chain.iter().find(|(i, _)| *i == id).map(|(_, at)| *at);
        let need = |id: u8, name: &str| find(id).ok_or_else(|| bad(format!("no {name} in {chain:x?}")));
        let (pcie, msix_at) = (need(cap::ID_PCIE, "PCI Express")?, need(cap::ID_MSIX, "MSI-X")?);
        let mut function = Function {
            vendor: 0,
            device: 0,
            bar: 0,
            bar_bytes: 0,
            power: find(cap::ID_POWER),
            pcie,
            msix: msix_at,
            vectors: (self.config_u16(msix_at + msix::CAP_CONTROL)? & msix::SIZE_MASK) + 1,
            table: u64::from(self.config_u32(msix_at + msix::CAP_TABLE)? & !msix::LOCATION_MASK),
            pending: u64::from(self.config_u32(msix_at + msix::CAP_PBA)? & !msix::LOCATION_MASK),
            common: Structure::default(),
            notify: Structure::default(),
            notify_multiplier: 0,
            isr: Structure::default(),
            device_cfg: Structure::default(),
            window: 0,
            chain: chain.clone(),
        };
        for (_, at) in chain.iter().filter(|(id, _)| *id == cap::ID_VENDOR) {
            let [kind, bar] = self.config(at + cap::VIRTIO_TYPE)?;
            let offset = u64::from(self.config_u32(at + cap::VIRTIO_OFFSET)?);
            let len = self.config_u32(at + cap::VIRTIO_LENGTH)?;
            let structure = Structure { cap: *at, bar, offset, len };
            match kind {
                cap::TYPE_COMMON => function.common = structure,
                cap::TYPE_NOTIFY => {
                    function.notify = structure;
                    function.notify_multiplier = self.config_u32(at + cap::NOTIFY_MULTIPLIER)?;
                }
                cap::TYPE_ISR => function.isr = structure,
                cap::TYPE_DEVICE => function.device_cfg = structure,
                cap::TYPE_PCI_CFG => function.window = *at,
                _ => {}
            }
        }
        let missing = [&function.common, &function.notify, &function.isr, &function.device_cfg];
        if missing.iter().any(|structure| structure.len == 0) || function.window == 0 {
            return Err(bad(format!("a virtio structure is missing: {function:x?}")));
        }
        Ok(function)
    }

    /// Enables memory and bus mastering, sets sizes, switches MSI-X on.
    pub fn enable(&mut self, function: &Function) -> Result<(), EnumerateError> {
        let code = |bytes: usize| (bytes / 128).trailing_zeros() as u16;
        let control = function.pcie + cap::PCIE_DEVICE_CONTROL;
        let keep = self.config_u16(control)? & !(cap::DEVCTL_MPS_MASK | cap::DEVCTL_MRRS_MASK);
        let sizes =
            code(self.link().mps) << cap::DEVCTL_MPS_SHIFT | code(self.link().mrrs) << cap::DEVCTL_MRRS_SHIFT;
        let value = keep | sizes | cap::DEVCTL_EXTENDED_TAG;
        self.config_write(control, &value.to_le_bytes())?;
        let command = config::COMMAND_MEMORY | config::COMMAND_BUS_MASTER;
        self.config_write(config::COMMAND, &command.to_le_bytes())?;
        self.config_write(function.msix + msix::CAP_CONTROL, &msix::ENABLE.to_le_bytes())?;
        Ok(())
    }

    /// Programs one MSI-X table entry.
    pub fn program_vector(
        &mut self,
        function: &Function,
        vector: u16,
        addr: u64,
        data: u32,
        masked: bool,
    ) -> Result<(), RequestError> {
        let entry = function.table + u64::from(vector) * msix::ENTRY_BYTES;
        self.bar_write(entry, &addr.to_le_bytes())?;
        self.bar_write(entry + msix::ENTRY_DATA, &data.to_le_bytes())?;
        let control = if masked { msix::CONTROL_MASKED } else { 0 };
        self.bar_write(entry + msix::ENTRY_CONTROL, &control.to_le_bytes())
    }

    /// Function Level Reset, and what a kernel puts back afterwards.
    pub fn flr(&mut self, function: &Function) -> Result<(), EnumerateError> {
        let control = function.pcie + cap::PCIE_DEVICE_CONTROL;
        let value = self.config_u16(control)? | cap::DEVCTL_FLR;
        self.config_write(control, &value.to_le_bytes())?;
        // [PCIe base: Function Level Reset] allows 100 ms; ours is done when its DMA is.
        self.pump(FLR_CYCLES);
        self.monitor.order.forget_all();
        self.config_write(config::BAR0, &function.bar.to_le_bytes())?;
        self.enable(function)
    }
}

/// Capabilities lie behind the header, in double words, and below the extended space.
const FIRST_CAP: u16 = hematite_abi::layout::CAP_POWER as u16;
const CAPS_MOST: usize = (hematite_abi::config::SPACE_PCI_BYTES - FIRST_CAP as usize) / 4;

/// Cycles given to a Function Level Reset.
pub const FLR_CYCLES: u64 = 10_000;
