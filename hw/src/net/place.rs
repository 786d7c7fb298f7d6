//! Reception, first half: finds buffers for a frame.
//! In: `length`, one per frame waiting; `segment`, what the queue gives.   Out: `want`, `commit`; `job`, one per frame; `share`, what each
//! buffer of a frame that is not dropped gets of it.
//! Time: 2 cycles for a frame that fits the one buffer of a chain, and the time of the queue's answer; its shares are offered 2
//! cycles after its job.
//! Waits: for the queue's answer. A frame for which there are no buffers, or not enough, is dropped, and what it was shown stays the queue's.
//! Spec: [virtio 1.4: Setting Up Receive Buffers], [Processing of Incoming Packets]

use crate::params::Params;
use crate::port::chain::{Segment, Want};
use crate::port::frame::FrameLength;
use crate::port::queue::KickSource;
use crate::prim::block_fifo::BlockFifo;
use crate::prim::fifo::Fifo;
use crate::prim::stream::{StreamSink, StreamSource};
use hematite_abi::net;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Ask,
    Listen,
    Skip,
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
    pub length: StreamSink<FrameLength>,
    pub want: StreamSource<Want>,
    pub segment: StreamSink<Segment>,
    pub commit: KickSource,
    pub share: StreamSource<Share>,
    pub job: StreamSource<Job>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: no buffers, or not enough; too many small ones, a bad chain, or not enabled.
    pub count_no_buffer: Signal<Out, Bit>,
    pub count_dropped: Signal<Out, Bit>,
    shares: BlockFifo<Share>,
    jobs: Fifo<Job>,
    state: Reg<State>,
    made: Reg<Job>,
    first: Reg<Bit>,
    /// The frame before took what it was shown.
    gave: Reg<Bit>,
    /// Shares of this frame so far; bytes of it without one.
    count: Reg<Bits<7>>,
    left: Reg<Bits<15>>,
    /// What is left behind this buffer: the high bit says less than nothing.
    over: Signal<Local, Bits<15>>,
    enough: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    /// Bytes of the next frame, with its header.
    next_left: Signal<Local, Bits<15>>,
    header: Constant<Bits<15>>,
    left_mask: Constant<Bits<15>>,
    id_mask: Constant<Bits<16>>,
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
            length: Default::default(),
            want: Default::default(),
            segment: Default::default(),
            commit: Default::default(),
            share: Default::default(),
            job: Default::default(),
            busy: Default::default(),
            count_no_buffer: Default::default(),
            count_dropped: Default::default(),
            shares: BlockFifo::new(Self::MOST_SHARES),
            jobs: Fifo::new(8),
            state: Default::default(),
            made: Default::default(),
            first: Default::default(),
            gave: Default::default(),
            ends: Default::default(),
            next_left: Default::default(),
            count: Default::default(),
            left: Default::default(),
            over: Default::default(),
            enough: Default::default(),
            header: Constant::new(net::HDR_BYTES.to_bits()),
            left_mask: Constant::new(
                ((params.frame_bytes + net::HDR_BYTES + 1).next_power_of_two() - 1).to_bits(),
            ),
            id_mask: Constant::new((params.queue_max - 1).to_bits()),
            // Receive queues are the even ones.
            queue_mask: Constant::new((params.queues() - 2).to_bits()),
        }
    }
}

impl Logic for Place {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, made, first, gave, count, left);
        clock!(self, clock, shares, jobs);
        self.shares.reset.next = self.reset.val();
        self.jobs.reset.next = self.reset.val();
        StreamSource::<Share>::link(&mut self.share, &mut self.shares.source);
        StreamSource::<Job>::link(&mut self.job, &mut self.jobs.source);

        self.length.ready.next = false;
        self.want.valid.next = false;
        self.want.data.next.queue = 0.into();
        self.want.data.next.first = self.first.q.val();
        self.segment.ready.next = false;
        self.shares.sink.valid.next = false;
        self.shares.keep.next = false;
        self.shares.forget.next = false;
        self.jobs.sink.valid.next = false;
        self.jobs.sink.data.next = self.made.q.val();
        self.commit.queue.next = 0.into();
        self.count_no_buffer.next = false;
        self.count_dropped.next = false;

        // A buffer of 16 KiB or more is room enough for any frame.
        self.over.next =
            self.left.q.val() - bit_cast::<15, 14>(self.segment.data.val().len.get_bits::<14>(0));
        self.enough.next = self.segment.data.val().len.get_bits::<18>(14).any()
            | self.over.val().get_bit(14)
            | !self.over.val().any();
        self.shares.sink.data.next.queue = self.segment.data.val().queue & self.queue_mask.val();
        self.shares.sink.data.next.id = self.segment.data.val().id & self.id_mask.val();
        self.shares.sink.data.next.addr = self.segment.data.val().addr;
        self.shares.sink.data.next.len =
            self.segment.data.val().len.get_bits::<14>(0) & bit_cast::<14, 15>(self.left_mask.val());
        if self.enough.val() {
            self.shares.sink.data.next.len = bit_cast::<14, 15>(self.left.q.val());
        }
        self.shares.sink.data.next.end = self.segment.data.val().last | self.enough.val();
        self.shares.sink.data.next.last = self.enough.val();

        self.next_left.next =
            (self.length.data.val().len.get_bits::<15>(0) + self.header.val()) & self.left_mask.val();
        // The last buffer that is needed ends its chain: the frame is done with at once.
        self.ends.next = self.enough.val() & self.segment.data.val().last & self.jobs.sink.ready.val();
        self.commit.valid.next = self.gave.q.val();
        self.gave.d.next = false;
        match self.state.q.val() {
            // Idle: every frame goes to the first receive queue; steering comes with multiqueue.
            State::Idle => {
                self.made.d.next.chains = 0.into();
                self.made.d.next.drop = !self.enabled.val();
                self.first.d.next = true;
                self.count.d.next = 0.into();
                self.left.d.next = self.next_left.val();
                if self.length.valid.val() & !self.fence.val() {
                    self.length.ready.next = true;
                    if self.enabled.val() {
                        self.state.d.next = State::Ask;
                    } else {
                        self.count_dropped.next = true;
                        self.state.d.next = State::Give;
                    }
                }
            }
            // Ask: the queue's next chain.
            State::Ask => {
                self.want.valid.next = true;
                if self.want.ready.val() {
                    self.first.d.next = false;
                    self.state.d.next = State::Listen;
                }
            }
            // Listen: its buffers come one by one; once there is room, the rest of the chain is passed over.
            State::Listen => {
                if self.segment.valid.val() {
                    if self.segment.data.val().none | self.segment.data.val().error {
                        self.segment.ready.next = true;
                        self.made.d.next.drop = true;
                        self.count_no_buffer.next = self.segment.data.val().none;
                        self.count_dropped.next = !self.segment.data.val().none;
                        self.state.d.next = State::Give;
                    } else if self.count.q.val().get_bit(6) {
                        // In so small pieces a frame is not taken apart.
                        self.segment.ready.next = true;
                        self.made.d.next.drop = true;
                        self.count_dropped.next = true;
                        self.state.d.next = State::Skip;
                        if self.segment.data.val().last {
                            self.state.d.next = State::Give;
                        }
                    } else if self.shares.sink.ready.val() {
                        self.segment.ready.next = true;
                        self.shares.sink.valid.next = true;
                        self.count.d.next = self.count.q.val() + 1;
                        self.left.d.next = self.over.val() & self.left_mask.val();
                        if self.segment.data.val().last | self.enough.val() {
                            self.made.d.next.chains = self.made.q.val().chains + 1;
                        }
                        if self.ends.val() {
                            self.jobs.sink.valid.next = true;
                            self.jobs.sink.data.next.chains = self.made.q.val().chains + 1;
                            self.gave.d.next = true;
                            self.shares.keep.next = true;
                            self.state.d.next = State::Idle;
                            // And the next one begins.
                            if self.length.valid.val() & self.enabled.val() & !self.fence.val() {
                                self.length.ready.next = true;
                                self.made.d.next.chains = 0.into();
                                self.first.d.next = true;
                                self.count.d.next = 0.into();
                                self.left.d.next = self.next_left.val();
                                self.state.d.next = State::Ask;
                            }
                        } else if self.enough.val() {
                            self.state.d.next = State::Give;
                            if !self.segment.data.val().last {
                                self.state.d.next = State::Skip;
                            }
                        } else if self.segment.data.val().last {
                            if self.mergeable.val() {
                                self.state.d.next = State::Ask;
                            } else {
                                // One chain must do, and it does not.
                                self.made.d.next.drop = true;
                                self.count_no_buffer.next = true;
                                self.state.d.next = State::Give;
                            }
                        }
                    }
                }
            }
            // Skip: the rest of a chain that is not needed.
            State::Skip => {
                self.segment.ready.next = true;
                if self.segment.valid.val() & self.segment.data.val().last {
                    if self.segment.data.val().error {
                        self.made.d.next.drop = true;
                        self.count_dropped.next = !self.made.q.val().drop;
                    }
                    self.state.d.next = State::Give;
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

        self.busy.next = !(self.state.q.val() == State::Idle)
            | self.gave.q.val()
            | self.jobs.source.valid.val()
            | self.shares.source.valid.val();
        if self.reset.val() {
            self.gave.d.next = false;
            self.state.d.next = State::Idle;
        }
    }
}
