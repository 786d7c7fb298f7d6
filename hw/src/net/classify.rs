//! Looks into frames as they pass: the hash of addresses and ports by which a flow is known.
//! In: `sink`; `settings`: key and hash types.   Out: `source`, the same frames; `flow`, one for each.
//! Time: a frame passes without delay; its flow comes 4 cycles after its 64th byte or its end, of IPv6 6. One in a cycle, of IPv6 in three.
//! Waits: frames wait while the first 64 bytes of those before have not been looked at, and those for `flow`.
//! With `reset` the flows are forgotten, and that of a frame midway: as `net::buffer` forgets their lengths.
//! One VLAN tag is looked behind. IPv4 with options, fragments, and IPv6 with extension headers are known by their addresses.
//! Spec: [virtio 1.4: Network Device, Hash calculation for incoming packets]

use crate::params::Params;
use crate::port::control::SettingSink;
use crate::port::frame::{Flow, FrameSide};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::block_fifo::BlockFifo;
use crate::prim::stream::StreamSource;
use crate::prim::toeplitz::Toeplitz;
use hematite_abi::{ctrl, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Bytes of a frame that are looked at.
const LOOKED_AT: usize = 64;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Classify<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub settings: SettingSink,
    pub sink: BeatSink<W, FrameSide>,
    pub source: BeatSource<W, FrameSide>,
    pub flow: StreamSource<Flow>,
    pub busy: Signal<Out, Bit>,
    toeplitz: Toeplitz,
    flows: BlockFifo<Flow>,
    key: Reg<Bits<320>>,
    types: Reg<Bits<8>>,
    /// Those of automatic steering: all, or what is reported.
    types_then: Reg<Bits<8>>,
    // The first bytes of a frame: beats so far; bytes so far; all are here; a short frame's are moved into place.
    index: Reg<Bits<4>>,
    row: Reg<Bits<512>>,
    have: Reg<Bits<8>>,
    full: Reg<Bit>,
    moving: Reg<Bits<4>>,
    midway: Reg<Bit>,
    skipping: Reg<Bit>,
    // Behind its Ethernet header: so many bytes, of this type.
    third: Reg<Bit>,
    packet: Reg<Bits<352>>,
    bytes: Reg<Bits<8>>,
    ethertype: Reg<Bits<16>>,
    // What is hashed, in steps.
    hashing: Reg<Bit>,
    hashed: Reg<Bits<288>>,
    step: Reg<Bits<2>>,
    last_step: Reg<Bits<2>>,
    kind: Reg<Bits<3>>,
    hash: Reg<Bits<32>>,
    midway_now: Signal<Local, Bit>,
    can: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    collects: Signal<Local, Bit>,
    tagged: Signal<Local, Bit>,
    wide: Signal<Local, Bits<512>>,
    third_takes: Signal<Local, Bit>,
    hash_takes: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    version: Signal<Local, Bits<4>>,
    v4: Signal<Local, Bit>,
    v6: Signal<Local, Bit>,
    protocol: Signal<Local, Bits<8>>,
    ports: Signal<Local, Bit>,
    tcp: Signal<Local, Bit>,
    udp: Signal<Local, Bit>,
    able: Constant<Bit>,
    beats: Constant<Bits<4>>,
    up: Constant<Bits<16>>,
    down_half: Constant<Bits<16>>,
    first_key: Constant<Bits<320>>,
    vlan_type: Constant<Bits<16>>,
    v4_type: Constant<Bits<16>>,
    v6_type: Constant<Bits<16>>,
}

impl<const W: usize> Classify<W> {
    /// For several receive queues; with one, frames pass and there are no flows.
    pub fn new(params: &Params) -> Self {
        let first_key =
            (0..net::RSS_KEY_BYTES / 4).fold(Bits::<320>::default(), |key, _| key << 32 | net::RSS_KEY_START);
        let seen = |ethertype: u64| Constant::new((ethertype.swap_bytes() >> 48).into());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            settings: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            flow: Default::default(),
            busy: Default::default(),
            toeplitz: Default::default(),
            flows: BlockFifo::new(params.frames_held()),
            key: Reg::new(first_key),
            types: Reg::new(net::HASH_TYPES_KNOWN.into()),
            types_then: Reg::new(net::HASH_TYPES_KNOWN.into()),
            index: Default::default(),
            row: Default::default(),
            have: Default::default(),
            full: Default::default(),
            moving: Default::default(),
            midway: Default::default(),
            skipping: Default::default(),
            third: Default::default(),
            packet: Default::default(),
            bytes: Default::default(),
            ethertype: Default::default(),
            hashing: Default::default(),
            hashed: Default::default(),
            step: Default::default(),
            last_step: Default::default(),
            kind: Default::default(),
            hash: Default::default(),
            midway_now: Default::default(),
            can: Default::default(),
            passes: Default::default(),
            collects: Default::default(),
            tagged: Default::default(),
            wide: Default::default(),
            third_takes: Default::default(),
            hash_takes: Default::default(),
            ends: Default::default(),
            version: Default::default(),
            v4: Default::default(),
            v6: Default::default(),
            protocol: Default::default(),
            ports: Default::default(),
            tcp: Default::default(),
            udp: Default::default(),
            able: Constant::new(params.steers()),
            beats: Constant::new((LOOKED_AT * 8 / W).to_bits()),
            up: Constant::new((LOOKED_AT * 8 - W).to_bits()),
            down_half: Constant::new((W / 2).to_bits()),
            first_key: Constant::new(first_key),
            vlan_type: seen(net::ETHERTYPE_VLAN),
            v4_type: seen(net::ETHERTYPE_IPV4),
            v6_type: seen(net::ETHERTYPE_IPV6),
        }
    }
}

impl<const W: usize> Logic for Classify<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, flows);
        dff_setup!(self, clock, key, types, types_then, index, row, have, full, moving, midway, skipping);
        dff_setup!(self, clock, third, packet, bytes, ethertype);
        dff_setup!(self, clock, hashing, hashed, step, last_step, kind, hash);
        self.flows.reset.next = self.reset.val();
        self.flows.keep.next = true;
        self.flows.forget.next = false;
        StreamSource::<Flow>::link(&mut self.flow, &mut self.flows.source);

        // Steps are taken if what is before them is, the last one first.
        self.toeplitz.data.next = self.hashed.q.val().get_bits::<96>(0);
        self.toeplitz.key.next = self.key.q.val().get_bits::<128>(0);
        match self.step.q.val().index() {
            1 => self.toeplitz.key.next = self.key.q.val().get_bits::<128>(96),
            2 => self.toeplitz.key.next = self.key.q.val().get_bits::<128>(192),
            _ => {}
        }
        self.ends.next = self.hashing.q.val()
            & (self.step.q.val() == self.last_step.q.val())
            & self.flows.sink.ready.val();
        self.flows.sink.valid.next = self.hashing.q.val() & (self.step.q.val() == self.last_step.q.val());
        self.flows.sink.data.next.kind = self.kind.q.val();
        self.flows.sink.data.next.hash = self.hash.q.val() ^ self.toeplitz.hash.val();
        if !self.kind.q.val().any() {
            self.flows.sink.data.next.hash = 0.into();
        }
        if self.hashing.q.val() & (self.step.q.val() != self.last_step.q.val()) {
            self.step.d.next = self.step.q.val() + 1;
            self.hash.d.next = self.hash.q.val() ^ self.toeplitz.hash.val();
            self.hashed.d.next = self.hashed.q.val() >> 96;
        }
        if self.ends.val() {
            self.hashing.d.next = false;
        }

        // What of the packet is hashed, and how that is called.
        self.version.next = self.packet.q.val().get_bits::<4>(4);
        self.v4.next = (self.ethertype.q.val() == self.v4_type.val())
            & (self.version.val() == 4)
            & (self.bytes.q.val() >= 20);
        self.v6.next = (self.ethertype.q.val() == self.v6_type.val())
            & (self.version.val() == 6)
            & (self.bytes.q.val() >= 40);
        self.protocol.next = self.packet.q.val().get_bits::<8>(72);
        // Of more fragments, or another than the first; with options.
        self.ports.next = (self.bytes.q.val() >= 24)
            & (self.packet.q.val().get_bits::<4>(0) == 5)
            & !self.packet.q.val().get_bits::<6>(48).any()
            & !self.packet.q.val().get_bits::<8>(56).any();
        if self.v6.val() {
            self.protocol.next = self.packet.q.val().get_bits::<8>(48);
            self.ports.next = self.bytes.q.val() >= 44;
        }
        self.tcp.next = self.ports.val() & (self.protocol.val() == net::PROTOCOL_TCP);
        self.udp.next = self.ports.val() & (self.protocol.val() == net::PROTOCOL_UDP);
        self.hash_takes.next = self.third.q.val() & (!self.hashing.q.val() | self.ends.val());
        if self.hash_takes.val() {
            self.third.d.next = false;
            self.hashing.d.next = true;
            self.step.d.next = 0.into();
            self.last_step.d.next = 0.into();
            self.hash.d.next = 0.into();
            self.kind.d.next = 0.into();
            self.hashed.d.next = bit_cast::<288, 64>(self.packet.q.val().get_bits::<64>(96));
            if self.v4.val() {
                if self.types.q.val().get_bit(net::HASH_IPV4_BIT) {
                    self.kind.d.next = 1.into();
                }
                if self.tcp.val() & self.types.q.val().get_bit(net::HASH_TCPV4_BIT) {
                    self.kind.d.next = 2.into();
                    self.hashed.d.next = bit_cast::<288, 96>(self.packet.q.val().get_bits::<96>(96));
                }
                if self.udp.val() & self.types.q.val().get_bit(net::HASH_UDPV4_BIT) {
                    self.kind.d.next = 3.into();
                    self.hashed.d.next = bit_cast::<288, 96>(self.packet.q.val().get_bits::<96>(96));
                }
            }
            if self.v6.val() {
                self.last_step.d.next = 2.into();
                self.hashed.d.next = bit_cast::<288, 256>(self.packet.q.val().get_bits::<256>(64));
                if self.types.q.val().get_bit(net::HASH_IPV6_BIT) {
                    self.kind.d.next = 4.into();
                }
                if self.tcp.val() & self.types.q.val().get_bit(net::HASH_TCPV6_BIT) {
                    self.kind.d.next = 5.into();
                    self.hashed.d.next = self.packet.q.val().get_bits::<288>(64);
                }
                if self.udp.val() & self.types.q.val().get_bit(net::HASH_UDPV6_BIT) {
                    self.kind.d.next = 6.into();
                    self.hashed.d.next = self.packet.q.val().get_bits::<288>(64);
                }
            }
        }

        // The Ethernet header is taken away, with a tag.
        self.tagged.next = self.row.q.val().get_bits::<16>(96) == self.vlan_type.val();
        self.third_takes.next =
            self.full.q.val() & !self.moving.q.val().any() & (!self.third.q.val() | self.hash_takes.val());
        if self.third_takes.val() {
            self.full.d.next = false;
            self.third.d.next = true;
            self.packet.d.next = self.row.q.val().get_bits::<352>(112);
            self.ethertype.d.next = self.row.q.val().get_bits::<16>(96);
            self.bytes.d.next = self.have.q.val() - 14;
            if self.have.q.val() < 14 {
                self.bytes.d.next = 0.into();
            }
            if self.tagged.val() {
                self.packet.d.next = self.row.q.val().get_bits::<352>(144);
                self.ethertype.d.next = self.row.q.val().get_bits::<16>(128);
                self.bytes.d.next = self.have.q.val() - 18;
                if self.have.q.val() < 18 {
                    self.bytes.d.next = 0.into();
                }
            }
        }
        if self.moving.q.val().any() {
            self.moving.d.next = self.moving.q.val() - 1;
            self.row.d.next = (self.row.q.val() >> self.down_half.val()) >> self.down_half.val();
        }

        // Beats pass; the first of them are kept.
        self.can.next = !self.full.q.val()
            | (self.third_takes.val() & !self.index.q.val().any())
            | (self.index.q.val() == self.beats.val())
            | self.skipping.q.val()
            | self.reset.val()
            | !self.able.val();
        self.source.valid.next = self.sink.valid.val() & self.can.val();
        self.source.data.next = self.sink.data.val();
        self.source.last.next = self.sink.last.val();
        self.source.side.next = self.sink.side.val();
        self.sink.ready.next = self.source.ready.val() & self.can.val();
        self.passes.next = self.source.valid.val() & self.source.ready.val();
        self.collects.next = self.passes.val()
            & (self.index.q.val() != self.beats.val())
            & !self.skipping.q.val()
            & !self.reset.val();
        self.wide.next = bit_cast::<512, W>(self.sink.data.val());
        if self.collects.val() {
            self.index.d.next = self.index.q.val() + 1;
            self.row.d.next = ((self.row.q.val() >> self.down_half.val()) >> self.down_half.val())
                | (self.wide.val() << self.up.val());
            self.have.d.next = bit_cast::<8, 7>(self.sink.side.val().count);
            if self.index.q.val().any() {
                self.have.d.next = self.have.q.val() + bit_cast::<8, 7>(self.sink.side.val().count);
            }
            self.full.d.next = self.sink.last.val() | (self.index.q.val() + 1 == self.beats.val());
            if self.sink.last.val() {
                self.moving.d.next = self.beats.val() - self.index.q.val() - 1;
            }
        }
        self.midway_now.next = self.midway.q.val();
        if self.passes.val() {
            self.midway_now.next = !self.sink.last.val();
            if self.sink.last.val() {
                self.skipping.d.next = false;
                self.index.d.next = 0.into();
            }
        }
        self.midway.d.next = self.midway_now.val();
        self.busy.next = self.able.val() & (self.full.q.val() | self.third.q.val() | self.hashing.q.val());

        if self.settings.valid.val() {
            if self.settings.item.val() == ctrl::SET_PAIRS {
                self.types.d.next = self.types_then.q.val();
            }
            if self.settings.item.val() == ctrl::SET_HASH {
                self.types.d.next = self.settings.data.val().get_bits::<8>(0);
                self.types_then.d.next = self.settings.data.val().get_bits::<8>(0);
                if !self.settings.data.val().any() {
                    self.types.d.next = net::HASH_TYPES_KNOWN.into();
                    self.types_then.d.next = net::HASH_TYPES_KNOWN.into();
                }
            }
            if self.settings.item.val() == ctrl::SET_RSS {
                self.types.d.next = self.settings.data.val().get_bits::<8>(0);
            }
            if self.settings.item.val() == ctrl::SET_RSS_KEY {
                // Ten of them, the first one first.
                self.key.d.next =
                    (self.key.q.val() >> 32) | (bit_cast::<320, 32>(self.settings.data.val()) << 288);
            }
        }
        if self.reset.val() {
            self.key.d.next = self.first_key.val();
            self.types.d.next = net::HASH_TYPES_KNOWN.into();
            self.types_then.d.next = net::HASH_TYPES_KNOWN.into();
            self.skipping.d.next = self.midway_now.val();
        }
        if self.reset.val() | !self.able.val() {
            self.index.d.next = 0.into();
            self.full.d.next = false;
            self.moving.d.next = 0.into();
            self.third.d.next = false;
            self.hashing.d.next = false;
        }
        if !self.able.val() {
            self.key.d.next = self.first_key.val();
            self.skipping.d.next = false;
            self.midway.d.next = false;
        }
    }
}
