//! The model's device configuration: what it says, and when it changes.
//! Spec: [virtio 1.4: Network Device, Device configuration layout], [Gratuitous Packet Sending]

use hematite_abi::{feature, net as abi};

use super::Model;
use crate::facts::{hash, net, rss};

/// The wire's link, as it is and as the driver has been told; whether the driver is asked to announce itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) up: bool,
    pub(super) told: bool,
    pub(super) announce: Announce,
}

/// The driver is to announce itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announce {
    No,
    /// When it has read that the link is up, and then has had time to act on that, which ends in this cycle.
    Unread,
    At(u64),
    Asked,
}

impl Link {
    /// Of a body that has just been made.
    pub(super) const UP: Link = Link { up: true, told: true, announce: Announce::No };
}

impl Model {
    fn link_status(&self) -> u16 {
        (u16::from(self.link.told) * net::STATUS_LINK_UP)
            | (u16::from(self.link.announce == Announce::Asked) * net::STATUS_ANNOUNCE)
    }

    /// Tells the driver that the link has changed. [virtio 1.4: Gratuitous Packet Sending]
    pub(super) fn look_at_link(&mut self) {
        if self.link.up != self.link.told {
            self.link.told = self.link.up;
            let runs = self.registers.driver_ok() && self.registers.accepted(net::F_GUEST_ANNOUNCE);
            self.link.announce = if self.link.up && runs { Announce::Unread } else { Announce::No };
            self.link_changed();
        }
        if matches!(self.link.announce, Announce::At(due) if self.now >= due) {
            self.link.announce = Announce::Asked;
            self.link_changed();
        }
    }

    fn link_changed(&mut self) {
        self.registers.generation = self.registers.generation.wrapping_add(1);
        if self.registers.driver_ok() {
            self.interrupt_config();
        }
    }

    /// Something of the link is not told yet.
    pub(super) fn link_waits(&self) -> bool {
        self.link.up != self.link.told || matches!(self.link.announce, Announce::At(_))
    }

    /// [virtio 1.4: Network Device, Device configuration layout]
    pub(super) fn device_word(&mut self, offset: u64, be: u8) -> u32 {
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
        let reads_status = offset == net::CFG_STATUS & !3 && be >> (net::CFG_STATUS & 3) & 1 == 1;
        if reads_status && self.link.announce == Announce::Unread {
            let delay = abi::ANNOUNCE_DELAY_US as u64 * self.shape.clock_mhz;
            self.link.announce = Announce::At(self.now + delay);
        }
        let at = offset as usize;
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    }
}
