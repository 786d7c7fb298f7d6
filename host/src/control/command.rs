//! Commands of the control queue. Spec: [virtio 1.4: Network Device, Control Virtqueue]

use hematite_abi::{ctrl, feature, net};

use super::Driver;
use crate::error::{Error, Result};
use crate::ring::Buffer;

/// A receive mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All packets.
    Promiscuous,
    /// All multicasts.
    AllMulticast,
    /// All unicasts.
    AllUnicast,
    /// No multicasts.
    NoMulticast,
    /// No unicasts.
    NoUnicast,
    /// No broadcasts.
    NoBroadcast,
}

/// Which queues' interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Receive queues.
    Receive,
    /// Transmit queues.
    Transmit,
    /// One queue.
    Queue(u16),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The device's address.
    SetMac([u8; net::MAC_BYTES]),
    /// Addresses that are let through: unicast, multicast.
    SetMacTable(Vec<[u8; net::MAC_BYTES]>, Vec<[u8; net::MAC_BYTES]>),
    /// A receive mode, on or off.
    SetMode(Mode, bool),
    /// A VLAN is let through.
    AddVlan(u16),
    /// And no more.
    RemoveVlan(u16),
    /// Queue pairs in use.
    SetPairs(u16),
    /// Receive side scaling: hash types, queue of what has no hash, indirection table (a power of two), key.
    SetRss {
        /// Hash types, as bits.
        hash_types: u32,
        /// The queue of what has no hash.
        unclassified: u16,
        /// Receive queues by hash.
        table: Vec<u16>,
        /// The most transmit queues that are used.
        transmit_queues: u16,
        /// The key.
        key: Vec<u8>,
    },
    /// How long and for how many packets an interrupt may wait.
    SetCoalescing(Side, u32, u32),
    /// The driver has announced itself.
    Announced,
}

impl Command {
    /// The feature without which the command does not exist.
    pub fn needs(&self) -> usize {
        match self {
            Command::SetMac(_) => feature::CTRL_MAC_ADDR,
            Command::SetMacTable(..) => feature::CTRL_RX,
            Command::SetMode(Mode::Promiscuous | Mode::AllMulticast, _) => feature::CTRL_RX,
            Command::SetMode(..) => feature::CTRL_RX_EXTRA,
            Command::AddVlan(_) | Command::RemoveVlan(_) => feature::CTRL_VLAN,
            Command::SetPairs(_) => feature::MQ,
            Command::SetRss { .. } => feature::RSS,
            Command::SetCoalescing(Side::Queue(_), ..) => feature::VQ_NOTF_COAL,
            Command::SetCoalescing(..) => feature::NOTF_COAL,
            Command::Announced => feature::GUEST_ANNOUNCE,
        }
    }

    /// Class, command and what comes behind.
    fn bytes(&self) -> Vec<u8> {
        let (class, command, data) = match self {
            Command::SetMac(mac) => (ctrl::CLASS_MAC, ctrl::MAC_ADDR_SET, mac.to_vec()),
            Command::SetMacTable(one, several) => {
                let table = |list: &Vec<[u8; net::MAC_BYTES]>| {
                    let count = (list.len() as u32).to_le_bytes();
                    count.into_iter().chain(list.iter().flatten().copied()).collect::<Vec<u8>>()
                };
                (ctrl::CLASS_MAC, ctrl::MAC_TABLE_SET, [table(one), table(several)].concat())
            }
            Command::SetMode(mode, on) => (ctrl::CLASS_RX, mode.number(), vec![u8::from(*on)]),
            Command::AddVlan(vlan) => (ctrl::CLASS_VLAN, ctrl::VLAN_ADD, vlan.to_le_bytes().to_vec()),
            Command::RemoveVlan(vlan) => (ctrl::CLASS_VLAN, ctrl::VLAN_DEL, vlan.to_le_bytes().to_vec()),
            Command::SetPairs(pairs) => (ctrl::CLASS_MQ, ctrl::MQ_VQ_PAIRS_SET, pairs.to_le_bytes().to_vec()),
            Command::SetRss { hash_types, unclassified, table, transmit_queues, key } => {
                let mut data = hash_types.to_le_bytes().to_vec();
                data.extend((table.len() as u16).wrapping_sub(1).to_le_bytes());
                data.extend(unclassified.to_le_bytes());
                data.extend(table.iter().flat_map(|queue| queue.to_le_bytes()));
                data.extend(transmit_queues.to_le_bytes());
                data.push(key.len() as u8);
                data.extend(key);
                (ctrl::CLASS_MQ, ctrl::MQ_RSS_CONFIG, data)
            }
            Command::SetCoalescing(side, microseconds, packets) => {
                let limits = [packets.to_le_bytes(), microseconds.to_le_bytes()].concat();
                match side {
                    Side::Receive => (ctrl::CLASS_NOTF_COAL, ctrl::NOTF_COAL_RX_SET, limits),
                    Side::Transmit => (ctrl::CLASS_NOTF_COAL, ctrl::NOTF_COAL_TX_SET, limits),
                    Side::Queue(queue) => {
                        let head = [queue.to_le_bytes(), [0; 2]].concat();
                        (ctrl::CLASS_NOTF_COAL, ctrl::NOTF_COAL_VQ_SET, [head, limits].concat())
                    }
                }
            }
            Command::Announced => (ctrl::CLASS_ANNOUNCE, ctrl::ANNOUNCE_ACK, vec![]),
        };
        [vec![class as u8, command as u8], data].concat()
    }
}

impl Mode {
    fn number(self) -> u64 {
        match self {
            Mode::Promiscuous => ctrl::RX_PROMISC,
            Mode::AllMulticast => ctrl::RX_ALLMULTI,
            Mode::AllUnicast => ctrl::RX_ALLUNI,
            Mode::NoMulticast => ctrl::RX_NOMULTI,
            Mode::NoUnicast => ctrl::RX_NOUNI,
            Mode::NoBroadcast => ctrl::RX_NOBCAST,
        }
    }
}

impl Driver {
    /// Has a command carried out; false: the device refuses it.
    pub fn command(&mut self, command: &Command) -> Result<bool> {
        let needed = command.needs();
        let unable = |what: String| Error::Unable { what, next: "`hematite features` says what is offered" };
        if !self.has(needed) {
            let name = crate::feature::name(needed, true).unwrap_or("?");
            return Err(unable(format!("{command:?}: {name} is not agreed on")));
        }
        let limit = self.options.limit;
        let Some(queue) = self.control.as_mut() else {
            return Err(unable("there is no control queue".into()));
        };
        let bytes = command.bytes();
        if bytes.len() + 1 > self.scratch.bytes as usize {
            return Err(Error::Device(format!("a command of {} bytes", bytes.len())));
        }
        // The answer before the command: neither moves the other.
        let (answer, order) = (self.scratch.at, self.scratch.at + 1);
        self.arena.memory.write(answer, &[u8::MAX])?;
        self.arena.memory.write(order, &bytes)?;
        let chain = [
            Buffer { iova: self.arena.iova(order), bytes: bytes.len() as u32, writable: false },
            Buffer { iova: self.arena.iova(answer), bytes: 1, writable: true },
        ];
        if queue.ring.post(&self.arena.memory, &chain)?.is_none() {
            return Err(Error::Device(
                "the control queue is full: an earlier command was never answered".into(),
            ));
        }
        Driver::kick(&mut self.function, &self.notify, self.features, queue)?;
        if Driver::wait(&mut self.function, &self.arena, queue, limit, &mut self.interrupts)?.is_none() {
            return Err(Error::Late { what: format!("the answer to {command:?}"), limit });
        }
        match u64::from(self.arena.memory.array::<1>(answer)?[0]) {
            ctrl::ACK_OK => Ok(true),
            ctrl::ACK_ERR => Ok(false),
            other => Err(Error::Device(format!("{command:?} is answered by {other:#x}"))),
        }
    }
}
