//! Reads host memory for the function's blocks.
//!
//! In: `requests`, one per client; `completion`; `settings`; `drain`; of the payload written `write_waits`, `write_taken`.
//! Out: `tlp` (memory reads); `replies`, one per client; counts.
//! Time: a request per two cycles, a completion beat and a reply beat per cycle; eight cycles beside the link's round trip, five in a wide
//! function for a reply that comes whole and finds nothing before it.
//! Waits: a client that does not take its reply waits alone: the other has tags and slots of its own.
//! `drain`: the clients are forgotten; what is under way comes home and is dropped; when not `busy`, all tags are free.
//! Spec: [PCI Express: Memory Read Requests; Completion Handling Rules; Completion Timeout Mechanism]

pub mod decode;
pub mod issue;
pub mod port;
pub mod receive;
pub mod step;
pub mod tags;

use crate::params::Params;
use crate::pcie::request::RequestShape;
use crate::port::dma::{ReadRequest, ReadSide};
use crate::port::pcie::PcieSettings;
use crate::port::tlp::TlpSide;
use crate::prim::arbiter::Arbiter;
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::dword_ram::DwordRam;
use crate::prim::ids::Ids;
use crate::prim::stream::StreamSink;
use hematite_verilog::{Reg, dff_setup};
use issue::Issue;
use port::ReplyPort;
use receive::Receive;
use rust_hdl_core::prelude::*;
use step::Step;
use tags::Tags;

/// The clients: the frames' payload, and the queues' rings and tables.
pub const CLIENTS: usize = 2;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Reader<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Level.
    pub drain: Signal<In, Bit>,
    pub settings: Signal<In, PcieSettings>,
    pub requests: Vec<StreamSink<ReadRequest>>,
    /// Client by client, in the order of its requests.
    pub replies: Vec<BeatSource<W, ReadSide>>,
    pub tlp: BeatSource<W, TlpSide>,
    pub completion: BeatSink<W, TlpSide>,
    /// Level: payload to be written waits. Pulse: a piece of it has been taken.
    pub write_waits: Signal<In, Bit>,
    pub write_taken: Signal<In, Bit>,
    /// A request, a reply or a tag is under way.
    pub busy: Signal<Out, Bit>,
    /// Pulse: a request TLP has been taken.
    pub count_reads: Signal<Out, Bit>,
    /// Pulse: a completion that belongs to no request of ours.
    pub count_cpl_unexpected: Signal<Out, Bit>,
    /// Pulses: a request has failed by time-out, by its completion.
    pub count_cpl_timeout: Signal<Out, Bit>,
    pub count_cpl_error: Signal<Out, Bit>,
    ports: Vec<ReplyPort<W>>,
    step: Step,
    // Whose request goes next; whose reply is read next.
    asking: Arbiter,
    answering: Arbiter,
    issue: Issue<W>,
    /// Each client's request as a TLP, for an eager one.
    shapes: Vec<RequestShape>,
    ids: Ids,
    tags: Tags,
    receive: Receive<W>,
    slots: DwordRam<W>,
    // From `drain` until all is home.
    draining: Reg<Bit>,
    // Whose request is next, chosen in the cycle before.
    choosing: Reg<Bit>,
    chosen: Reg<Bits<8>>,
    reading: Reg<Bit>,
    row: Reg<Bits<20>>,
    freed: Reg<Bit>,
    freed_tag: Reg<Bits<8>>,
    forget: Signal<Local, Bit>,
    under_way: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    turn: Signal<Local, Bits<8>>,
    eager: Constant<Bit>,
}

impl<const W: usize> Reader<W> {
    /// Tags that the payload may have at a time; the queues have the rest.
    pub fn share(params: &Params) -> usize {
        params.tags - (params.tags / 4).max((params.tags / 2).min(8))
    }

    /// Client 0 is the payload's.
    pub fn new(params: &Params) -> Self {
        let rows = params.read_bytes * 8 / W;
        let payload = Self::share(params);
        // A narrow function is a small one, on a slow link: its descriptors may take four cycles a beat.
        let beats = if W == 64 { 1 } else { 8 };
        let port = |tags, beats| ReplyPort::new(tags, rows, params.tags, beats);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            drain: Default::default(),
            settings: Default::default(),
            requests: (0..CLIENTS).map(|_| Default::default()).collect(),
            replies: (0..CLIENTS).map(|_| Default::default()).collect(),
            tlp: Default::default(),
            completion: Default::default(),
            write_waits: Default::default(),
            write_taken: Default::default(),
            busy: Default::default(),
            count_reads: Default::default(),
            count_cpl_unexpected: Default::default(),
            count_cpl_timeout: Default::default(),
            count_cpl_error: Default::default(),
            ports: vec![port(payload, 8), port(params.tags - payload, beats)],
            step: Default::default(),
            asking: Arbiter::new(CLIENTS),
            answering: Arbiter::new(CLIENTS),
            issue: Issue::new(params),
            shapes: (0..CLIENTS).map(|_| Default::default()).collect(),
            ids: Ids::new(params.tags),
            tags: Tags::new(params),
            receive: Receive::new(params),
            slots: DwordRam::new(params.tags * rows),
            draining: Default::default(),
            choosing: Default::default(),
            chosen: Default::default(),
            reading: Default::default(),
            row: Default::default(),
            freed: Default::default(),
            freed_tag: Default::default(),
            forget: Default::default(),
            under_way: Default::default(),
            take: Default::default(),
            turn: Default::default(),
            eager: Constant::new(Issue::<W>::EAGER),
        }
    }
}

impl<const W: usize> Logic for Reader<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, step, asking, answering, issue, ids, tags, receive, slots);
        dff_setup!(self, clock, draining, choosing, chosen, reading, row, freed, freed_tag);
        self.asking.reset.next = self.reset.val();
        self.answering.reset.next = self.reset.val();
        self.issue.reset.next = self.reset.val();
        self.tags.reset.next = self.reset.val();
        self.receive.reset.next = self.reset.val();
        self.forget.next = self.drain.val() | self.draining.q.val();
        self.under_way.next = self.tags.any.val() | self.issue.busy.val() | self.receive.busy.val();
        self.draining.d.next = self.forget.val() & self.under_way.val();
        // Tags that have timed out, or whose reply nobody takes any more, come back when no other is out.
        self.ids.reset.next = self.reset.val() | (self.forget.val() & !self.under_way.val());

        // Requests: client by client to the one place where they get a tag.
        self.issue.forget.next = self.forget.val();
        self.issue.settings.next = self.settings.val();
        self.issue.tag_valid.next = self.ids.id.valid.val();
        self.issue.tag.next = self.ids.id.data.val();
        self.issue.hold.next = self.receive.storing.val();
        self.ids.id.ready.next = self.issue.alloc.val();
        // There is a place for it then: who offers sees a ready that hangs on registers only.
        self.take.next = self.choosing.q.val();
        self.turn.next = self.chosen.q.val();
        self.asking.take.next = !self.choosing.q.val() & self.issue.room.val();
        // Or it asks in each cycle.
        if self.eager.val() {
            self.take.next = self.asking.any.val() & self.issue.room.val();
            self.turn.next = self.asking.index.val();
            self.asking.take.next = self.take.val();
        }
        if !self.choosing.q.val() & self.issue.room.val() {
            self.choosing.d.next = self.asking.any.val();
            self.chosen.d.next = self.asking.index.val();
        }
        if self.take.val() | self.forget.val() {
            self.choosing.d.next = false;
        }
        self.issue.request.valid.next = self.take.val();
        self.issue.client.next = self.turn.val();
        self.tags.alloc.next = self.issue.alloc.val();
        self.tags.alloc_tag.next = self.ids.id.data.val();
        self.tags.alloc_refused.next = self.issue.refused.val();
        self.tags.alloc_state.next = self.issue.state.val();

        self.tlp.valid.next = self.issue.tlp.valid.val();
        self.tlp.last.next = self.issue.tlp.last.val();
        self.tlp.data.next = self.issue.tlp.data.val();
        self.tlp.side.next = self.issue.tlp.side.val();
        self.issue.tlp.ready.next = self.tlp.ready.val();

        // Completions.
        self.receive.requester.next = self.settings.val().requester;
        self.receive.completion.valid.next = self.completion.valid.val();
        self.receive.completion.last.next = self.completion.last.val();
        self.receive.completion.data.next = self.completion.data.val();
        self.receive.completion.side.next = self.completion.side.val();
        self.completion.ready.next = self.receive.completion.ready.val();
        self.tags.look_tag.next = self.receive.look_tag.val();
        self.receive.look_state.next = self.tags.look_state.val();
        self.receive.look_waiting.next = self.tags.look_waiting.val();
        self.tags.store.next = self.receive.store.val();
        self.tags.storing.next = self.receive.storing.val();
        self.tags.store_state.next = self.receive.store_state.val();
        self.tags.finish.next = self.receive.finish.val();
        self.tags.fresh.next = self.ids.fresh.val();
        self.tags.look_free.next = self.receive.look_free.val();
        self.receive.visit_tag.next = self.tags.visit_tag.val();
        self.tags.finish_failed.next = self.receive.finish_failed.val();
        self.slots.write.next = self.receive.write.val();
        self.slots.write_at.next = self.receive.write_at.val();
        self.slots.write_count.next = self.receive.write_count.val();
        self.slots.write_data.next = self.receive.write_data.val();

        // Replies: row by row, from the clients that have one and room for it.
        self.reading.d.next = self.answering.any.val();
        self.answering.take.next = true;
        self.slots.read.next = self.reading.q.val();
        self.slots.read_row.next = self.row.q.val();
        self.freed.d.next = false;
        self.ids.give.next = self.freed.q.val();
        self.ids.give_id.next = self.freed_tag.q.val();

        self.issue.request.data.next = self.requests[0].data.val();
        self.issue.shaped.next.header = self.shapes[0].header.val();
        self.issue.shaped.next.last_dword = self.shapes[0].last_dword.val();
        self.shapes[0].addr.next = self.requests[0].data.val().addr;
        self.shapes[0].len.next = self.requests[0].data.val().len;
        self.shapes[1].addr.next = self.requests[1].data.val().addr;
        self.shapes[1].len.next = self.requests[1].data.val().len;
        for i in 0..self.ports.len() {
            self.shapes[i].write.next = false;
            self.shapes[i].tag.next = self.ids.id.data.val();
            self.shapes[i].requester.next = self.settings.val().requester;
            self.ports[i].clock.next = self.clock.val();
            self.ports[i].reset.next = self.reset.val() | self.forget.val();
            self.asking.wants[i].next =
                self.requests[i].valid.val() & self.ports[i].open.val() & !self.forget.val();
            self.requests[i].ready.next = self.take.val() & (self.turn.val().index() == i);
            self.ports[i].reserve.next = self.take.val() & (self.turn.val().index() == i);
            if self.turn.val().index() == i {
                self.issue.request.data.next = self.requests[i].data.val();
                self.issue.shaped.next.header = self.shapes[i].header.val();
                self.issue.shaped.next.last_dword = self.shapes[i].last_dword.val();
            }
            self.ports[i].put.next = self.issue.alloc.val() & (self.issue.put_client.val().index() == i);
            self.ports[i].put_tag.next = self.issue.put_tag.val();
            self.ports[i].asked_write.next = self.tags.wrote_asked.val();
            self.ports[i].asked_tag.next = self.tags.wrote_asked_tag.val();
            self.ports[i].asked_data.next = self.tags.wrote_asked_data.val();
            self.ports[i].answered_write.next = self.tags.wrote_answered.val();
            self.ports[i].answered_tag.next = self.tags.wrote_answered_tag.val();
            self.ports[i].answered_data.next = self.tags.wrote_answered_data.val();
            self.answering.wants[i].next = self.ports[i].want.val() & !self.forget.val();
            self.ports[i].grant.next = self.answering.grants[i].val();
            if self.answering.grants[i].val() {
                self.row.d.next = self.ports[i].row.val();
                self.freed.d.next = self.ports[i].frees.val();
                self.freed_tag.d.next = self.ports[i].freed_tag.val();
            }
            self.ports[i].passing.next = self.receive.passing.val();
            self.ports[i].passing_data.next = self.receive.write_data.val();
            self.ports[i].read_data.next = self.slots.read_data.val();
            self.replies[i].valid.next = self.ports[i].reply.valid.val();
            self.replies[i].last.next = self.ports[i].reply.last.val();
            self.replies[i].data.next = self.ports[i].reply.data.val();
            self.replies[i].side.next = self.ports[i].reply.side.val();
            self.ports[i].reply.ready.next = self.replies[i].ready.val();
        }

        // A wide function's payload reads and writes share the way out: both go on.
        self.step.write_waits.next = self.write_waits.val();
        self.step.write_taken.next = self.write_taken.val();
        self.step.read_taken.next = self.take.val() & !self.turn.val().any();
        if !self.step.may.val() & self.eager.val() {
            self.asking.wants[0].next = false;
        }

        self.busy.next = self.under_way.val() | self.ports[0].busy.val() | self.ports[1].busy.val();
        self.count_reads.next = self.issue.tlp.valid.val() & self.tlp.ready.val();
        self.count_cpl_unexpected.next = self.receive.count_unexpected.val();
        self.count_cpl_timeout.next = self.tags.count_timeout.val();
        self.count_cpl_error.next = self.receive.count_error.val();

        if self.reset.val() {
            self.draining.d.next = false;
            self.choosing.d.next = false;
            self.reading.d.next = false;
            self.freed.d.next = false;
        }
    }
}
