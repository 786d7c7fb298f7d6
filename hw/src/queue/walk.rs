//! Follows descriptor chains and checks them, for one direction's queues.
//! In: `head`, first descriptors.   Out: `segment`, the buffers in order; `error`; `request`, `reply`: DMA.
//! Time: a chain of one descriptor per cycle, at 64 bits every second cycle; each further descriptor, and each table, costs a cycle and a read.
//! Waits: on `segment`, `error`, `request`; one read in flight.   Busy: a chain is in hand, or a segment not taken.
//! After an error the queue has stopped: further transmit chains are dropped, further receive chains answered with none.
//! In a packed ring a chain goes on in the next place, in a table to its end. Name and length are the head's.
//! Spec: [virtio: The Virtqueue Descriptor Table], [virtio: Indirect Descriptors], [virtio 1.4: Packed Virtqueues]

pub mod check;

use self::check::Check;
use crate::params::Params;
use crate::port::chain::{Head, Segment};
use crate::port::dma::ReadSide;
use crate::port::queue::{QueueControlSink, QueueError};
use crate::prim::beat::BeatSink;
use crate::prim::lutram::Lutram;
use crate::prim::stream::{StreamSink, StreamSource};
use crate::queue::Direction;
use crate::queue::fetch::gather::Gather;
use crate::queue::lookup::AreaRead;
use hematite_abi::{feature, ident, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Chained,
    Ask,
    Wait,
    Fail,
    Drop,
}

/// The walker.
#[derive(LogicBlock)]
pub struct Walk<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    pub head: StreamSink<Head>,
    pub segment: StreamSource<Segment>,
    pub request: StreamSource<AreaRead>,
    pub reply: BeatSink<W, ReadSide>,
    pub error: StreamSource<QueueError>,
    pub busy: Signal<Out, Bit>,
    /// INDIRECT_DESC, RING_PACKED are accepted.
    pub indirect: Signal<In, Bit>,
    pub packed: Signal<In, Bit>,
    tables: Constant<Bit>,
    able: Constant<Bit>,
    tx: Constant<Bit>,
    one: Constant<Bits<64>>,
    mask: Constant<Bits<16>>,
    /// A segment may follow another without a gap. A narrow function has no use for that, nor time for the path.
    dense: Constant<Bit>,
    desc_bytes: Constant<Bits<8>>,
    sizes: Lutram<Bits<16>>,
    check: Check,
    gather: Gather<W>,
    /// Bits per index.
    stopped: Reg<Bits<64>>,
    state: Reg<State>,
    full: Reg<Bit>,
    /// A descriptor is to come out of `gather`.
    waiting: Reg<Bit>,
    /// The descriptor in hand; its queue has stopped.
    held: Reg<Head>,
    off: Reg<Bit>,
    /// It is out of an indirect table, and that stands here.
    inside: Reg<Bit>,
    table: Reg<Bits<64>>,
    /// Entries of the table it is out of.
    size: Reg<Bits<16>>,
    /// Descriptors that this chain may still have out of the same table, with the one in hand; that is the chain's first.
    left: Reg<Bits<16>>,
    first: Reg<Bit>,
    bad: Reg<Bit>,
    code: Reg<Bits<8>>,
    sent: Reg<Bit>,
    out: Reg<Segment>,
    room: Signal<Local, Bit>,
    send: Signal<Local, Bit>,
    made: Signal<Local, Segment>,
    at_held: Signal<Local, Bits<64>>,
    at_control: Signal<Local, Bits<64>>,
    at_error: Signal<Local, Bits<64>>,
    finish: Signal<Local, Bit>,
}

impl<const W: usize> Walk<W> {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            head: Default::default(),
            segment: Default::default(),
            request: Default::default(),
            reply: Default::default(),
            error: Default::default(),
            busy: Default::default(),
            indirect: Default::default(),
            packed: Default::default(),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            tables: Constant::new(params.offers(feature::INDIRECT_DESC)),
            tx: Constant::new(direction == Direction::Tx),
            one: Constant::new(1.into()),
            mask: Constant::new((params.pairs as u64 - 1).into()),
            dense: Constant::new(Params::wide(W)),
            desc_bytes: Constant::new((ring::DESC_BYTES as u64).into()),
            sizes: Lutram::new(params.pairs),
            check: Check::new(params, direction),
            gather: Gather::single(),
            stopped: Default::default(),
            state: Default::default(),
            full: Default::default(),
            waiting: Default::default(),
            held: Default::default(),
            inside: Default::default(),
            table: Default::default(),
            size: Default::default(),
            left: Default::default(),
            first: Default::default(),
            bad: Default::default(),
            code: Default::default(),
            sent: Default::default(),
            out: Default::default(),
            room: Default::default(),
            send: Default::default(),
            made: Default::default(),
            at_held: Default::default(),
            at_control: Default::default(),
            at_error: Default::default(),
            off: Default::default(),
            finish: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Walk<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, stopped, state, full, held, off, size, left, first, bad, code, sent);
        dff_setup!(self, clock, out, waiting);
        dff_setup!(self, clock, inside, table);
        clock!(self, clock, sizes, gather);
        self.gather.reset.next = self.reset.val();
        BeatSink::<W, ReadSide>::link(&mut self.reply, &mut self.gather.sink);
        self.gather.more.next = 0.into();
        self.gather.down.next = false;
        self.segment.valid.next = self.sent.q.val();
        self.segment.data.next = self.out.q.val();
        self.sizes.write.next =
            self.control.enable.val() & (self.control.settings.val().queue.get_bit(0) == self.tx.val());
        self.sizes.write_addr.next = (self.control.settings.val().queue >> 1) & self.mask.val();
        self.sizes.write_data.next = self.control.settings.val().size;
        self.sizes.read_addr.next = (self.head.data.val().queue >> 1) & self.mask.val();

        self.check.desc.next = self.held.q.val();
        self.check.inside.next = self.inside.q.val();
        self.check.size.next = self.size.q.val();
        self.check.left.next = self.left.q.val();
        self.check.first.next = self.first.q.val();
        self.check.indirect.next = self.indirect.val();
        self.check.packed.next = self.packed.val();

        self.at_held.next = self.one.val() << ((self.held.q.val().queue >> 1) & self.mask.val());
        self.room.next = !self.sent.q.val() | (self.segment.ready.val() & self.dense.val());
        self.send.next = false;
        self.made.next.queue = self.held.q.val().queue;
        self.made.next.id = self.held.q.val().id;
        self.made.next.slots = self.held.q.val().slots;
        self.made.next.addr = self.held.q.val().addr;
        self.made.next.len = self.held.q.val().len;
        self.made.next.last = true;
        self.made.next.error = false;
        self.made.next.none = false;
        self.request.valid.next = false;
        self.request.data.next.queue = self.held.q.val().queue;
        self.request.data.next.driver = false;
        self.request.data.next.fixed = self.inside.q.val() & self.tables.val();
        self.request.data.next.base = self.table.q.val();
        self.request.data.next.offset = bit_cast::<20, 16>(self.held.q.val().next_desc) << 4;
        self.request.data.next.len = self.desc_bytes.val();
        self.gather.source.ready.next = false;
        self.error.valid.next = false;
        self.error.data.next.queue = self.held.q.val().queue;
        self.error.data.next.code = self.code.q.val();
        self.at_error.next = 0.into();
        self.finish.next = false;
        match self.state.q.val() {
            // The descriptor in hand, if there is one, has not been looked at.
            State::Idle => {
                if self.full.q.val() {
                    if self.held.q.val().none | (self.off.q.val() & !self.tx.val()) {
                        self.send.next = true;
                        self.made.next.none = true;
                        self.finish.next = self.room.val();
                    } else if self.off.q.val() {
                        self.finish.next = true;
                    } else if self.check.chained.val() | self.check.tabled.val() {
                        self.bad.d.next = self.check.wrong.val();
                        self.code.d.next = self.check.code.val();
                        self.state.d.next = State::Chained;
                    } else if self.check.flagged.val() {
                        self.code.d.next = self.check.code.val();
                        self.state.d.next = State::Fail;
                    } else {
                        self.send.next = true;
                        self.finish.next = self.room.val();
                    }
                }
            }
            // What it says of the next one, or of a table, has been looked at.
            State::Chained => {
                if self.bad.q.val() {
                    self.state.d.next = State::Fail;
                } else if self.check.tabled.val() {
                    // A table is a chain of its own, from its first entry on.
                    self.inside.d.next = true;
                    self.table.d.next = self.held.q.val().addr;
                    self.size.d.next = self.held.q.val().len.get_bits::<16>(4);
                    self.held.d.next.next_desc = 0.into();
                    // One more than it has: it counts when the first comes.
                    self.left.d.next = self.held.q.val().len.get_bits::<16>(4) + 1;
                    self.state.d.next = State::Ask;
                } else {
                    self.send.next = self.held.q.val().len.any();
                    self.made.next.last = false;
                    if self.room.val() {
                        self.state.d.next = State::Ask;
                    }
                }
            }
            // The next one is asked for.
            State::Ask => {
                self.request.valid.next = true;
                if self.request.ready.val() {
                    self.waiting.d.next = true;
                    self.state.d.next = State::Wait;
                }
            }
            // It comes.
            State::Wait => {
                self.gather.source.ready.next = true;
                if self.gather.source.valid.val() {
                    self.waiting.d.next = false;
                    self.left.d.next = self.left.q.val() - 1;
                    self.first.d.next = false;
                    self.state.d.next = State::Idle;
                    self.code.d.next = ident::ERROR_DMA_READ.into();
                    if self.gather.source.data.val().timeout {
                        self.code.d.next = ident::ERROR_DMA_TIMEOUT.into();
                    }
                    if self.gather.source.data.val().error {
                        self.state.d.next = State::Fail;
                    }
                }
            }
            // The chain is bad: say so, stop the queue.
            State::Fail => {
                self.error.valid.next = true;
                if self.error.ready.val() {
                    self.at_error.next = self.at_held.val();
                    self.state.d.next = State::Drop;
                }
            }
            // And end what has gone out of it.
            State::Drop => {
                self.send.next = true;
                self.made.next.error = true;
                if self.room.val() {
                    self.finish.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        self.sent.d.next =
            (self.room.val() & self.send.val()) | (self.sent.q.val() & !self.segment.ready.val());
        if self.room.val() {
            self.out.d.next = self.made.val();
        }
        self.head.ready.next = !self.full.q.val() | self.finish.val();
        // The choice of what is held comes from a register: it is the width of a descriptor.
        if self.waiting.q.val() {
            if self.gather.source.valid.val() {
                self.held.d.next.addr = self.gather.source.data.val().addr;
                self.held.d.next.len = self.gather.source.data.val().len;
                self.held.d.next.flags = self.gather.source.data.val().flags;
                self.held.d.next.next_desc = self.gather.source.data.val().next_desc;
                if self.packed.val() & self.able.val() {
                    self.held.d.next.flags = self.gather.source.data.val().next_desc;
                    self.held.d.next.next_desc = self.held.q.val().next_desc + 1;
                    // Sizes of rings are powers of two.
                    if !self.inside.q.val() {
                        self.held.d.next.next_desc =
                            (self.held.q.val().next_desc + 1) & (self.size.q.val() - 1);
                    }
                }
            }
        } else if !self.full.q.val() | self.finish.val() {
            self.full.d.next = self.head.valid.val();
            self.held.d.next = self.head.data.val();
            self.off.d.next =
                self.stopped.q.val().get_bit(((self.head.data.val().queue >> 1) & self.mask.val()).index());
            self.size.d.next = self.sizes.read_data.val();
            self.left.d.next = self.sizes.read_data.val();
            self.first.d.next = true;
            self.inside.d.next = false;
        }
        self.at_control.next = 0.into();
        if (self.control.enable.val() | self.control.clear.val())
            & (self.control.settings.val().queue.get_bit(0) == self.tx.val())
        {
            self.at_control.next =
                self.one.val() << ((self.control.settings.val().queue >> 1) & self.mask.val());
        }
        self.stopped.d.next = (self.stopped.q.val() | self.at_error.val()) & !self.at_control.val();
        self.busy.next = self.full.q.val() | self.sent.q.val();
        if self.reset.val() {
            self.state.d.next = State::Idle;
            self.full.d.next = false;
            self.waiting.d.next = false;
            self.sent.d.next = false;
            self.stopped.d.next = 0.into();
        }
    }
}
