//! The model's device configuration: what it says, and when it changes.
//! Spec: [virtio 1.4: Network Device, Device configuration layout], [Gratuitous Packet Sending]

use hematite_abi::feature;

use super::Model;
use crate::facts::{hash, net, rss};

/// The wire's link, as it is and as the driver has been told; the driver is asked to announce itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) up: bool,
    pub(super) told: bool,
    pub(super) announce: bool,
}

impl Link {
    /// Of a body that has just been made.
    pub(super) const UP: Link = Link { up: true, told: true, announce: false };
}

impl Model {
    fn link_status(&self) -> u16 {
        (u16::from(self.link.told) * net::STATUS_LINK_UP)
            | (u16::from(self.link.announce) * net::STATUS_ANNOUNCE)
    }

    /// Tells the driver that the link has changed. [virtio 1.4: Gratuitous Packet Sending]
    pub(super) fn look_at_link(&mut self) {
        if self.link.up != self.link.told {
            self.link.told = self.link.up;
            let running = self.registers.driver_ok();
            self.link.announce = self.link.up && running && self.registers.accepted(net::F_GUEST_ANNOUNCE);
            self.registers.generation = self.registers.generation.wrapping_add(1);
            if running {
                self.interrupt_config();
            }
        }
    }

    /// [virtio 1.4: Network Device, Device configuration layout]
    pub(super) fn device_word(&self, offset: u64) -> u32 {
        let mut bytes = [0; net::CFG_BYTES as usize];
        bytes[net::CFG_MAC as usize..][..6].copy_from_slice(&self.settings.mac);
        bytes[net::CFG_STATUS as usize..][..2].copy_from_slice(&self.link_status().to_le_bytes());
        bytes[net::CFG_PAIRS as usize..][..2].copy_from_slice(&self.shape.pairs.to_le_bytes());
        bytes[net::CFG_MTU as usize..][..2].copy_from_slice(&self.shape.mtu.to_le_bytes());
        bytes[net::CFG_SPEED as usize..][..4].copy_from_slice(&self.shape.speed.to_le_bytes());
        bytes[net::CFG_DUPLEX as usize] = net::DUPLEX_FULL;
        let offers = |bit: usize| self.shape.features >> bit & 1 == 1;
        if offers(feature::RSS) || offers(feature::HASH_REPORT) {
            let table = if offers(feature::RSS) { rss::TABLE as u16 } else { 0 };
            bytes[net::CFG_KEY_BYTES as usize] = rss::KEY_BYTES as u8;
            bytes[net::CFG_TABLE_LENGTH as usize..][..2].copy_from_slice(&table.to_le_bytes());
            bytes[net::CFG_HASH_TYPES as usize..][..4].copy_from_slice(&hash::KNOWN.to_le_bytes());
        }
        let at = offset as usize;
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    }
}
