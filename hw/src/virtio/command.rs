//! Carries out the commands of the control queue.
//! In: `command`, byte by byte; `forget`: its queue has failed, there is no command and none to answer; `accepted`; which queues are
//! `enabled`; `limits`, those of the queue `asked` about; `counted`, a counter of `counted_queue`.   Out: `answer`; `settings`, a pulse each.
//! Time: an answer comes a few cycles after the command's end, for filter tables two cycles per byte later.
//! Waits: on `answer`; the next command waits until it is taken.
//! A command takes effect as a whole or not at all: what is not offered, not accepted, too short, too long or out of range is refused.
//! Spec: [virtio 1.4: Network Device, Control Virtqueue]

use crate::params::Params;
use crate::port::control::{AnswerByte, CommandByte, SettingSource};
use crate::prim::ram::Ram;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::{ctrl, feature};
use hematite_verilog::{Reg, dff_setup};
use report::Report;
use rss::Rss;
use rust_hdl_core::prelude::*;

pub mod report;
pub mod rss;

/// Bytes kept of a command: of one about statistics, as many as ask for all queues. A filter table that is longer than others may be takes
/// every address: "it can silently switch to allmulti or promiscuous mode".
fn kept(params: &Params) -> usize {
    let all = 2 + ctrl::STATS_ENTRY_BYTES * params.numbers();
    if params.offers(feature::DEVICE_STATS) { ctrl::KEPT_BYTES.max(all) } else { ctrl::KEPT_BYTES }
}

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Take,
    Look,
    Judge,
    Second,
    Read,
    Use,
    Rss,
    Stats,
    Answer,
    Result,
    Report,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Command {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The features accepted.
    pub accepted: Signal<In, Bits<128>>,
    /// A bit each.
    pub enabled: Signal<In, Bits<256>>,
    /// What holds for interrupts of that queue: packets, microseconds.
    pub asked: Signal<Out, Bits<16>>,
    pub limits: Signal<In, Bits<32>>,
    /// What that queue has done: see `virtio::stats`.
    pub counted_queue: Signal<Out, Bits<16>>,
    pub counted_field: Signal<Out, Bits<3>>,
    pub counted: Signal<In, Bits<64>>,
    pub command: StreamSink<CommandByte>,
    pub forget: Signal<In, Bit>,
    pub answer: StreamSource<AnswerByte>,
    pub settings: SettingSource,
    pub busy: Signal<Out, Bit>,
    data: Ram<Bits<8>>,
    rss: Rss,
    report: Report,
    /// Commands, and those that were carried out; a report follows the answer.
    commands: Reg<Bits<64>>,
    carried_out: Reg<Bits<64>>,
    reports: Reg<Bit>,
    set_valid: Reg<Bit>,
    set_item: Reg<Bits<8>>,
    set_index: Reg<Bits<16>>,
    set_data: Reg<Bits<32>>,
    state: Reg<State>,
    /// Bytes so far, class and command among them; more than are kept.
    count: Reg<Bits<12>>,
    long: Reg<Bit>,
    class: Reg<Bits<8>>,
    verb: Reg<Bits<8>>,
    /// The last twelve bytes behind them, the youngest on top.
    tail: Reg<Bits<96>>,
    ack: Reg<Bits<8>>,
    /// What the driver wants to know: bytes behind `ack`, and how many of them are left.
    result: Reg<Bits<64>>,
    more: Reg<Bits<4>>,
    mode: Reg<Bits<8>>,
    // Within a filter table: the next byte; a count is being read, the second one; entries left; bytes of this entry or count.
    at: Reg<Bits<10>>,
    counting: Reg<Bit>,
    second: Reg<Bit>,
    complete: Reg<Bit>,
    left: Reg<Bits<8>>,
    phase: Reg<Bits<3>>,
    hash: Reg<Bits<8>>,
    byte: Signal<Local, Bits<8>>,
    length: Signal<Local, Bits<12>>,
    /// It is longer than one that does not ask for statistics may be.
    far: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    value16: Signal<Local, Bits<16>>,
    packets: Signal<Local, Bits<16>>,
    micros: Signal<Local, Bits<16>>,
    in_range: Signal<Local, Bit>,
    /// Of a command about limits: whose they are; that queue is in use; its limits. Two cycles behind the command's end.
    whose: Reg<Bits<16>>,
    runs: Reg<Bit>,
    found: Reg<Bits<32>>,
    mode_now: Signal<Local, Bits<8>>,
    /// Of the offloads that the driver may switch on, those it has agreed on.
    agreed: Signal<Local, Bits<32>>,
    list_end: Signal<Local, Bit>,
    offered: Constant<Bit>,
    pairs: Constant<Bits<16>>,
    kept: Constant<Bits<12>>,
    most: Constant<Bits<12>>,
    least: Constant<Bits<12>>,
    queues: Constant<Bits<16>>,
    vlans: Constant<Bits<16>>,
    offloads: Constant<Bits<32>>,
    stats_types: Constant<Bits<64>>,
}

impl Command {
    /// Commands for the features of `params`.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            accepted: Default::default(),
            enabled: Default::default(),
            asked: Default::default(),
            limits: Default::default(),
            counted_queue: Default::default(),
            counted_field: Default::default(),
            counted: Default::default(),
            command: Default::default(),
            forget: Default::default(),
            answer: Default::default(),
            settings: Default::default(),
            busy: Default::default(),
            data: Ram::apart(kept(params).next_power_of_two()),
            rss: Rss::new(params),
            report: Report::new(params),
            commands: Default::default(),
            carried_out: Default::default(),
            reports: Default::default(),
            set_valid: Default::default(),
            set_item: Default::default(),
            set_index: Default::default(),
            set_data: Default::default(),
            state: Default::default(),
            count: Default::default(),
            long: Default::default(),
            class: Default::default(),
            verb: Default::default(),
            tail: Default::default(),
            ack: Default::default(),
            result: Default::default(),
            more: Default::default(),
            mode: Reg::new(ctrl::MODE_PROMISC.into()),
            at: Default::default(),
            counting: Default::default(),
            second: Default::default(),
            complete: Default::default(),
            left: Default::default(),
            phase: Default::default(),
            hash: Default::default(),
            byte: Default::default(),
            length: Default::default(),
            far: Default::default(),
            taken: Default::default(),
            value16: Default::default(),
            packets: Default::default(),
            micros: Default::default(),
            in_range: Default::default(),
            whose: Default::default(),
            runs: Default::default(),
            found: Default::default(),
            mode_now: Default::default(),
            agreed: Default::default(),
            list_end: Default::default(),
            offered: Constant::new(params.offers(feature::CTRL_VQ)),
            pairs: Constant::new(params.pairs.to_bits()),
            kept: Constant::new(kept(params).to_bits()),
            most: Constant::new(ctrl::KEPT_BYTES.to_bits()),
            // Class, command, two counts.
            least: Constant::new(10u64.into()),
            queues: Constant::new(params.queues().to_bits()),
            vlans: Constant::new((ctrl::VLANS as u64).into()),
            offloads: Constant::new((1u64 << feature::GUEST_CSUM).to_bits()),
            stats_types: Constant::new(
                (1u64 << ctrl::STATS_RX_BASIC | 1 << ctrl::STATS_TX_BASIC | 1 << ctrl::STATS_CVQ).to_bits(),
            ),
        }
    }
}

impl Logic for Command {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, data, rss, report);
        dff_setup!(self, clock, set_valid, set_item, set_index, set_data);
        dff_setup!(self, clock, state, count, long, class, verb, tail, ack, result, more, mode);
        dff_setup!(self, clock, at, counting, second, complete, left, phase, hash);
        dff_setup!(self, clock, commands, carried_out, reports, whose, runs, found);
        self.busy.next = self.state.q.val() != State::Take;
        self.command.ready.next = self.state.q.val() == State::Take;
        self.answer.valid.next =
            (self.state.q.val() == State::Answer) | (self.state.q.val() == State::Result);
        self.answer.data.next.data = self.ack.q.val();
        self.answer.data.next.last = !self.more.q.val().any() & !self.reports.q.val();
        if self.state.q.val() == State::Result {
            self.answer.data.next.data = self.result.q.val().get_bits::<8>(0);
            self.answer.data.next.last = self.more.q.val() == 1;
        }
        self.report.told.ready.next = false;
        if self.state.q.val() == State::Report {
            self.answer.valid.next = self.report.told.valid.val();
            self.answer.data.next = self.report.told.data.val();
            self.report.told.ready.next = self.answer.ready.val();
        }
        self.report.reset.next = self.reset.val() | self.forget.val() | !self.offered.val();
        self.report.start.next = false;
        self.report.tell.next = false;
        self.report.count.next = self.count.q.val();
        self.report.byte.next = self.data.read_data.val();
        self.report.many.next =
            self.accepted.val().get_bit(feature::MQ) | self.accepted.val().get_bit(feature::RSS);
        self.report.commands.next = self.commands.q.val();
        self.report.carried_out.next = self.carried_out.q.val();
        self.report.value.next = self.counted.val();
        self.counted_queue.next = self.report.queue.val();
        self.counted_field.next = self.report.field.val();
        // So many hear of it that the way there is a cycle of its own.
        self.settings.valid.next = self.set_valid.q.val();
        self.settings.item.next = self.set_item.q.val();
        self.settings.index.next = self.set_index.q.val();
        self.settings.data.next = self.set_data.q.val();
        self.set_valid.d.next = false;
        self.set_item.d.next = ctrl::SET_RX_MODE.into();
        self.set_index.d.next = 0.into();
        self.set_data.d.next = 0.into();

        // Of a command without filter tables: its bytes behind class and command; what they say.
        self.length.next = self.count.q.val() - 2;
        self.far.next = self.long.q.val() | (self.count.q.val() > self.most.val());
        self.value16.next = self.tail.q.val().get_bits::<16>(80);
        self.mode_now.next = self
            .mode
            .q
            .val()
            .replace_bit(self.verb.q.val().get_bits::<3>(0).index(), self.tail.q.val().get_bit(88));

        // Of one about limits: they, if they are in their range, and whose they are.
        self.packets.next = self.tail.q.val().get_bits::<16>(32);
        self.micros.next = self.tail.q.val().get_bits::<16>(64);
        self.in_range.next =
            !self.tail.q.val().get_bits::<16>(48).any() & !self.tail.q.val().get_bits::<16>(80).any();
        self.asked.next = self.whose.q.val();
        self.whose.d.next = self.tail.q.val().get_bits::<16>(0);
        if self.verb.q.val() == ctrl::NOTF_COAL_VQ_GET {
            self.whose.d.next = self.tail.q.val().get_bits::<16>(64);
        }
        self.runs.d.next = (self.whose.q.val() < self.queues.val())
            & self.enabled.val().get_bit(self.whose.q.val().get_bits::<8>(0).index());
        self.found.d.next = self.limits.val();

        self.agreed.next = self.accepted.val().get_bits::<32>(0) & self.offloads.val();

        self.data.write.next = false;
        self.data.write_addr.next = bit_cast::<16, 12>(self.count.q.val());
        self.data.write_data.next = self.command.data.val().data;
        self.rss.reset.next = self.reset.val();
        self.rss.start.next = false;
        self.rss.hashes_only.next = self.verb.q.val() == ctrl::MQ_HASH_CONFIG;
        self.rss.count.next = self.count.q.val().get_bits::<10>(0);
        self.rss.byte.next = self.data.read_data.val();
        self.data.read.next = (self.state.q.val() == State::Read)
            | (self.state.q.val() == State::Rss)
            | (self.state.q.val() == State::Stats)
            | (self.state.q.val() == State::Report);
        self.data.read_addr.next = bit_cast::<16, 10>(self.at.q.val());
        if self.state.q.val() == State::Rss {
            self.data.read_addr.next = bit_cast::<16, 10>(self.rss.at.val());
        }
        if (self.state.q.val() == State::Stats) | (self.state.q.val() == State::Report) {
            self.data.read_addr.next = bit_cast::<16, 12>(self.report.at.val());
        }
        self.byte.next = self.data.read_data.val();
        self.list_end.next = false;

        match self.state.q.val() {
            State::Take => {
                self.ack.d.next = ctrl::ACK_ERR.into();
                if self.command.valid.val() {
                    if self.command.data.val().end {
                        self.state.d.next = State::Look;
                    } else if self.count.q.val() == self.kept.val() {
                        self.long.d.next = true;
                    } else {
                        self.data.write.next = true;
                        self.count.d.next = self.count.q.val() + 1;
                        match self.count.q.val().index() {
                            0 => self.class.d.next = self.command.data.val().data,
                            1 => self.verb.d.next = self.command.data.val().data,
                            _ => {
                                self.tail.d.next = (self.tail.q.val() >> 8)
                                    | (bit_cast::<96, 8>(self.command.data.val().data) << 88);
                            }
                        }
                    }
                }
            }
            // Look: whose limits it is about is being looked up.
            State::Look => self.state.d.next = State::Judge,
            // Judge: all of it is here.
            State::Judge => {
                self.commands.d.next = self.commands.q.val() + 1;
                self.reports.d.next = false;
                self.state.d.next = State::Answer;
                if (self.class.q.val() == ctrl::CLASS_RX)
                    & (self.verb.q.val() <= ctrl::RX_NOBCAST)
                    & (self.length.val() == 1)
                    & (self.tail.q.val().get_bits::<8>(88) < 2)
                    & (self.accepted.val().get_bit(feature::CTRL_RX_EXTRA)
                        | (self.accepted.val().get_bit(feature::CTRL_RX)
                            & (self.verb.q.val() < ctrl::RX_ALLUNI)))
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.mode.d.next = self.mode_now.val();
                    self.set_valid.d.next = true;
                    self.set_data.d.next = bit_cast::<32, 8>(self.mode_now.val());
                }
                if (self.class.q.val() == ctrl::CLASS_MAC)
                    & (self.verb.q.val() == ctrl::MAC_ADDR_SET)
                    & (self.length.val() == 6)
                    & !self.tail.q.val().get_bit(48)
                    & self.accepted.val().get_bit(feature::CTRL_MAC_ADDR)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_MAC.into();
                    self.set_data.d.next = self.tail.q.val().get_bits::<32>(48);
                    self.state.d.next = State::Second;
                }
                if (self.class.q.val() == ctrl::CLASS_MAC)
                    & (self.verb.q.val() == ctrl::MAC_TABLE_SET)
                    & (self.count.q.val() >= self.least.val())
                    & self.accepted.val().get_bit(feature::CTRL_RX)
                {
                    if self.far.val() {
                        self.ack.d.next = ctrl::ACK_OK.into();
                        self.set_valid.d.next = true;
                        self.set_item.d.next = ctrl::SET_MAC_TABLE.into();
                        self.set_data.d.next = 1.into();
                    } else {
                        self.set_valid.d.next = true;
                        self.set_item.d.next = ctrl::SET_MAC_NONE.into();
                        self.at.d.next = 2.into();
                        self.counting.d.next = true;
                        self.second.d.next = false;
                        self.complete.d.next = false;
                        self.phase.d.next = 0.into();
                        self.hash.d.next = 0.into();
                        self.state.d.next = State::Read;
                    }
                }
                if (self.class.q.val() == ctrl::CLASS_VLAN)
                    & (self.verb.q.val() <= ctrl::VLAN_DEL)
                    & (self.length.val() == 2)
                    & (self.value16.val() < self.vlans.val())
                    & self.accepted.val().get_bit(feature::CTRL_VLAN)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_VLAN.into();
                    self.set_index.d.next = self.value16.val();
                    if self.verb.q.val() == ctrl::VLAN_ADD {
                        self.set_data.d.next = 1.into();
                    }
                }
                if (self.class.q.val() == ctrl::CLASS_GUEST_OFFLOADS)
                    & (self.verb.q.val() == ctrl::GUEST_OFFLOADS_SET)
                    & (self.length.val() == 8)
                    & !(self.tail.q.val().get_bits::<64>(32) & !bit_cast::<64, 32>(self.agreed.val())).any()
                    & self.accepted.val().get_bit(feature::CTRL_GUEST_OFFLOADS)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_OFFLOADS.into();
                    self.set_data.d.next = self.tail.q.val().get_bits::<32>(32);
                }
                if (self.class.q.val() == ctrl::CLASS_MQ)
                    & (((self.verb.q.val() == ctrl::MQ_RSS_CONFIG)
                        & self.accepted.val().get_bit(feature::RSS))
                        | ((self.verb.q.val() == ctrl::MQ_HASH_CONFIG)
                            & self.accepted.val().get_bit(feature::HASH_REPORT)))
                    & (self.count.q.val() >= self.least.val())
                    & !self.far.val()
                {
                    self.rss.start.next = true;
                    self.state.d.next = State::Rss;
                }
                if (self.class.q.val() == ctrl::CLASS_MQ)
                    & (self.verb.q.val() == ctrl::MQ_VQ_PAIRS_SET)
                    & (self.length.val() == 2)
                    & self.value16.val().any()
                    & (self.value16.val() <= self.pairs.val())
                    & self.accepted.val().get_bit(feature::MQ)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_PAIRS.into();
                    self.set_data.d.next = bit_cast::<32, 16>(self.value16.val());
                }
                // "The device MUST respond ... with VIRTIO_NET_ERR if it was not able to change the parameters": more than 16 bits hold.
                if (self.class.q.val() == ctrl::CLASS_NOTF_COAL)
                    & (self.verb.q.val() <= ctrl::NOTF_COAL_RX_SET)
                    & (self.length.val() == 8)
                    & self.in_range.val()
                    & self.accepted.val().get_bit(feature::NOTF_COAL)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_TX_LIMITS.into();
                    if self.verb.q.val() == ctrl::NOTF_COAL_RX_SET {
                        self.set_item.d.next = ctrl::SET_RX_LIMITS.into();
                    }
                    self.set_data.d.next = bit_cast::<32, 16>(self.packets.val())
                        | (bit_cast::<32, 16>(self.micros.val()) << 16);
                }
                // "if the designated virtqueue is not an enabled transmit or receive virtqueue": refused, both.
                if (self.class.q.val() == ctrl::CLASS_NOTF_COAL)
                    & (self.verb.q.val() == ctrl::NOTF_COAL_VQ_SET)
                    & (self.length.val() == 12)
                    & self.in_range.val()
                    & self.runs.q.val()
                    & self.accepted.val().get_bit(feature::VQ_NOTF_COAL)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_LIMITS.into();
                    self.set_index.d.next = self.whose.q.val();
                    self.set_data.d.next = bit_cast::<32, 16>(self.packets.val())
                        | (bit_cast::<32, 16>(self.micros.val()) << 16);
                }
                if (self.class.q.val() == ctrl::CLASS_NOTF_COAL)
                    & (self.verb.q.val() == ctrl::NOTF_COAL_VQ_GET)
                    & (self.length.val() == 4)
                    & self.runs.q.val()
                    & self.accepted.val().get_bit(feature::VQ_NOTF_COAL)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.result.d.next = bit_cast::<64, 16>(self.found.q.val().get_bits::<16>(0))
                        | (bit_cast::<64, 16>(self.found.q.val().get_bits::<16>(16)) << 32);
                    self.more.d.next = 8.into();
                }
                if (self.class.q.val() == ctrl::CLASS_STATS)
                    & (self.verb.q.val() == ctrl::STATS_QUERY)
                    & (self.length.val() == 0)
                    & self.accepted.val().get_bit(feature::DEVICE_STATS)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.result.d.next = self.stats_types.val();
                    self.more.d.next = 8.into();
                }
                if (self.class.q.val() == ctrl::CLASS_STATS)
                    & (self.verb.q.val() == ctrl::STATS_GET)
                    & (self.count.q.val() >= self.least.val())
                    & !self.long.q.val()
                    & self.accepted.val().get_bit(feature::DEVICE_STATS)
                {
                    self.report.start.next = true;
                    self.state.d.next = State::Stats;
                }
                if (self.class.q.val() == ctrl::CLASS_ANNOUNCE)
                    & (self.verb.q.val() == ctrl::ANNOUNCE_ACK)
                    & (self.length.val() == 0)
                    & self.accepted.val().get_bit(feature::GUEST_ANNOUNCE)
                {
                    self.ack.d.next = ctrl::ACK_OK.into();
                    self.set_valid.d.next = true;
                    self.set_item.d.next = ctrl::SET_ANNOUNCED.into();
                }
            }
            // Second: the rest of the address.
            State::Second => {
                self.set_valid.d.next = true;
                self.set_item.d.next = ctrl::SET_MAC.into();
                self.set_index.d.next = 1.into();
                self.set_data.d.next = bit_cast::<32, 16>(self.value16.val());
                self.state.d.next = State::Answer;
            }
            // Read: the next byte of a filter table, or its end.
            State::Read => {
                self.state.d.next = State::Use;
                if self.at.q.val() == self.count.q.val().get_bits::<10>(0) {
                    self.state.d.next = State::Answer;
                    if self.complete.q.val() {
                        self.ack.d.next = ctrl::ACK_OK.into();
                        self.set_valid.d.next = true;
                        self.set_item.d.next = ctrl::SET_MAC_TABLE.into();
                    }
                }
            }
            State::Use => {
                self.at.d.next = self.at.q.val() + 1;
                self.phase.d.next = self.phase.q.val() + 1;
                self.state.d.next = State::Read;
                if self.counting.q.val() {
                    // Four bytes, of which no table that is kept needs the upper three.
                    if self.phase.q.val() == 0 {
                        self.left.d.next = self.byte.val();
                    } else if self.byte.val().any() {
                        self.state.d.next = State::Answer;
                    }
                    if self.phase.q.val() == 3 {
                        self.counting.d.next = false;
                        self.phase.d.next = 0.into();
                        self.list_end.next = !self.left.q.val().any();
                    }
                } else {
                    self.hash.d.next = self.hash.q.val() ^ self.byte.val();
                    if self.phase.q.val() == 5 {
                        self.hash.d.next = 0.into();
                        self.phase.d.next = 0.into();
                        self.set_valid.d.next = true;
                        self.set_item.d.next = ctrl::SET_MAC_HASH.into();
                        self.set_index.d.next = bit_cast::<16, 8>(self.hash.q.val() ^ self.byte.val());
                        self.left.d.next = self.left.q.val() - 1;
                        self.list_end.next = self.left.q.val() == 1;
                    }
                }
                if self.list_end.val() {
                    self.second.d.next = true;
                    self.counting.d.next = !self.second.q.val();
                    self.complete.d.next = self.second.q.val();
                }
                if self.complete.q.val() {
                    // Something stands behind the second list.
                    self.set_valid.d.next = false;
                    self.state.d.next = State::Answer;
                }
            }
            // Rss: it is read twice.
            State::Rss => {
                self.set_valid.d.next = self.rss.settings.valid.val();
                self.set_item.d.next = self.rss.settings.item.val();
                self.set_index.d.next = self.rss.settings.index.val();
                self.set_data.d.next = self.rss.settings.data.val();
                if self.rss.done.val() {
                    self.state.d.next = State::Answer;
                    if self.rss.good.val() {
                        self.ack.d.next = ctrl::ACK_OK.into();
                    }
                }
            }
            // Stats: all that is asked for is looked at first.
            State::Stats => {
                if self.report.done.val() {
                    self.state.d.next = State::Answer;
                    if self.report.good.val() {
                        self.reports.d.next = true;
                        self.ack.d.next = ctrl::ACK_OK.into();
                    }
                }
            }
            State::Answer => {
                if self.answer.ready.val() {
                    self.state.d.next = State::Take;
                    if self.ack.q.val() == ctrl::ACK_OK {
                        self.carried_out.d.next = self.carried_out.q.val() + 1;
                    }
                    if self.reports.q.val() {
                        self.report.tell.next = true;
                        self.state.d.next = State::Report;
                    }
                    if self.more.q.val().any() {
                        self.state.d.next = State::Result;
                    }
                }
            }
            // Result: the next byte of it.
            State::Result => {
                if self.answer.ready.val() {
                    self.result.d.next = self.result.q.val() >> 8;
                    self.more.d.next = self.more.q.val() - 1;
                    if self.more.q.val() == 1 {
                        self.state.d.next = State::Take;
                    }
                }
            }
            // Report: byte by byte, to its end.
            State::Report => {
                if self.report.told.valid.val() & self.answer.ready.val() & self.report.told.data.val().last {
                    self.state.d.next = State::Take;
                }
            }
            _ => self.state.d.next = State::Take,
        }
        if self.forget.val() {
            // Nobody is there to take its answer.
            self.state.d.next = State::Take;
            self.more.d.next = 0.into();
        }
        self.taken.next = self.answer.valid.val() & self.answer.ready.val() & self.answer.data.val().last;
        if self.forget.val() | self.taken.val() {
            self.count.d.next = 0.into();
            self.long.d.next = false;
        }
        if self.reset.val() | !self.offered.val() {
            self.state.d.next = State::Take;
            self.set_valid.d.next = false;
            self.count.d.next = 0.into();
            self.long.d.next = false;
            self.more.d.next = 0.into();
            self.commands.d.next = 0.into();
            self.carried_out.d.next = 0.into();
            self.mode.d.next = ctrl::MODE_PROMISC.into();
        }
    }
}
