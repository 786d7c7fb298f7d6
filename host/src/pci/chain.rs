//! Both chains of capabilities. Total: whatever the device says, the walk ends, and what is wrong is a finding.
//! Spec: [PCIe base: PCI-Compatible Configuration Registers], [PCIe base: PCI Express Extended Capabilities]

use hematite_abi::{config, layout};
use serde::Serialize;

use crate::bus::{Bus, config_number};
use crate::error::Result;
use crate::finding::{Finding, clause};

/// One capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// Where it is in configuration space.
    pub offset: usize,
    /// Its id.
    pub id: u16,
}

/// A chain, as far as it makes sense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// In the chain's order.
    pub capabilities: Vec<Capability>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl Chain {
    /// Where the first one of an id is.
    pub fn first(&self, id: u64) -> Option<usize> {
        self.all(id).next()
    }

    /// Where those of an id are.
    pub fn all(&self, id: u64) -> impl Iterator<Item = usize> {
        self.capabilities.iter().filter(move |one| u64::from(one.id) == id).map(|one| one.offset)
    }

    /// Notes a capability, unless the walk has been there.
    fn step(&mut self, offset: usize, id: u16, clause: &'static str) -> bool {
        let fresh = self.capabilities.iter().all(|one| one.offset != offset);
        if fresh {
            self.capabilities.push(Capability { offset, id });
        } else {
            self.findings.push(Finding::new(clause, format!("the chain comes back to {offset:#x}: a loop")));
        }
        fresh
    }
}

/// The lowest place of a capability, and the size of its head.
const FIRST: usize = config::MAX_LATENCY + 1;
const HEAD: usize = 4;
/// Pointers are multiples of this; the bits below are reserved.
const ALIGN: usize = 4;

/// Walks the chain below 100h. Who may not read that far sees none of it.
pub fn walk(bus: &mut dyn Bus) -> Result<Chain> {
    let mut chain = Chain::default();
    if bus.config_bytes() < config::SPACE_PCI_BYTES {
        return Ok(chain);
    }
    let status = u64::from(config_number(bus, config::STATUS, 2)?);
    if status & config::STATUS_CAPABILITIES == 0 {
        chain.findings.push(Finding::new(clause::CHAIN, "there is no capability list"));
        return Ok(chain);
    }
    let mut next = config_number(bus, config::CAP_POINTER, 1)? as usize;
    while next != 0 {
        let at = next & !(ALIGN - 1);
        if at != next {
            let text = format!("the pointer {next:#x} is no multiple of {ALIGN}");
            chain.findings.push(Finding::new(clause::CHAIN, text));
        }
        if at < FIRST {
            chain
                .findings
                .push(Finding::new(clause::CHAIN, format!("the chain leads to {at:#x}, into the header")));
            break;
        }
        let head = config_number(bus, at, 2)?;
        if !chain.step(at, head as u16 & 0xff, clause::CHAIN) {
            break;
        }
        next = head as usize >> 8;
    }
    Ok(chain)
}

/// Walks the chain from 100h on.
pub fn walk_extended(bus: &mut dyn Bus) -> Result<Chain> {
    let mut chain = Chain::default();
    let end = bus.config_bytes();
    let mut at = layout::CAP_INSPECTION;
    while at != 0 && end == config::SPACE_BYTES {
        let in_reach = at >= config::SPACE_PCI_BYTES && at + HEAD <= end && at.is_multiple_of(ALIGN);
        if !in_reach {
            chain.findings.push(Finding::new(clause::EXTENDED, format!("the chain leads to {at:#x}")));
            break;
        }
        let head = config_number(bus, at, HEAD)?;
        // A space without any begins with zeros; one that does not answer is all ones.
        if head == 0 || head == u32::MAX || !chain.step(at, head as u16, clause::EXTENDED) {
            break;
        }
        at = (head >> 20) as usize;
    }
    Ok(chain)
}
