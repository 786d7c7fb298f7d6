//! Gives chains of packed rings back: writes used descriptors over those that made them available.
//! In: `done`, `same` and `some` beside it; `ring` and `number` of `queue`, a cycle after `look`.   Out: `store`, its new number; `write`: DMA; `published`.
//! Time: three cycles per publication and one per chain; up to W/128 neighbours go in one write, and are whole in it.
//! Waits: on `write`, `published`, `store`, and on `done` inside a packet.   Busy: a chain is in hand.
//! Of a packet of several chains the first is written last: with it the driver sees the packet. What is published ends with the write
//! that has `notify`: when no further chain of its queue waits, or sixteen have been written, never inside a packet.
//! What is on offer on `write` may become more: there is a list behind it.
//! Spec: [virtio 1.4: Packed Virtqueues, Driver and Device Ring Wrap Counters, Write Flag], [Packet Reception, Mergeable Receive Buffers]

use super::collect;
use super::rings::UsedRing;
use crate::port::chain::{Done, Published};
use crate::port::dma::WriteSide;
use crate::prim::beat::BeatSource;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::{packed, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Load,
    Fill,
    First,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Inscribe<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// A queue starts: none is looked at.
    pub starting: Signal<In, Bit>,
    pub done: StreamSink<Done>,
    /// It is of the queue in hand; something was written into its buffers.
    pub same: Signal<In, Bit>,
    pub some: Signal<In, Bit>,
    pub queue: Signal<Out, Bits<16>>,
    pub look: Signal<Out, Bit>,
    pub ring: Signal<In, UsedRing>,
    pub number: Signal<In, Bits<16>>,
    pub store: StreamSource<Bits<16>>,
    pub write: BeatSource<W, WriteSide>,
    pub published: StreamSource<Published>,
    pub busy: Signal<Out, Bit>,
    /// Descriptors in a write, less one; chains between two publications, and less one.
    last_elem: Constant<Bits<3>>,
    often: Constant<Bits<5>>,
    last_since: Constant<Bits<5>>,
    page_end: Constant<Bits<8>>,
    avail: Constant<Bits<16>>,
    used: Constant<Bits<16>>,
    written: Constant<Bits<16>>,
    len_at: Constant<Bits<9>>,
    id_at: Constant<Bits<9>>,
    flags_at: Constant<Bits<9>>,
    state: Reg<State>,
    chosen: Reg<Bits<16>>,
    here: Reg<UsedRing>,
    /// Descriptors of the ring before the next one.
    count: Reg<Bits<16>>,
    /// The piece in hand.
    addr: Reg<Bits<64>>,
    data: Reg<Bits<W>>,
    elems: Reg<Bits<3>>,
    closed: Reg<Bit>,
    /// Chains since the last publication.
    since: Reg<Bits<5>>,
    /// The packet goes on; its first chain is kept, and is written when it has ended.
    more: Reg<Bit>,
    kept: Reg<Bit>,
    kept_addr: Reg<Bits<64>>,
    kept_data: Reg<Bits<128>>,
    flags: Signal<Local, Bits<16>>,
    element: Signal<Local, Bits<128>>,
    /// Where the next chain's used descriptor goes.
    slot: Signal<Local, Bits<16>>,
    place: Signal<Local, Bits<64>>,
    at: Signal<Local, Bits<9>>,
    /// The next chain belongs to the publication in hand; is the first of a packet of several; has to wait for the one kept; is taken.
    on: Signal<Local, Bit>,
    keeps: Signal<Local, Bit>,
    owed: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    /// A piece is on offer, it is the last of the publication, it is taken.
    offer: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    gone: Signal<Local, Bit>,
    before: Signal<Local, Bits<3>>,
}

impl<const W: usize> Inscribe<W> {
    /// For all queues.
    pub fn new() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            starting: Default::default(),
            done: Default::default(),
            same: Default::default(),
            some: Default::default(),
            queue: Default::default(),
            look: Default::default(),
            ring: Default::default(),
            number: Default::default(),
            store: Default::default(),
            write: Default::default(),
            published: Default::default(),
            busy: Default::default(),
            last_elem: Constant::new(((W as u64 / 128).max(1) - 1).into()),
            often: Constant::new(collect::RUN.into()),
            last_since: Constant::new((collect::RUN - 1).into()),
            page_end: Constant::new(255.into()),
            avail: Constant::new(packed::DESC_F_AVAIL.into()),
            used: Constant::new(packed::DESC_F_USED.into()),
            written: Constant::new(ring::DESC_F_WRITE.into()),
            len_at: Constant::new((packed::DESC_LEN_LSB as u64).into()),
            id_at: Constant::new((packed::DESC_ID_LSB as u64).into()),
            flags_at: Constant::new((packed::DESC_FLAGS_LSB as u64).into()),
            state: Default::default(),
            chosen: Default::default(),
            here: Default::default(),
            count: Default::default(),
            addr: Default::default(),
            data: Default::default(),
            elems: Default::default(),
            closed: Default::default(),
            since: Default::default(),
            more: Default::default(),
            kept: Default::default(),
            kept_addr: Default::default(),
            kept_data: Default::default(),
            flags: Default::default(),
            element: Default::default(),
            slot: Default::default(),
            place: Default::default(),
            at: Default::default(),
            on: Default::default(),
            keeps: Default::default(),
            owed: Default::default(),
            take: Default::default(),
            offer: Default::default(),
            last: Default::default(),
            gone: Default::default(),
            before: Default::default(),
        }
    }
}

impl<const W: usize> Default for Inscribe<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const W: usize> Logic for Inscribe<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, chosen, here, count, addr, data, elems, closed, since);
        dff_setup!(self, clock, more, kept, kept_addr, kept_data);
        self.slot.next = self.count.q.val() & (self.here.q.val().size - 1);
        self.place.next = self.here.q.val().device + (bit_cast::<64, 16>(self.slot.val()) << 4);

        // "To mark a descriptor as used, the device sets both bits to match the Device Ring Wrap Counter", which begins with 1.
        self.flags.next = 0.into();
        if !(self.count.q.val() & self.here.q.val().size).any() {
            self.flags.next = self.avail.val() | self.used.val();
        }
        if self.some.val() {
            self.flags.next = self.flags.val() | self.written.val();
        }
        self.element.next = (bit_cast::<128, 32>(self.done.data.val().len) << self.len_at.val())
            | (bit_cast::<128, 16>(self.done.data.val().id) << self.id_at.val())
            | (bit_cast::<128, 16>(self.flags.val()) << self.flags_at.val());
        self.on.next = self.done.valid.val()
            & self.same.val()
            & (self.more.q.val() | (self.since.q.val() < self.often.val()));
        self.keeps.next = self.done.data.val().more & !self.more.q.val();
        self.owed.next = self.kept.q.val() & !self.more.q.val();

        // Out: what is full, or will not become more. The last of a publication is counted in the same cycle, before it leaves.
        self.offer.next = self.state.q.val() == State::First;
        self.last.next = !self.on.val();
        self.write.last.next = true;
        self.write.data.next = bit_cast::<W, 128>(self.kept_data.q.val());
        self.write.side.next.addr = self.kept_addr.q.val();
        self.write.side.next.len = 16.into();
        if self.state.q.val() == State::Fill {
            self.offer.next =
                self.elems.q.val().any() & (self.closed.q.val() | !self.on.val() | self.keeps.val());
            self.last.next = !self.on.val() & !self.more.q.val() & !self.kept.q.val();
            self.write.data.next = self.data.q.val();
            self.write.side.next.addr = self.addr.q.val();
            self.write.side.next.len = bit_cast::<13, 3>(self.elems.q.val()) << 4;
        }
        self.write.side.next.notify = bit_cast::<3, 1>(self.last.val().into());
        if self.last.val() & !(self.published.ready.val() & self.store.ready.val()) {
            self.offer.next = false;
        }
        self.write.valid.next = self.offer.val();
        self.gone.next = self.offer.val() & self.write.ready.val();
        self.store.valid.next = self.gone.val() & self.last.val();
        self.store.data.next = self.count.q.val();
        self.published.valid.next = self.gone.val() & self.last.val();
        self.published.data.next.queue = self.chosen.q.val();
        self.published.data.next.index = self.count.q.val();

        // In: chains side by side, as many as wait. The first of a packet of several is kept aside.
        self.take.next = (self.state.q.val() == State::Fill)
            & self.on.val()
            & !self.owed.val()
            & (self.gone.val() | !(self.closed.q.val() | (self.keeps.val() & self.elems.q.val().any())));
        self.done.ready.next = self.take.val();
        self.before.next = self.elems.q.val();
        if self.gone.val() {
            self.before.next = 0.into();
            self.elems.d.next = 0.into();
            self.closed.d.next = false;
        }
        self.at.next = bit_cast::<9, 3>(self.before.val() & self.last_elem.val()) << 7;
        if self.take.val() {
            self.more.d.next = self.done.data.val().more;
            self.count.d.next = self.count.q.val() + self.done.data.val().slots;
            self.since.d.next = self.since.q.val() + 1;
            if self.keeps.val() {
                self.kept.d.next = true;
                self.kept_addr.d.next = self.place.val();
                self.kept_data.d.next = self.element.val();
            } else {
                self.elems.d.next = self.before.val() + 1;
                self.data.d.next = bit_cast::<W, 128>(self.element.val()) << self.at.val();
                if self.before.val().any() {
                    self.data.d.next =
                        self.data.q.val() | (bit_cast::<W, 128>(self.element.val()) << self.at.val());
                } else {
                    self.addr.d.next = self.place.val();
                }
                self.closed.d.next = (self.before.val() == self.last_elem.val())
                    | (self.since.q.val() >= self.last_since.val())
                    | (self.done.data.val().slots != 1)
                    | (self.slot.val() + 1 == self.here.q.val().size)
                    | (self.place.val().get_bits::<8>(4) == self.page_end.val())
                    | (self.kept.q.val() & !self.done.data.val().more);
            }
        }

        self.queue.next = self.chosen.q.val();
        self.look.next = false;
        match self.state.q.val() {
            // Nothing in hand. Not in the cycle in which a queue starts.
            State::Idle => {
                self.queue.next = self.done.data.val().queue;
                self.chosen.d.next = self.done.data.val().queue;
                self.more.d.next = false;
                self.kept.d.next = false;
                self.since.d.next = 0.into();
                if self.done.valid.val() & !self.starting.val() {
                    self.look.next = true;
                    self.state.d.next = State::Load;
                }
            }
            // The queue's state is at hand.
            State::Load => {
                self.here.d.next = self.ring.val();
                self.count.d.next = self.number.val();
                self.state.d.next = State::Fill;
            }
            State::Fill => {
                if self.gone.val() & self.owed.val() {
                    self.state.d.next = State::First;
                }
            }
            // The packet has ended: its first chain.
            State::First => {
                if self.gone.val() {
                    self.kept.d.next = false;
                    self.state.d.next = State::Fill;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        if self.gone.val() & self.last.val() {
            self.state.d.next = State::Idle;
        }
        self.busy.next = self.state.q.val() != State::Idle;
        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.elems.d.next = 0.into();
            self.closed.d.next = false;
        }
    }
}
