//! Programs a board by the tool which its manifest names, and looks at the function before and after. Never through a shell.

mod manifest;
mod tool;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use manifest::Manifest;

use crate::address::Address;
use crate::bind::PciBus;
use crate::error::{Error, Result};
use crate::finding::{Finding, clause};
use crate::function;
use crate::report::SCHEMA;

/// What a function says it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ident {
    /// Version of the inspection region's layout.
    pub abi_version: u32,
    /// The hash of the source it was made from.
    pub source_hash: String,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flash {
    /// The version of reports.
    pub schema: u32,
    /// Which verb.
    pub report: &'static str,
    /// The board.
    pub board: String,
    /// Its chip.
    pub part: String,
    /// The file with the image.
    pub image: String,
    /// Its bytes.
    pub image_bytes: u64,
    /// The commands, each as a list of words.
    pub commands: Vec<Vec<String>>,
    /// Where the tools of these are.
    pub tools: Vec<PathBuf>,
    /// True: nothing was run.
    pub dry_run: bool,
    /// The function that is looked at.
    pub device: Option<String>,
    /// What is looked at, in words.
    pub checks: Vec<String>,
    /// What the function said before.
    pub before: Option<Ident>,
    /// What it says now.
    pub after: Option<Ident>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The board's manifest.
    pub manifest: &'a Path,
    /// The image.
    pub image: &'a Path,
    /// The function to look at.
    pub device: Option<&'a Address>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
}

/// Looks at everything that can be looked at, and then programs the board.
pub fn flash(wanted: &Wanted, bus: &PciBus) -> Result<Flash> {
    let manifest = Manifest::read(wanted.manifest)?;
    let image_bytes = manifest.check_image(wanted.image)?;
    let commands = manifest.commands(wanted.image)?;
    let tools = commands.iter().map(|words| tool::find(&words[0])).collect::<Result<Vec<_>>>()?;
    let mut report = Flash {
        schema: SCHEMA,
        report: "flash",
        board: manifest.board.clone(),
        part: manifest.part.clone(),
        image: wanted.image.display().to_string(),
        image_bytes,
        commands,
        tools,
        dry_run: wanted.dry_run,
        device: wanted.device.map(Address::to_string),
        checks: vec![],
        before: None,
        after: None,
        findings: vec![],
        notes: vec![],
    };
    report.say_checks(&manifest, wanted.device);
    if wanted.dry_run {
        return Ok(report);
    }
    if let Some(device) = wanted.device {
        report.look_before(device, &manifest)?;
        if let Address::Pci(bdf) = device {
            // The function goes away while its chip is programmed: the kernel must not hold on to it.
            bus.remove(*bdf)?;
        }
    }
    let mut ended = Ok(());
    for (words, path) in report.commands.iter().zip(&report.tools) {
        ended = ended.and_then(|()| tool::run(path, words, manifest.limit()));
    }
    if let Some(Address::Pci(_)) = wanted.device {
        // Whatever came of it: what is there now is to be found again.
        let found = bus.rescan();
        ended = ended.and(found);
    }
    ended?;
    if let Some(device) = wanted.device {
        report.look_after(device, &manifest)?;
    }
    Ok(report)
}

impl Flash {
    fn say_checks(&mut self, manifest: &Manifest, device: Option<&Address>) {
        let Some(device) = device else {
            self.notes.push("no --device: the function is looked at neither before nor after".into());
            return;
        };
        self.checks.push(format!("before: {device}, if it is there, is one of ours and nobody uses it"));
        if let Address::Pci(_) = device {
            self.checks.push("it is taken from the kernel, and the bus is scanned again behind".into());
        }
        let expected = &manifest.ident;
        if let Some(version) = expected.abi_version {
            self.checks.push(format!("after: abi_version is {version}"));
        }
        match &expected.source_hash {
            Some(hash) => self.checks.push(format!("after: source_hash is {hash}")),
            None => {
                self.notes.push("the manifest names no source_hash: which image it is is not checked".into())
            }
        }
    }

    /// A function that is somebody else's is not programmed over; none at all is a board that is empty.
    fn look_before(&mut self, device: &Address, manifest: &Manifest) -> Result<()> {
        match look(device) {
            Ok(Some(ident)) => {
                if manifest.ident.source_hash.as_deref() == Some(&ident.source_hash) {
                    self.notes.push("before: it was this image already".into());
                }
                self.before = Some(ident);
            }
            Ok(None) => {
                let what =
                    format!("{device} is a virtio function, and none of ours: it is not programmed over");
                let next = "name the right --device, or leave it out if this board is meant";
                return Err(Error::Unable { what, next });
            }
            Err(error) => self.notes.push(format!("before: no function to be seen: {error}")),
        }
        Ok(())
    }

    fn look_after(&mut self, device: &Address, manifest: &Manifest) -> Result<()> {
        let next = "does the board have its own power, and does its link train? Else a warm reboot: PCIe is scanned then";
        let ident = match look(device) {
            Ok(Some(ident)) => ident,
            Ok(None) => {
                let text = format!("{device} has no inspection region: it is not what was programmed");
                self.findings.push(Finding::new(clause::INSPECTION, text));
                return Ok(());
            }
            Err(error) => {
                let what = format!("the tool has ended well, but {device} is not to be seen: {error}");
                return Err(Error::Unable { what, next });
            }
        };
        let mut differ = |name: &str, expected: Option<String>, is: &str| {
            if let Some(expected) = expected.filter(|expected| expected != is) {
                let text = format!("after programming {name} is {is}, not {expected}");
                self.findings.push(Finding::new(clause::INSPECTION, text));
            }
        };
        let version = manifest.ident.abi_version.map(|version| version.to_string());
        differ("abi_version", version, &ident.abi_version.to_string());
        differ("source_hash", manifest.ident.source_hash.clone(), &ident.source_hash);
        self.after = Some(ident);
        Ok(())
    }
}

/// What the function says of itself; none if it is none of ours.
fn look(device: &Address) -> Result<Option<Ident>> {
    let mut function = function::open(device)?;
    let Some(inspection) = function.inspection() else { return Ok(None) };
    let parameters = inspection.parameters(&mut *function.bus)?;
    Ok(Some(Ident { abi_version: parameters.abi_version, source_hash: parameters.source_hash }))
}
