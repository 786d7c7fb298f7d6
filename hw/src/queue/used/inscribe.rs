//! Gives chains of packed rings back: writes used descriptors over those that made them available.
//! In: `done`; `ring` and `number` of `queue`, a cycle after `look`.   Out: `store`, its new number; `write`: DMA; `published`.
//! Time: about six cycles per write and one per chain; up to W/128 neighbours go in one write, and are whole in it.
//! Waits: on `write`, `published`, `store`, and on `done` inside a packet.   Busy: a chain is in hand.
//! Of a packet of several chains the first is written last: with it the driver sees the packet. What is published ends with the write
//! that has `notify`: when no further chain of its queue waits, or sixteen have been written, never inside a packet.
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
    Look,
    Load,
    Place,
    Sum,
    Fill,
    Choose,
    Store,
    Write,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Inscribe<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// A queue starts: none is looked at.
    pub starting: Signal<In, Bit>,
    pub done: StreamSink<Done>,
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
    offset: Reg<Bits<20>>,
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
    /// What is written is the kept one; it is the last of a publication.
    first: Reg<Bit>,
    last: Reg<Bit>,
    mine: Signal<Local, Bit>,
    flags: Signal<Local, Bits<16>>,
    element: Signal<Local, Bits<128>>,
    slot: Signal<Local, Bits<16>>,
    at: Signal<Local, Bits<9>>,
    in_page: Signal<Local, Bits<8>>,
    keeps: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
}

impl<const W: usize> Inscribe<W> {
    /// For all queues.
    pub fn new() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            starting: Default::default(),
            done: Default::default(),
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
            offset: Default::default(),
            addr: Default::default(),
            data: Default::default(),
            elems: Default::default(),
            closed: Default::default(),
            since: Default::default(),
            more: Default::default(),
            kept: Default::default(),
            kept_addr: Default::default(),
            kept_data: Default::default(),
            first: Default::default(),
            last: Default::default(),
            mine: Default::default(),
            flags: Default::default(),
            element: Default::default(),
            slot: Default::default(),
            at: Default::default(),
            in_page: Default::default(),
            keeps: Default::default(),
            ends: Default::default(),
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
        dff_setup!(self, clock, state, chosen, here, count, offset, addr, data, elems, closed, since);
        dff_setup!(self, clock, more, kept, kept_addr, kept_data, first, last);
        self.queue.next = self.chosen.q.val();
        self.look.next = false;
        self.mine.next = self.done.valid.val() & (self.done.data.val().queue == self.chosen.q.val());
        self.slot.next = self.count.q.val() & (self.here.q.val().size - 1);

        // "To mark a descriptor as used, the device sets both bits to match the Device Ring Wrap Counter", which begins with 1.
        self.flags.next = 0.into();
        if !(self.count.q.val() & self.here.q.val().size).any() {
            self.flags.next = self.avail.val() | self.used.val();
        }
        if self.done.data.val().len.any() {
            self.flags.next = self.flags.val() | self.written.val();
        }
        self.element.next = (bit_cast::<128, 32>(self.done.data.val().len) << self.len_at.val())
            | (bit_cast::<128, 16>(self.done.data.val().id) << self.id_at.val())
            | (bit_cast::<128, 16>(self.flags.val()) << self.flags_at.val());
        self.at.next = bit_cast::<9, 3>(self.elems.q.val() & self.last_elem.val()) << 7;
        self.in_page.next = self.addr.q.val().get_bits::<8>(4) + bit_cast::<8, 3>(self.elems.q.val());
        // The first of a packet of several.
        self.keeps.next = self.done.data.val().more & !self.more.q.val();

        self.write.valid.next = false;
        self.write.last.next = true;
        self.write.data.next = self.data.q.val();
        self.write.side.next.addr = self.addr.q.val();
        self.write.side.next.len = bit_cast::<13, 3>(self.elems.q.val()) << 4;
        self.write.side.next.notify = bit_cast::<3, 1>(self.last.q.val().into());
        if self.first.q.val() {
            self.write.side.next.addr = self.kept_addr.q.val();
            self.write.data.next = bit_cast::<W, 128>(self.kept_data.q.val());
            self.write.side.next.len = 16.into();
        }
        self.done.ready.next = false;
        self.store.valid.next = false;
        self.store.data.next = self.count.q.val();
        self.published.valid.next = false;
        self.published.data.next.queue = self.chosen.q.val();
        self.published.data.next.index = self.count.q.val();
        // No more of it, for now.
        self.ends.next = !self.mine.val() | (self.since.q.val() >= self.often.val());
        match self.state.q.val() {
            // Nothing in hand.
            State::Idle => {
                self.chosen.d.next = self.done.data.val().queue;
                self.more.d.next = false;
                self.kept.d.next = false;
                self.since.d.next = 0.into();
                if self.done.valid.val() {
                    self.state.d.next = State::Look;
                }
            }
            // Not in the cycle in which a queue starts.
            State::Look => {
                self.look.next = !self.starting.val();
                if !self.starting.val() {
                    self.state.d.next = State::Load;
                }
            }
            // The queue's state is at hand.
            State::Load => {
                self.here.d.next = self.ring.val();
                self.count.d.next = self.number.val();
                self.state.d.next = State::Place;
            }
            // A write begins where the next chain began.
            State::Place => {
                self.offset.d.next = bit_cast::<20, 16>(self.slot.val()) << 4;
                self.elems.d.next = 0.into();
                self.closed.d.next = false;
                self.first.d.next = false;
                self.state.d.next = State::Sum;
            }
            State::Sum => {
                self.addr.d.next = self.here.q.val().device + bit_cast::<64, 20>(self.offset.q.val());
                self.state.d.next = State::Fill;
            }
            // Chains side by side, as many as wait. The first of a packet is kept aside, the next one stands elsewhere.
            State::Fill => {
                if self.mine.val() & !self.closed.q.val() & !(self.keeps.val() & self.elems.q.val().any()) {
                    self.done.ready.next = true;
                    self.more.d.next = self.done.data.val().more;
                    self.count.d.next = self.count.q.val() + self.done.data.val().slots;
                    self.since.d.next = self.since.q.val() + 1;
                    if self.keeps.val() {
                        self.kept.d.next = true;
                        self.kept_addr.d.next = self.addr.q.val();
                        self.kept_data.d.next = self.element.val();
                        self.state.d.next = State::Place;
                    } else {
                        self.data.d.next = bit_cast::<W, 128>(self.element.val()) << self.at.val();
                        if self.elems.q.val().any() {
                            self.data.d.next =
                                self.data.q.val() | (bit_cast::<W, 128>(self.element.val()) << self.at.val());
                        }
                        self.elems.d.next = self.elems.q.val() + 1;
                        self.closed.d.next = (self.elems.q.val() == self.last_elem.val())
                            | (self.since.q.val() >= self.last_since.val())
                            | (self.done.data.val().slots != 1)
                            | (self.slot.val() + 1 == self.here.q.val().size)
                            | (self.in_page.val() == self.page_end.val())
                            | (self.kept.q.val() & !self.done.data.val().more);
                    }
                } else if self.elems.q.val().any() {
                    self.state.d.next = State::Choose;
                }
            }
            // Whether this is the last of a publication: not before a kept one.
            State::Choose => {
                self.last.d.next =
                    self.ends.val() & !self.more.q.val() & (!self.kept.q.val() | self.first.q.val());
                self.state.d.next = State::Write;
                if self.ends.val() & !self.more.q.val() & (!self.kept.q.val() | self.first.q.val()) {
                    self.state.d.next = State::Store;
                }
            }
            // The number is counted, and then what it counts is written.
            State::Store => {
                self.store.valid.next = self.published.ready.val();
                if self.published.ready.val() & self.store.ready.val() {
                    self.state.d.next = State::Write;
                }
            }
            State::Write => {
                self.write.valid.next = true;
                if self.write.ready.val() {
                    self.state.d.next = State::Place;
                    if self.last.q.val() {
                        self.published.valid.next = true;
                        self.state.d.next = State::Idle;
                    } else if self.first.q.val() {
                        self.kept.d.next = false;
                    } else if self.kept.q.val() & !self.more.q.val() {
                        self.first.d.next = true;
                        self.state.d.next = State::Choose;
                    }
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        self.busy.next = self.state.q.val() != State::Idle;
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
