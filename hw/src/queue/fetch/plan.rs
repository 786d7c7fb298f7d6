//! Decides what to read of which available ring, or of which packed ring.
//! In: `kick`, `stop`, `fault`, `credit`, `rearmed` (pulses), `control`, `seen` (an index read), `room` (entries that may be begun).
//! Out: `line`, a read of the index or of entries; `arm`; `error`; `live`, the queues neither off nor stopped.
//! Time: nine cycles per read of entries, in a wide function five, and one of its index; reads of a queue's entries do not wait for
//! each other.
//! An index that came with a kick is believed as one that was read, if there is something new in it.
//! Of a packed ring descriptors are read, as many as one read takes, and further ones ahead of the answer as far as `window` allows.
//! Waits: on `line`, `arm` and `error`. A kick during an index read is remembered, and the index is read again.
//! With EVENT_IDX a driver rings only where it was asked to: the index is read until nothing new is there, then the driver is
//! asked (`arm`), and once it can know (`rearmed`) the index is read a last time.
//! Spec: [virtio: The Virtqueue Available Ring], [virtio: Available Buffer Notifications], [virtio: Available Buffer Notification
//! Suppression]

use super::ask::Line;
use super::ledger::{Count, Ledger};
use super::limit::Limit;
use super::marks::Marks;
use super::scan::Scan;
use crate::params::Params;
use crate::port::chain::Arm;
use crate::port::queue::{DoorbellSink, KickSink, QueueControlSink, QueueError};
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::Direction;
use crate::queue::supply::{CreditSink, SupplySource};
use hematite_abi::{feature, ident, packed, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Descriptors in 4 KiB.
const PAGE_DESCS: u64 = 256;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Load,
    Told,
    Ahead,
    Empty,
    Check,
    Add,
    End,
    Lent,
    Room,
    Begin,
    Issue,
    Arm,
    Fail,
}

/// The scheduler of one direction's queues.
#[derive(LogicBlock)]
pub struct Plan {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub kick: DoorbellSink,
    pub stop: KickSink,
    pub fault: KickSink,
    pub rearmed: KickSink,
    /// EVENT_IDX, RING_PACKED are accepted.
    pub event_idx: Signal<In, Bit>,
    pub packed: Signal<In, Bit>,
    /// What is found in packed rings.
    pub passed: KickSink,
    pub caught: Signal<In, Bit>,
    pub missed: KickSink,
    pub again: Signal<In, Bit>,
    pub begin: StreamSink<Count>,
    /// Where the next read of the queue at `ask_index` begins: what was told last by `ask`.
    pub asked: Signal<In, Bits<16>>,
    pub window: Signal<In, Bits<16>>,
    pub ask: Signal<Out, Bit>,
    pub ask_index: Signal<Out, Bits<16>>,
    pub ask_position: Signal<Out, Bits<16>>,
    pub credit: CreditSink,
    pub supply: SupplySource,
    pub seen: StreamSink<Count>,
    pub room: Signal<In, Bits<10>>,
    pub line: StreamSource<Line>,
    /// It may be on offer in this cycle.
    pub expects: Signal<Out, Bit>,
    pub arm: StreamSource<Arm>,
    pub error: StreamSource<QueueError>,
    /// A bit per index.
    pub live: Signal<Out, Bits<64>>,
    /// A read is being decided, or could be.
    pub busy: Signal<Out, Bit>,
    pub count_kick_ignored: Signal<Out, Bit>,
    pub probe_queue: Signal<In, Bits<16>>,
    pub probe_seen: Signal<Out, Bits<16>>,
    pub probe_taken: Signal<Out, Bits<16>>,
    rx: Constant<Bit>,
    odd: Constant<Bits<16>>,
    ready_heads: Constant<Bits<16>>,
    most_lent: Constant<Bits<16>>,
    able: Constant<Bit>,
    /// A wide function has room for short ways; it is told indices.
    quick: Constant<Bit>,
    tells: Constant<Bit>,
    mask: Constant<Bits<16>>,
    most_descs: Constant<Bits<6>>,
    page_descs: Constant<Bits<16>>,
    wrap_bit: Constant<Bits<16>>,
    idx_offset: Constant<Bits<20>>,
    ring_offset: Constant<Bits<20>>,
    marks: Marks,
    ledger: Ledger,
    scan: Scan,
    narrow: Limit,
    closer: Limit,
    state: Reg<State>,
    index: Reg<Bits<16>>,
    entries: Reg<Bit>,
    base: Reg<Bits<6>>,
    size: Reg<Bits<16>>,
    begun: Reg<Bits<16>>,
    todo: Reg<Bits<16>>,
    /// The driver has been asked to ring at what has been begun.
    armed: Reg<Bit>,
    /// Heads of this queue that the cache has or will get.
    lent: Reg<Bits<16>>,
    /// Packed rings: so much has been asked for and not come.
    ahead: Reg<Bits<16>>,
    slot: Reg<Bits<16>>,
    /// What the last kick told, and what of it is beyond what has been seen.
    told: Reg<Bits<16>>,
    news: Reg<Bits<16>>,
    /// What else limits the read.
    limit: Reg<Bits<16>>,
    offset: Reg<Bits<20>>,
    /// The read's place in its 64 bytes.
    place: Reg<Bits<6>>,
    count: Reg<Bits<6>>,
    strip: Signal<Local, Bit>,
    /// Of the next entry.
    entry: Signal<Local, Bits<20>>,
    to_end: Signal<Local, Bits<16>>,
    idx_place: Signal<Local, Bits<6>>,
    /// There is nothing to be read, or no place for it.
    none: Signal<Local, Bit>,
    fresh: Signal<Local, Bit>,
    from: Signal<Local, Bits<16>>,
    spot: Signal<Local, Bits<16>>,
    in_page: Signal<Local, Bits<8>>,
    read: Signal<Local, Bits<16>>,
}

impl Plan {
    /// For one direction's queues, and `slots` entries on their way at most; `most` descriptors in a read.
    pub fn new(params: &Params, direction: Direction, slots: usize, most: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            kick: Default::default(),
            stop: Default::default(),
            fault: Default::default(),
            rearmed: Default::default(),
            event_idx: Default::default(),
            packed: Default::default(),
            passed: Default::default(),
            caught: Default::default(),
            missed: Default::default(),
            again: Default::default(),
            begin: Default::default(),
            asked: Default::default(),
            window: Default::default(),
            ask: Default::default(),
            ask_index: Default::default(),
            ask_position: Default::default(),
            credit: Default::default(),
            supply: Default::default(),
            seen: Default::default(),
            room: Default::default(),
            line: Default::default(),
            expects: Default::default(),
            arm: Default::default(),
            error: Default::default(),
            live: Default::default(),
            busy: Default::default(),
            count_kick_ignored: Default::default(),
            probe_queue: Default::default(),
            probe_seen: Default::default(),
            probe_taken: Default::default(),
            rx: Constant::new(direction == Direction::Rx),
            odd: Constant::new((direction as u64).into()),
            ready_heads: Constant::new((params.ready_heads as u64).into()),
            most_lent: Constant::new(((params.ready_heads - params.heads_batch()) as u64).into()),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            quick: Constant::new(Params::wide(params.width)),
            tells: Constant::new(params.offers(feature::NOTIFICATION_DATA)),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            most_descs: Constant::new((most as u64).into()),
            page_descs: Constant::new((PAGE_DESCS).into()),
            wrap_bit: Constant::new((1 << packed::EVENT_WRAP_LSB).into()),
            idx_offset: Constant::new((ring::AVAIL_IDX as u64).into()),
            ring_offset: Constant::new((ring::AVAIL_RING as u64).into()),
            marks: Marks::new(params, direction),
            ledger: Ledger::new(params, direction),
            scan: Scan::new(params),
            narrow: Limit::new(slots),
            closer: Limit::new(slots),
            state: Default::default(),
            index: Default::default(),
            entries: Default::default(),
            base: Default::default(),
            size: Default::default(),
            begun: Default::default(),
            todo: Default::default(),
            armed: Default::default(),
            lent: Default::default(),
            ahead: Default::default(),
            slot: Default::default(),
            told: Default::default(),
            news: Default::default(),
            limit: Default::default(),
            offset: Default::default(),
            place: Default::default(),
            count: Default::default(),
            strip: Default::default(),
            entry: Default::default(),
            to_end: Default::default(),
            idx_place: Default::default(),
            none: Default::default(),
            fresh: Default::default(),
            from: Default::default(),
            spot: Default::default(),
            in_page: Default::default(),
            read: Default::default(),
        }
    }
}

impl Logic for Plan {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, index, entries, base, size, begun);
        dff_setup!(self, clock, todo, armed, lent, ahead, slot, told, news, limit, offset, place, count);
        clock!(self, clock, marks, ledger, scan);
        self.marks.reset.next = self.reset.val();
        QueueControlSink::link(&mut self.control, &mut self.marks.control);
        DoorbellSink::link(&mut self.kick, &mut self.marks.kick);
        KickSink::link(&mut self.stop, &mut self.marks.stop);
        KickSink::link(&mut self.fault, &mut self.marks.fault);
        KickSink::link(&mut self.rearmed, &mut self.marks.rearmed);
        KickSink::link(&mut self.passed, &mut self.marks.passed);
        KickSink::link(&mut self.missed, &mut self.marks.missed);
        self.marks.caught.next = self.caught.val();
        self.marks.again.next = self.again.val();
        self.marks.heard.next = false;
        self.strip.next = self.packed.val() & self.able.val();
        self.ask.next = false;
        self.ask_index.next = self.index.q.val();
        self.ask_position.next = self.begun.q.val() + bit_cast::<16, 6>(self.count.q.val());
        self.marks.credit.valid.next = self.credit.valid.val();
        self.marks.credit.queue.next = self.credit.queue.val();
        self.marks.seen.valid.next = self.seen.valid.val() & self.ledger.seen.ready.val() & !self.strip.val();
        self.marks.seen.queue.next = (self.seen.data.val().index << 1) | self.odd.val();
        self.marks.index.next = self.index.q.val();
        self.marks.read_index.next = false;
        self.marks.look.next = false;
        self.marks.left.next = false;
        self.marks.block.next = false;
        self.marks.poll.next = false;
        self.marks.arm.next = false;
        self.ledger.arm.next = false;
        self.arm.valid.next = false;
        self.arm.data.next.queue = (self.index.q.val() << 1) | self.odd.val();
        self.arm.data.next.index = self.begun.q.val();
        if self.strip.val() {
            // A place, and the wrap counter there, which begins with 1.
            self.arm.data.next.index = self.slot.q.val();
            if !(self.begun.q.val() & self.size.q.val()).any() {
                self.arm.data.next.index = self.slot.q.val() | self.wrap_bit.val();
            }
        }
        self.marks.supply_queue.next = self.supply.queue.val();
        self.live.next = self.marks.live.val();
        self.count_kick_ignored.next = self.marks.count_kick_ignored.val();
        self.marks.working.next = self.state.q.val() != State::Idle;
        self.busy.next =
            (self.state.q.val() != State::Idle) | (self.marks.work.val().any() & !self.control.fence.val());
        QueueControlSink::link(&mut self.control, &mut self.ledger.control);
        CreditSink::link(&mut self.credit, &mut self.ledger.credit);
        StreamSink::<Count>::link(&mut self.seen, &mut self.ledger.seen);
        self.ledger.index.next = self.index.q.val();
        self.ledger.begin.valid.next = self.begin.valid.val() & self.strip.val();
        self.begin.ready.next = self.ledger.begin.ready.val();
        self.ledger.begin.data.next.index = self.index.q.val();
        self.ledger.begin.data.next.total = self.begun.q.val() + bit_cast::<16, 6>(self.count.q.val());
        if self.strip.val() {
            self.ledger.begin.data.next = self.begin.data.val();
        }
        self.ledger.tell.next = self.marks.kicks.val() & self.kick.told.val() & self.tells.val();
        self.ledger.tell_count.next.index = (self.kick.queue.val() >> 1) & self.mask.val();
        self.ledger.tell_count.next.total = self.kick.index.val();
        self.ledger.trust.next = false;
        self.ledger.trusted.next = self.told.q.val();
        self.fresh.next = self.news.q.val().any()
            & (self.news.q.val() <= self.size.q.val())
            & !self.seen.valid.val()
            & !self.control.enable.val();
        self.ledger.probe_queue.next = self.probe_queue.val();
        self.probe_seen.next = self.ledger.probe_seen.val();
        self.probe_taken.next = self.ledger.probe_begun.val();
        if self.strip.val() {
            self.probe_taken.next = self.ledger.probe_seen.val();
        }
        self.ledger.packed.next = self.strip.val();
        self.ledger.supply_queue.next = self.supply.queue.val();
        self.supply.begun.next = self.ledger.supply_begun.val();
        self.supply.live.next = self.marks.live.val();
        self.supply.idle.next = !self.marks.supply_coming.val();
        self.scan.reset.next = self.reset.val();
        self.scan.work.next = self.marks.work.val();
        self.scan.source.ready.next = false;
        self.line.valid.next = false;
        self.line.data.next.offset = self.offset.q.val();
        self.line.data.next.upper = self.place.q.val().get_bit(1);
        self.line.data.next.index = self.index.q.val().get_bits::<6>(0);
        self.line.data.next.count = self.count.q.val();
        self.line.data.next.entries = self.entries.q.val() & !self.strip.val();
        self.line.data.next.descs = self.strip.val();
        self.line.data.next.position = self.begun.q.val();
        // Where a read of a packed ring begins: where the one before it ends, but at the position if that found nothing.
        self.from.next = self.asked.val();
        if self.marks.unread_here.val() | self.marks.empty_here.val() {
            self.from.next = self.ledger.seen_here.val();
        }
        self.spot.next = self.from.val() & (self.ledger.ring.val().size - 1);
        self.in_page.next = self.ledger.ring.val().start + self.slot.q.val().get_bits::<8>(0);
        self.read.next = self.page_descs.val() - bit_cast::<16, 8>(self.in_page.val());
        self.error.valid.next = false;
        self.error.data.next.queue = (self.index.q.val() << 1) | self.odd.val();
        self.error.data.next.code = ident::ERROR_AVAIL_INDEX.into();
        self.narrow.count.next = self.count.q.val();
        self.narrow.limit.next = self.limit.q.val();
        self.narrow.place.next = self.place.q.val().get_bits::<5>(1);
        // A wide function looks at two bounds at a time.
        self.closer.count.next = self.narrow.least.val();
        self.closer.limit.next = self.narrow.line_end.val();
        if self.strip.val() {
            self.closer.limit.next = self.size.q.val();
        }
        self.closer.place.next = 0.into();
        self.entry.next = self.ring_offset.val() + (bit_cast::<20, 16>(self.slot.q.val()) << 1);
        self.idx_place.next = self.ledger.ring.val().place + self.idx_offset.val().get_bits::<6>(0);
        self.to_end.next = self.size.q.val() - self.slot.q.val();
        self.none.next = !self.count.q.val().any()
            | (self.quick.val() & (self.room.val() < bit_cast::<10, 6>(self.count.q.val())));
        match self.state.q.val() {
            // Nothing in hand. Behind the fence nothing is begun.
            State::Idle => {
                if self.scan.source.valid.val() & !self.control.fence.val() {
                    self.scan.source.ready.next = true;
                    self.index.d.next = self.scan.source.data.val();
                    self.state.d.next = State::Load;
                } else if self.quick.val() & !self.control.fence.val() {
                    // What has just come need not be looked for.
                    if self.marks.kicks.val() {
                        self.index.d.next = (self.kick.queue.val() >> 1) & self.mask.val();
                        self.state.d.next = State::Load;
                    } else if self.seen.valid.val() {
                        self.index.d.next = self.seen.data.val().index;
                        self.state.d.next = State::Load;
                    }
                }
            }
            // The queue's state is at hand: its index first, since an older one may hide entries.
            State::Load => {
                self.base.d.next = self.ledger.ring.val().place;
                self.size.d.next = self.ledger.ring.val().size;
                self.begun.d.next = self.ledger.begun_here.val();
                self.todo.d.next = self.ledger.seen_here.val() - self.ledger.begun_here.val();
                self.slot.d.next = self.ledger.begun_here.val() & (self.ledger.ring.val().size - 1);
                self.armed.d.next = !self.event_idx.val()
                    | (self.marks.armed_here.val()
                        & (self.ledger.armed_here.val() == self.ledger.begun_here.val()));
                self.lent.d.next = self.ledger.begun_here.val();
                if self.marks.lent_here.val() {
                    self.lent.d.next = self.ledger.begun_here.val() - self.ledger.given_back_here.val();
                }
                self.count.d.next = self.narrow.most.val();
                self.state.d.next = State::Idle;
                if self.strip.val() {
                    self.count.d.next = self.most_descs.val();
                    self.begun.d.next = self.from.val();
                    self.ahead.d.next = self.from.val() - self.ledger.seen_here.val();
                    self.slot.d.next = self.spot.val();
                    self.armed.d.next = !self.event_idx.val()
                        | (self.marks.armed_here.val()
                            & (self.ledger.armed_here.val() == self.ledger.seen_here.val()));
                    if self.marks.live_here.val() & self.marks.unread_here.val() {
                        self.marks.heard.next = true;
                        self.marks.look.next = true;
                        self.ask.next = true;
                        self.ask_position.next = self.ledger.seen_here.val();
                        self.state.d.next = State::Ahead;
                        if self.quick.val() {
                            // At its position: nothing is ahead.
                            self.offset.d.next = bit_cast::<20, 16>(self.spot.val()) << 4;
                            self.state.d.next = State::Add;
                        }
                    } else if self.marks.live_here.val() & self.marks.open_here.val() {
                        self.marks.look.next = true;
                        self.state.d.next = State::Ahead;
                        if self.marks.empty_here.val() {
                            self.state.d.next = State::Empty;
                        }
                    }
                } else if self.marks.live_here.val()
                    & self.marks.unread_here.val()
                    & self.marks.told_here.val()
                    & self.tells.val()
                {
                    self.marks.heard.next = true;
                    self.told.d.next = self.ledger.told_here.val();
                    self.news.d.next = self.ledger.told_here.val() - self.ledger.seen_here.val();
                    self.state.d.next = State::Told;
                } else if self.marks.live_here.val() & self.marks.unread_here.val() {
                    self.marks.heard.next = true;
                    self.marks.read_index.next = true;
                    self.entries.d.next = false;
                    self.state.d.next = State::Check;
                    if self.quick.val() {
                        self.offset.d.next = self.idx_offset.val();
                        self.place.d.next = self.idx_place.val();
                        self.state.d.next = State::Issue;
                        self.line.valid.next = true;
                        self.line.data.next.offset = self.idx_offset.val();
                        self.line.data.next.upper = self.idx_place.val().get_bit(1);
                        self.line.data.next.entries = false;
                        if self.line.ready.val() {
                            self.state.d.next = State::Idle;
                        }
                    }
                } else if self.marks.live_here.val() & self.marks.open_here.val() {
                    self.marks.look.next = true;
                    self.entries.d.next = true;
                    self.state.d.next = State::Check;
                }
            }
            // Its driver has said its index: something new, and no more than the ring holds, or it is read all the same.
            State::Told => {
                if self.tells.val() {
                    self.offset.d.next = self.idx_offset.val();
                    self.place.d.next = self.base.q.val() + self.idx_offset.val().get_bits::<6>(0);
                    self.todo.d.next = self.told.q.val() - self.begun.q.val();
                    self.entries.d.next = self.fresh.val();
                    if self.fresh.val() {
                        self.marks.look.next = true;
                        self.ledger.trust.next = true;
                        self.state.d.next = State::Check;
                    } else {
                        self.marks.read_index.next = true;
                        self.state.d.next = State::Issue;
                    }
                }
            }
            // Of a packed ring. What is ahead of the window waits for what is on its way.
            State::Ahead => {
                self.state.d.next = State::Idle;
                if self.strip.val() {
                    self.lent.d.next = self.lent.q.val() + self.ahead.q.val();
                    self.offset.d.next = bit_cast::<20, 16>(self.slot.q.val()) << 4;
                    if (self.ahead.q.val() < self.window.val()) & (self.ahead.q.val() < self.size.q.val()) {
                        self.state.d.next = State::Add;
                    }
                }
            }
            // Nothing is at its position.
            State::Empty => {
                self.state.d.next = State::Idle;
                if self.strip.val() & !self.armed.q.val() {
                    self.state.d.next = State::Arm;
                }
            }
            // "The driver MUST NOT decrement the available idx", nor offer more than the ring holds.
            State::Check => {
                self.offset.d.next = self.idx_offset.val();
                self.limit.d.next = self.todo.q.val();
                self.state.d.next = State::Add;
                self.narrow.limit.next = self.todo.q.val();
                if self.entries.q.val() {
                    self.offset.d.next = self.entry.val();
                    if self.quick.val() {
                        self.place.d.next = self.base.q.val() + self.entry.val().get_bits::<6>(0);
                        self.count.d.next = self.narrow.least.val();
                        self.limit.d.next = self.to_end.val();
                        self.state.d.next = State::End;
                    }
                    if self.todo.q.val() > self.size.q.val() {
                        self.state.d.next = State::Fail;
                    } else if !self.todo.q.val().any() {
                        self.state.d.next = State::Arm;
                        if self.armed.q.val() {
                            self.state.d.next = State::Idle;
                        }
                    }
                }
            }
            // Not more than there are; of a packed ring not beyond its end, and then not beyond the page.
            State::Add => {
                self.place.d.next = self.base.q.val() + self.offset.q.val().get_bits::<6>(0);
                self.limit.d.next = self.to_end.val();
                if self.strip.val() {
                    self.narrow.limit.next = self.to_end.val();
                    self.limit.d.next = self.read.val();
                }
                self.count.d.next = self.narrow.least.val();
                self.state.d.next = State::End;
                if !self.entries.q.val() & !self.strip.val() {
                    self.state.d.next = State::Issue;
                }
            }
            // Not beyond the ring's end.
            State::End => {
                self.count.d.next = self.narrow.least.val();
                if self.rx.val() {
                    self.limit.d.next = self.ready_heads.val() - self.lent.q.val();
                    if self.lent.q.val() > self.most_lent.val() {
                        self.limit.d.next = 0.into();
                    }
                }
                self.state.d.next = State::Lent;
                if self.quick.val() {
                    self.count.d.next = self.closer.least.val();
                    if !self.rx.val() {
                        self.state.d.next = State::Begin;
                    }
                }
            }
            // Not more than the cache takes, and nothing for few places: that would cost more reads.
            State::Lent => {
                self.count.d.next = self.narrow.least.val();
                self.limit.d.next = self.narrow.line_end.val();
                if self.strip.val() {
                    self.limit.d.next = self.size.q.val();
                }
                self.state.d.next = State::Room;
                if self.quick.val() {
                    self.state.d.next = State::Begin;
                }
            }
            // Not beyond the line; and all of that or nothing: pieces of lines would cost more reads.
            State::Room => {
                self.count.d.next = self.narrow.least.val();
                if self.room.val() < bit_cast::<10, 6>(self.narrow.least.val()) {
                    self.count.d.next = 0.into();
                }
                self.state.d.next = State::Begin;
            }
            // From here on they are on their way.
            State::Begin => {
                if self.none.val() {
                    self.marks.left.next = true;
                    self.marks.block.next = self.rx.val() & (self.lent.q.val() > self.most_lent.val());
                    self.state.d.next = State::Idle;
                } else if self.strip.val() {
                    // What was not available meanwhile is asked for again from its position on.
                    self.state.d.next = State::Idle;
                    if !self.marks.empty_here.val() {
                        self.ask.next = true;
                        self.marks.read_index.next = true;
                        self.marks.left.next = true;
                        self.state.d.next = State::Issue;
                        self.line.valid.next = self.quick.val();
                        if self.quick.val() & self.line.ready.val() {
                            self.state.d.next = State::Idle;
                        }
                    }
                } else {
                    self.ledger.begin.valid.next = true;
                    if self.ledger.begin.ready.val() {
                        self.marks.left.next = self.todo.q.val() != bit_cast::<16, 6>(self.count.q.val());
                        self.marks.poll.next = self.event_idx.val()
                            & (self.todo.q.val() == bit_cast::<16, 6>(self.count.q.val()));
                        self.state.d.next = State::Issue;
                        self.line.valid.next = self.quick.val();
                        if self.quick.val() & self.line.ready.val() {
                            self.state.d.next = State::Idle;
                        }
                    }
                }
            }
            // Wait for the port.
            State::Issue => {
                self.line.valid.next = true;
                if self.line.ready.val() {
                    self.state.d.next = State::Idle;
                }
            }
            // Nothing is there: the driver is to ring for what comes next.
            State::Arm => {
                self.arm.valid.next = self.event_idx.val();
                if self.arm.ready.val() {
                    self.marks.arm.next = true;
                    self.ledger.arm.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            // The driver has lost count. Once the error is taken the queue has stopped.
            State::Fail => {
                self.error.valid.next = true;
                if self.error.ready.val() {
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        self.expects.next = self.line.valid.val();
        if self.quick.val() {
            self.expects.next = (self.state.q.val() == State::Load)
                | (self.state.q.val() == State::Begin)
                | (self.state.q.val() == State::Issue);
        }
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
