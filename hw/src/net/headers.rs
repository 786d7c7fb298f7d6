//! Puts headers before the payload of each segment. Frames pass.
//! In: `sink`, pieces from the transmit buffer; `sum`, one for each piece.   Out: `source`, frames; `patch`, one checksum for each.
//! Time: frames pass in no time; a packet's headers take a cycle for each two bytes, a segment's 11 cycles and as many beats as they have.
//! Waits: on `source`; a piece for its sum.
//! Segments of a packet whose headers cannot be made out (neither IPv4 nor IPv6, or not as long as was said) are dropped.
//! Spec: [virtio 1.4: Network Device, Packet Transmission]; RFC 791, 8200, 9293, 768

use crate::params::Params;
use crate::port::frame::{FrameSide, Sent, Sum};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::header_ram::HeaderRam;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Headers<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub sum: StreamSink<Sum>,
    pub source: BeatSource<W, FrameSide>,
    pub patch: StreamSource<Sum>,
    pub busy: Signal<Out, Bit>,
    /// Bytes that left in the cycle before.
    pub count_bytes: Signal<Out, Bits<7>>,
    /// Pulse, the cycle after: the headers of a packet cannot be made out.
    pub count_bad: Signal<Out, Bit>,
    /// Beside it: whose packet it is.
    pub count_owner: Signal<Out, Bits<16>>,
    /// Pulse: a frame has left, as `sent` says, which is a register.
    pub count_sent: Signal<Out, Bit>,
    pub sent: Signal<Out, Sent>,
    ram: HeaderRam<W>,
    counted: Reg<Bits<7>>,
    gone_bad: Reg<Bit>,
    gone: Reg<Bit>,
    gone_as: Reg<Sent>,
    // What is going on; nothing of it: a piece is waited for.
    scanning: Reg<Bit>,
    fixing: Reg<Bit>,
    leading: Reg<Bit>,
    flowing: Reg<Bit>,
    // The word being looked at, and its number; the one that is read.
    row: Reg<Bits<7>>,
    next: Reg<Bits<8>>,
    place: Reg<Bits<8>>,
    word: Reg<Bits<16>>,
    looked: Reg<Bit>,
    // Of the headers: bytes; whose; where things are, in words; whether they are as they should be.
    bytes: Reg<Bits<16>>,
    owner: Reg<Bits<16>>,
    udp: Reg<Bit>,
    transport: Reg<Bits<8>>,
    type_at: Reg<Bits<8>>,
    network: Reg<Bits<8>>,
    found: Reg<Bit>,
    v4: Reg<Bit>,
    good: Reg<Bit>,
    // Of the packet: what its segments have in common, and what changes from one to the next.
    ip_sum: Reg<Bits<32>>,
    sum_of: Reg<Bits<32>>,
    old_len: Reg<Bits<16>>,
    id: Reg<Bits<16>>,
    seq: Reg<Bits<32>>,
    flags: Reg<Bits<16>>,
    first: Reg<Bit>,
    // Of the segment.
    at_step: Reg<Bits<4>>,
    payload: Reg<Bits<16>>,
    total: Reg<Bits<16>>,
    ip_len: Reg<Bits<16>>,
    udp_len: Reg<Bits<16>>,
    /// Where a checksum stands, of every segment.
    check_at: Reg<Bits<16>>,
    ip_check: Reg<Bits<32>>,
    check: Reg<Bits<32>>,
    idle: Signal<Local, Bit>,
    from_network: Signal<Local, Bits<8>>,
    from_transport: Signal<Local, Bits<8>>,
    at_word: Signal<Local, Bits<8>>,
    flags_now: Signal<Local, Bits<16>>,
    term: Signal<Local, Bits<16>>,
    full: Signal<Local, Bits<7>>,
    rest: Signal<Local, Bits<7>>,
    leaves: Signal<Local, Bit>,
    result: Signal<Local, Bits<16>>,
    able: Constant<Bit>,
    lanes: Constant<Bits<7>>,
    lane_mask: Constant<Bits<7>>,
    word_mask: Constant<Bits<8>>,
    row_down: Constant<Bits<3>>,
    bytes_down: Constant<Bits<3>>,
    low_half: Constant<Bits<32>>,
    ones: Constant<Bits<16>>,
    vlan: Constant<Bits<16>>,
    service_vlan: Constant<Bits<16>>,
    ipv4: Constant<Bits<16>>,
    ipv6: Constant<Bits<16>>,
    not_end: Constant<Bits<16>>,
    not_first: Constant<Bits<16>>,
    tcp_check: Constant<Bits<16>>,
    udp_check: Constant<Bits<16>>,
}

impl<const W: usize> Headers<W> {
    /// As many features as `params` offers.
    pub fn new(params: &Params) -> Self {
        let lanes = W / 8;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            sum: Default::default(),
            source: Default::default(),
            patch: Default::default(),
            busy: Default::default(),
            count_bytes: Default::default(),
            count_bad: Default::default(),
            count_owner: Default::default(),
            count_sent: Default::default(),
            sent: Default::default(),
            ram: HeaderRam::new(net::GSO_HEADER_BYTES),
            counted: Default::default(),
            gone_bad: Default::default(),
            gone: Default::default(),
            gone_as: Default::default(),
            scanning: Default::default(),
            fixing: Default::default(),
            leading: Default::default(),
            flowing: Default::default(),
            row: Default::default(),
            next: Default::default(),
            place: Default::default(),
            word: Default::default(),
            looked: Default::default(),
            bytes: Default::default(),
            owner: Default::default(),
            udp: Default::default(),
            transport: Default::default(),
            type_at: Default::default(),
            network: Default::default(),
            found: Default::default(),
            v4: Default::default(),
            good: Default::default(),
            ip_sum: Default::default(),
            sum_of: Default::default(),
            old_len: Default::default(),
            id: Default::default(),
            seq: Default::default(),
            flags: Default::default(),
            first: Default::default(),
            at_step: Default::default(),
            payload: Default::default(),
            total: Default::default(),
            ip_len: Default::default(),
            udp_len: Default::default(),
            check_at: Default::default(),
            ip_check: Default::default(),
            check: Default::default(),
            idle: Default::default(),
            from_network: Default::default(),
            from_transport: Default::default(),
            at_word: Default::default(),
            flags_now: Default::default(),
            term: Default::default(),
            full: Default::default(),
            rest: Default::default(),
            leaves: Default::default(),
            result: Default::default(),
            able: Constant::new(params.segments()),
            lanes: Constant::new(lanes.to_bits()),
            lane_mask: Constant::new((lanes - 1).to_bits()),
            word_mask: Constant::new((lanes / 2 - 1).to_bits()),
            row_down: Constant::new((lanes / 2).trailing_zeros().to_bits()),
            bytes_down: Constant::new(lanes.trailing_zeros().to_bits()),
            low_half: Constant::new(u64::from(u16::MAX).to_bits()),
            ones: Constant::new(u64::from(u16::MAX).to_bits()),
            vlan: Constant::new(net::ETHERTYPE_VLAN.to_bits()),
            service_vlan: Constant::new(net::ETHERTYPE_SERVICE_VLAN.to_bits()),
            ipv4: Constant::new(net::ETHERTYPE_IPV4.to_bits()),
            ipv6: Constant::new(net::ETHERTYPE_IPV6.to_bits()),
            not_end: Constant::new((!(net::TCP_FIN | net::TCP_PSH) & u64::from(u16::MAX)).to_bits()),
            not_first: Constant::new((!net::TCP_CWR & u64::from(u16::MAX)).to_bits()),
            tcp_check: Constant::new(net::TCP_CHECKSUM.to_bits()),
            udp_check: Constant::new(net::UDP_CHECKSUM.to_bits()),
        }
    }
}

impl<const W: usize> Logic for Headers<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, counted, gone_bad, gone, gone_as, scanning, fixing, leading, flowing, row, next,
            place, word, owner
        );
        dff_setup!(self, clock, looked, bytes, udp, transport, type_at, network, found, v4, good, ip_sum);
        dff_setup!(self, clock, sum_of, old_len, id, seq, flags, first, at_step, payload, total, ip_len);
        dff_setup!(self, clock, udp_len, check_at, ip_check, check);
        clock!(self, clock, ram);
        self.idle.next =
            !self.scanning.q.val() & !self.fixing.q.val() & !self.leading.q.val() & !self.flowing.q.val();
        self.full.next = bit_cast::<7, 16>(self.bytes.q.val() >> self.bytes_down.val());
        self.rest.next = bit_cast::<7, 16>(self.bytes.q.val()) & self.lane_mask.val();

        self.sink.ready.next = false;
        self.sum.ready.next = false;
        self.source.valid.next = false;
        self.source.data.next = self.sink.data.val();
        self.source.last.next = self.sink.last.val();
        self.source.side.next = self.sink.side.val();
        self.patch.valid.next = false;
        self.patch.data.next = self.sum.data.val();
        self.ram.row.next = self.row.q.val();
        self.ram.write_row.next = false;
        self.ram.row_data.next = self.sink.data.val();
        self.ram.write_word.next = false;
        self.ram.over.next = self.sink.data.val();
        self.ram.lanes.next = self.rest.val();
        self.gone_bad.d.next = false;
        self.count_bad.next = self.gone_bad.q.val();
        self.count_owner.next = self.owner.q.val();
        self.count_sent.next = self.gone.q.val();
        self.sent.next = self.gone_as.q.val();

        // A piece, and its sum.
        if self.idle.val() & self.sum.valid.val() & self.sink.valid.val() {
            if self.sum.data.val().headers {
                self.sink.ready.next = true;
                self.ram.write_row.next = true;
                self.row.d.next = self.row.q.val() + 1;
                if self.sink.last.val() {
                    self.sum.ready.next = true;
                    self.scanning.d.next = true;
                    self.row.d.next = 0.into();
                    self.next.d.next = 0.into();
                    self.looked.d.next = false;
                    self.bytes.d.next = self.sum.data.val().len;
                    self.owner.d.next = self.sum.data.val().owner;
                    self.udp.d.next = self.sum.data.val().udp;
                    self.transport.d.next = bit_cast::<8, 16>(self.sum.data.val().at >> 1);
                    self.type_at.d.next = 6.into();
                    self.found.d.next = false;
                    self.good.d.next = false;
                    self.ip_sum.d.next = 0.into();
                    self.sum_of.d.next = 0.into();
                    self.first.d.next = true;
                }
            } else if self.sum.data.val().payload {
                if self.good.q.val() {
                    self.fixing.d.next = true;
                    self.at_step.d.next = 0.into();
                } else {
                    self.sink.ready.next = true;
                    self.sum.ready.next = self.sink.last.val();
                }
            }
        }

        // What the headers say, word for word.
        self.at_word.next = self.next.q.val();
        self.from_network.next = self.place.q.val() - self.network.q.val();
        self.from_transport.next = self.place.q.val() - self.transport.q.val();
        self.word.d.next = self.ram.word.val();
        self.place.d.next = self.next.q.val();
        if self.scanning.q.val() {
            self.looked.d.next = self.next.q.val() != bit_cast::<8, 16>(self.bytes.q.val() >> 1);
            if self.next.q.val() != bit_cast::<8, 16>(self.bytes.q.val() >> 1) {
                self.next.d.next = self.next.q.val() + 1;
            } else if !self.looked.q.val() {
                self.scanning.d.next = false;
                self.gone_bad.d.next = !self.good.q.val();
            }
        }
        if self.scanning.q.val() & self.looked.q.val() {
            if !self.found.q.val() & (self.place.q.val() == self.type_at.q.val()) {
                if (self.word.q.val() == self.vlan.val()) | (self.word.q.val() == self.service_vlan.val()) {
                    self.type_at.d.next = self.type_at.q.val() + 2;
                } else {
                    self.found.d.next =
                        (self.word.q.val() == self.ipv4.val()) | (self.word.q.val() == self.ipv6.val());
                    self.v4.d.next = self.word.q.val() == self.ipv4.val();
                    self.network.d.next = self.place.q.val() + 1;
                }
            }
            if self.found.q.val() {
                // IPv4 is as long as it says; IPv6 may have other headers behind it.
                if !self.from_network.val().any() {
                    if self.v4.q.val() {
                        self.good.d.next = (self.word.q.val().get_bits::<4>(8) >= 5)
                            & ((self.network.q.val()
                                + (bit_cast::<8, 4>(self.word.q.val().get_bits::<4>(8)) << 1))
                                == self.transport.q.val());
                    } else {
                        self.good.d.next = (self.network.q.val() + 20) <= self.transport.q.val();
                    }
                }
                if (self.v4.q.val() & (self.from_network.val() == 1))
                    | (!self.v4.q.val() & (self.from_network.val() == 2))
                {
                    self.old_len.d.next = self.word.q.val();
                } else if self.v4.q.val() & (self.from_network.val() == 2) {
                    self.id.d.next = self.word.q.val();
                } else if (self.from_network.val() != 5) & (self.place.q.val() < self.transport.q.val()) {
                    self.ip_sum.d.next = self.ip_sum.q.val() + bit_cast::<32, 16>(self.word.q.val());
                }
            }
            if self.place.q.val() >= self.transport.q.val() {
                if self.from_transport.val() == 2 {
                    self.seq.d.next = bit_cast::<32, 16>(self.word.q.val()) << 16;
                } else if !self.udp.q.val() & (self.from_transport.val() == 3) {
                    self.seq.d.next = self.seq.q.val() | bit_cast::<32, 16>(self.word.q.val());
                } else if !self.udp.q.val() & (self.from_transport.val() == 6) {
                    self.flags.d.next = self.word.q.val();
                } else {
                    // The checksum's place among them, where the sum of the pseudo header is.
                    self.sum_of.d.next = self.sum_of.q.val() + bit_cast::<32, 16>(self.word.q.val());
                }
            }
        }

        // What is a segment's own. The driver's sum has the whole packet's length in it: that of the network header is exchanged for
        // the segment's, and whatever is between it and the transport header does not matter.
        self.flags_now.next = self.flags.q.val();
        if !self.sum.data.val().end {
            self.flags_now.next = self.flags.q.val() & self.not_end.val();
        }
        if !self.first.q.val() {
            self.flags_now.next = self.flags_now.val() & self.not_first.val();
        }
        self.term.next = 0.into();
        self.ram.word_data.next = 0.into();
        if self.fixing.q.val() {
            self.at_step.d.next = self.at_step.q.val() + 1;
            match self.at_step.q.val().index() {
                0 => {
                    self.payload.d.next = self.sum.data.val().len - bit_cast::<16, 7>(self.rest.val());
                    self.term.next = !self.sum.data.val().value;
                }
                1 => {
                    self.total.d.next = self.bytes.q.val() + self.payload.q.val();
                    self.term.next = !self.old_len.q.val();
                }
                2 => {
                    self.udp_len.d.next =
                        self.total.q.val() - (bit_cast::<16, 8>(self.transport.q.val()) << 1);
                    self.ip_len.d.next = self.total.q.val() - (bit_cast::<16, 8>(self.network.q.val()) << 1);
                    if !self.v4.q.val() {
                        self.ip_len.d.next =
                            self.total.q.val() - (bit_cast::<16, 8>(self.network.q.val() + 20) << 1);
                    }
                }
                3 => {
                    self.term.next = self.ip_len.q.val();
                    self.ip_check.d.next = self.ip_sum.q.val() + bit_cast::<32, 16>(self.ip_len.q.val());
                    self.at_word.next = self.network.q.val() + 2;
                    if self.v4.q.val() {
                        self.at_word.next = self.network.q.val() + 1;
                    }
                    self.ram.word_data.next = self.ip_len.q.val();
                    self.ram.write_word.next = true;
                }
                4 => {
                    self.term.next = self.seq.q.val().get_bits::<16>(16);
                    if self.udp.q.val() {
                        self.term.next = self.udp_len.q.val();
                    }
                    self.ip_check.d.next = self.ip_check.q.val() + bit_cast::<32, 16>(self.id.q.val());
                    self.at_word.next = self.network.q.val() + 2;
                    self.ram.word_data.next = self.id.q.val();
                    self.ram.write_word.next = self.v4.q.val();
                }
                5 => {
                    self.ip_check.d.next = (self.ip_check.q.val() & self.low_half.val())
                        + bit_cast::<32, 16>(self.ip_check.q.val().get_bits::<16>(16));
                    self.at_word.next = self.transport.q.val() + 2;
                    self.ram.word_data.next = self.seq.q.val().get_bits::<16>(16);
                    if self.udp.q.val() {
                        self.ram.word_data.next = self.udp_len.q.val();
                    } else {
                        self.term.next = self.seq.q.val().get_bits::<16>(0);
                    }
                    self.ram.write_word.next = true;
                }
                6 => {
                    self.ip_check.d.next = (self.ip_check.q.val() & self.low_half.val())
                        + bit_cast::<32, 16>(self.ip_check.q.val().get_bits::<16>(16));
                    self.at_word.next = self.transport.q.val() + 3;
                    self.ram.word_data.next = self.seq.q.val().get_bits::<16>(0);
                    self.ram.write_word.next = !self.udp.q.val();
                    if !self.udp.q.val() {
                        self.term.next = self.flags_now.val();
                    }
                }
                7 => {
                    self.at_word.next = self.transport.q.val() + 6;
                    self.ram.word_data.next = self.flags_now.val();
                    self.ram.write_word.next = !self.udp.q.val();
                }
                8 => {
                    self.at_word.next = self.network.q.val() + 5;
                    self.ram.word_data.next = !self.ip_check.q.val().get_bits::<16>(0);
                    self.ram.write_word.next = self.v4.q.val();
                }
                _ => {
                    self.fixing.d.next = false;
                    self.row.d.next = 0.into();
                    self.leading.d.next = self.full.val().any();
                    self.flowing.d.next = !self.full.val().any();
                }
            }
            self.check.d.next = self.check.q.val() + bit_cast::<32, 16>(self.term.val());
            if !self.at_step.q.val().any() {
                self.check.d.next = self.sum_of.q.val() + bit_cast::<32, 16>(self.term.val());
            } else if self.at_step.q.val() >= 7 {
                // Carries come back at the low end.
                self.check.d.next = (self.check.q.val() & self.low_half.val())
                    + bit_cast::<32, 16>(self.check.q.val().get_bits::<16>(16));
            }
        }
        self.ram.lane.next = bit_cast::<5, 8>(self.at_word.val() & self.word_mask.val());
        if self.scanning.q.val() | self.fixing.q.val() {
            self.ram.row.next = bit_cast::<7, 8>(self.at_word.val() >> self.row_down.val());
        }

        self.check_at.d.next = (bit_cast::<16, 8>(self.transport.q.val()) << 1) + self.tcp_check.val();
        if self.udp.q.val() {
            self.check_at.d.next = (bit_cast::<16, 8>(self.transport.q.val()) << 1) + self.udp_check.val();
        }

        // The segment leaves: headers, then payload, whose first beat begins with what is left of them.
        self.result.next = !self.check.q.val().get_bits::<16>(0);
        if self.leading.q.val() | self.flowing.q.val() {
            self.patch.valid.next = true;
            self.patch.data.next.wanted = true;
            self.patch.data.next.at = self.check_at.q.val();
            self.patch.data.next.value = self.result.val();
            if !self.result.val().any() {
                self.patch.data.next.value = self.ones.val();
            }
        }
        if self.leading.q.val() {
            self.source.valid.next = true;
            self.source.data.next = self.ram.row_out.val();
            self.source.last.next = false;
            self.source.side.next.count = self.lanes.val();
            self.source.side.next.error = false;
        }
        if self.flowing.q.val() {
            self.source.valid.next = self.sink.valid.val();
            self.sink.ready.next = self.source.ready.val();
            if self.row.q.val() == self.full.val() {
                self.source.data.next = self.ram.merged.val();
            }
        }
        if !self.able.val()
            | (self.idle.val()
                & self.sum.valid.val()
                & !self.sum.data.val().headers
                & !self.sum.data.val().payload)
        {
            self.source.valid.next = self.sink.valid.val();
            self.sink.ready.next = self.source.ready.val();
            self.patch.valid.next = self.sum.valid.val();
            self.sum.ready.next = self.patch.ready.val();
        }
        self.leaves.next = self.source.valid.val() & self.source.ready.val();
        self.gone.d.next = self.leaves.val() & self.source.last.val();
        self.gone_as.d.next.owner = self.sum.data.val().owner;
        self.gone_as.d.next.len = self.sum.data.val().len;
        if self.flowing.q.val() {
            self.gone_as.d.next.len = self.total.q.val();
        }
        self.counted.d.next = 0.into();
        self.count_bytes.next = self.counted.q.val();
        if self.leaves.val() {
            self.counted.d.next = self.source.side.val().count;
            if self.leading.q.val() {
                self.row.d.next = self.row.q.val() + 1;
                if (self.row.q.val() + 1) == self.full.val() {
                    self.leading.d.next = false;
                    self.flowing.d.next = true;
                }
            }
            if self.flowing.q.val() {
                self.row.d.next = self.full.val() + 1;
                if self.sink.last.val() {
                    self.flowing.d.next = false;
                    self.sum.ready.next = true;
                    self.row.d.next = 0.into();
                    self.seq.d.next = self.seq.q.val() + bit_cast::<32, 16>(self.payload.q.val());
                    self.id.d.next = self.id.q.val() + 1;
                    self.first.d.next = false;
                }
            }
        }
        self.busy.next = !self.idle.val();
        if self.reset.val() | !self.able.val() {
            self.scanning.d.next = false;
            self.fixing.d.next = false;
            self.leading.d.next = false;
            self.flowing.d.next = false;
            self.row.d.next = 0.into();
            self.good.d.next = false;
            self.gone_bad.d.next = false;
        }
        if self.reset.val() {
            self.gone.d.next = false;
            self.counted.d.next = 0.into();
        }
    }
}
