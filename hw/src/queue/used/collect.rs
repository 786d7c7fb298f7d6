//! Puts chains that are done with side by side, queue by queue: neighbours share a write and an index.
//! In: `sink`, in which the chains of a packet stand together (`more`).   Out: `source`: the chains of a queue in their order, those
//! of several queues in runs, which end with a packet.
//! Time: one per cycle; a chain that finds nothing before it is offered 8 cycles later.
//! Waits: on `source`, and `sink` while there are as many of its queue as may wait. A turn is sixteen chains of a queue, and the packet
//! they end in. Queues that have as many take turns; fewer wait until it is `calm`, or for 3,584 cycles, behind a turn for twice as many at most.

use crate::params::Params;
use crate::port::chain::Done;
use crate::prim::block_fifo::BlockFifo;
use crate::prim::fifo::Fifo;
use crate::prim::lutram::Lutram;
use crate::prim::ram::Ram;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// Chains of a queue that may wait: four runs.
const PLACES: u64 = 64;

/// Chains after which it is another queue's turn.
pub const RUN: u64 = 16;

/// So many times 128 cycles fewer wait at most, and until the turn comes.
const PATIENCE: u64 = 28;

/// Per queue two counts, modulo 256: chains put in and taken out. Those put in count from those taken out if the queue is not listed.
#[derive(LogicBlock)]
pub struct Collect {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<Done>,
    pub source: StreamSource<Done>,
    /// Few publications are in flight: there is no reason to wait for more.
    pub calm: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,
    mask: Constant<Bits<16>>,
    one: Constant<Bits<128>>,
    places: Constant<Bits<8>>,
    place_bits: Constant<Bits<4>>,
    place_mask: Constant<Bits<8>>,
    last_of_run: Constant<Bits<8>>,
    patience: Constant<Bits<8>>,
    front: Fifo<Done>,
    /// The chain that is put in next, and what is known of its queue: counts put in and taken out, whether it is listed, and due.
    held: Reg<Bit>,
    chain: Reg<Done>,
    puts: Reg<Bits<8>>,
    takes: Reg<Bits<8>>,
    known: Reg<Bit>,
    known_due: Reg<Bit>,
    /// `calm`, in the cycle before.
    quiet: Reg<Bit>,
    /// The queues that have chains, each once, the longest there first; a bit for each. Those of them that had a turn in the meantime.
    list: BlockFifo<Bits<16>>,
    listed: Reg<Bits<128>>,
    served: Reg<Bits<128>>,
    /// The queues that have a run, each once, and for the one whose turn it is; a bit for each.
    due: BlockFifo<Bits<16>>,
    is_due: Reg<Bits<128>>,
    chains: Ram<Done>,
    put_in: Lutram<Bits<8>>,
    put_out: Lutram<Bits<8>>,
    taken_in: Lutram<Bits<8>>,
    taken_out: Lutram<Bits<8>>,
    /// When a queue came on the list; in 128 cycles. What stands first there was there in the last cycle; it is the time for it.
    time: Reg<Bits<15>>,
    since: Lutram<Bits<8>>,
    first: Reg<Bit>,
    late: Reg<Bit>,
    /// Whose turn it is, that it came from the list, what has been taken of it, and how much in this turn.
    serving: Reg<Bit>,
    waited: Reg<Bit>,
    queue: Reg<Bits<16>>,
    from: Reg<Bits<8>>,
    run: Reg<Bits<5>>,
    /// Less than a run will do.
    less: Reg<Bit>,
    /// A chain is on offer.
    full: Reg<Bit>,
    sink_queue: Signal<Local, Bits<16>>,
    at_sink: Signal<Local, Bits<128>>,
    at_queue: Signal<Local, Bits<128>>,
    count: Signal<Local, Bits<8>>,
    waits: Signal<Local, Bits<8>>,
    put: Signal<Local, Bit>,
    /// The one that is put in next in the next cycle; its queue is that of the one put in, and the one whose turn ends.
    coming: Signal<Local, Done>,
    asked: Signal<Local, Bits<16>>,
    after_put: Signal<Local, Bit>,
    after_turn: Signal<Local, Bit>,
    /// With it the queue has a run; it comes on the list.
    crosses: Signal<Local, Bit>,
    enters: Signal<Local, Bit>,
    /// The time; whose turn is next, of the list, or of those that have a run.
    now: Signal<Local, Bits<8>>,
    next: Signal<Local, Bits<16>>,
    hurry: Signal<Local, Bit>,
    rest: Signal<Local, Bit>,
    from_list: Signal<Local, Bit>,
    /// Of the queue whose turn it is: what it has; that it may begin; the last chain belongs to a packet that goes on; it has had its run.
    waiting: Signal<Local, Bits<8>>,
    has: Signal<Local, Bit>,
    ripe: Signal<Local, Bit>,
    open: Signal<Local, Bit>,
    over: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    /// The turn ends; with what is left; the queue is to have another.
    finish: Signal<Local, Bit>,
    left: Signal<Local, Bits<8>>,
    again: Signal<Local, Bit>,
}

impl Collect {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        let queues = params.queues();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            calm: Default::default(),
            busy: Default::default(),
            mask: Constant::new((queues as u64 - 1).into()),
            one: Constant::new(1.into()),
            places: Constant::new(PLACES.into()),
            place_bits: Constant::new(u64::from(PLACES.trailing_zeros()).into()),
            place_mask: Constant::new((PLACES - 1).into()),
            last_of_run: Constant::new((RUN - 1).into()),
            patience: Constant::new(PATIENCE.into()),
            front: Fifo::new(2),
            held: Default::default(),
            chain: Default::default(),
            puts: Default::default(),
            takes: Default::default(),
            known_due: Default::default(),
            quiet: Default::default(),
            list: BlockFifo::new(2 * queues),
            listed: Default::default(),
            served: Default::default(),
            due: BlockFifo::new(2 * queues),
            is_due: Default::default(),
            chains: Ram::apart(queues * PLACES as usize),
            put_in: Lutram::new(queues),
            put_out: Lutram::new(queues),
            taken_in: Lutram::new(queues),
            taken_out: Lutram::new(queues),
            time: Default::default(),
            since: Lutram::new(queues),
            first: Default::default(),
            late: Default::default(),
            serving: Default::default(),
            waited: Default::default(),
            queue: Default::default(),
            from: Default::default(),
            run: Default::default(),
            less: Default::default(),
            full: Default::default(),
            sink_queue: Default::default(),
            at_sink: Default::default(),
            at_queue: Default::default(),
            known: Default::default(),
            count: Default::default(),
            waits: Default::default(),
            coming: Default::default(),
            asked: Default::default(),
            after_put: Default::default(),
            after_turn: Default::default(),
            put: Default::default(),
            crosses: Default::default(),
            enters: Default::default(),
            now: Default::default(),
            next: Default::default(),
            hurry: Default::default(),
            rest: Default::default(),
            from_list: Default::default(),
            waiting: Default::default(),
            has: Default::default(),
            ripe: Default::default(),
            open: Default::default(),
            over: Default::default(),
            moves: Default::default(),
            take: Default::default(),
            finish: Default::default(),
            left: Default::default(),
            again: Default::default(),
        }
    }
}

impl Logic for Collect {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, chain, puts, takes, known, known_due, quiet);
        dff_setup!(self, clock, listed, served, is_due, time, first, late);
        dff_setup!(self, clock, serving, waited, queue, from, run, less, full);
        clock!(self, clock, front, list, due, chains, put_in, put_out, taken_in, taken_out, since);
        self.front.reset.next = self.reset.val();
        self.list.reset.next = self.reset.val();
        self.list.keep.next = true;
        self.list.forget.next = false;
        self.due.reset.next = self.reset.val();
        self.due.keep.next = true;
        self.due.forget.next = false;
        StreamSink::<Done>::link(&mut self.sink, &mut self.front.sink);

        // In: behind those of its queue; a queue that has none comes on the list, one that has a run is due.
        self.sink_queue.next = self.chain.q.val().queue & self.mask.val();
        self.at_sink.next = self.one.val() << self.sink_queue.val();
        self.count.next = self.takes.q.val();
        if self.known.q.val() {
            self.count.next = self.puts.q.val();
        }
        self.waits.next = self.count.val() - self.takes.q.val();
        self.put.next = self.held.q.val()
            & (self.waits.val() != self.places.val())
            & self.due.sink.ready.val()
            & (self.known.q.val() | self.list.sink.ready.val());
        self.enters.next = self.put.val() & !self.known.q.val();
        self.crosses.next =
            self.put.val() & (self.waits.val() >= self.last_of_run.val()) & !self.known_due.q.val();
        // What is known of the next one's queue is looked up in the cycle before.
        self.coming.next = self.chain.q.val();
        self.front.source.ready.next = self.put.val() | !self.held.q.val();
        if self.front.source.ready.val() {
            self.coming.next = self.front.source.data.val();
            self.held.d.next = self.front.source.valid.val();
        }
        self.chain.d.next = self.coming.val();
        self.asked.next = self.coming.val().queue & self.mask.val();
        self.put_in.read_addr.next = self.asked.val();
        self.taken_in.read_addr.next = self.asked.val();
        self.chains.write.next = self.put.val();
        self.chains.write_addr.next = (self.sink_queue.val() << self.place_bits.val())
            | bit_cast::<16, 8>(self.count.val() & self.place_mask.val());
        self.chains.write_data.next = self.chain.q.val();
        self.put_in.write.next = self.put.val();
        self.put_in.write_addr.next = self.sink_queue.val();
        self.put_in.write_data.next = self.count.val() + 1;
        self.put_out.write.next = self.put.val();
        self.put_out.write_addr.next = self.sink_queue.val();
        self.put_out.write_data.next = self.count.val() + 1;

        // Whose turn is next: who has waited long enough, and who has a run, by turns; when it is calm, who has any.
        self.time.d.next = self.time.q.val() + 1;
        self.now.next = self.time.q.val().get_bits::<8>(7);
        self.since.read_addr.next = self.list.source.data.val();
        self.first.d.next = self.list.source.valid.val() & !self.list.source.ready.val();
        self.late.d.next = self.now.val() - self.since.read_data.val() >= self.patience.val();
        self.hurry.next = self.list.source.valid.val()
            & self.first.q.val()
            & self.late.q.val()
            & !(self.waited.q.val() & self.due.source.valid.val());
        self.quiet.d.next = self.calm.val();
        self.rest.next = self.list.source.valid.val() & !self.due.source.valid.val() & self.quiet.q.val();
        self.from_list.next = self.hurry.val() | self.rest.val();
        self.next.next = self.due.source.data.val();
        if self.from_list.val() {
            self.next.next = self.list.source.data.val();
        }
        self.list.source.ready.next = !self.serving.q.val() & self.from_list.val();
        self.due.source.ready.next = !self.serving.q.val() & !self.hurry.val();
        self.taken_out.read_addr.next = self.next.val();
        if !self.serving.q.val() {
            self.serving.d.next = self.from_list.val() | self.due.source.valid.val();
            if self.from_list.val() | self.due.source.valid.val() {
                self.waited.d.next = self.from_list.val();
            }
            self.less.d.next =
                self.rest.val() | (self.hurry.val() & !self.served.q.val().get_bit(self.next.val().index()));
            self.queue.d.next = self.next.val();
            self.from.d.next = self.taken_out.read_data.val();
            self.run.d.next = 0.into();
        }

        // Out: what there is of the queue whose turn it is. What was taken last still stands at the RAM's end.
        self.put_out.read_addr.next = self.queue.q.val();
        self.waiting.next = self.put_out.read_data.val() - self.from.q.val();
        self.has.next = self.waiting.val().any();
        self.ripe.next =
            self.run.q.val().any() | self.less.q.val() | (self.waiting.val() > self.last_of_run.val());
        self.open.next = self.chains.read_data.val().more & self.run.q.val().any();
        self.over.next = bit_cast::<8, 5>(self.run.q.val()) > self.last_of_run.val();
        self.moves.next = !self.full.q.val() | self.source.ready.val();
        self.take.next = self.serving.q.val()
            & self.has.val()
            & self.ripe.val()
            & (!self.over.val() | self.open.val())
            & self.moves.val();
        self.chains.read.next = self.take.val();
        self.chains.read_addr.next = (self.queue.q.val() << self.place_bits.val())
            | bit_cast::<16, 8>(self.from.q.val() & self.place_mask.val());
        if self.moves.val() {
            self.full.d.next = self.take.val();
        }
        if self.take.val() {
            self.from.d.next = self.from.q.val() + 1;
            if !self.over.val() {
                self.run.d.next = self.run.q.val() + 1;
            }
        }
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.chains.read_data.val();

        // The turn ends with a packet: of a run, or of all there is. Or it is not the time for it. What has any goes on the list again, what
        // has a run is due again; but not while a chain that comes does.
        self.at_queue.next = self.one.val() << self.queue.q.val();
        self.left.next = self.waiting.val();
        if self.put.val() & (self.sink_queue.val() == self.queue.q.val()) {
            self.left.next = self.waiting.val() + 1;
        }
        self.again.next = self.left.val() > self.last_of_run.val();
        self.finish.next =
            self.serving.q.val() & !self.open.val() & (self.over.val() | !self.has.val() | !self.ripe.val());
        if self.waited.q.val() {
            self.again.next = self.left.val().any();
            if !self.list.sink.ready.val() | self.enters.val() {
                self.finish.next = false;
            }
        } else if !self.due.sink.ready.val() | self.crosses.val() {
            self.finish.next = false;
        }
        self.taken_in.write.next = self.finish.val();
        self.taken_in.write_addr.next = self.queue.q.val();
        self.taken_in.write_data.next = self.from.q.val();
        self.taken_out.write.next = self.finish.val();
        self.taken_out.write_addr.next = self.queue.q.val();
        self.taken_out.write_data.next = self.from.q.val();
        self.list.sink.valid.next = self.enters.val();
        self.list.sink.data.next = self.sink_queue.val();
        self.due.sink.valid.next = self.crosses.val();
        self.due.sink.data.next = self.sink_queue.val();
        if self.put.val() {
            self.listed.d.next = self.listed.q.val() | self.at_sink.val();
        }
        if self.crosses.val() {
            self.is_due.d.next = self.is_due.q.val() | self.at_sink.val();
        }
        if self.finish.val() {
            self.serving.d.next = false;
            if self.waited.q.val() {
                self.served.d.next = self.served.q.val() & !self.at_queue.val();
                self.list.sink.valid.next = self.again.val();
                self.list.sink.data.next = self.queue.q.val();
                if !self.again.val() {
                    self.listed.d.next = self.listed.q.val() & !self.at_queue.val();
                }
            } else {
                if self.run.q.val().any() {
                    self.served.d.next = self.served.q.val() | self.at_queue.val();
                }
                self.due.sink.valid.next = self.again.val();
                self.due.sink.data.next = self.queue.q.val();
                if !self.again.val() {
                    self.is_due.d.next = self.is_due.q.val() & !self.at_queue.val();
                }
            }
        }
        // What has just been put in counts, and a turn that has just ended.
        self.after_put.next = self.put.val() & (self.asked.val() == self.sink_queue.val());
        self.after_turn.next = self.finish.val() & (self.asked.val() == self.queue.q.val());
        self.puts.d.next = self.put_in.read_data.val();
        self.takes.d.next = self.taken_in.read_data.val();
        self.known.d.next = self.listed.q.val().get_bit(self.asked.val().index());
        self.known_due.d.next = self.is_due.q.val().get_bit(self.asked.val().index());
        if self.after_put.val() {
            self.puts.d.next = self.count.val() + 1;
            self.known.d.next = true;
            if self.crosses.val() {
                self.known_due.d.next = true;
            }
        }
        if self.after_turn.val() {
            self.takes.d.next = self.from.q.val();
            if !self.again.val() & self.waited.q.val() {
                self.known.d.next = false;
            }
            if !self.again.val() & !self.waited.q.val() {
                self.known_due.d.next = false;
            }
        }
        self.since.write.next = self.list.sink.valid.val();
        self.since.write_addr.next = self.list.sink.data.val();
        self.since.write_data.next = self.now.val();
        self.busy.next =
            self.front.source.valid.val() | self.held.q.val() | self.listed.q.val().any() | self.full.q.val();
        if self.reset.val() {
            self.held.d.next = false;
            self.listed.d.next = 0.into();
            self.served.d.next = 0.into();
            self.is_due.d.next = 0.into();
            self.serving.d.next = false;
            self.full.d.next = false;
        }
    }
}
