//! Lets the frames through that the driver wants: receive mode, addresses, VLANs.
//! In: `sink`; `settings`.   Out: `source`; `count_filtered`.
//! Time: a beat per cycle, two cycles through; a cycle more where a VLAN is set. The first beat has all that is looked at: W at least 128.
//! Waits: on `source`. Out of reset all frames pass; the VLANs are cleared in 64 cycles.
//! Addresses of the driver's table are known by a hash: some that it does not want pass, none that it wants is lost.
//! Spec: [virtio 1.4: Control Virtqueue: Packet Receive Filtering; Setting MAC Address Filtering; VLAN Filtering]

use crate::params::Params;
use crate::port::control::SettingSink;
use crate::port::frame::FrameSide;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::lutram::Lutram;
use hematite_abi::{ctrl, feature, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Filter<const W: usize> {
    pub clock: Signal<In, Clock>,
    /// Of the settings; frames go on.
    pub reset: Signal<In, Bit>,
    pub settings: SettingSink,
    /// CTRL_VLAN is accepted.
    pub by_vlan: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub source: BeatSource<W, FrameSide>,
    pub busy: Signal<Out, Bit>,
    /// The VLANs are being cleared.
    pub sweeping: Signal<Out, Bit>,
    /// Pulse: a frame was not wanted.
    pub count_filtered: Signal<Out, Bit>,
    // The settings.
    mode: Reg<Bits<8>>,
    mac: Reg<Bits<48>>,
    /// Which hashes of addresses are taken, all of them; the table that is being made.
    table: Reg<Bits<256>>,
    all: Reg<Bit>,
    coming: Reg<Bits<256>>,
    vlans: Lutram<Bits<64>>,
    /// A VLAN to be set.
    changing: Reg<Bit>,
    change: Reg<Bits<16>>,
    change_to: Reg<Bit>,
    sweep: Reg<Bits<7>>,
    was_reset: Reg<Bit>,
    // A beat that has come; what its first bytes are.
    held: Reg<Bit>,
    data: Reg<Bits<W>>,
    last: Reg<Bit>,
    side: Reg<FrameSide>,
    first: Reg<Bit>,
    hash: Reg<Bits<8>>,
    vlan: Reg<Bit>,
    // Within a frame; it passes.
    inside: Reg<Bit>,
    passing: Reg<Bit>,
    // On offer.
    offered: Reg<Bit>,
    out: Reg<Bits<W>>,
    out_last: Reg<Bit>,
    out_side: Reg<FrameSide>,
    head: Signal<Local, Bits<128>>,
    vid: Signal<Local, Bits<16>>,
    word: Signal<Local, Bits<64>>,
    group: Signal<Local, Bit>,
    listed: Signal<Local, Bit>,
    wanted: Signal<Local, Bit>,
    pass: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    able: Constant<Bit>,
    own: Constant<Bits<48>>,
    broadcast: Constant<Bits<48>>,
    tag: Constant<Bits<16>>,
    rows: Constant<Bits<7>>,
}

impl<const W: usize> Filter<W> {
    /// As `params` offers it; else all frames pass, without delay.
    pub fn new(params: &Params) -> Self {
        let able = params.offers(feature::CTRL_RX);
        assert!(!able || W >= 128, "{}: receive filter at {W} bits", params.name);
        let own = params.mac.iter().rev().fold(0, |mac, byte| mac << 8 | u64::from(*byte));
        Self {
            clock: Default::default(),
            reset: Default::default(),
            settings: Default::default(),
            by_vlan: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            busy: Default::default(),
            sweeping: Default::default(),
            count_filtered: Default::default(),
            mode: Reg::new(ctrl::MODE_PROMISC.into()),
            mac: Reg::new(own.into()),
            table: Default::default(),
            all: Default::default(),
            coming: Default::default(),
            vlans: Lutram::new(ctrl::VLANS / 64),
            changing: Default::default(),
            change: Default::default(),
            change_to: Default::default(),
            sweep: Default::default(),
            was_reset: Default::default(),
            held: Default::default(),
            data: Default::default(),
            last: Default::default(),
            side: Default::default(),
            first: Default::default(),
            hash: Default::default(),
            vlan: Default::default(),
            inside: Default::default(),
            passing: Default::default(),
            offered: Default::default(),
            out: Default::default(),
            out_last: Default::default(),
            out_side: Default::default(),
            head: Default::default(),
            vid: Default::default(),
            word: Default::default(),
            group: Default::default(),
            listed: Default::default(),
            wanted: Default::default(),
            pass: Default::default(),
            go: Default::default(),
            load: Default::default(),
            able: Constant::new(able),
            own: Constant::new(own.into()),
            broadcast: Constant::new((u64::MAX >> 16).into()),
            tag: Constant::new((net::ETHERTYPE_VLAN.swap_bytes() >> 48).into()),
            rows: Constant::new((ctrl::VLANS as u64 / 64).into()),
        }
    }
}

impl<const W: usize> Logic for Filter<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, vlans);
        dff_setup!(self, clock, mode, mac, table, all, coming, changing, change, change_to, sweep, was_reset);
        dff_setup!(self, clock, held, data, last, side, first, hash, vlan, inside, passing);
        dff_setup!(self, clock, offered, out, out_last, out_side);

        // Settings.
        self.changing.d.next = false;
        if self.settings.valid.val() {
            if self.settings.item.val() == ctrl::SET_RX_MODE {
                self.mode.d.next = self.settings.data.val().get_bits::<8>(0);
            }
            if self.settings.item.val() == ctrl::SET_MAC {
                self.mac.d.next =
                    ((self.mac.q.val() >> 32) << 32) | bit_cast::<48, 32>(self.settings.data.val());
                if self.settings.index.val().any() {
                    self.mac.d.next = (bit_cast::<48, 32>(self.settings.data.val()) << 32)
                        | bit_cast::<48, 32>(self.mac.q.val().get_bits::<32>(0));
                }
            }
            if self.settings.item.val() == ctrl::SET_MAC_NONE {
                self.coming.d.next = 0.into();
            }
            if self.settings.item.val() == ctrl::SET_MAC_HASH {
                self.coming.d.next =
                    self.coming.q.val().replace_bit(self.settings.index.val().get_bits::<8>(0).index(), true);
            }
            if self.settings.item.val() == ctrl::SET_MAC_TABLE {
                self.table.d.next = self.coming.q.val();
                self.all.d.next = self.settings.data.val().get_bit(0);
            }
            if self.settings.item.val() == ctrl::SET_VLAN {
                self.changing.d.next = true;
                self.change.d.next = self.settings.index.val();
                self.change_to.d.next = self.settings.data.val().get_bit(0);
            }
        }

        // A frame's first bytes: its destination; ethertype and tag, where it is tagged.
        self.head.next = bit_cast::<128, W>(self.sink.data.val());
        self.vid.next = bit_cast::<16, 8>(self.head.val().get_bits::<8>(120))
            | (bit_cast::<16, 4>(self.head.val().get_bits::<4>(112)) << 8);
        self.vlans.read_addr.next = self.vid.val() >> 6;
        if self.changing.q.val() {
            self.vlans.read_addr.next = self.change.q.val() >> 6;
        }
        self.word.next = self.vlans.read_data.val();
        self.vlans.write.next = self.changing.q.val();
        self.vlans.write_addr.next = self.change.q.val() >> 6;
        self.vlans.write_data.next =
            self.word.val().replace_bit(self.change.q.val().get_bits::<6>(0).index(), self.change_to.q.val());
        self.sweeping.next = self.able.val() & (self.sweep.q.val() != self.rows.val());
        if self.sweep.q.val() != self.rows.val() {
            self.vlans.write.next = true;
            self.vlans.write_addr.next = bit_cast::<16, 7>(self.sweep.q.val());
            self.vlans.write_data.next = 0.into();
            self.sweep.d.next = self.sweep.q.val() + 1;
        }

        // Whether the frame is wanted, when its first beat is here. "Promiscuous: ... all incoming packets", VLANs too.
        self.group.next = self.data.q.val().get_bit(0);
        self.listed.next = self.all.q.val() | self.table.q.val().get_bit(self.hash.q.val().index());
        self.wanted.next = !self.mode.q.val().get_bit(ctrl::MODE_NOUNI_BIT)
            & (self.mode.q.val().get_bit(ctrl::MODE_ALLUNI_BIT)
                | self.listed.val()
                | (self.data.q.val().get_bits::<48>(0) == self.mac.q.val()));
        if self.group.val() {
            self.wanted.next = !self.mode.q.val().get_bit(ctrl::MODE_NOMULTI_BIT)
                & (self.mode.q.val().get_bit(ctrl::MODE_ALLMULTI_BIT) | self.listed.val());
        }
        if self.data.q.val().get_bits::<48>(0) == self.broadcast.val() {
            self.wanted.next = !self.mode.q.val().get_bit(ctrl::MODE_NOBCAST_BIT);
        }
        self.pass.next = self.passing.q.val();
        if self.first.q.val() {
            self.pass.next = self.mode.q.val().get_bit(ctrl::MODE_PROMISC_BIT)
                | (self.wanted.val() & (self.vlan.q.val() | !self.by_vlan.val()));
        }

        // Beats.
        self.go.next = self.held.q.val() & (!self.offered.q.val() | self.source.ready.val());
        self.load.next =
            self.sink.valid.val() & (!self.held.q.val() | self.go.val()) & !self.changing.q.val();
        self.sink.ready.next = (!self.held.q.val() | self.go.val()) & !self.changing.q.val();
        self.count_filtered.next = self.go.val() & self.last.q.val() & !self.pass.val() & self.able.val();
        if self.source.ready.val() {
            self.offered.d.next = false;
        }
        if self.go.val() {
            self.held.d.next = false;
            self.passing.d.next = self.pass.val();
            self.offered.d.next = self.pass.val();
            self.out.d.next = self.data.q.val();
            self.out_last.d.next = self.last.q.val();
            self.out_side.d.next = self.side.q.val();
        }
        if self.load.val() {
            self.held.d.next = true;
            self.inside.d.next = !self.sink.last.val();
            self.data.d.next = self.sink.data.val();
            self.last.d.next = self.sink.last.val();
            self.side.d.next = self.sink.side.val();
            self.first.d.next = !self.inside.q.val();
            self.hash.d.next = self.head.val().get_bits::<8>(0)
                ^ self.head.val().get_bits::<8>(8)
                ^ self.head.val().get_bits::<8>(16)
                ^ self.head.val().get_bits::<8>(24)
                ^ self.head.val().get_bits::<8>(32)
                ^ self.head.val().get_bits::<8>(40);
            self.vlan.d.next = (self.head.val().get_bits::<16>(96) != self.tag.val())
                | self.word.val().get_bit(self.vid.val().get_bits::<6>(0).index());
        }
        self.source.valid.next = self.offered.q.val();
        self.source.data.next = self.out.q.val();
        self.source.last.next = self.out_last.q.val();
        self.source.side.next = self.out_side.q.val();
        self.busy.next = self.able.val()
            & (self.held.q.val() | self.offered.q.val() | self.changing.q.val() | self.sweeping.val());
        if !self.able.val() {
            self.source.valid.next = self.sink.valid.val();
            self.source.data.next = self.sink.data.val();
            self.source.last.next = self.sink.last.val();
            self.source.side.next = self.sink.side.val();
            self.sink.ready.next = self.source.ready.val();
        }

        // However long a reset lasts, it sweeps once.
        self.was_reset.d.next = self.reset.val();
        if self.reset.val() {
            self.mode.d.next = ctrl::MODE_PROMISC.into();
            self.mac.d.next = self.own.val();
            self.table.d.next = 0.into();
            self.all.d.next = false;
            self.changing.d.next = false;
            if !self.was_reset.q.val() {
                self.sweep.d.next = 0.into();
            }
        }
        if !self.able.val() {
            self.mode.d.next = ctrl::MODE_PROMISC.into();
            self.mac.d.next = self.own.val();
            self.table.d.next = 0.into();
            self.coming.d.next = 0.into();
            self.all.d.next = false;
            self.changing.d.next = false;
            self.sweep.d.next = 0.into();
            self.held.d.next = false;
            self.offered.d.next = false;
        }
    }
}
