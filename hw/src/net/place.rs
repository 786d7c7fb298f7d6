//! Reception, first half: finds buffers for a frame.
//! In: `length`, one per frame waiting; `segment`, what the queue gives.   Out: `want`, `commit`; `place`, the buffers; `job`, one per frame.
//! Time: about 3 cycles for a frame that fits one buffer.
//! Waits: for the queue's answer. A frame for which there are no buffers, or not enough, is dropped, and what it was shown stays the queue's.
//! Spec: [virtio 1.4: Setting Up Receive Buffers], [Processing of Incoming Packets]

use crate::params::Params;
use crate::port::chain::{Segment, Want};
use crate::port::frame::FrameLength;
use crate::port::queue::KickSource;
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
    pub queue: Bits<16>,
    /// Bytes of the frame.
    pub len: Bits<16>,
    /// Chains it takes: virtio_net_hdr's num_buffers.
    pub chains: Bits<16>,
    /// Places that belong to it.
    pub places: Bits<8>,
    /// Drop it, and its places.
    pub drop: Bit,
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
    pub place: StreamSource<Segment>,
    pub job: StreamSource<Job>,
    pub busy: Signal<Out, Bit>,
    /// Pulses: no buffers, or not enough; too many small ones, a bad chain, or not enabled.
    pub count_no_buffer: Signal<Out, Bit>,
    pub count_dropped: Signal<Out, Bit>,
    places: Fifo<Segment>,
    jobs: Fifo<Job>,
    state: Reg<State>,
    made: Reg<Job>,
    first: Reg<Bit>,
    room: Reg<Bits<18>>,
    sum: Signal<Local, Bits<18>>,
    enough: Signal<Local, Bit>,
    header: Constant<Bits<18>>,
    most_places: Constant<Bits<8>>,
}

impl Place {
    /// Up to 64 buffers for one frame.
    pub fn new(_params: &Params) -> Self {
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
            place: Default::default(),
            job: Default::default(),
            busy: Default::default(),
            count_no_buffer: Default::default(),
            count_dropped: Default::default(),
            places: Fifo::new(64),
            jobs: Fifo::new(8),
            state: Default::default(),
            made: Default::default(),
            first: Default::default(),
            room: Default::default(),
            sum: Default::default(),
            enough: Default::default(),
            header: Constant::new(net::HDR_BYTES.to_bits()),
            most_places: Constant::new(64u8.to_bits()),
        }
    }
}

impl Logic for Place {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, made, first, room);
        clock!(self, clock, places, jobs);
        self.places.reset.next = self.reset.val();
        self.jobs.reset.next = self.reset.val();
        StreamSource::<Segment>::link(&mut self.place, &mut self.places.source);
        StreamSource::<Job>::link(&mut self.job, &mut self.jobs.source);

        self.length.ready.next = false;
        self.want.valid.next = false;
        self.want.data.next.queue = self.made.q.val().queue;
        self.want.data.next.first = self.first.q.val();
        self.segment.ready.next = false;
        self.places.sink.valid.next = false;
        self.places.sink.data.next = self.segment.data.val();
        self.jobs.sink.valid.next = false;
        self.jobs.sink.data.next = self.made.q.val();
        self.commit.valid.next = false;
        self.commit.queue.next = self.made.q.val().queue;
        self.count_no_buffer.next = false;
        self.count_dropped.next = false;

        // A buffer of 128 KiB or more is room enough for any frame.
        self.sum.next = self.room.q.val() + bit_cast::<18, 17>(self.segment.data.val().len.get_bits::<17>(0));
        self.enough.next = self.segment.data.val().len.get_bits::<15>(17).any()
            | (self.sum.val() >= (bit_cast::<18, 16>(self.made.q.val().len) + self.header.val()));

        match self.state.q.val() {
            // Idle: every frame goes to the first receive queue; steering comes with multiqueue.
            State::Idle => {
                self.made.d.next.queue = 0.into();
                self.made.d.next.len = self.length.data.val().len;
                self.made.d.next.chains = 0.into();
                self.made.d.next.places = 0.into();
                self.made.d.next.drop = !self.enabled.val();
                self.first.d.next = true;
                self.room.d.next = 0.into();
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
                    } else if self.made.q.val().places == self.most_places.val() {
                        // In so small pieces a frame is not taken apart.
                        self.segment.ready.next = true;
                        self.made.d.next.drop = true;
                        self.count_dropped.next = true;
                        self.state.d.next = State::Skip;
                        if self.segment.data.val().last {
                            self.state.d.next = State::Give;
                        }
                    } else if self.places.sink.ready.val() {
                        self.segment.ready.next = true;
                        self.places.sink.valid.next = true;
                        self.made.d.next.places = self.made.q.val().places + 1;
                        self.room.d.next = self.sum.val();
                        self.made.d.next.chains = self.made.q.val().chains + 1;
                        if !self.segment.data.val().last {
                            self.made.d.next.chains = self.made.q.val().chains;
                        }
                        if self.enough.val() {
                            self.made.d.next.chains = self.made.q.val().chains + 1;
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
                    self.commit.valid.next = !self.made.q.val().drop;
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }

        self.busy.next = !(self.state.q.val() == State::Idle)
            | self.jobs.source.valid.val()
            | self.places.source.valid.val();
        if self.reset.val() {
            self.state.d.next = State::Idle;
        }
    }
}
