//! Gives chains back: writes used elements, then publishes `used.idx`. For both directions' queues.
//! In: `done`, two streams; one with `more` keeps its turn.   Out: `write`: DMA; `published`, once the index has left.
//! Time: five cycles per publication and one per element (at 64 bits five); up to W/64 neighbouring elements go in one write.
//! Waits: on `write`, and on `done` while `more` is open.   Busy: anything of this is in hand, or an index has not left.
//! Packed rings are written by `used::inscribe`.
//! An index is written when no further chain of its queue waits or sixteen have been written, never inside a packet.
//! Spec: [virtio: The Virtqueue Used Ring], [virtio: Used Buffer Notifications]

use crate::params::Params;
use crate::port::chain::{Done, Published};
use crate::port::dma::WriteSide;
use crate::port::queue::QueueControlSink;
use crate::prim::beat::BeatSource;
use crate::prim::beat_fifo::BeatFifo;
use crate::prim::block_fifo::BlockFifo;
use crate::prim::fifo::Fifo;
use crate::prim::skid::Skid;
use crate::prim::stream::{StreamSink, StreamSource};
use collect::Collect;
use hematite_abi::{feature, ring};
use hematite_verilog::{Reg, dff_setup};
use inscribe::Inscribe;
use notice::Notice;
use rings::{UsedRing, UsedRings};
use rust_hdl_core::prelude::*;
use turn::Turn;

pub mod collect;
pub mod inscribe;
pub mod notice;
pub mod rings;
pub mod turn;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Load,
    Place,
    Sum,
    Fill,
    Write,
    Next,
    Store,
}

/// The writer of used rings.
#[derive(LogicBlock)]
pub struct Used<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// RING_PACKED is accepted.
    pub packed: Signal<In, Bit>,
    /// Receive, transmit.
    pub done: Vec<StreamSink<Done>>,
    pub write: BeatSource<W, WriteSide>,
    /// Pulse: the oldest index written and not yet notified has left for the host.
    pub notified: Signal<In, Bit>,
    pub published: StreamSource<Published>,
    /// Few publications are in flight: what there is of a queue is published at once. Else it may wait for more.
    pub calm: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,
    /// For inspection: a queue, and its `used.idx` as published.
    pub probe_queue: Signal<In, Bits<16>>,
    pub probe_used: Signal<Out, Bits<16>>,
    able: Constant<Bit>,
    strip: Signal<Local, Bit>,
    inscribe: Inscribe<W>,
    half_bytes: Constant<Bits<13>>,
    half_offset: Constant<Bits<20>>,
    idx_bytes: Constant<Bits<13>>,
    ring_offset: Constant<Bits<20>>,
    idx_offset: Constant<Bits<64>>,
    /// Elements in a write, less one; elements between two publications, less one, and not.
    last_elem: Constant<Bits<4>>,
    last_since: Constant<Bits<5>>,
    often: Constant<Bits<5>>,
    /// Where in a page no element may follow another, and where one stands across its end.
    page_late: Constant<Bits<12>>,
    page_end: Constant<Bits<12>>,
    turn: Turn,
    rings: UsedRings,
    /// A narrow function has two queues and no room: their chains wait in one list. Else queue by queue.
    sorts: Constant<Bit>,
    chains: BlockFifo<Done>,
    collect: Collect,
    /// The next of them, in a register: block RAM is slow.
    front: Fifo<Done>,
    /// In a wide function nobody before it hears at once that it has to wait.
    before_front: Skid<Done>,
    /// What is in front is of the queue in hand; something was written into its buffers: found out when it comes.
    same: Reg<Bit>,
    some: Reg<Bit>,
    notice: Notice,
    state: Reg<State>,
    queue: Reg<Bits<16>>,
    ring: Reg<UsedRing>,
    ring_mask: Reg<Bits<16>>,
    /// The next element's.
    number: Reg<Bits<16>>,
    /// The piece in hand: elements, of which one may stand across two pages.
    addr: Reg<Bits<64>>,
    data: Reg<Bits<W>>,
    elems: Reg<Bits<4>>,
    split: Reg<Bit>,
    /// Its second half; the index instead of elements.
    half: Reg<Bit>,
    index: Reg<Bit>,
    offset: Reg<Bits<20>>,
    closed: Reg<Bit>,
    /// Elements since the index was written; the packet goes on.
    since: Reg<Bits<5>>,
    more: Reg<Bit>,
    /// A wide function fills the next piece while one waits for the way out.
    eager: Constant<Bit>,
    out: BeatFifo<W, WriteSide>,
    in_hand: Signal<Local, Bits<16>>,
    nothing: Signal<Local, Bit>,
    here: Signal<Local, Bit>,
    element: Signal<Local, Bits<64>>,
    slot: Signal<Local, Bits<16>>,
    at: Signal<Local, Bits<9>>,
    low: Signal<Local, Bits<12>>,
    lanes: Signal<Local, Bits<32>>,
    /// What is on offer is the index; it is on offer, and taken; it is elements, and taken.
    tail: Signal<Local, Bit>,
    offer: Signal<Local, Bit>,
    gone: Signal<Local, Bit>,
    sent: Signal<Local, Bit>,
    /// The next element belongs to the publication in hand; stands right behind the piece in hand; is taken; begins a piece.
    on: Signal<Local, Bit>,
    straight: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    fresh: Signal<Local, Bit>,
    before: Signal<Local, Bits<4>>,
}

impl<const W: usize> Used<W> {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            packed: Default::default(),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            inscribe: Inscribe::new(),
            strip: Default::default(),
            done: vec![Default::default(); 2],
            write: Default::default(),
            notified: Default::default(),
            published: Default::default(),
            calm: Default::default(),
            busy: Default::default(),
            probe_queue: Default::default(),
            probe_used: Default::default(),
            half_bytes: Constant::new((ring::USED_ELEM_BYTES as u64 / 2).into()),
            half_offset: Constant::new((ring::USED_ELEM_BYTES as u64 / 2).into()),
            idx_bytes: Constant::new(2.into()),
            ring_offset: Constant::new((ring::USED_RING as u64).into()),
            idx_offset: Constant::new((ring::USED_IDX as u64).into()),
            last_elem: Constant::new((W as u64 / 64 - 1).into()),
            last_since: Constant::new((collect::RUN - 1).into()),
            often: Constant::new(collect::RUN.into()),
            page_late: Constant::new((4096 - 12).into()),
            page_end: Constant::new((4096 - 4).into()),
            turn: Turn::default(),
            rings: UsedRings::new(params),
            sorts: Constant::new(Params::wide(W)),
            chains: BlockFifo::new(16),
            collect: Collect::new(params),
            front: Fifo::new(1),
            before_front: Skid::new(Params::wide(W)),
            same: Default::default(),
            some: Default::default(),
            notice: Notice::new(if W == 64 { 4 } else { 16 }),
            state: Default::default(),
            queue: Default::default(),
            ring: Default::default(),
            ring_mask: Default::default(),
            number: Default::default(),
            addr: Default::default(),
            data: Default::default(),
            elems: Default::default(),
            split: Default::default(),
            half: Default::default(),
            index: Default::default(),
            offset: Default::default(),
            closed: Default::default(),
            since: Default::default(),
            more: Default::default(),
            eager: Constant::new(Params::wide(W)),
            out: BeatFifo::new(2),
            in_hand: Default::default(),
            nothing: Default::default(),
            here: Default::default(),
            element: Default::default(),
            slot: Default::default(),
            at: Default::default(),
            low: Default::default(),
            lanes: Default::default(),
            tail: Default::default(),
            offer: Default::default(),
            gone: Default::default(),
            sent: Default::default(),
            on: Default::default(),
            straight: Default::default(),
            take: Default::default(),
            fresh: Default::default(),
            before: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Used<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, same, some, state, queue, ring, ring_mask, number);
        dff_setup!(self, clock, addr, data, elems, split, half, index, offset, closed, since, more);
        clock!(self, clock, turn, chains, collect, before_front, front, rings, notice, out, inscribe);
        self.chains.reset.next = self.reset.val() | self.sorts.val();
        self.collect.calm.next = self.calm.val() & !self.notice.busy.val();
        self.collect.reset.next = self.reset.val() | !self.sorts.val();
        self.chains.keep.next = true;
        self.chains.forget.next = false;
        self.before_front.reset.next = self.reset.val();
        self.front.reset.next = self.reset.val();
        StreamSource::<Done>::join(&mut self.before_front.source, &mut self.front.sink);
        self.out.reset.next = self.reset.val() | !self.eager.val();
        self.strip.next = self.packed.val() & self.able.val();

        QueueControlSink::link(&mut self.control, &mut self.rings.control);
        self.rings.queue.next = self.queue.q.val();
        self.rings.look.next = false;
        self.rings.store.valid.next = false;
        self.rings.store.data.next = self.number.q.val();
        self.rings.probe_queue.next = self.probe_queue.val();
        self.probe_used.next = self.rings.probe_used.val();
        self.turn.reset.next = self.reset.val();
        StreamSink::<Done>::link(&mut self.done[0], &mut self.turn.done[0]);
        StreamSink::<Done>::link(&mut self.done[1], &mut self.turn.done[1]);
        self.chains.sink.valid.next = self.turn.source.valid.val() & !self.sorts.val();
        self.chains.sink.data.next = self.turn.source.data.val();
        self.collect.sink.valid.next = self.turn.source.valid.val() & self.sorts.val();
        self.collect.sink.data.next = self.turn.source.data.val();
        self.turn.source.ready.next = self.chains.sink.ready.val();
        self.before_front.sink.valid.next = self.chains.source.valid.val();
        self.before_front.sink.data.next = self.chains.source.data.val();
        if self.sorts.val() {
            self.turn.source.ready.next = self.collect.sink.ready.val();
            self.before_front.sink.valid.next = self.collect.source.valid.val();
            self.before_front.sink.data.next = self.collect.source.data.val();
        }
        self.chains.source.ready.next = self.before_front.sink.ready.val();
        self.collect.source.ready.next = self.before_front.sink.ready.val();
        self.notice.reset.next = self.reset.val();
        self.notice.notified.next = self.notified.val();
        StreamSource::<Published>::link(&mut self.published, &mut self.notice.source);

        self.in_hand.next = self.queue.q.val();
        self.nothing.next = self.state.q.val() == State::Idle;
        if self.strip.val() {
            self.in_hand.next = self.inscribe.queue.val();
            self.nothing.next = !self.inscribe.busy.val();
        }
        if self.front.sink.ready.val() {
            self.some.d.next = self.before_front.source.data.val().len.any();
            self.same.d.next = self.before_front.source.data.val().queue == self.in_hand.val();
        }
        if self.nothing.val() & self.front.source.valid.val() {
            // It will be.
            self.same.d.next = true;
        }
        self.here.next = self.front.source.valid.val() & self.same.q.val();
        self.element.next = bit_cast::<64, 16>(self.front.source.data.val().id)
            | (bit_cast::<64, 32>(self.front.source.data.val().len) << 32);
        self.slot.next = self.number.q.val() & self.ring_mask.q.val();
        self.low.next = self.addr.q.val().get_bits::<12>(0) + (bit_cast::<12, 4>(self.elems.q.val()) << 3);
        self.on.next = self.here.val() & (self.more.q.val() | (self.since.q.val() < self.often.val()));
        self.straight.next = self.eager.val() & self.on.val() & !self.split.q.val() & self.slot.val().any();

        // What goes out: elements, of one across two pages each half; or the index, in the first DWORD of a ring aligned to 4.
        self.tail.next = self.index.q.val() | (self.eager.val() & (self.state.q.val() == State::Store));
        // Beyond the piece nothing matters: only the first four lanes differ.
        self.lanes.next = self.data.q.val().get_bits::<32>(0);
        self.out.sink.side.next.addr = self.addr.q.val();
        self.out.sink.side.next.len = bit_cast::<13, 4>(self.elems.q.val()) << 3;
        if self.split.q.val() {
            self.out.sink.side.next.len = self.half_bytes.val();
        }
        if self.half.q.val() {
            self.lanes.next = self.data.q.val().get_bits::<32>(32);
        }
        if self.tail.val() {
            self.lanes.next = bit_cast::<32, 16>(self.number.q.val()) << 16;
            self.out.sink.side.next.addr = self.ring.q.val().device | self.idx_offset.val();
            self.out.sink.side.next.len = self.idx_bytes.val();
        }
        self.out.sink.side.next.notify = bit_cast::<3, 1>(self.tail.val().into());
        self.out.sink.data.next = ((self.data.q.val() >> 32) << 32) | bit_cast::<W, 32>(self.lanes.val());
        self.out.sink.last.next = true;
        // The index is counted, and then written.
        self.offer.next = self.state.q.val() == State::Write;
        if self.eager.val() {
            if self.state.q.val() == State::Fill {
                self.offer.next = self.closed.q.val() | !self.here.val();
            } else if self.state.q.val() == State::Store {
                self.offer.next = self.notice.sink.ready.val() & self.rings.store.ready.val();
            }
        }
        self.out.sink.valid.next = self.offer.val() & self.eager.val();
        self.out.source.ready.next = self.write.ready.val();
        self.write.valid.next = self.offer.val();
        self.write.data.next = self.out.sink.data.val();
        self.write.last.next = true;
        self.write.side.next = self.out.sink.side.val();
        self.gone.next = self.offer.val() & self.write.ready.val();
        if self.eager.val() {
            self.write.valid.next = self.out.source.valid.val();
            self.write.data.next = self.out.source.data.val();
            self.write.side.next = self.out.source.side.val();
            self.gone.next = self.offer.val() & self.out.sink.ready.val();
        }
        self.sent.next = self.gone.val() & !self.tail.val();
        self.notice.sink.valid.next = self.gone.val() & self.tail.val();
        self.notice.sink.data.next.queue = self.queue.q.val();
        self.notice.sink.data.next.index = self.number.q.val();
        match self.state.q.val() {
            // Nothing in hand. Not in the cycle in which a queue starts.
            State::Idle => {
                self.queue.d.next = self.front.source.data.val().queue;
                self.rings.queue.next = self.front.source.data.val().queue;
                if self.front.source.valid.val() & !self.control.enable.val() & !self.strip.val() {
                    self.rings.look.next = true;
                    self.state.d.next = State::Load;
                }
            }
            // The queue's state is at hand.
            State::Load => {
                self.ring.d.next = self.rings.ring.val();
                self.ring_mask.d.next = self.rings.ring.val().size - 1;
                self.number.d.next = self.rings.number.val();
                self.since.d.next = 0.into();
                self.state.d.next = State::Place;
            }
            // A piece begins where the next element goes.
            State::Place => {
                self.offset.d.next = self.ring_offset.val() | (bit_cast::<20, 16>(self.slot.val()) << 3);
                self.index.d.next = false;
                self.half.d.next = false;
                self.elems.d.next = 0.into();
                self.closed.d.next = false;
                self.split.d.next = false;
                self.state.d.next = State::Sum;
                if self.eager.val() {
                    self.addr.d.next = self.ring.q.val().device
                        + bit_cast::<64, 20>(
                            self.ring_offset.val() | (bit_cast::<20, 16>(self.slot.val()) << 3),
                        );
                    self.state.d.next = State::Fill;
                }
            }
            // Its address.
            State::Sum => {
                self.addr.d.next = self.ring.q.val().device + bit_cast::<64, 20>(self.offset.q.val());
                self.state.d.next = State::Fill;
                if self.half.q.val() {
                    self.state.d.next = State::Write;
                }
            }
            // Elements side by side, as many as wait.
            State::Fill => {
                if !self.eager.val() & (self.closed.q.val() | !self.here.val()) {
                    self.state.d.next = State::Write;
                }
            }
            // The piece waits for the way out.
            State::Write => {
                if self.gone.val() {
                    self.state.d.next = State::Idle;
                }
            }
            // The packet goes on.
            State::Next => {
                if self.on.val() {
                    self.state.d.next = State::Place;
                } else if !self.more.q.val() | self.front.source.valid.val() {
                    self.state.d.next = State::Store;
                }
            }
            // "The driver MAY read the element at once": the index waits for the end of the packet.
            State::Store => {
                self.rings.store.valid.next = self.notice.sink.ready.val();
                if self.eager.val() {
                    self.rings.store.valid.next = self.gone.val();
                    if self.gone.val() {
                        self.state.d.next = State::Idle;
                    }
                } else if self.notice.sink.ready.val() & self.rings.store.ready.val() {
                    self.index.d.next = true;
                    self.state.d.next = State::Write;
                }
            }
            _ => {
                self.state.d.next = State::Idle;
            }
        }
        // Behind elements: their other half, more of them, or the index.
        self.fresh.next = self.sent.val() & self.straight.val();
        if self.sent.val() & self.eager.val() {
            self.addr.d.next = self.addr.q.val() + (bit_cast::<64, 4>(self.elems.q.val()) << 3);
            if self.split.q.val() {
                self.addr.d.next = self.addr.q.val() + bit_cast::<64, 20>(self.half_offset.val());
            }
        }
        if self.sent.val() {
            if self.split.q.val() & !self.half.q.val() {
                self.offset.d.next = self.offset.q.val() + self.half_offset.val();
                self.half.d.next = true;
                self.state.d.next = State::Sum;
                if self.eager.val() {
                    self.state.d.next = State::Write;
                }
            } else if self.straight.val() {
                self.state.d.next = State::Fill;
            } else if self.on.val() {
                self.state.d.next = State::Place;
            } else if !self.more.q.val() | self.front.source.valid.val() {
                self.state.d.next = State::Store;
            } else {
                self.state.d.next = State::Next;
            }
        }
        self.before.next = self.elems.q.val();
        if self.fresh.val() {
            self.before.next = 0.into();
        }
        // Narrow pieces hold one element, in their first lanes.
        self.at.next = bit_cast::<9, 4>(self.before.val() & self.last_elem.val()) << 6;
        self.take.next =
            self.fresh.val() | ((self.state.q.val() == State::Fill) & self.here.val() & !self.closed.q.val());
        self.front.source.ready.next = self.take.val();
        if self.take.val() {
            self.data.d.next = bit_cast::<W, 64>(self.element.val()) << self.at.val();
            if self.before.val().any() {
                self.data.d.next =
                    self.data.q.val() | (bit_cast::<W, 64>(self.element.val()) << self.at.val());
            }
            self.more.d.next = self.front.source.data.val().more;
            self.number.d.next = self.number.q.val() + 1;
            self.since.d.next = self.since.q.val() + 1;
            self.elems.d.next = self.before.val() + 1;
            self.split.d.next = self.low.val() == self.page_end.val();
            self.closed.d.next = (self.before.val() == self.last_elem.val())
                | (self.since.q.val() == self.last_since.val())
                | (self.slot.val() + 1 == self.ring.q.val().size)
                | (self.low.val() >= self.page_late.val());
        }

        // Packed rings: another writer has the chains, the rings, and the way out.
        self.rings.packed.next = self.packed.val();
        self.inscribe.reset.next = self.reset.val() | !self.strip.val();
        self.inscribe.starting.next = self.control.enable.val();
        self.inscribe.done.valid.next = self.front.source.valid.val() & self.strip.val();
        self.inscribe.done.data.next = self.front.source.data.val();
        self.inscribe.same.next = self.same.q.val();
        self.inscribe.some.next = self.some.q.val();
        self.inscribe.ring.next = self.rings.ring.val();
        self.inscribe.number.next = self.rings.number.val();
        self.inscribe.store.ready.next = self.rings.store.ready.val();
        self.inscribe.write.ready.next = self.out.sink.ready.val() & self.strip.val();
        self.inscribe.published.ready.next = self.notice.sink.ready.val();
        if self.strip.val() {
            self.front.source.ready.next = self.inscribe.done.ready.val();
            self.rings.queue.next = self.inscribe.queue.val();
            self.rings.look.next = self.inscribe.look.val();
            self.rings.store.valid.next = self.inscribe.store.valid.val();
            self.rings.store.data.next = self.inscribe.store.data.val();
            self.out.sink.valid.next = self.inscribe.write.valid.val();
            self.out.sink.data.next = self.inscribe.write.data.val();
            self.out.sink.side.next.addr = self.inscribe.write.side.val().addr;
            self.out.sink.side.next.len = self.inscribe.write.side.val().len;
            self.out.sink.side.next.notify = self.inscribe.write.side.val().notify;
            self.notice.sink.valid.next = self.inscribe.published.valid.val();
            self.notice.sink.data.next.queue = self.inscribe.published.data.val().queue;
            self.notice.sink.data.next.index = self.inscribe.published.data.val().index;
        }
        self.busy.next = !self.chains.empty.val()
            | self.collect.busy.val()
            | !self.before_front.empty.val()
            | self.front.source.valid.val()
            | self.notice.busy.val()
            | self.turn.open.val()
            | self.out.source.valid.val()
            | (self.state.q.val() != State::Idle)
            | self.inscribe.busy.val();
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
