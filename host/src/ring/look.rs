//! A ring as it lies in memory, whoever's it is: descriptors, chains, indirect tables followed. Total: whatever stands there,
//! the walk ends, reads through `Ram` alone, and says what is wrong. Spec: [virtio 1.4: Virtqueues]

use hematite_abi::{packed, ring};
use serde::Serialize;

use super::avail_entry;
use super::split::put;
use crate::error::Result;
use crate::finding::Finding;

/// Memory by the device's addresses.
pub trait Ram {
    /// Fills `data` from `address` on, or fails.
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()>;
}

/// Where a queue's areas are for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Entries.
    pub size: u16,
    /// Descriptors.
    pub descriptors: u64,
    /// The driver's.
    pub driver: u64,
    /// The device's.
    pub device: u64,
}

/// One descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// Its place in its table.
    pub index: u16,
    /// The buffer.
    pub address: u64,
    /// Its bytes.
    pub bytes: u32,
    /// Flags, as a number.
    pub flags: u16,
    /// And by name.
    pub names: Vec<&'static str>,
    /// Of an indirect table rather than of the ring.
    pub indirect: bool,
    /// Packed rings: the buffer's id.
    pub id: Option<u16>,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Its first descriptor.
    pub head: u16,
    /// The device has not given it back yet, as far as the ring says.
    pub available: bool,
    /// All of it.
    pub descriptors: Vec<Descriptor>,
    /// Why it ends before its end.
    pub broken: Option<String>,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// `avail.idx`; of packed rings none.
    pub available_index: Option<u16>,
    /// `used.idx`; of packed rings none.
    pub used_index: Option<u16>,
    /// Chains, in the ring's order.
    pub chains: Vec<Chain>,
    /// What is wrong.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    #[serde(skip)]
    descriptors: usize,
}

impl Seen {
    /// Takes a chain in; true if there is room for no more.
    fn add(&mut self, chain: Chain) -> bool {
        self.descriptors += chain.descriptors.len();
        self.chains.push(chain);
        self.descriptors > MOST
    }
}

/// No table is followed further, and no ring after so many descriptors in all.
const LONGEST: usize = 1024;
const MOST: usize = 1 << 17;
const TOO_MANY: &str = "there is more than is looked at";
const SPLIT: &str = "virtio 1.4: Split Virtqueues";
const PACKED: &str = "virtio 1.4: Packed Virtqueues";
const FLAGS: [(u64, &str); 3] =
    [(ring::DESC_F_NEXT, "next"), (ring::DESC_F_WRITE, "write"), (ring::DESC_F_INDIRECT, "indirect")];
const PACKED_FLAGS: [(u64, &str); 2] = [(packed::DESC_F_AVAIL, "avail"), (packed::DESC_F_USED, "used")];

fn number<const N: usize>(ram: &dyn Ram, address: Option<u64>) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let address = address.ok_or_else(|| crate::error::Error::Device("an address beyond the last".into()))?;
    ram.read(address, &mut bytes)?;
    Ok(bytes)
}

fn half(ram: &dyn Ram, base: u64, offset: u64) -> Result<u16> {
    Ok(u16::from_le_bytes(number(ram, base.checked_add(offset))?))
}

/// A descriptor's four fields: address, length, and two halves whose order both kinds of ring swap.
fn descriptor(
    ram: &dyn Ram,
    table: u64,
    index: u16,
    is_packed: bool,
    indirect: bool,
) -> Result<(Descriptor, u16)> {
    let bytes: [u8; ring::DESC_BYTES] =
        number(ram, table.checked_add(u64::from(index) * ring::DESC_BYTES as u64))?;
    let half = |lsb: usize| u16::from_le_bytes([bytes[lsb / 8], bytes[lsb / 8 + 1]]);
    let (flags, other) = if is_packed {
        (half(packed::DESC_FLAGS_LSB), half(packed::DESC_ID_LSB))
    } else {
        (half(ring::DESC_FLAGS_LSB), half(ring::DESC_NEXT_LSB))
    };
    let mut address = [0; 8];
    put(&mut address, 0, &bytes[..8]);
    let length = ring::DESC_LEN_LSB / 8;
    let more: &[(u64, &str)] = if is_packed { &PACKED_FLAGS } else { &[] };
    let named = FLAGS.iter().chain(more).filter(|(bit, _)| u64::from(flags) & bit != 0);
    let one = Descriptor {
        index,
        address: u64::from_le_bytes(address),
        bytes: u32::from_le_bytes(std::array::from_fn(|byte| bytes[length + byte])),
        flags,
        names: named.map(|(_, name)| *name).collect(),
        indirect,
        id: is_packed.then_some(other),
    };
    Ok((one, other))
}

pub(crate) fn has(one: &Descriptor, flag: u64) -> bool {
    u64::from(one.flags) & flag != 0
}

/// The descriptors of a table that hangs on `one`.
fn table(ram: &dyn Ram, one: &Descriptor, is_packed: bool, chain: &mut Chain) -> Result<()> {
    let bytes = one.bytes as usize;
    if bytes == 0 || !bytes.is_multiple_of(ring::DESC_BYTES) {
        chain.broken = Some(format!("an indirect table of {bytes} bytes"));
        return Ok(());
    }
    let count = bytes / ring::DESC_BYTES;
    // A packed ring's table is used in its order; a split ring's is a list again.
    let mut index = 0;
    for _ in 0..count.min(LONGEST) {
        let (inner, next) = descriptor(ram, one.address, index, is_packed, true)?;
        let more = if is_packed { usize::from(index) + 1 < count } else { has(&inner, ring::DESC_F_NEXT) };
        let nested = has(&inner, ring::DESC_F_INDIRECT);
        chain.descriptors.push(inner);
        if nested {
            chain.broken = Some("a table in a table".into());
            return Ok(());
        }
        if !more {
            return Ok(());
        }
        index = if is_packed { index + 1 } else { next };
        if usize::from(index) >= count {
            chain.broken = Some(format!("next is {index}, and the table has {count}"));
            return Ok(());
        }
    }
    chain.broken = Some("the table comes back to itself, or is too long".into());
    Ok(())
}

/// Looks at a split ring: chains which are available, then those given back last.
pub fn split(ram: &dyn Ram, at: Addresses) -> Result<Seen> {
    let available = half(ram, at.driver, ring::AVAIL_IDX as u64)?;
    let used = half(ram, at.device, ring::USED_IDX as u64)?;
    let mut seen = Seen { available_index: Some(available), used_index: Some(used), ..Seen::default() };
    if at.size == 0 || !at.size.is_power_of_two() {
        let text = format!("size {} is no power of two", at.size);
        seen.findings.push(Finding::new(SPLIT, text));
        return Ok(seen);
    }
    let waiting = available.wrapping_sub(used);
    if waiting > at.size {
        let text =
            format!("avail.idx is {available}, used.idx {used}: further apart than the {} entries", at.size);
        seen.findings.push(Finding::new(SPLIT, text));
    }
    for back in (1..=waiting.min(at.size)).rev() {
        let entry = avail_entry(at.size, available.wrapping_sub(back));
        let head = half(ram, at.driver, entry)?;
        let chain = split_chain(ram, at, head);
        if let Some(broken) = &chain.broken {
            seen.findings.push(Finding::new(SPLIT, format!("chain {head}: {broken}")));
        }
        let full = seen.add(chain);
        if full {
            seen.findings.push(Finding::new(SPLIT, TOO_MANY));
            break;
        }
    }
    Ok(seen)
}

/// The chain of a split ring that begins at `head`.
pub(crate) fn split_chain(ram: &dyn Ram, at: Addresses, head: u16) -> Chain {
    let mut chain = Chain { head, available: true, descriptors: vec![], broken: None };
    let mut index = head;
    for _ in 0..at.size {
        if index >= at.size {
            chain.broken = Some(format!("descriptor {index} of {}", at.size));
            return chain;
        }
        let (one, next) = match descriptor(ram, at.descriptors, index, false, false) {
            Ok(read) => read,
            Err(error) => {
                chain.broken = Some(error.to_string());
                return chain;
            }
        };
        chain.descriptors.push(one.clone());
        if has(&one, ring::DESC_F_INDIRECT) {
            if has(&one, ring::DESC_F_NEXT) {
                chain.broken = Some("a descriptor with both next and indirect".into());
            } else if let Err(error) = table(ram, &one, false, &mut chain) {
                chain.broken = Some(error.to_string());
            }
            return chain;
        }
        if !has(&one, ring::DESC_F_NEXT) {
            return chain;
        }
        index = next;
    }
    chain.broken = Some("it comes back to itself".into());
    chain
}

/// Looks at a packed ring: every descriptor in its order, joined to chains. Without the driver's wrap counter it is not told
/// what is available; flags that differ say so, as far as the ring has gone round once.
pub fn packed(ram: &dyn Ram, at: Addresses) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut index = 0;
    while index < at.size {
        let (one, _) = descriptor(ram, at.descriptors, index, true, false)?;
        let mine = has(&one, packed::DESC_F_AVAIL) != has(&one, packed::DESC_F_USED);
        let mut chain = Chain { head: index, available: mine, descriptors: vec![one], broken: None };
        while let Some(last) = chain.descriptors.last() {
            index += 1;
            if !has(last, ring::DESC_F_NEXT) {
                break;
            }
            if index >= at.size {
                // It goes on at the ring's start, which has been shown.
                break;
            }
            chain.descriptors.push(descriptor(ram, at.descriptors, index, true, false)?.0);
        }
        let tables: Vec<Descriptor> =
            chain.descriptors.iter().filter(|one| mine && has(one, ring::DESC_F_INDIRECT)).cloned().collect();
        for one in tables {
            if chain.descriptors.len() > MOST {
                chain.broken = Some(TOO_MANY.into());
                break;
            }
            if let Err(error) = table(ram, &one, true, &mut chain) {
                chain.broken = Some(error.to_string());
            }
        }
        if let Some(broken) = chain.broken.as_ref().filter(|_| mine) {
            seen.findings.push(Finding::new(PACKED, format!("chain at {}: {broken}", chain.head)));
        }
        // A descriptor that nobody has written yet is no chain.
        if chain.descriptors.iter().any(|one| one.flags != 0 || one.bytes != 0) {
            let full = seen.add(chain);
            if full {
                seen.findings.push(Finding::new(PACKED, TOO_MANY));
                break;
            }
        }
    }
    Ok(seen)
}
