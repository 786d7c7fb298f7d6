//! Says to drivers where they are to ring: writes `avail_event`, which stands behind the used ring; of a packed ring the device's event
//! suppression structure, the Device Area.
//! In: `arms`, two streams, which take turns; `control`.   Out: `write`: DMA; `rearmed`, a pulse once it has left for the host: who then
//! reads the available index sees all that was made available by a driver that did not know yet.
//! Time: four cycles each; a queue's place is known two cycles after it starts.   Waits: on `write`, and while four are on their way.
//! Busy: one is in hand or on its way.
//! Spec: [virtio: Available Buffer Notification Suppression], [virtio: The Virtqueue Used Ring]

use crate::params::Params;
use crate::port::chain::Arm as Request;
use crate::port::dma::WriteSide;
use crate::port::queue::{KickSource, QueueControlSink};
use crate::prim::beat::BeatSource;
use crate::prim::ram::Ram;
use crate::prim::stream::StreamSink;
use crate::queue::used::notice::Notice;
use hematite_abi::{feature, packed, ring};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum State {
    Idle,
    Look,
    Write,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Arm<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub control: QueueControlSink,
    /// RING_PACKED is accepted.
    pub packed: Signal<In, Bit>,
    pub arms: Vec<StreamSink<Request>>,
    pub write: BeatSource<W, WriteSide>,
    /// Pulse: the oldest write not yet notified has left for the host.
    pub notified: Signal<In, Bit>,
    pub rearmed: KickSource,
    pub busy: Signal<Out, Bit>,
    /// The set offers EVENT_IDX at all.
    able: Constant<Bit>,
    mask: Constant<Bits<16>>,
    event_offset: Constant<Bits<64>>,
    event_bytes: Constant<Bits<13>>,
    packed_bytes: Constant<Bits<13>>,
    packed_flags: Constant<Bits<32>>,
    /// Where each queue's `avail_event` stands; of the queue that has just started it is being found out.
    places: Ram<Bits<64>>,
    starts: Reg<Bit>,
    start_queue: Reg<Bits<16>>,
    start_place: Reg<Bits<64>>,
    notice: Notice,
    state: Reg<State>,
    /// The second stream had the last turn.
    second: Reg<Bit>,
    request: Reg<Request>,
    choice: Signal<Local, Bit>,
}

impl<const W: usize> Arm<W> {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            control: Default::default(),
            packed: Default::default(),
            arms: vec![Default::default(); 2],
            write: Default::default(),
            notified: Default::default(),
            rearmed: Default::default(),
            busy: Default::default(),
            able: Constant::new(params.offers(feature::EVENT_IDX)),
            mask: Constant::new((params.queues() as u64 - 1).into()),
            event_offset: Constant::new((ring::USED_RING as u64).into()),
            event_bytes: Constant::new((ring::EVENT_BYTES as u64).into()),
            packed_bytes: Constant::new((packed::EVENT_BYTES as u64).into()),
            packed_flags: Constant::new((packed::EVENT_DESC << packed::EVENT_FLAGS_LSB).into()),
            places: Ram::apart(params.queues()),
            starts: Default::default(),
            start_queue: Default::default(),
            start_place: Default::default(),
            notice: Notice::new(4),
            state: Default::default(),
            second: Default::default(),
            request: Default::default(),
            choice: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Arm<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, starts, start_queue, start_place, state, second, request);
        clock!(self, clock, places, notice);
        self.notice.reset.next = self.reset.val();
        self.notice.notified.next = self.notified.val();

        // A queue starts. The Device Area is aligned to 4: what stands below is not looked at.
        self.starts.d.next = self.control.enable.val() & self.able.val();
        self.start_queue.d.next = self.control.settings.val().queue;
        self.start_place.d.next = ((self.control.settings.val().device >> 2) << 2)
            + (self.event_offset.val() + (bit_cast::<64, 16>(self.control.settings.val().size) << 3));
        if self.packed.val() {
            self.start_place.d.next = (self.control.settings.val().device >> 2) << 2;
        }
        self.places.write.next = self.starts.q.val();
        self.places.write_addr.next = self.start_queue.q.val() & self.mask.val();
        self.places.write_data.next = self.start_place.q.val();
        self.places.read.next = false;
        self.places.read_addr.next = self.request.q.val().queue & self.mask.val();

        self.choice.next = self.arms[1].valid.val() & (!self.arms[0].valid.val() | !self.second.q.val());
        self.arms[0].ready.next = false;
        self.arms[1].ready.next = false;
        self.notice.sink.valid.next = false;
        self.notice.sink.data.next.queue = self.request.q.val().queue;
        self.notice.sink.data.next.index = 0.into();
        self.write.valid.next = false;
        self.write.last.next = true;
        self.write.data.next = bit_cast::<W, 16>(self.request.q.val().index);
        self.write.side.next.addr = self.places.read_data.val();
        self.write.side.next.len = self.event_bytes.val();
        if self.packed.val() {
            self.write.data.next =
                bit_cast::<W, 32>(bit_cast::<32, 16>(self.request.q.val().index) | self.packed_flags.val());
            self.write.side.next.len = self.packed_bytes.val();
        }
        self.write.side.next.notify = 2.into();
        match self.state.q.val() {
            // Nothing in hand.
            State::Idle => {
                self.arms[0].ready.next = !self.choice.val() & self.able.val();
                self.arms[1].ready.next = self.choice.val() & self.able.val();
                self.request.d.next = self.arms[0].data.val();
                if self.choice.val() {
                    self.request.d.next = self.arms[1].data.val();
                }
                if self.arms[0].valid.val() | self.arms[1].valid.val() {
                    self.second.d.next = self.choice.val();
                    self.state.d.next = State::Look;
                }
            }
            // Its place; not while that of a queue is new.
            State::Look => {
                self.places.read.next = !self.starts.q.val();
                if !self.starts.q.val() & self.notice.sink.ready.val() {
                    self.state.d.next = State::Write;
                }
            }
            State::Write => {
                self.write.valid.next = true;
                if self.write.ready.val() {
                    self.notice.sink.valid.next = true;
                    self.state.d.next = State::Idle;
                }
            }
            _ => self.state.d.next = State::Idle,
        }
        self.notice.source.ready.next = true;
        self.rearmed.valid.next = self.notice.source.valid.val() & self.able.val();
        self.rearmed.queue.next = self.notice.source.data.val().queue;
        self.busy.next = (self.state.q.val() != State::Idle) | self.notice.busy.val();
        if self.reset.val() | !self.able.val() {
            self.state.d.next = State::Idle;
        }
    }
}
