//! Sees whether the checksums of TCP and UDP are right in frames that pass.
//! In: `sink`.   Out: `source`, the same frames; `verdict`, one for each, in order: its checksum is right.
//! Time: frames pass without delay; a verdict is offered W/8's logarithm and some 5 cycles after its frame's last beat.
//! Waits: never: who takes the verdicts takes them with the frames' lengths, of which `net::buffer` has fewer than there is room for here.
//! With `reset` the verdicts are forgotten, and that of a frame midway: as `net::buffer` forgets their lengths.
//! One VLAN tag is looked behind. What is not judged is not called right: IPv4 with options, fragments, IPv6 with extension headers, UDP without a
//! checksum, lengths that do not agree.
//! Spec: [virtio 1.4: Network Device, Processing of Incoming Packets]; RFC 1071

pub mod fold;

use crate::params::Params;
use crate::port::frame::FrameSide;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::pluck::Pluck;
use crate::prim::stream::StreamSource;
use fold::Fold;
use hematite_abi::{feature, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Where words stand that matter, without a tag: Ethertype; version; IPv4's length; IPv6's; IPv4's fragment, IPv6's next header; IPv4's protocol;
/// behind those, two words on, what they are with a tag. Then so too UDP's length and checksum, over IPv4 and IPv6.
const PLACES: [usize; 16] = [12, 14, 16, 18, 20, 22, 24, 26, 38, 40, 42, 44, 58, 60, 62, 64];

/// See the file's head.
#[derive(LogicBlock)]
pub struct Verify<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: BeatSink<W, FrameSide>,
    pub source: BeatSource<W, FrameSide>,
    pub verdict: StreamSource<Bit>,
    pub busy: Signal<Out, Bit>,
    pluck: Pluck<W>,
    fold: Fold<W>,
    midway: Reg<Bit>,
    skipping: Reg<Bit>,
    // What the words say, of the beat held: the offset of the first byte summed, and behind the last one.
    start: Reg<Bits<17>>,
    end: Reg<Bits<17>>,
    length: Reg<Bits<17>>,
    tagged: Reg<Bit>,
    v4: Reg<Bit>,
    v6: Reg<Bit>,
    // The beat that passed before, and where it stands in its frame.
    held: Reg<Bit>,
    data: Reg<Bits<W>>,
    count: Reg<Bits<7>>,
    first: Reg<Bit>,
    last: Reg<Bit>,
    place: Reg<Bits<17>>,
    /// Cycles until the last verdict is out, at most.
    settling: Reg<Bits<4>>,
    midway_now: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    seen: Signal<Local, Bits<256>>,
    seen_tag: Signal<Local, Bit>,
    seen_v6: Signal<Local, Bit>,
    end4: Signal<Local, Bits<17>>,
    end6: Signal<Local, Bits<17>>,
    length4: Signal<Local, Bits<17>>,
    length6: Signal<Local, Bits<17>>,
    header: Signal<Local, Bits<17>>,
    known: Signal<Local, Bits<256>>,
    from: Signal<Local, Bits<17>>,
    until: Signal<Local, Bits<17>>,
    protocol: Signal<Local, Bits<8>>,
    tcp: Signal<Local, Bit>,
    udp: Signal<Local, Bit>,
    udp_words: Signal<Local, Bits<32>>,
    behind: Signal<Local, Bits<17>>,
    able: Constant<Bit>,
    lanes: Constant<Bits<17>>,
    lane_count: Constant<Bits<7>>,
    vlan_type: Constant<Bits<16>>,
    v4_type: Constant<Bits<16>>,
    v6_type: Constant<Bits<16>>,
    v4_plain: Constant<Bits<8>>,
    ethernet: Constant<Bits<17>>,
    tag: Constant<Bits<17>>,
    v4_header: Constant<Bits<17>>,
    v6_header: Constant<Bits<17>>,
    v4_start: Constant<Bits<17>>,
    v6_start: Constant<Bits<17>>,
    tcp_header: Constant<Bits<17>>,
    udp_header: Constant<Bits<17>>,
    settles: Constant<Bits<4>>,
}

impl<const W: usize> Verify<W> {
    /// As many features as `params` offers; else frames pass and there are no verdicts.
    pub fn new(params: &Params) -> Self {
        let (v4_header, v6_header) = (net::IPV4_HEADER_BYTES, net::IPV6_HEADER_BYTES);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            verdict: Default::default(),
            busy: Default::default(),
            pluck: Pluck::new(PLACES),
            fold: Fold::new(2 * params.frames_held()),
            midway: Default::default(),
            skipping: Default::default(),
            start: Default::default(),
            end: Default::default(),
            length: Default::default(),
            tagged: Default::default(),
            v4: Default::default(),
            v6: Default::default(),
            held: Default::default(),
            data: Default::default(),
            count: Default::default(),
            first: Default::default(),
            last: Reg::new(true),
            place: Default::default(),
            settling: Default::default(),
            midway_now: Default::default(),
            passes: Default::default(),
            takes: Default::default(),
            seen: Default::default(),
            seen_tag: Default::default(),
            seen_v6: Default::default(),
            end4: Default::default(),
            end6: Default::default(),
            length4: Default::default(),
            length6: Default::default(),
            header: Default::default(),
            known: Default::default(),
            from: Default::default(),
            until: Default::default(),
            protocol: Default::default(),
            tcp: Default::default(),
            udp: Default::default(),
            udp_words: Default::default(),
            behind: Default::default(),
            able: Constant::new(params.offers(feature::GUEST_CSUM)),
            lanes: Constant::new((W / 8).to_bits()),
            lane_count: Constant::new((W / 8).to_bits()),
            vlan_type: Constant::new(net::ETHERTYPE_VLAN.to_bits()),
            v4_type: Constant::new(net::ETHERTYPE_IPV4.to_bits()),
            v6_type: Constant::new(net::ETHERTYPE_IPV6.to_bits()),
            // Version, and a header without options, in words of four bytes.
            v4_plain: Constant::new(((4 << 4) | (v4_header / 4)).to_bits()),
            ethernet: Constant::new(net::ETHERNET_HEADER_BYTES.to_bits()),
            tag: Constant::new(net::VLAN_TAG_BYTES.to_bits()),
            v4_header: Constant::new(v4_header.to_bits()),
            v6_header: Constant::new(v6_header.to_bits()),
            // The addresses are the end of either header.
            v4_start: Constant::new((v4_header - 2 * 4).to_bits()),
            v6_start: Constant::new((v6_header - 2 * 16).to_bits()),
            tcp_header: Constant::new(net::TCP_HEADER_BYTES.to_bits()),
            udp_header: Constant::new(net::UDP_HEADER_BYTES.to_bits()),
            settles: Constant::new((Fold::<W>::STAGES + 1).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Verify<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, pluck, fold);
        dff_setup!(self, clock, midway, skipping, start, end, length, tagged, v4, v6);
        dff_setup!(self, clock, held, data, count, first, last, place, settling);
        self.pluck.reset.next = self.reset.val() | !self.able.val();
        self.fold.reset.next = self.reset.val() | !self.able.val();
        StreamSource::<Bit>::link(&mut self.verdict, &mut self.fold.verdict);

        // Beats pass.
        self.source.valid.next = self.sink.valid.val();
        self.source.data.next = self.sink.data.val();
        self.source.last.next = self.sink.last.val();
        self.source.side.next = self.sink.side.val();
        self.sink.ready.next = self.source.ready.val();
        self.passes.next = self.sink.valid.val() & self.source.ready.val();
        self.takes.next = self.passes.val() & !self.skipping.q.val() & self.able.val();
        self.midway_now.next = self.midway.q.val();
        if self.passes.val() {
            self.midway_now.next = !self.sink.last.val();
            if self.sink.last.val() {
                self.skipping.d.next = false;
            }
        }
        self.midway.d.next = self.midway_now.val();

        // By the beat that passes it is known where the sum begins: not before it, if the words that say so have not come yet.
        self.pluck.data.next = self.sink.data.val();
        self.pluck.take.next = self.takes.val();
        self.pluck.last.next = self.sink.last.val();
        self.seen_tag.next = self.pluck.words.val().get_bits::<16>(0) == self.vlan_type.val();
        self.seen.next = self.pluck.words.val();
        self.header.next = self.ethernet.val();
        // Both places at once, and then chosen: much hangs on it. So too what follows from the lengths: sums first, chosen then.
        self.seen_v6.next = self.pluck.words.val().get_bits::<16>(0) == self.v6_type.val();
        self.end4.next = self.ethernet.val() + bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(32));
        self.end6.next = (self.ethernet.val() + self.v6_header.val())
            + bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(48));
        self.length4.next =
            bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(32)) - self.v4_header.val();
        self.length6.next = bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(48));
        if self.seen_tag.val() {
            self.seen_v6.next = self.pluck.words.val().get_bits::<16>(32) == self.v6_type.val();
            self.seen.next = self.pluck.words.val() >> 32;
            self.header.next = self.ethernet.val() + self.tag.val();
            self.end4.next = (self.ethernet.val() + self.tag.val())
                + bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(64));
            self.end6.next = (self.ethernet.val() + self.tag.val() + self.v6_header.val())
                + bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(80));
            self.length4.next =
                bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(64)) - self.v4_header.val();
            self.length6.next = bit_cast::<17, 16>(self.pluck.words.val().get_bits::<16>(80));
        }
        self.held.d.next = self.takes.val();
        if self.takes.val() {
            self.data.d.next = self.sink.data.val();
            self.count.d.next = self.sink.side.val().count;
            self.first.d.next = self.last.q.val();
            self.last.d.next = self.sink.last.val();
            self.place.d.next = self.place.q.val() + self.lanes.val();
            if self.last.q.val() {
                self.place.d.next = 0.into();
            }
            self.tagged.d.next = self.seen_tag.val();
            self.v4.d.next = (self.seen.val().get_bits::<16>(0) == self.v4_type.val())
                & (self.seen.val().get_bits::<8>(24) == self.v4_plain.val());
            self.v6.d.next = self.seen_v6.val() & (self.seen.val().get_bits::<4>(28) == 6);
            // Bytes behind the IP header, IPv4's length is with it.
            self.start.d.next = self.header.val() + self.v4_start.val();
            self.end.d.next = self.end4.val();
            self.length.d.next = self.length4.val();
            if self.seen_v6.val() {
                self.start.d.next = self.header.val() + self.v6_start.val();
                self.end.d.next = self.end6.val();
                self.length.d.next = self.length6.val();
            }
        }

        // Of the beat held those lanes are summed that are addresses, or behind the IP header and not behind the packet.
        self.from.next = self.start.q.val() - self.place.q.val();
        self.fold.from.next = self.from.val().get_bits::<7>(0);
        if self.from.val().get_bit(16) {
            self.fold.from.next = 0.into();
        } else if self.from.val() >= self.lanes.val() {
            self.fold.from.next = self.lane_count.val();
        }
        self.until.next = self.end.q.val() - self.place.q.val();
        self.fold.count.next = self.until.val().get_bits::<7>(0);
        if self.until.val().get_bit(16) {
            self.fold.count.next = 0.into();
        } else if self.until.val() >= self.lanes.val() {
            self.fold.count.next = self.lane_count.val();
        }
        self.fold.data.next = self.data.q.val();
        self.known.next = self.pluck.kept.val();
        if self.tagged.q.val() {
            self.known.next = self.pluck.kept.val() >> 32;
        }
        self.protocol.next = self.known.val().get_bits::<8>(80);
        self.udp_words.next = self.known.val().get_bits::<32>(128);
        if self.v6.q.val() {
            self.protocol.next = self.known.val().get_bits::<8>(72);
            self.udp_words.next = self.known.val().get_bits::<32>(192);
        }
        self.tcp.next = (self.protocol.val() == net::PROTOCOL_TCP)
            & (self.length.q.val() >= self.tcp_header.val())
            & !self.length.q.val().get_bit(16);
        // [RFC 768] a checksum of 0: there is none.
        self.udp.next = (self.protocol.val() == net::PROTOCOL_UDP)
            & (self.length.q.val() >= self.udp_header.val())
            & (bit_cast::<17, 16>(self.udp_words.val().get_bits::<16>(0)) == self.length.q.val())
            & self.udp_words.val().get_bits::<16>(16).any();
        self.behind.next = self.place.q.val() + bit_cast::<17, 7>(self.count.q.val());
        self.fold.part.next.valid = self.held.q.val();
        self.fold.part.next.first = self.first.q.val();
        self.fold.part.next.last = self.last.q.val();
        self.fold.part.next.judged = ((self.v4.q.val() & !self.known.val().get_bits::<14>(64).any())
            | self.v6.q.val())
            & (self.tcp.val() | self.udp.val())
            & (self.behind.val() >= self.end.q.val());
        self.fold.part.next.extra = self.length.q.val() + bit_cast::<17, 8>(self.protocol.val());

        self.busy.next = self.settling.q.val().any();
        if self.settling.q.val().any() {
            self.settling.d.next = self.settling.q.val() - 1;
        }
        if self.takes.val() {
            self.settling.d.next = self.settles.val();
        }

        if self.reset.val() {
            self.skipping.d.next = self.midway_now.val();
        }
        if self.reset.val() | !self.able.val() {
            self.held.d.next = false;
            self.last.d.next = true;
            self.settling.d.next = 0.into();
        }
        if !self.able.val() {
            self.skipping.d.next = false;
            self.midway.d.next = false;
        }
    }
}
