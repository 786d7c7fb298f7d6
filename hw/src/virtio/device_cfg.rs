//! Device configuration of the network device: address, link, MTU, speed, what RSS there is.
//! In: `access`, `link_up`, `settings`, `announces`.   Out: `generation`; `config_change`, a pulse when `status` has changed.
//! Time: an access is answered in the cycle it comes.
//! Waits: never. Read only: writes are ignored.
//! When the link comes up again the driver is asked to announce itself, until it says that it has, or the link goes down: some time
//! after it has read that the link is up, for before it sends nothing.
//! Spec: [virtio 1.4: Network Device: Device configuration layout], [Gratuitous Packet Sending]

use crate::params::Params;
use crate::port::control::SettingSink;
use crate::port::mmio::MmioSlave;
use hematite_abi::{ctrl, feature, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct DeviceCfg {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access: MmioSlave,
    pub link_up: Signal<In, Bit>,
    pub settings: SettingSink,
    /// The driver is at work, and has accepted GUEST_ANNOUNCE.
    pub announces: Signal<In, Bit>,
    pub generation: Signal<Out, Bits<8>>,
    pub config_change: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    announce: Reg<Bit>,
    /// It will be asked to announce itself: when it has read that the link is up; when it has had time to act on that.
    unread: Reg<Bit>,
    waits: Reg<Bit>,
    waited: Reg<Bits<20>>,
    link: Reg<Bit>,
    count: Reg<Bits<8>>,
    mac_low: Reg<Bits<32>>,
    mac_high: Reg<Bits<16>>,
    own_low: Constant<Bits<32>>,
    own_high: Constant<Bits<16>>,
    pairs: Constant<Bits<32>>,
    speed: Constant<Bits<32>>,
    duplex: Constant<Bits<32>>,
    hash_types: Constant<Bits<32>>,
    announcing: Constant<Bit>,
    delay: Constant<Bits<20>>,
    status: Signal<Local, Bits<32>>,
    reads_status: Signal<Local, Bit>,
}

impl DeviceCfg {
    /// Address, MTU and speed from `params`.
    pub fn new(params: &Params) -> Self {
        let m = params.mac.map(u32::from);
        // Ethernet header and one VLAN tag come on top of the MTU.
        let hashes = params.offers(feature::RSS) || params.offers(feature::HASH_REPORT);
        let table = if params.offers(feature::RSS) { net::RSS_TABLE as u32 } else { 0 };
        let rss = match hashes {
            true => [net::RSS_KEY_BYTES as u32, table, net::HASH_TYPES_KNOWN as u32],
            false => [0; 3],
        };
        let mtu = (params.frame_bytes - 18) as u32;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            access: Default::default(),
            link_up: Default::default(),
            settings: Default::default(),
            generation: Default::default(),
            announces: Default::default(),
            config_change: Default::default(),
            busy: Default::default(),
            announce: Default::default(),
            unread: Default::default(),
            waits: Default::default(),
            waited: Default::default(),
            link: Default::default(),
            count: Default::default(),
            mac_low: Reg::new((m[0] | m[1] << 8 | m[2] << 16 | m[3] << 24).to_bits()),
            mac_high: Reg::new((m[4] | m[5] << 8).to_bits()),
            own_low: Constant::new((m[0] | m[1] << 8 | m[2] << 16 | m[3] << 24).to_bits()),
            own_high: Constant::new((m[4] | m[5] << 8).to_bits()),
            pairs: Constant::new((params.pairs as u32 | mtu << 16).to_bits()),
            speed: Constant::new(params.speed_mbps.to_bits()),
            duplex: Constant::new((net::DUPLEX_FULL as u32 | rss[0] << 8 | rss[1] << 16).to_bits()),
            hash_types: Constant::new(rss[2].to_bits()),
            announcing: Constant::new(params.offers(feature::GUEST_ANNOUNCE)),
            delay: Constant::new((net::ANNOUNCE_DELAY_US * params.clock_mhz).to_bits()),
            status: Default::default(),
            reads_status: Default::default(),
        }
    }
}

impl Logic for DeviceCfg {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, announce, unread, waits, waited, link, count, mac_low, mac_high);
        self.generation.next = self.count.q.val();
        self.link.d.next = self.link_up.val();
        self.config_change.next = false;
        self.status.next = 0.into();
        if self.link.q.val() {
            self.status.next = net::STATUS_LINK_UP_DW.into();
        }
        if self.announce.q.val() {
            self.status.next = self.status.val() | net::STATUS_ANNOUNCE_DW;
        }
        self.busy.next = (self.link.q.val() != self.link_up.val()) | self.waits.q.val();
        self.access.ready.next = self.access.valid.val();
        self.access.read_data.next = 0.into();
        self.reads_status.next = false;
        match self.access.addr.val().get_bits::<4>(2).index() {
            net::MAC_DW => self.access.read_data.next = self.mac_low.q.val(),
            net::STATUS_DW => {
                self.access.read_data.next = bit_cast::<32, 16>(self.mac_high.q.val()) | self.status.val();
                self.reads_status.next = self.access.valid.val()
                    & !self.access.write.val()
                    & self.access.strobe.val().get_bit(net::STATUS_LANE);
            }
            net::MTU_DW => self.access.read_data.next = self.pairs.val(),
            net::SPEED_DW => self.access.read_data.next = self.speed.val(),
            net::DUPLEX_DW => self.access.read_data.next = self.duplex.val(),
            net::SUPPORTED_HASH_TYPES_DW => self.access.read_data.next = self.hash_types.val(),
            _ => {}
        }
        // "The device MUST clear VIRTIO_NET_S_ANNOUNCE bit in the status field upon receipt of" ANNOUNCE_ACK.
        if self.settings.valid.val() & (self.settings.item.val() == ctrl::SET_ANNOUNCED) {
            self.announce.d.next = false;
        }
        // Linux (6.12) looks at ANNOUNCE before it takes note of LINK_UP, and what it sends until then is dropped: both at once would be
        // asking for nothing.
        if self.waits.q.val() {
            self.waited.d.next = self.waited.q.val() + 1;
            if self.waited.q.val() == self.delay.val() {
                self.waits.d.next = false;
                self.announce.d.next = true;
                self.count.d.next = self.count.q.val() + 1;
                self.config_change.next = true;
            }
        }
        if self.unread.q.val() & self.reads_status.val() {
            self.unread.d.next = false;
            self.waits.d.next = true;
            self.waited.d.next = 0.into();
        }
        // "The device MUST change the generation whenever there is any possibility of a driver seeing an inconsistent view".
        if self.link.q.val() != self.link_up.val() {
            self.count.d.next = self.count.q.val() + 1;
            self.config_change.next = true;
            self.announce.d.next = false;
            self.waits.d.next = false;
            self.unread.d.next = self.link_up.val() & self.announces.val();
        }
        if self.settings.valid.val() & (self.settings.item.val() == ctrl::SET_MAC) {
            if self.settings.index.val().any() {
                self.count.d.next = self.count.q.val() + 1;
                self.mac_high.d.next = self.settings.data.val().get_bits::<16>(0);
            } else {
                self.mac_low.d.next = self.settings.data.val();
            }
        }
        if self.reset.val() {
            self.mac_low.d.next = self.own_low.val();
            self.mac_high.d.next = self.own_high.val();
            // The link is not ours to reset; nobody is told of what he has not asked for yet.
            self.config_change.next = false;
            self.count.d.next = 0.into();
        }
        if self.reset.val() | !self.announcing.val() {
            self.announce.d.next = false;
            self.unread.d.next = false;
            self.waits.d.next = false;
            self.waited.d.next = 0.into();
        }
    }
}
