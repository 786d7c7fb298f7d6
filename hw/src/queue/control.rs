//! The control queue: hands the commands in its chains out, writes the answers back, gives the chains back.
//! In: `control`, of this queue alone; `kick`; `answer`; `reply`: DMA.   Out: `command`; `request`, `write`: DMA; `irq`; `error`.
//! Time: one chain after the other, a cycle per byte and a read's delay per step: it is seldom used and small instead of fast.
//! Waits: on DMA and `answer`. With `fence` it finishes the chain in hand.   Busy: a chain, a kick or an interrupt is in hand.
//! A chain: readable descriptors (the command), then writable ones (the answer). What of the answer has no room is left out.
//! Of a packed ring a chain is walked to its end, since its name stands there.
//! Spec: [virtio 1.4: Split Virtqueues, Packed Virtqueues], [Network Device, Control Virtqueue]

use crate::params::Params;
use crate::port::chain::QueueIrq;
use crate::port::control::{AnswerByte, CommandByte};
use crate::port::dma::{ReadSide, WriteSide};
use crate::port::queue::{QueueControlSink, QueueError};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::lookup::AreaRead;
use bytes::Bytes;
use hematite_abi::{feature, ident, packed, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

pub mod bytes;

/// Bytes of the largest read: what `queue::lookup` allows.
const PIECE: u64 = 128;

/// `Ask…` ends when its read is done, `Write…` when its write is taken.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    AskIndex,
    WriteArm,
    AwaitArm,
    AskHead,
    Begin,
    AskDesc,
    Check,
    AskData,
    Follow,
    End,
    Answer,
    WriteId,
    WriteLen,
    WriteIndex,
    AwaitIndex,
    AskEvent,
    Decide,
    Signal,
    Fail,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Control<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// EVENT_IDX, INDIRECT_DESC, RING_PACKED are accepted.
    pub event_idx: Signal<In, Bit>,
    pub packed: Signal<In, Bit>,
    pub indirect: Signal<In, Bit>,
    /// Pulse: the doorbell.
    pub kick: Signal<In, Bit>,
    pub command: StreamSource<CommandByte>,
    pub answer: StreamSink<AnswerByte>,
    /// Pulse: the command that has come in part will not be completed.
    pub forget: Signal<Out, Bit>,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub write: BeatSource<W, WriteSide>,
    /// Pulse: the write that asked for it has left for the host.
    pub notified: Signal<In, Bit>,
    pub irq: StreamSource<QueueIrq>,
    pub error: StreamSource<QueueError>,
    pub busy: Signal<Out, Bit>,
    /// Pulse: the driver does not want the interrupt.
    pub count_irq_suppressed: Signal<Out, Bit>,
    /// For inspection: `avail.idx` as last read, entries taken, `used.idx` as published.
    pub seen: Signal<Out, Bits<16>>,
    pub taken: Signal<Out, Bits<16>>,
    pub used: Signal<Out, Bits<16>>,
    bytes: Bytes<W>,
    state: Reg<State>,
    /// The read of this state has been asked for.
    asked: Reg<Bit>,
    /// The last bytes read, the youngest on top.
    word: Reg<Bits<128>>,
    // The queue.
    running: Reg<Bit>,
    bad: Reg<Bit>,
    kicked: Reg<Bit>,
    armed: Reg<Bit>,
    size: Reg<Bits<16>>,
    device: Reg<Bits<64>>,
    desc: Reg<Bits<64>>,
    driver: Reg<Bits<64>>,
    seen_index: Reg<Bits<16>>,
    taken_index: Reg<Bits<16>>,
    used_index: Reg<Bits<16>>,
    // The chain.
    head: Reg<Bits<16>>,
    /// The table its descriptors are out of: the queue's own or an indirect one; its entries, and how many have been read.
    inside: Reg<Bit>,
    table: Reg<Bits<64>>,
    entries: Reg<Bits<16>>,
    walked: Reg<Bits<16>>,
    next_desc: Reg<Bits<16>>,
    chained: Reg<Bit>,
    /// Of a packed ring: descriptors of it so far; the answer is written, the rest of the chain is only counted.
    slots: Reg<Bits<16>>,
    answered: Reg<Bit>,
    /// The buffer, as far as it is left.
    addr: Reg<Bits<64>>,
    left: Reg<Bits<32>>,
    /// Bytes of the command; it has been handed out; bytes of the answer written.
    total: Reg<Bits<17>>,
    ended: Reg<Bit>,
    written: Reg<Bits<16>>,
    code: Reg<Bits<8>>,
    asks: Signal<Local, Bit>,
    area: Signal<Local, AreaRead>,
    lane: Signal<Local, Bits<2>>,
    done: Signal<Local, Bit>,
    ahead: Signal<Local, Bits<16>>,
    half: Signal<Local, Bits<16>>,
    slot: Signal<Local, Bits<16>>,
    flags: Signal<Local, Bits<16>>,
    len: Signal<Local, Bits<32>>,
    is_table: Signal<Local, Bit>,
    strip: Signal<Local, Bit>,
    wrap: Signal<Local, Bit>,
    ring_flags: Signal<Local, Bits<16>>,
    used_flags: Signal<Local, Bits<16>>,
    event: Signal<Local, Bits<16>>,
    beyond: Signal<Local, Bits<16>>,
    place: Signal<Local, Bits<16>>,
    low: Signal<Local, Bits<16>>,
    to_edge: Signal<Local, Bits<32>>,
    piece: Signal<Local, Bits<32>>,
    offset: Signal<Local, Bits<20>>,
    value: Signal<Local, Bits<32>>,
    offered: Constant<Bit>,
    able: Constant<Bit>,
    used_len_at: Constant<Bits<20>>,
    event_bytes: Constant<Bits<8>>,
    event_flags: Constant<Bits<32>>,
    wrap_bit: Constant<Bits<16>>,
    flags_mask: Constant<Bits<16>>,
    silent: Constant<Bits<16>>,
    named: Constant<Bits<16>>,
    used_both: Constant<Bits<16>>,
    written_flag: Constant<Bits<16>>,
    number: Constant<Bits<16>>,
    avail_idx: Constant<Bits<20>>,
    avail_ring: Constant<Bits<20>>,
    used_idx: Constant<Bits<20>>,
    used_ring: Constant<Bits<20>>,
    used_len: Constant<Bits<20>>,
    desc_bytes: Constant<Bits<8>>,
    field_bytes: Constant<Bits<8>>,
    piece_bytes: Constant<Bits<32>>,
    table_bytes: Constant<Bits<32>>,
}

impl<const W: usize> Control<W> {
    /// The queue behind those of `params.pairs`; nothing, if the set does not offer it.
    pub fn new(params: &Params) -> Self {
        let offset = |bytes: usize| Constant::new((bytes as u64).into());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            event_idx: Default::default(),
            packed: Default::default(),
            indirect: Default::default(),
            kick: Default::default(),
            command: Default::default(),
            answer: Default::default(),
            forget: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            write: Default::default(),
            notified: Default::default(),
            irq: Default::default(),
            error: Default::default(),
            busy: Default::default(),
            count_irq_suppressed: Default::default(),
            seen: Default::default(),
            taken: Default::default(),
            used: Default::default(),
            bytes: Default::default(),
            state: Default::default(),
            asked: Default::default(),
            word: Default::default(),
            running: Default::default(),
            bad: Default::default(),
            kicked: Default::default(),
            armed: Default::default(),
            size: Default::default(),
            device: Default::default(),
            desc: Default::default(),
            driver: Default::default(),
            seen_index: Default::default(),
            taken_index: Default::default(),
            used_index: Default::default(),
            head: Default::default(),
            inside: Default::default(),
            table: Default::default(),
            entries: Default::default(),
            walked: Default::default(),
            next_desc: Default::default(),
            chained: Default::default(),
            slots: Default::default(),
            answered: Default::default(),
            addr: Default::default(),
            left: Default::default(),
            total: Default::default(),
            ended: Default::default(),
            written: Default::default(),
            code: Default::default(),
            asks: Default::default(),
            area: Default::default(),
            lane: Default::default(),
            done: Default::default(),
            ahead: Default::default(),
            half: Default::default(),
            slot: Default::default(),
            flags: Default::default(),
            len: Default::default(),
            is_table: Default::default(),
            strip: Default::default(),
            wrap: Default::default(),
            ring_flags: Default::default(),
            used_flags: Default::default(),
            event: Default::default(),
            beyond: Default::default(),
            place: Default::default(),
            low: Default::default(),
            to_edge: Default::default(),
            piece: Default::default(),
            offset: Default::default(),
            value: Default::default(),
            offered: Constant::new(params.offers(feature::CTRL_VQ)),
            able: Constant::new(params.offers(feature::RING_PACKED) && params.offers(feature::CTRL_VQ)),
            used_len_at: offset(packed::DESC_LEN_LSB / 8),
            event_bytes: Constant::new((packed::EVENT_BYTES as u64).into()),
            event_flags: Constant::new((packed::EVENT_DESC << packed::EVENT_FLAGS_LSB).into()),
            wrap_bit: Constant::new((1 << packed::EVENT_WRAP_LSB).into()),
            flags_mask: Constant::new(((1 << packed::EVENT_FLAGS_BITS) - 1).into()),
            silent: Constant::new(packed::EVENT_DISABLE.into()),
            named: Constant::new(packed::EVENT_DESC.into()),
            used_both: Constant::new((packed::DESC_F_AVAIL | packed::DESC_F_USED).into()),
            written_flag: Constant::new(ring::DESC_F_WRITE.into()),
            number: Constant::new(params.queues().to_bits()),
            avail_idx: offset(ring::AVAIL_IDX),
            avail_ring: offset(ring::AVAIL_RING),
            used_idx: offset(ring::USED_IDX),
            used_ring: offset(ring::USED_RING),
            used_len: offset(ring::USED_RING + ring::USED_ELEM_BYTES / 2),
            desc_bytes: Constant::new((ring::DESC_BYTES as u64).into()),
            field_bytes: Constant::new((ring::EVENT_BYTES as u64).into()),
            piece_bytes: Constant::new(PIECE.into()),
            table_bytes: Constant::new((ring::TABLE_BYTES as u64).into()),
        }
    }
}

impl<const W: usize> Logic for Control<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, bytes);
        dff_setup!(self, clock, state, asked, word, running, bad, kicked, armed, size, device, desc, driver);
        dff_setup!(self, clock, seen_index, taken_index, used_index, head, inside, table, entries, walked);
        dff_setup!(self, clock, next_desc, chained, slots, answered, addr, left, total, ended, written, code);
        self.bytes.reset.next = self.reset.val();
        StreamSource::<AreaRead>::link(&mut self.request, &mut self.bytes.request);
        BeatSink::<W, ReadSide>::link(&mut self.reply, &mut self.bytes.reply);
        self.seen.next = self.seen_index.q.val();
        self.taken.next = self.taken_index.q.val();
        self.used.next = self.used_index.q.val();

        // Of a packed ring a count of descriptors says place and wrap counter, which begins with 1: sizes are powers of two.
        self.strip.next = self.packed.val() & self.able.val();
        self.wrap.next = !(self.taken_index.q.val() & self.size.q.val()).any();
        self.place.next = self.taken_index.q.val() & (self.size.q.val() - 1);
        if self.wrap.val() {
            self.place.next = (self.taken_index.q.val() & (self.size.q.val() - 1)) | self.wrap_bit.val();
        }
        // What the state reads.
        self.slot.next = self.taken_index.q.val() & (self.size.q.val() - 1);
        self.to_edge.next = self.piece_bytes.val() - bit_cast::<32, 7>(self.addr.q.val().get_bits::<7>(0));
        self.piece.next = self.to_edge.val();
        if self.left.q.val() < self.to_edge.val() {
            self.piece.next = self.left.q.val();
        }
        self.asks.next = false;
        self.area.next.queue = self.number.val();
        self.area.next.driver = true;
        self.area.next.offset = self.avail_idx.val();
        self.area.next.len = self.field_bytes.val();
        self.area.next.fixed = true;
        self.area.next.base = self.driver.q.val();
        match self.state.q.val() {
            State::AskIndex => self.asks.next = true,
            State::AskHead => {
                self.asks.next = true;
                self.area.next.offset = self.avail_ring.val() + (bit_cast::<20, 16>(self.slot.val()) << 1);
            }
            State::AskDesc => {
                self.asks.next = true;
                self.area.next.driver = false;
                self.area.next.offset = bit_cast::<20, 16>(self.next_desc.q.val()) << 4;
                self.area.next.len = self.desc_bytes.val();
                self.area.next.base = self.table.q.val();
            }
            State::AskData => {
                self.asks.next = true;
                self.area.next.driver = false;
                self.area.next.offset = 0.into();
                self.area.next.len = self.piece.val().get_bits::<8>(0);
                self.area.next.base = self.addr.q.val();
            }
            State::AskEvent => {
                self.asks.next = true;
                self.area.next.offset = 0.into();
                if self.strip.val() {
                    self.area.next.len = self.event_bytes.val();
                } else if self.event_idx.val() {
                    self.area.next.offset =
                        self.avail_ring.val() + (bit_cast::<20, 16>(self.size.q.val()) << 1);
                }
            }
            _ => {}
        }
        // The available ring is aligned to 2, tables to 16.
        self.lane.next = 0.into();
        if self.area.val().driver & (self.area.val().offset.get_bit(1) ^ self.driver.q.val().get_bit(1)) {
            self.lane.next = 2.into();
        }
        if self.state.q.val() == State::AskData {
            self.lane.next = self.addr.q.val().get_bits::<2>(0);
        }
        self.bytes.lane.next = self.lane.val();
        self.bytes.ask.data.next = self.area.val();
        self.bytes.ask.valid.next = self.asks.val() & !self.asked.q.val();
        if self.asks.val() & self.bytes.ask.ready.val() {
            self.asked.d.next = true;
        }
        self.done.next = self.asks.val() & self.bytes.done.val();
        if self.done.val() {
            self.asked.d.next = false;
        }

        // Bytes of a command go out; what else is read is kept.
        self.command.valid.next = false;
        self.command.data.next.data = self.bytes.byte.data.val();
        self.command.data.next.end = false;
        self.bytes.byte.ready.next = true;
        if self.state.q.val() == State::AskData {
            self.command.valid.next = self.bytes.byte.valid.val();
            self.bytes.byte.ready.next = self.command.ready.val();
        } else if self.bytes.byte.valid.val() {
            self.word.d.next =
                (self.word.q.val() >> 8) | (bit_cast::<128, 8>(self.bytes.byte.data.val()) << 120);
        }
        self.half.next = self.word.q.val().get_bits::<16>(112);
        self.ahead.next = self.half.val() - self.taken_index.q.val();
        self.flags.next = self.word.q.val().get_bits::<16>(ring::DESC_FLAGS_LSB);
        self.ring_flags.next = self.word.q.val().get_bits::<16>(packed::DESC_FLAGS_LSB);
        if self.strip.val() {
            self.flags.next = self.ring_flags.val();
        }
        // The event suppression structure: place, flags. Places go round with twice the size.
        self.low.next = self.word.q.val().get_bits::<16>(96);
        self.event.next = self.low.val() & (self.wrap_bit.val() - 1);
        if !(self.low.val() & self.wrap_bit.val()).any() {
            self.event.next = (self.low.val() & (self.wrap_bit.val() - 1)) + self.size.q.val();
        }
        self.beyond.next =
            (self.used_index.q.val() - self.event.val() - 1) & (self.size.q.val() | (self.size.q.val() - 1));
        self.used_flags.next = 0.into();
        if self.wrap.val() {
            self.used_flags.next = self.used_both.val();
        }
        if self.written.q.val().any() {
            self.used_flags.next = self.used_flags.val() | self.written_flag.val();
        }
        self.len.next = self.word.q.val().get_bits::<32>(ring::DESC_LEN_LSB);
        self.is_table.next = self.flags.val().get_bit(ring::DESC_F_INDIRECT_BIT);

        // What the state writes: four bytes or two, never across a page, or one of the answer.
        self.offset.next = self.used_idx.val();
        self.value.next = bit_cast::<32, 16>(self.used_index.q.val() + 1) << 16;
        self.write.valid.next = false;
        self.write.last.next = true;
        self.write.side.next.len = 2.into();
        self.write.side.next.notify = 0.into();
        match self.state.q.val() {
            State::WriteArm => {
                self.write.valid.next = true;
                self.offset.next = self.used_ring.val() + (bit_cast::<20, 16>(self.size.q.val()) << 3);
                self.value.next = bit_cast::<32, 16>(self.taken_index.q.val());
                self.write.side.next.notify = 4.into();
            }
            State::WriteId => {
                self.write.valid.next = true;
                self.offset.next = self.used_ring.val() + (bit_cast::<20, 16>(self.slot.val()) << 3);
                self.value.next = bit_cast::<32, 16>(self.head.q.val());
                self.write.side.next.len = 4.into();
            }
            State::WriteLen => {
                self.write.valid.next = true;
                self.offset.next = self.used_len.val() + (bit_cast::<20, 16>(self.slot.val()) << 3);
                self.value.next = bit_cast::<32, 16>(self.written.q.val());
                self.write.side.next.len = 4.into();
            }
            State::WriteIndex => {
                self.write.valid.next = true;
                self.write.side.next.notify = 4.into();
            }
            _ => {}
        }
        if self.strip.val() {
            if self.state.q.val() == State::WriteArm {
                self.offset.next = 0.into();
                self.value.next = bit_cast::<32, 16>(self.place.val()) | self.event_flags.val();
                self.write.side.next.len = 4.into();
            } else {
                self.offset.next = self.used_len_at.val() | (bit_cast::<20, 16>(self.slot.val()) << 4);
                self.value.next = bit_cast::<32, 16>(self.written.q.val());
                self.write.side.next.len = 8.into();
            }
        }
        self.write.side.next.addr = self.device.q.val() + bit_cast::<64, 20>(self.offset.val());
        if self.strip.val() & (self.state.q.val() == State::WriteIndex) {
            self.write.side.next.addr = self.desc.q.val() + bit_cast::<64, 20>(self.offset.val());
        }
        self.answer.ready.next = false;
        if self.state.q.val() == State::Answer {
            self.write.valid.next = self.answer.valid.val() & self.left.q.val().any();
            self.write.side.next.addr = self.addr.q.val();
            self.write.side.next.len = 1.into();
            self.value.next = bit_cast::<32, 8>(self.answer.data.val().data);
            if self.addr.q.val().get_bit(0) {
                self.value.next = bit_cast::<32, 8>(self.answer.data.val().data) << 8;
            }
        }
        self.write.data.next = bit_cast::<W, 32>(self.value.val());
        if self.strip.val() & (self.state.q.val() == State::WriteIndex) {
            // A used descriptor, from its length on, in one piece.
            self.write.data.next = bit_cast::<W, 32>(self.value.val())
                | (bit_cast::<W, 16>(self.head.q.val()) << 32)
                | (bit_cast::<W, 16>(self.used_flags.val()) << 48);
        }
        if (self.state.q.val() == State::Answer) & self.addr.q.val().get_bit(1) {
            self.write.data.next = bit_cast::<W, 32>(self.value.val()) << 16;
        }

        self.irq.valid.next = self.state.q.val() == State::Signal;
        self.irq.data.next.queue = self.number.val();
        self.error.valid.next = self.state.q.val() == State::Fail;
        self.error.data.next.queue = self.number.val();
        self.error.data.next.code = self.code.q.val();
        self.forget.next = self.error.valid.val() & self.error.ready.val();
        self.count_irq_suppressed.next = false;

        match self.state.q.val() {
            State::Idle => {
                self.inside.d.next = false;
                self.walked.d.next = 0.into();
                self.total.d.next = 0.into();
                self.written.d.next = 0.into();
                self.ended.d.next = false;
                self.slots.d.next = 0.into();
                self.answered.d.next = false;
                if self.running.q.val() & !self.bad.q.val() & self.kicked.q.val() & !self.control.fence.val()
                {
                    self.kicked.d.next = false;
                    self.state.d.next = State::AskIndex;
                    if self.strip.val() {
                        self.state.d.next = State::Begin;
                    }
                }
            }
            State::AskIndex => {
                if self.done.val() {
                    self.seen_index.d.next = self.half.val();
                    self.state.d.next = State::AskHead;
                    if !self.ahead.val().any() {
                        // Nothing: ring for the next one, and look again for what came before the driver knew.
                        self.state.d.next = State::Idle;
                        if self.event_idx.val() & !self.armed.q.val() {
                            self.state.d.next = State::WriteArm;
                        }
                    }
                    if self.ahead.val() > self.size.q.val() {
                        self.code.d.next = ident::ERROR_AVAIL_INDEX.into();
                        self.state.d.next = State::Fail;
                    }
                }
            }
            State::WriteArm => {
                if self.write.ready.val() {
                    self.armed.d.next = true;
                    self.state.d.next = State::AwaitArm;
                }
            }
            State::AwaitArm => {
                if self.notified.val() {
                    self.state.d.next = State::AskIndex;
                    if self.strip.val() {
                        self.state.d.next = State::Begin;
                    }
                }
            }
            // Begin: of a packed ring, what stands at our place.
            State::Begin => {
                self.table.d.next = self.desc.q.val();
                self.entries.d.next = self.size.q.val();
                self.next_desc.d.next = self.slot.val();
                self.walked.d.next = 0.into();
                self.slots.d.next = 0.into();
                self.state.d.next = State::AskDesc;
            }
            State::AskHead => {
                self.table.d.next = self.desc.q.val();
                self.entries.d.next = self.size.q.val();
                if self.done.val() {
                    self.head.d.next = self.half.val();
                    self.next_desc.d.next = self.half.val();
                    self.state.d.next = State::AskDesc;
                    if self.half.val() >= self.size.q.val() {
                        self.code.d.next = ident::ERROR_DESC_INDEX.into();
                        self.state.d.next = State::Fail;
                    }
                }
            }
            State::AskDesc => {
                if self.done.val() {
                    self.walked.d.next = self.walked.q.val() + 1;
                    self.state.d.next = State::Check;
                }
            }
            // Check: a descriptor is in `word`.
            State::Check => {
                self.addr.d.next = self.word.q.val().get_bits::<64>(ring::DESC_ADDR_LSB);
                self.left.d.next = self.len.val();
                self.next_desc.d.next = self.word.q.val().get_bits::<16>(ring::DESC_NEXT_LSB);
                self.chained.d.next = self.flags.val().get_bit(ring::DESC_F_NEXT_BIT);
                if self.strip.val() {
                    self.next_desc.d.next = self.next_desc.q.val() + 1;
                    if self.inside.q.val() {
                        // Of a table all entries count, in their order.
                        self.chained.d.next = self.walked.q.val() != self.entries.q.val();
                    } else {
                        self.next_desc.d.next = (self.next_desc.q.val() + 1) & (self.size.q.val() - 1);
                        self.head.d.next = self.word.q.val().get_bits::<16>(packed::DESC_ID_LSB);
                        self.slots.d.next = self.slots.q.val() + 1;
                    }
                }
                if self.strip.val()
                    & !self.slots.q.val().any()
                    & ((self.flags.val().get_bit(packed::DESC_F_AVAIL_BIT) != self.wrap.val())
                        | (self.flags.val().get_bit(packed::DESC_F_USED_BIT) == self.wrap.val()))
                {
                    // Nothing: ring for the next one, and look again for what came before the driver knew.
                    self.state.d.next = State::Idle;
                    if self.event_idx.val() & !self.armed.q.val() {
                        self.state.d.next = State::WriteArm;
                    }
                } else if self.answered.q.val() {
                    self.state.d.next = State::Follow;
                } else if self.is_table.val() {
                    // "The device MUST ignore the write-only flag" of one that refers to a table.
                    self.inside.d.next = true;
                    self.table.d.next = self.word.q.val().get_bits::<64>(ring::DESC_ADDR_LSB);
                    self.entries.d.next = self.len.val().get_bits::<16>(4);
                    self.walked.d.next = 0.into();
                    self.next_desc.d.next = 0.into();
                    self.state.d.next = State::AskDesc;
                    if !self.indirect.val()
                        | self.inside.q.val()
                        | (self.strip.val() & self.slots.q.val().any())
                        | self.flags.val().get_bit(ring::DESC_F_NEXT_BIT)
                        | !self.len.val().any()
                        | self.len.val().get_bits::<4>(0).any()
                        | (self.len.val() >= self.table_bytes.val())
                        | self.word.q.val().get_bits::<4>(ring::DESC_ADDR_LSB).any()
                    {
                        self.code.d.next = ident::ERROR_INDIRECT.into();
                        self.state.d.next = State::Fail;
                    }
                } else if self.flags.val().get_bit(ring::DESC_F_WRITE_BIT) {
                    self.state.d.next = State::Answer;
                    if !self.ended.q.val() {
                        self.state.d.next = State::End;
                    }
                } else {
                    self.state.d.next = State::AskData;
                    if !self.len.val().any() {
                        self.state.d.next = State::Follow;
                    }
                    if self.ended.q.val() {
                        // "The driver MUST place any device-writable descriptor elements after any device-readable".
                        self.code.d.next = ident::ERROR_WRONG_DIRECTION.into();
                        self.state.d.next = State::Fail;
                    }
                }
            }
            State::AskData => {
                if self.done.val() {
                    self.addr.d.next = self.addr.q.val() + bit_cast::<64, 32>(self.piece.val());
                    self.left.d.next = self.left.q.val() - self.piece.val();
                    self.total.d.next = self.total.q.val() + bit_cast::<17, 32>(self.piece.val());
                    if self.left.q.val() == self.piece.val() {
                        self.state.d.next = State::Follow;
                    }
                    if self.total.q.val().get_bit(16) {
                        // No command is this long.
                        self.code.d.next = ident::ERROR_CHAIN_TOO_LONG.into();
                        self.state.d.next = State::Fail;
                    }
                }
            }
            // Follow: the buffer is used up.
            State::Follow => {
                self.state.d.next = State::AskDesc;
                if !self.chained.q.val() {
                    self.state.d.next = State::End;
                    if self.answered.q.val() {
                        self.state.d.next = State::WriteIndex;
                    }
                } else if self.next_desc.q.val() >= self.entries.q.val() {
                    self.code.d.next = ident::ERROR_DESC_INDEX.into();
                    self.state.d.next = State::Fail;
                } else if self.walked.q.val() >= self.entries.q.val() {
                    self.code.d.next = ident::ERROR_DESC_LOOP.into();
                    self.state.d.next = State::Fail;
                }
            }
            // End: of the command; the buffer in hand is the first of the answer, or there is none.
            State::End => {
                self.command.valid.next = true;
                self.command.data.next.end = true;
                if self.command.ready.val() {
                    self.ended.d.next = true;
                    self.state.d.next = State::Answer;
                }
            }
            State::Answer => {
                if !self.left.q.val().any() & self.chained.q.val() {
                    self.state.d.next = State::Follow;
                } else if self.answer.valid.val() {
                    self.answer.ready.next = self.write.ready.val() | !self.left.q.val().any();
                    if self.answer.ready.val() {
                        if self.left.q.val().any() {
                            self.addr.d.next = self.addr.q.val() + 1;
                            self.left.d.next = self.left.q.val() - 1;
                            self.written.d.next = self.written.q.val() + 1;
                        }
                        if self.answer.data.val().last {
                            self.state.d.next = State::WriteId;
                            if self.strip.val() {
                                self.state.d.next = State::WriteIndex;
                                if self.chained.q.val() & !self.inside.q.val() {
                                    self.answered.d.next = true;
                                    self.state.d.next = State::Follow;
                                }
                            }
                        }
                    }
                }
            }
            State::WriteId => {
                if self.write.ready.val() {
                    self.state.d.next = State::WriteLen;
                }
            }
            State::WriteLen => {
                if self.write.ready.val() {
                    self.state.d.next = State::WriteIndex;
                }
            }
            State::WriteIndex => {
                if self.write.ready.val() {
                    self.used_index.d.next = self.used_index.q.val() + 1;
                    self.taken_index.d.next = self.taken_index.q.val() + 1;
                    self.armed.d.next = false;
                    if self.strip.val() {
                        self.used_index.d.next = self.used_index.q.val() + self.slots.q.val();
                        self.taken_index.d.next = self.taken_index.q.val() + self.slots.q.val();
                        self.seen_index.d.next = self.taken_index.q.val() + self.slots.q.val();
                    }
                    self.state.d.next = State::AwaitIndex;
                }
            }
            State::AwaitIndex => {
                if self.notified.val() {
                    self.state.d.next = State::AskEvent;
                }
            }
            State::AskEvent => {
                if self.done.val() {
                    self.state.d.next = State::Decide;
                }
            }
            // Decide: one element has come; the driver wants to hear of it by its flags, or by `used_event` if that names it.
            State::Decide => {
                self.kicked.d.next = true;
                self.state.d.next = State::Signal;
                if self.strip.val() {
                    if ((self.half.val() & self.flags_mask.val()) == self.silent.val())
                        | (self.event_idx.val()
                            & ((self.half.val() & self.flags_mask.val()) == self.named.val())
                            & (self.beyond.val() >= self.slots.q.val()))
                    {
                        self.count_irq_suppressed.next = true;
                        self.state.d.next = State::Idle;
                    }
                } else if self.half.val().get_bit(ring::AVAIL_F_NO_INTERRUPT_BIT) & !self.event_idx.val() {
                    self.count_irq_suppressed.next = true;
                    self.state.d.next = State::Idle;
                }
                if self.event_idx.val() & !self.strip.val() & (self.half.val() + 1 != self.used_index.q.val())
                {
                    self.count_irq_suppressed.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            State::Signal => {
                if self.irq.ready.val() {
                    self.state.d.next = State::Idle;
                }
            }
            State::Fail => {
                if self.error.ready.val() {
                    self.bad.d.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.done.val() & self.bytes.failed.val() {
            self.state.d.next = State::Fail;
            self.code.d.next = ident::ERROR_DMA_READ.into();
            if self.bytes.timeout.val() {
                self.code.d.next = ident::ERROR_DMA_TIMEOUT.into();
            }
        }

        if self.control.enable.val() {
            self.running.d.next = true;
            self.bad.d.next = false;
            self.kicked.d.next = false;
            self.armed.d.next = false;
            self.size.d.next = self.control.settings.val().size;
            // "Descriptor Table: alignment 16; Available Ring: 2; Used Ring: 4": the bits below are not looked at.
            self.desc.d.next = (self.control.settings.val().desc >> 4) << 4;
            self.driver.d.next = (self.control.settings.val().driver >> 1) << 1;
            self.device.d.next = (self.control.settings.val().device >> 2) << 2;
            if self.strip.val() {
                self.driver.d.next = (self.control.settings.val().driver >> 2) << 2;
            }
            self.seen_index.d.next = 0.into();
            self.taken_index.d.next = 0.into();
            self.used_index.d.next = 0.into();
        }
        if self.kick.val() {
            self.kicked.d.next = true;
        }
        if self.control.clear.val() {
            self.running.d.next = false;
        }
        self.busy.next = (self.state.q.val() != State::Idle)
            | (self.running.q.val() & !self.bad.q.val() & self.kicked.q.val() & !self.control.fence.val());
        if self.reset.val() | !self.offered.val() {
            self.state.d.next = State::Idle;
            self.asked.d.next = false;
            self.running.d.next = false;
        }
    }
}
