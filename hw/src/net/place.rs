//! Reception, first half: finds buffers for a frame.
//! In: `arrival`, one per frame waiting; `segment`, what the queue gives.   Out: `want`, `commit`; `job`, one per frame; `share`, what each
//! buffer of a frame that is not dropped gets of it.
//! Time: a cycle for a frame that fits the one buffer of a chain; its shares are offered 2 cycles after its job.
//! Waits: for the queue's answer: a chain is asked for as soon as a frame's length is known, while those before it are placed. A frame
//! that needs more chains than one takes those asked for behind it, if they are of its queue; else it begins again, alone.
//! A frame for which there are no buffers, or not enough, is dropped, and what it was shown stays the queue's.
//! Spec: [virtio 1.4: Setting Up Receive Buffers], [Processing of Incoming Packets]

pub mod ahead;

use crate::params::Params;
use crate::port::chain::{CommitSource, Segment, Want};
use crate::port::frame::Arrival;
use crate::prim::block_fifo::BlockFifo;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use ahead::{Ahead, Waiting};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Ask,
    Listen,
    Skip,
    Clear,
    Give,
}

/// What to do with the next frame.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Job {
    /// Chains it takes: virtio_net_hdr's num_buffers.
    pub chains: Bits<8>,
    /// Drop it; it has no shares.
    pub drop: Bit,
}

/// A buffer, and how much of it a frame and its header take.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Share {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub slots: Bits<16>,
    pub addr: Bits<64>,
    /// Bytes; a buffer of none takes none.
    pub len: Bits<14>,
    /// The last one of its chain.
    pub end: Bit,
    /// The last one of its frame; a chain ends with it too.
    pub last: Bit,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Place {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The driver is ready to receive; else frames are dropped.
    pub enabled: Signal<In, Bit>,
    /// Begin no new frame.
    pub fence: Signal<In, Bit>,
    /// VIRTIO_NET_F_MRG_RXBUF is accepted.
    pub mergeable: Signal<In, Bit>,
    /// HASH_REPORT is accepted: headers are longer.
    pub hashes: Signal<In, Bit>,
    pub arrival: StreamSink<Arrival>,
    pub want: StreamSource<Want>,
    pub segment: StreamSink<Segment>,
    pub commit: CommitSource,
    pub share: StreamSource<Share>,
    pub job: StreamSource<Job>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: no buffers, or not enough; too many small ones, a bad chain, or not enabled.
    pub count_no_buffer: Signal<Out, Bit>,
    pub count_dropped: Signal<Out, Bit>,
    /// Beside them: whose frame it was.
    pub count_queue: Signal<Out, Bits<16>>,
    shares: BlockFifo<Share>,
    jobs: Fifo<Job>,
    ahead: Ahead,
    state: Reg<State>,
    made: Reg<Job>,
    /// The frame in hand; it has begun again, and no other comes beside it.
    frame: Reg<Waiting>,
    alone: Reg<Bit>,
    /// A chain that is to be passed over is being answered.
    passing: Reg<Bit>,
    again: Reg<Bit>,
    /// The frame before took what it was shown: so many chains.
    gave: Reg<Bit>,
    given: Reg<Bits<8>>,
    given_queue: Reg<Bits<16>>,
    /// Chains of the frame in hand, with the one that is seen.
    chains: Signal<Local, Bits<8>>,
    /// Shares of this frame so far; bytes of it without one.
    count: Reg<Bits<7>>,
    left: Reg<Bits<15>>,
    /// What is left behind this buffer: the high bit says less than nothing.
    over: Signal<Local, Bits<15>>,
    enough: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    /// No frame is in hand behind this cycle: the next one; the one in hand needs another chain; a chain asked for ahead is seen.
    begin: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    more: Signal<Local, Bit>,
    answered: Signal<Local, Bit>,
    /// The queue of the segment; it is another one than the frame's.
    queue: Signal<Local, Bits<16>>,
    other: Signal<Local, Bit>,
    seen: Signal<Local, Bit>,
    left_mask: Constant<Bits<15>>,
    id_mask: Constant<Bits<16>>,
    slots_mask: Constant<Bits<16>>,
    queue_mask: Constant<Bits<16>>,
}

impl Place {
    /// Buffers a frame may take.
    pub const MOST_SHARES: usize = 64;

    /// Queues and frames as `params` has them.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            enabled: Default::default(),
            fence: Default::default(),
            mergeable: Default::default(),
            hashes: Default::default(),
            arrival: Default::default(),
            want: Default::default(),
            segment: Default::default(),
            commit: Default::default(),
            share: Default::default(),
            job: Default::default(),
            busy: Default::default(),
            count_no_buffer: Default::default(),
            count_dropped: Default::default(),
            count_queue: Default::default(),
            shares: BlockFifo::new(Self::MOST_SHARES),
            jobs: Fifo::new(8),
            ahead: Ahead::new(params),
            state: Default::default(),
            made: Default::default(),
            frame: Default::default(),
            alone: Default::default(),
            passing: Default::default(),
            again: Default::default(),
            gave: Default::default(),
            given: Default::default(),
            given_queue: Default::default(),
            chains: Default::default(),
            load: Default::default(),
            begin: Default::default(),
            more: Default::default(),
            answered: Default::default(),
            queue: Default::default(),
            other: Default::default(),
            seen: Default::default(),
            ends: Default::default(),
            count: Default::default(),
            left: Default::default(),
            over: Default::default(),
            enough: Default::default(),
            left_mask: Constant::new(params.placed_mask().to_bits()),
            id_mask: Constant::new(params.name_mask().to_bits()),
            slots_mask: Constant::new(params.slots_mask().to_bits()),
            // Receive queues are the even ones.
            queue_mask: Constant::new((params.queues() - 2).to_bits()),
        }
    }
}

impl Logic for Place {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            made,
            frame,
            alone,
            passing,
            again,
            gave,
            given,
            given_queue,
            count,
            left
        );
        clock!(self, clock, shares, jobs, ahead);
        self.shares.reset.next = self.reset.val();
        self.jobs.reset.next = self.reset.val();
        self.ahead.reset.next = self.reset.val();
        self.ahead.hashes.next = self.hashes.val();
        StreamSource::<Share>::link(&mut self.share, &mut self.shares.source);
        StreamSource::<Job>::link(&mut self.job, &mut self.jobs.source);
        StreamSource::<Want>::link(&mut self.want, &mut self.ahead.want);

        self.segment.ready.next = false;
        self.shares.sink.valid.next = false;
        self.shares.keep.next = false;
        self.shares.forget.next = false;
        self.jobs.sink.valid.next = false;
        self.jobs.sink.data.next = self.made.q.val();
        self.count_no_buffer.next = false;
        self.count_dropped.next = false;
        self.count_queue.next = self.frame.q.val().queue;

        // Frames come while there is a driver; else they are passed over, once none of those before is inside.
        self.ahead.open.next = self.enabled.val() & !self.fence.val() & !self.alone.q.val();
        self.ahead.arrival.valid.next = self.arrival.valid.val();
        self.ahead.arrival.data.next = self.arrival.data.val();
        self.arrival.ready.next = self.ahead.arrival.ready.val();
        self.ahead.more.next = self.state.q.val() == State::Ask;
        self.ahead.more_queue.next = self.frame.q.val().queue;
        // What is passed over stays its queue's; so does what the frame itself was shown.
        self.queue.next = self.segment.data.val().queue & self.queue_mask.val();
        self.other.next = self.queue.val() != self.frame.q.val().queue;
        self.seen.next = self.segment.valid.val() & (self.ahead.due.val() | self.passing.q.val());
        self.ahead.spoilt.next = self.state.q.val() == State::Clear;
        self.ahead.spoilt_queue.next = self.frame.q.val().queue;
        if self.seen.val() {
            self.ahead.spoilt_queue.next = self.queue.val();
        }

        // A buffer of 16 KiB or more is room enough for any frame.
        self.over.next =
            self.left.q.val() - bit_cast::<15, 14>(self.segment.data.val().len.get_bits::<14>(0));
        self.enough.next = self.segment.data.val().len.get_bits::<18>(14).any()
            | self.over.val().get_bit(14)
            | !self.over.val().any();
        self.shares.sink.data.next.queue = self.queue.val();
        self.shares.sink.data.next.id = self.segment.data.val().id & self.id_mask.val();
        self.shares.sink.data.next.slots = self.segment.data.val().slots & self.slots_mask.val();
        self.shares.sink.data.next.addr = self.segment.data.val().addr;
        self.shares.sink.data.next.len =
            self.segment.data.val().len.get_bits::<14>(0) & bit_cast::<14, 15>(self.left_mask.val());
        if self.enough.val() {
            self.shares.sink.data.next.len = bit_cast::<14, 15>(self.left.q.val());
        }
        self.shares.sink.data.next.end = self.segment.data.val().last | self.enough.val();
        self.shares.sink.data.next.last = self.enough.val();

        // The last buffer that is needed ends its chain: the frame is done with at once.
        self.ends.next = self.enough.val() & self.segment.data.val().last & self.jobs.sink.ready.val();
        self.commit.valid.next = self.gave.q.val();
        self.commit.queue.next = self.given_queue.q.val();
        self.commit.chains.next = self.given.q.val();
        self.gave.d.next = false;
        self.chains.next = self.made.q.val().chains + 1;
        self.begin.next = false;
        self.more.next = false;
        self.answered.next = false;
        match self.state.q.val() {
            State::Idle => {
                self.begin.next = true;
                if !self.enabled.val() & !self.ahead.busy.val() & self.arrival.valid.val() {
                    self.arrival.ready.next = true;
                    self.count_dropped.next = true;
                    self.count_queue.next = self.arrival.data.val().queue;
                    self.made.d.next.drop = true;
                    self.state.d.next = State::Give;
                }
            }
            // Ask: one more chain, for the frame in hand.
            State::Ask => {
                if self.ahead.taken.val() {
                    self.state.d.next = State::Listen;
                }
            }
            // Listen: its buffers come one by one; once there is room, the rest of the chain is passed over.
            State::Listen => {
                if self.segment.valid.val() {
                    if self.other.val() {
                        // It was asked for by a frame behind this one.
                        self.passing.d.next = true;
                        self.again.d.next = true;
                        self.state.d.next = State::Clear;
                    } else if self.segment.data.val().none | self.segment.data.val().error {
                        self.segment.ready.next = true;
                        self.made.d.next.drop = true;
                        self.count_no_buffer.next = self.segment.data.val().none;
                        self.count_dropped.next = !self.segment.data.val().none;
                        self.state.d.next = State::Clear;
                        if self.segment.data.val().none & !self.count.q.val().any() {
                            // It was shown nothing.
                            self.state.d.next = State::Give;
                        }
                    } else if self.count.q.val().get_bit(6) {
                        // In so small pieces a frame is not taken apart.
                        self.segment.ready.next = true;
                        self.made.d.next.drop = true;
                        self.count_dropped.next = true;
                        self.state.d.next = State::Skip;
                        if self.segment.data.val().last {
                            self.state.d.next = State::Clear;
                        }
                    } else if self.shares.sink.ready.val() {
                        self.segment.ready.next = true;
                        self.shares.sink.valid.next = true;
                        self.count.d.next = self.count.q.val() + 1;
                        self.left.d.next = self.over.val() & self.left_mask.val();
                        if self.segment.data.val().last | self.enough.val() {
                            self.made.d.next.chains = self.chains.val();
                        }
                        if self.ends.val() {
                            self.jobs.sink.valid.next = true;
                            self.jobs.sink.data.next.chains = self.chains.val();
                            self.gave.d.next = true;
                            self.shares.keep.next = true;
                            self.begin.next = true;
                            self.state.d.next = State::Idle;
                        } else if self.enough.val() {
                            self.state.d.next = State::Give;
                            if !self.segment.data.val().last {
                                self.state.d.next = State::Skip;
                            }
                        } else if self.segment.data.val().last {
                            if self.mergeable.val() {
                                self.more.next = true;
                            } else {
                                // One chain must do, and it does not.
                                self.made.d.next.drop = true;
                                self.count_no_buffer.next = true;
                                self.state.d.next = State::Clear;
                            }
                        }
                    }
                }
            }
            // Skip: the rest of a chain that is not needed.
            State::Skip => {
                self.segment.ready.next = true;
                if self.segment.valid.val() & self.segment.data.val().last {
                    self.state.d.next = State::Give;
                    if self.segment.data.val().error {
                        self.made.d.next.drop = true;
                        self.count_dropped.next = !self.made.q.val().drop;
                    }
                    if self.segment.data.val().error | self.made.q.val().drop {
                        self.state.d.next = State::Clear;
                    }
                }
            }
            // Clear: chains behind what a dropped frame was shown are not to be taken before it.
            State::Clear => {
                self.segment.ready.next = self.ahead.due.val() | self.passing.q.val();
                if self.segment.valid.val() & self.segment.data.val().last {
                    self.passing.d.next = false;
                    self.answered.next = self.ahead.due.val() & !self.passing.q.val();
                }
                if !self.ahead.due.val() & !self.passing.q.val() {
                    self.state.d.next = State::Give;
                    if self.again.q.val() {
                        self.shares.forget.next = true;
                        self.again.d.next = false;
                        self.alone.d.next = true;
                        self.made.d.next.chains = 0.into();
                        self.count.d.next = 0.into();
                        self.left.d.next = self.frame.q.val().bytes;
                        self.state.d.next = State::Ask;
                    }
                }
            }
            // Give: the frame's job, and the chains are its own from now on.
            State::Give => {
                self.jobs.sink.valid.next = true;
                if self.jobs.sink.ready.val() {
                    self.gave.d.next = !self.made.q.val().drop;
                    self.shares.keep.next = !self.made.q.val().drop;
                    self.shares.forget.next = self.made.q.val().drop;
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        self.given.d.next = self.jobs.sink.data.val().chains;
        self.given_queue.d.next = self.frame.q.val().queue;
        // The next frame in hand; a chain may have been asked for it, or may be on its way for those behind.
        self.load.next = self.begin.val() & self.ahead.frame.valid.val();
        self.ahead.frame.ready.next = self.begin.val();
        if self.load.val() | self.more.val() {
            self.answered.next = self.ahead.due.val();
            self.state.d.next = State::Ask;
            if self.ahead.due.val() {
                self.state.d.next = State::Listen;
            }
        }
        self.ahead.answered.next = self.answered.val();
        if self.begin.val() {
            self.alone.d.next = false;
        }
        if self.load.val() {
            self.made.d.next.chains = 0.into();
            self.made.d.next.drop = false;
            self.count.d.next = 0.into();
            self.left.d.next = self.ahead.frame.data.val().bytes;
            self.frame.d.next = self.ahead.frame.data.val();
        }
        self.busy.next = !(self.state.q.val() == State::Idle)
            | self.ahead.busy.val()
            | self.gave.q.val()
            | self.jobs.source.valid.val()
            | self.shares.source.valid.val();
        if self.reset.val() {
            self.gave.d.next = false;
            self.passing.d.next = false;
            self.again.d.next = false;
            self.alone.d.next = false;
            self.state.d.next = State::Idle;
        }
    }
}
