//! `config`: the network device's own configuration. Spec: [virtio 1.4: Network Device, Device configuration layout]

use hematite_abi::{common, net};
use serde::Serialize;

use super::Head;
use crate::bus::Bus;
use crate::common::Common;
use crate::error::{Error, Result};
use crate::finding::{Finding, clause};
use crate::function::Function;
use crate::structure::{Kind, Structure};

/// The fields. Null: the structure is too short for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetConfig {
    /// The address.
    pub mac: Option<String>,
    /// `status`.
    pub status: Option<u16>,
    /// Of which: the link is up.
    pub link_up: Option<bool>,
    /// Of which: the driver is to announce itself.
    pub announce: Option<bool>,
    /// Queue pairs there may be.
    pub max_virtqueue_pairs: Option<u16>,
    /// Largest packet without its Ethernet header.
    pub mtu: Option<u16>,
    /// Mbit/s; null too if it is not known.
    pub speed: Option<u32>,
    /// `full`, `half`; null if it is not known.
    pub duplex: Option<&'static str>,
    /// Longest RSS key.
    pub rss_max_key_size: Option<u8>,
    /// Largest indirection table.
    pub rss_max_indirection_table_length: Option<u16>,
    /// Hash types, as a number.
    pub supported_hash_types: Option<u32>,
    /// And by name.
    pub hash_types: Vec<&'static str>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// config_generation.
    pub generation: u8,
    /// What it holds. Which fields mean something is for the features to say.
    pub net: NetConfig,
}

/// How often a change in the middle of reading is put up with.
const TRIES: usize = 16;
/// DUPLEX of a half.
const HALF: u64 = 0;

impl Config {
    /// Gathers it; twice, if it changes meanwhile.
    pub fn gather(function: &mut Function) -> Result<Config> {
        let mut head = Head::of("config", function);
        if !function.is_network() {
            let what = format!("{} is no network device, but: {}", head.device, function.kind());
            return Err(Error::Unable { what, next: "`hematite show` shows what all devices have" });
        }
        let common = Common(function.reach(Kind::Common)?);
        let device = function.reach(Kind::Device)?;
        let bus = &mut *function.bus;
        for _ in 0..TRIES {
            let generation = common.get(bus, common::CONFIG_GENERATION)?;
            let net = NetConfig::read(bus, &device)?;
            if common.get(bus, common::CONFIG_GENERATION)? == generation {
                head.findings.extend(net.check());
                return Ok(Config { head, generation: generation as u8, net });
            }
        }
        Err(Error::Device(format!("config_generation has changed {TRIES} times while it was read")))
    }
}

impl NetConfig {
    fn read(bus: &mut dyn Bus, device: &Structure) -> Result<NetConfig> {
        let mut field = |offset: usize| match device.read(bus, net::REGS, offset) {
            Ok(value) => Ok(Some(value)),
            Err(Error::Bounds { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        let mac = field(net::MAC)?.map(|value| {
            let bytes = value.to_le_bytes();
            bytes[..net::MAC_BYTES].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
        });
        let status = field(net::STATUS)?;
        let hash_types = field(net::SUPPORTED_HASH_TYPES)?;
        let named =
            net::HASH_TYPES.iter().filter(|row| u128::from(hash_types.unwrap_or(0)) & row.mask() != 0);
        Ok(NetConfig {
            mac,
            status: status.map(|value| value as u16),
            link_up: status.map(|value| value & net::STATUS_LINK_UP != 0),
            announce: status.map(|value| value & net::STATUS_ANNOUNCE != 0),
            max_virtqueue_pairs: field(net::MAX_VIRTQUEUE_PAIRS)?.map(|value| value as u16),
            mtu: field(net::MTU)?.map(|value| value as u16),
            speed: field(net::SPEED)?.map(|value| value as u32).filter(|value| *value != u32::MAX),
            duplex: field(net::DUPLEX)?.and_then(|value| match value {
                net::DUPLEX_FULL => Some("full"),
                HALF => Some("half"),
                _ => None,
            }),
            rss_max_key_size: field(net::RSS_MAX_KEY_SIZE)?.map(|value| value as u8),
            rss_max_indirection_table_length: field(net::RSS_MAX_INDIRECTION_TABLE_LENGTH)?
                .map(|value| value as u16),
            supported_hash_types: hash_types.map(|value| value as u32),
            hash_types: named.map(|row| row.name.trim_end_matches("_BIT")).collect(),
        })
    }

    fn check(&self) -> Vec<Finding> {
        let multicast = self.mac.as_deref().and_then(|mac| u8::from_str_radix(mac.get(..2)?, 16).ok());
        match multicast {
            Some(first) if first & 1 == 1 => {
                vec![Finding::new(
                    clause::NET_CONFIG,
                    format!("mac is {}, a group's address", self.mac.as_deref().unwrap_or("")),
                )]
            }
            _ => vec![],
        }
    }
}

/// Whether the wire's link is up, if the device says so: STATUS is offered nearly always, and 0 without.
pub(super) fn link_up(function: &mut Function) -> Option<bool> {
    let device = function.reach(Kind::Device).ok().filter(|_| function.is_network())?;
    let status = device.read(&mut *function.bus, net::REGS, net::STATUS).ok()?;
    Some(status & net::STATUS_LINK_UP != 0)
}
