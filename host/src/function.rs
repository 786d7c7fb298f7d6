//! A virtio function: what it is and where its structures are. Found once; what changes is read when it is asked for.

use std::path::Path;

use hematite_abi::{layout, pci_cap};

use crate::address::{Address, Bdf};
use crate::bus::sysfs::Sysfs;
use crate::bus::vfio::{self, Vfio};
use crate::bus::vfio_user::VfioUser;
use crate::bus::{Bar, Bus, Holder};
use crate::error::{Error, Result};
use crate::finding::{Finding, clause};
use crate::inspection::Inspection;
use crate::kernel::{DEVICES, Kernel};
use crate::pci::chain::{self, Capability, Chain};
use crate::pci::{Header, Link, Msix};
use crate::structure::{self, Kind, Structure};

/// Device ids of modern virtio functions begin here, those of transitional ones there.
const MODERN: u16 = 0x1040;
const TRANSITIONAL: u16 = 0x1000;
const LAST: u16 = 0x107f;
/// Kinds of device by their number. Spec: [virtio 1.4: Device Types]
const KINDS: [(u16, &str); 12] = [
    (1, "network"),
    (2, "block"),
    (3, "console"),
    (4, "entropy"),
    (5, "balloon"),
    (8, "scsi"),
    (9, "9p"),
    (16, "gpu"),
    (18, "input"),
    (19, "socket"),
    (24, "memory"),
    (26, "filesystem"),
];
const NETWORK: u16 = 1;

/// True for ids of virtio functions.
pub fn is_virtio(vendor: u16, device: u16) -> bool {
    u64::from(vendor) == layout::VENDOR_ID && (TRANSITIONAL..=LAST).contains(&device)
}

/// True for ids of network devices.
pub fn is_network(device: u16) -> bool {
    device == MODERN + NETWORK || device == TRANSITIONAL
}

/// What a kind of device is called.
pub fn kind_name(number: u16) -> &'static str {
    KINDS.iter().find(|(kind, _)| *kind == number).map_or("unknown", |(_, name)| name)
}

/// A function and the way to it.
pub struct Function {
    /// The way.
    pub bus: Box<dyn Bus>,
    /// What the kernel says, if it is on this machine.
    pub kernel: Option<Kernel>,
    /// The head of configuration space.
    pub header: Header,
    /// Capabilities below 100h.
    pub capabilities: Vec<Capability>,
    /// Capabilities from 100h on.
    pub extended: Vec<Capability>,
    /// Virtio's structures, usable or not.
    pub structures: Vec<Structure>,
    /// MSI-X.
    pub msix: Option<Msix>,
    /// The link.
    pub link: Option<Link>,
    /// Where the inspection region is, if it is one of ours.
    pub inspection: Option<Inspection>,
    /// What is wrong with all that.
    pub findings: Vec<Finding>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// Goes to a function.
pub fn open(address: &Address) -> Result<Function> {
    match address {
        Address::VfioUser(path) => Function::discover(Box::new(VfioUser::connect(path)?), None),
        Address::Pci(bdf) => open_pci(Path::new(DEVICES), *bdf),
    }
}

/// Looks at a function of this machine and leaves it as it is, whoever has it: to open it by VFIO would reset it.
pub fn look_pci(devices: &Path, bdf: Bdf) -> Result<Function> {
    let bus = Sysfs::open(devices, bdf)?;
    let kernel = Kernel::read(bus.home());
    Function::discover(Box::new(bus), Some(kernel))
}

/// Goes to a function of this machine, in the folder of functions: by VFIO if vfio-pci has it.
pub fn open_pci(devices: &Path, bdf: Bdf) -> Result<Function> {
    let bus = Sysfs::open(devices, bdf)?;
    let kernel = Kernel::read(bus.home());
    if kernel.driver.as_deref() == Some(vfio::DRIVER) {
        let bus = Vfio::open(bus.home(), bdf)?;
        return Function::discover(Box::new(bus), Some(kernel));
    }
    Function::discover(Box::new(bus), Some(kernel))
}

impl Function {
    /// Looks at what is there. Fails only if the way to it does.
    pub fn discover(mut bus: Box<dyn Bus>, kernel: Option<Kernel>) -> Result<Function> {
        let header = Header::read(&mut *bus)?;
        let (mut findings, mut notes) = (vec![], vec![]);
        if bus.config_bytes() < hematite_abi::config::SPACE_PCI_BYTES {
            notes.push(format!(
                "only {} bytes of configuration space can be read: are you root?",
                bus.config_bytes()
            ));
        }
        let Chain { capabilities, findings: wrong } = chain::walk(&mut *bus)?;
        findings.extend(wrong);
        let Chain { capabilities: extended, findings: wrong } = chain::walk_extended(&mut *bus)?;
        findings.extend(wrong);
        let chain = Chain { capabilities, findings: vec![] };
        let structures = structure::read_all(&mut *bus, &chain, &mut findings)?;
        let msix = Msix::read(&mut *bus, &chain, &mut findings)?;
        let link = Link::read(&mut *bus, &chain)?;
        let beyond = Chain { capabilities: extended, findings: vec![] };
        let inspection = Inspection::find(&mut *bus, &beyond, &mut findings)?;
        let mut function = Function {
            bus,
            kernel,
            header,
            capabilities: chain.capabilities,
            extended: beyond.capabilities,
            structures,
            msix,
            link,
            inspection,
            findings,
            notes,
        };
        function.check_ids();
        function.switch_on()?;
        Ok(function)
    }

    /// The number of its kind of device.
    fn kind_number(&self) -> Option<u16> {
        let Header { vendor_id, device_id, subsystem_id, .. } = self.header;
        match device_id {
            _ if !is_virtio(vendor_id, device_id) => None,
            MODERN.. => Some(device_id - MODERN),
            _ => Some(subsystem_id),
        }
    }

    /// What kind of device it is.
    pub fn kind(&self) -> &'static str {
        self.kind_number().map_or("unknown", kind_name)
    }

    /// Whether it is a network device.
    pub fn is_network(&self) -> bool {
        self.kind_number() == Some(NETWORK)
    }

    fn check_ids(&mut self) {
        let Header { vendor_id, device_id, revision, .. } = self.header;
        if self.kind_number().is_none() {
            let text = format!("{vendor_id:04x}:{device_id:04x} is no virtio function");
            self.findings.push(Finding::new(clause::DISCOVERY, text));
        } else if device_id >= MODERN && revision == 0 {
            let text = "revision 0: a non-transitional device SHOULD have 1 or more";
            self.notes.push(text.into());
        }
        if self.bus.config_bytes() >= hematite_abi::config::SPACE_PCI_BYTES && self.kind_number().is_some() {
            for kind in [Kind::Common, Kind::Notify, Kind::Isr] {
                if self.structure(kind).is_none() {
                    let text = format!("no {kind:?} structure that can be used");
                    self.findings.push(Finding::new(clause::CAPABILITIES, text));
                }
            }
            if !self.structures.iter().any(|one| u64::from(one.cfg_type) == pci_cap::TYPE_PCI_CFG) {
                let text = "no PCI_CFG capability: the device MUST present at least one";
                self.findings.push(Finding::new(clause::CAPABILITIES, text));
            }
        }
    }

    /// Lets the BARs answer, if the function is ours; if it is not, they may be off.
    fn switch_on(&mut self) -> Result<()> {
        use hematite_abi::config;
        if self.header.memory {
            return Ok(());
        }
        if *self.bus.holder() != Holder::Us {
            self.notes
                .push("its BARs are switched off: no driver has it, and nothing of them can be read".into());
            return Ok(());
        }
        let command = crate::bus::config_number(&mut *self.bus, config::COMMAND, 2)?;
        let wanted = command as u16 | config::COMMAND_MEMORY as u16;
        self.bus.config_write(config::COMMAND, &wanted.to_le_bytes())?;
        self.header.memory = true;
        Ok(())
    }

    /// The first structure of a kind that can be used: the device lists them by preference.
    pub fn structure(&self, kind: Kind) -> Option<&Structure> {
        self.structures.iter().find(|one| one.kind == kind && one.usable)
    }

    /// The same, if the BARs answer. Or why not.
    pub fn reach(&self, kind: Kind) -> Result<Structure> {
        let next = "`hematite show` says where they are";
        if !self.header.memory {
            let what = format!("{}: the BARs are switched off", self.bus.address());
            return Err(Error::Unable { what, next: "give the function to vfio-pci: `hematite bind`" });
        }
        let missing = || Error::Unable { what: format!("there is no {kind:?} structure within reach"), next };
        self.structure(kind).cloned().ok_or_else(missing)
    }

    /// The inspection region, if there is one and the BARs answer.
    pub fn inspection(&self) -> Option<Inspection> {
        self.inspection.clone().filter(|_| self.header.memory)
    }

    /// Whether it is ours, so that registers may be written.
    pub fn is_ours(&self) -> bool {
        *self.bus.holder() == Holder::Us
    }

    /// Sizes of the BARs that there are.
    pub fn bars(&self) -> Vec<(Bar, u64)> {
        Bar::all().map(|bar| (bar, self.bus.bar_bytes(bar))).filter(|(_, bytes)| *bytes > 0).collect()
    }
}
