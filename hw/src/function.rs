//! The function: every block, and how they are joined. No logic but wires.
//! In: TLPs (`tlp_in`), frames (`frame_in`), `link_up`.   Out: TLPs (`tlp_out`), frames (`frame_out`), `busy`.
//! Time and waits: the blocks' own.
//! Spec: PCI Express base; virtio 1.4.

use crate::params::Params;
use crate::port::chain::{Arm, CommitSource, Done, Head, Published, QueueIrq, Segment, Want};
use crate::port::control::{AnswerByte, CommandByte};
use crate::port::dma::{ReadRequest, ReadSide, WriteSide};
use crate::port::frame::{Arrival, Flow, FrameLength, FrameSide, Report, Sum};
use crate::port::irq::Irq;
use crate::port::mmio::MmioMaster;
use crate::port::queue::{QueueControlSource, QueueError};
use crate::port::tlp::{TlpOutSide, TlpSide};
use crate::prim::beat::{BeatSink, BeatSource};
use crate::prim::stream::StreamSource;
use crate::queue::Direction;
use crate::queue::lookup::AreaRead;
use crate::queue::supply::{CreditSource, SupplySource};
use crate::{net, pcie, queue, virtio};
use hematite_abi::feature;
use rust_hdl_core::prelude::*;

/// The virtio-net PCIe function, `W` bits wide.
#[derive(LogicBlock)]
pub struct Function<const W: usize> {
    pub clock: Signal<In, Clock>,
    /// Power-on and hot reset.
    pub reset: Signal<In, Bit>,
    pub tlp_in: BeatSink<W, TlpSide>,
    pub tlp_out: BeatSource<W, TlpOutSide>,
    /// From the wire.
    pub frame_in: BeatSink<W, FrameSide>,
    /// To the wire.
    pub frame_out: BeatSource<W, FrameSide>,
    pub link_up: Signal<In, Bit>,
    /// Some block holds work: while it is low, clocking changes nothing.
    pub busy: Signal<Out, Bit>,
    // The TLP path: it lives through a function level reset.
    rx: pcie::rx::Rx<W>,
    completer: pcie::completer::Completer<W>,
    tx: pcie::tx::Tx<W>,
    config_space: pcie::config::Config,
    share: pcie::share::Share,
    quiesce: pcie::quiesce::Quiesce,
    reader: pcie::reader::Reader<W>,
    writer: pcie::writer::Writer<W>,
    msix: pcie::msix::Msix<W>,
    // Registers.
    regions: virtio::regions::Regions,
    common: virtio::common::Common,
    queues: virtio::queues::Queues,
    relay: virtio::relay::Relay,
    status: virtio::status::Status,
    device_cfg: virtio::device_cfg::DeviceCfg,
    isr: virtio::isr::Isr,
    notify: virtio::notify::Notify,
    errors: virtio::errors::Errors,
    interrupts: virtio::interrupts::Interrupts,
    inspection: virtio::inspection::Inspection,
    command: virtio::command::Command,
    stats: virtio::stats::Stats,
    // Queues.
    tx_fetch: queue::fetch::Fetch<W>,
    rx_fetch: queue::fetch::Fetch<W>,
    cache: queue::cache::Cache,
    tx_walk: queue::walk::Walk<W>,
    rx_walk: queue::walk::Walk<W>,
    used: queue::used::Used<W>,
    coalesce: queue::coalesce::Coalesce,
    suppress: queue::suppress::Suppress<W>,
    arm: queue::arm::Arm<W>,
    control_queue: queue::control::Control<W>,
    lookup: queue::lookup::Lookup<W>,
    // Frames.
    filter: net::filter::Filter<W>,
    classify: net::classify::Classify<W>,
    verify: net::verify::Verify<W>,
    steer: net::steer::Steer,
    net_tx: net::tx::Tx<W>,
    split: net::split::Split<W>,
    checksum: net::checksum::Checksum<W>,
    headers: net::headers::Headers<W>,
    patch: net::patch::Patch<W>,
    place: net::place::Place,
    net_rx: net::rx::Rx<W>,
    tx_buffer: net::buffer::Buffer<W>,
    rx_buffer: net::buffer::Buffer<W>,
    data_reset: Signal<Local, Bit>,
    /// HASH_REPORT is accepted.
    hashes: Signal<Local, Bit>,
    function_reset: Signal<Local, Bit>,
    data_busy: Signal<Local, Bit>,
    hash_bit: Constant<Bits<5>>,
    /// RING_PACKED is accepted.
    packed: Signal<Local, Bit>,
    packed_bit: Constant<Bits<8>>,
}

impl<const W: usize> Function<W> {
    /// `params.width` must be `W`.
    pub fn new(params: &Params) -> Self {
        assert_eq!(params.width, W, "{}: width", params.name);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            tlp_in: Default::default(),
            tlp_out: Default::default(),
            frame_in: Default::default(),
            frame_out: Default::default(),
            link_up: Default::default(),
            busy: Default::default(),
            rx: pcie::rx::Rx::new(params),
            completer: pcie::completer::Completer::new(params),
            tx: pcie::tx::Tx::new(params),
            config_space: pcie::config::Config::new(params),
            share: Default::default(),
            quiesce: Default::default(),
            reader: pcie::reader::Reader::new(params),
            writer: pcie::writer::Writer::new(params, 5),
            msix: pcie::msix::Msix::new(params),
            regions: Default::default(),
            common: virtio::common::Common::new(params),
            queues: virtio::queues::Queues::new(params),
            relay: Default::default(),
            status: Default::default(),
            device_cfg: virtio::device_cfg::DeviceCfg::new(params),
            isr: Default::default(),
            notify: virtio::notify::Notify::new(params),
            errors: virtio::errors::Errors::new(params),
            interrupts: Default::default(),
            inspection: virtio::inspection::Inspection::new(params),
            command: virtio::command::Command::new(params),
            stats: virtio::stats::Stats::new(params),
            tx_fetch: queue::fetch::Fetch::new(params, Direction::Tx),
            rx_fetch: queue::fetch::Fetch::new(params, Direction::Rx),
            cache: queue::cache::Cache::new(params),
            tx_walk: queue::walk::Walk::new(params, Direction::Tx),
            rx_walk: queue::walk::Walk::new(params, Direction::Rx),
            used: queue::used::Used::new(params),
            coalesce: queue::coalesce::Coalesce::new(params),
            suppress: queue::suppress::Suppress::new(params),
            arm: queue::arm::Arm::new(params),
            control_queue: queue::control::Control::new(params),
            lookup: queue::lookup::Lookup::new(params, 6),
            filter: net::filter::Filter::new(params),
            classify: net::classify::Classify::new(params),
            verify: net::verify::Verify::new(params),
            steer: net::steer::Steer::new(params),
            net_tx: net::tx::Tx::new(params),
            split: net::split::Split::new(params),
            checksum: net::checksum::Checksum::new(params),
            headers: net::headers::Headers::new(params),
            patch: net::patch::Patch::new(params),
            place: net::place::Place::new(params),
            net_rx: net::rx::Rx::new(params),
            tx_buffer: net::buffer::Buffer::without_lengths(params),
            rx_buffer: net::buffer::Buffer::new(params),
            data_reset: Default::default(),
            hashes: Default::default(),
            function_reset: Default::default(),
            data_busy: Default::default(),
            hash_bit: Constant::new((feature::HASH_REPORT - 32).to_bits()),
            packed: Default::default(),
            packed_bit: Constant::new((feature::RING_PACKED as u64 - 32).into()),
        }
    }
}

impl<const W: usize> Logic for Function<W> {
    #[hdl_gen]
    fn update(&mut self) {
        // Clocks and resets.
        clock!(self, clock, rx, completer, tx, config_space, quiesce, reader, writer, msix);
        clock!(
            self, clock, regions, common, queues, relay, status, device_cfg, isr, notify, errors, interrupts,
            inspection, command, stats
        );
        clock!(
            self, clock, tx_fetch, rx_fetch, cache, tx_walk, rx_walk, used, coalesce, suppress, arm, lookup
        );
        clock!(
            self,
            clock,
            control_queue,
            filter,
            classify,
            verify,
            steer,
            net_tx,
            split,
            checksum,
            headers,
            patch,
            place,
            net_rx,
            tx_buffer,
            rx_buffer
        );
        self.data_reset.next = self.quiesce.data_reset.val();
        self.function_reset.next = self.quiesce.function_reset.val();
        self.rx.reset.next = self.reset.val();
        self.completer.reset.next = self.reset.val();
        self.tx.reset.next = self.reset.val();
        self.quiesce.reset.next = self.reset.val();
        self.regions.reset.next = self.reset.val();
        self.tx_buffer.reset.next = self.reset.val();
        self.checksum.reset.next = self.reset.val();
        self.headers.reset.next = self.reset.val();
        self.patch.reset.next = self.reset.val();
        self.config_space.reset.next = self.function_reset.val();
        self.reader.reset.next = self.function_reset.val();
        self.writer.reset.next = self.function_reset.val();
        self.msix.reset.next = self.function_reset.val();
        self.status.reset.next = self.function_reset.val();
        self.inspection.reset.next = self.function_reset.val();
        self.device_cfg.reset.next = self.data_reset.val();
        self.common.reset.next = self.data_reset.val();
        self.queues.reset.next = self.data_reset.val();
        self.isr.reset.next = self.data_reset.val();
        self.notify.reset.next = self.data_reset.val();
        self.errors.reset.next = self.data_reset.val();
        self.interrupts.reset.next = self.data_reset.val();
        self.tx_fetch.reset.next = self.data_reset.val();
        self.rx_fetch.reset.next = self.data_reset.val();
        self.cache.reset.next = self.data_reset.val();
        self.tx_walk.reset.next = self.data_reset.val();
        self.rx_walk.reset.next = self.data_reset.val();
        self.used.reset.next = self.data_reset.val();
        self.coalesce.reset.next = self.data_reset.val();
        self.suppress.reset.next = self.data_reset.val();
        self.arm.reset.next = self.data_reset.val();
        self.lookup.reset.next = self.data_reset.val();
        self.control_queue.reset.next = self.data_reset.val();
        self.command.reset.next = self.data_reset.val();
        self.stats.reset.next = self.data_reset.val();
        self.filter.reset.next = self.data_reset.val();
        self.classify.reset.next = self.data_reset.val();
        self.verify.reset.next = self.data_reset.val();
        self.steer.reset.next = self.data_reset.val();
        self.net_tx.reset.next = self.data_reset.val();
        self.split.reset.next = self.data_reset.val();
        self.place.reset.next = self.data_reset.val();
        self.net_rx.reset.next = self.data_reset.val();
        self.rx_buffer.reset.next = self.data_reset.val();
        self.rx_buffer.abort.next = false;
        self.tx_buffer.abort.next = self.data_reset.val();
        self.checksum.abort.next = self.data_reset.val();
        self.reader.drain.next = self.data_reset.val();
        self.writer.drain.next = self.data_reset.val();
        self.msix.drain.next = self.data_reset.val();
        self.quiesce.flr.next = self.config_space.flr.val();
        self.quiesce.device_reset.next = self.status.device_reset.val();
        self.quiesce.dma_busy.next =
            self.reader.busy.val() | self.writer.busy.val() | self.tx.busy.val() | self.msix.busy.val();
        self.quiesce.writes_busy.next = self.writer.busy.val();
        self.config_space.flr_answer.next = self.quiesce.flr_answer.val();
        self.quiesce.completer_busy.next = self.completer.busy.val();
        self.quiesce.sweep_busy.next =
            self.queues.busy.val() | self.filter.sweeping.val() | self.stats.sweeping.val();
        self.status.quiet.next = self.quiesce.quiet.val();

        // TLPs.
        BeatSink::<W, TlpSide>::link(&mut self.tlp_in, &mut self.rx.tlp);
        BeatSource::<W, TlpSide>::join(&mut self.rx.request, &mut self.completer.request);
        BeatSource::<W, TlpSide>::join(&mut self.rx.completion, &mut self.reader.completion);
        BeatSource::<W, TlpSide>::join(&mut self.completer.completion, &mut self.tx.inputs[0]);
        BeatSource::<W, TlpSide>::join(&mut self.writer.tlp, &mut self.tx.inputs[1]);
        BeatSource::<W, TlpSide>::join(&mut self.reader.tlp, &mut self.tx.inputs[2]);
        self.reader.write_waits.next = self.writer.first_waits.val();
        self.reader.write_taken.next = self.writer.first_taken.val();
        BeatSource::<W, TlpOutSide>::link(&mut self.tlp_out, &mut self.tx.tlp);
        self.completer.settings.next = self.config_space.settings.val();
        self.reader.settings.next = self.config_space.settings.val();
        self.writer.settings.next = self.config_space.settings.val();
        self.msix.settings.next = self.config_space.settings.val();
        self.config_space.pending.next = self.reader.busy.val();
        self.config_space.unsupported.next = self.completer.count_unsupported.val();
        self.config_space.captured.next = self.completer.captured.val();

        // Registers.
        MmioMaster::join(&mut self.completer.cfg, &mut self.config_space.access);
        MmioMaster::join(&mut self.completer.bar, &mut self.share.bar);
        MmioMaster::join(&mut self.config_space.window, &mut self.share.window);
        MmioMaster::join(&mut self.share.access, &mut self.regions.access);
        MmioMaster::join(&mut self.regions.common, &mut self.common.access);
        MmioMaster::join(&mut self.common.queue_access, &mut self.queues.access);
        MmioMaster::join(&mut self.regions.isr, &mut self.isr.access);
        MmioMaster::join(&mut self.regions.device, &mut self.device_cfg.access);
        MmioMaster::join(&mut self.regions.notify, &mut self.notify.access);
        MmioMaster::join(&mut self.regions.msix, &mut self.msix.access);
        MmioMaster::join(&mut self.regions.inspection, &mut self.inspection.access);
        self.queues.queue_select.next = self.common.queue_select.val();
        self.queues.quiet.next =
            !self.data_busy.val() & !self.reader.busy.val() & !self.writer.busy.val() & !self.tx.busy.val();
        self.common.status.next = self.status.device_status.val();
        self.common.generation.next = self.device_cfg.generation.val();
        self.common.features_fixed.next = self.status.features_fixed.val();
        self.status.write.next = self.common.status_write.val();
        self.status.value.next = self.common.status_value.val();
        self.status.features_good.next = self.common.features_good.val();
        self.status.failed.next = self.errors.failed.val();
        self.device_cfg.link_up.next = self.link_up.val();
        self.device_cfg.announces.next =
            self.status.driver_ok.val() & self.common.accepted0.val().get_bit(feature::GUEST_ANNOUNCE);
        self.notify.driver_ok.next = self.status.driver_ok.val();
        self.notify.with_index.next = self.common.accepted.val().get_bit(feature::NOTIFICATION_DATA);
        self.notify.by_data.next = self.common.accepted.val().get_bit(feature::NOTIF_CONFIG_DATA);
        self.queues.notify_data.next = self.common.accepted.val().get_bit(feature::NOTIF_CONFIG_DATA);
        self.notify.enable.next = self.relay.started.valid.val();
        self.notify.enable_queue.next = self.relay.started.queue.val();
        self.notify.enable_control.next = self.queues.control_queue.enable.val();

        // Interrupts.
        StreamSource::<Published>::join(&mut self.used.published, &mut self.coalesce.published);
        StreamSource::<Published>::join(&mut self.coalesce.due, &mut self.suppress.published);
        StreamSource::<QueueIrq>::join(&mut self.suppress.irq, &mut self.interrupts.queue_irq);
        StreamSource::<Irq>::join(&mut self.interrupts.irq, &mut self.msix.irq);
        self.used.notified.next = self.writer.notified.val().get_bit(0);
        self.used.calm.next = self.suppress.calm.val();
        self.arm.notified.next = self.writer.notified.val().get_bit(1);
        self.packed.next = self.common.accepted1.val().get_bit(self.packed_bit.val().index());
        self.suppress.packed.next = self.packed.val();
        self.arm.packed.next = self.packed.val();
        self.used.packed.next = self.packed.val();
        self.lookup.packed.next = self.packed.val();
        self.tx_fetch.packed.next = self.packed.val();
        self.rx_fetch.packed.next = self.packed.val();
        self.tx_walk.packed.next = self.packed.val();
        self.rx_walk.packed.next = self.packed.val();
        self.control_queue.packed.next = self.packed.val();
        self.suppress.event_idx.next = self.common.accepted0.val().get_bit(feature::EVENT_IDX);
        self.interrupts.config_change.next = self.status.config_change.val()
            | (self.device_cfg.config_change.val() & self.status.driver_ok.val());
        self.interrupts.config_vector.next = self.common.config_vector.val();
        self.queues.irq_queue.next = self.interrupts.lookup_queue.val();
        self.interrupts.lookup_vector.next = self.queues.irq_vector.val();
        self.isr.queue_event.next = self.interrupts.queue_event.val();
        self.isr.config_event.next = self.interrupts.config_event.val();

        // Queues: settings and doorbells go to everyone.
        self.relay.reset.next = self.data_reset.val();
        QueueControlSource::join(&mut self.queues.control, &mut self.relay.sink);
        self.tx_fetch.control.enable.next = self.relay.source.enable.val();
        self.tx_fetch.control.clear.next = self.relay.source.clear.val();
        self.tx_fetch.control.settings.next = self.relay.source.settings.val();
        self.tx_fetch.control.fence.next = self.relay.source.fence.val();
        self.rx_fetch.control.enable.next = self.relay.source.enable.val();
        self.rx_fetch.control.clear.next = self.relay.source.clear.val();
        self.rx_fetch.control.settings.next = self.relay.source.settings.val();
        self.rx_fetch.control.fence.next = self.relay.source.fence.val();
        self.cache.control.enable.next = self.relay.source.enable.val();
        self.cache.control.clear.next = self.relay.source.clear.val();
        self.cache.control.settings.next = self.relay.source.settings.val();
        self.cache.control.fence.next = self.relay.source.fence.val();
        self.tx_walk.control.enable.next = self.relay.source.enable.val();
        self.tx_walk.control.clear.next = self.relay.source.clear.val();
        self.tx_walk.control.settings.next = self.relay.source.settings.val();
        self.tx_walk.control.fence.next = self.relay.source.fence.val();
        self.rx_walk.control.enable.next = self.relay.source.enable.val();
        self.rx_walk.control.clear.next = self.relay.source.clear.val();
        self.rx_walk.control.settings.next = self.relay.source.settings.val();
        self.rx_walk.control.fence.next = self.relay.source.fence.val();
        self.used.control.enable.next = self.relay.source.enable.val();
        self.used.control.clear.next = self.relay.source.clear.val();
        self.used.control.settings.next = self.relay.source.settings.val();
        self.used.control.fence.next = self.relay.source.fence.val();
        self.coalesce.control.enable.next = self.relay.source.enable.val();
        self.coalesce.control.clear.next = self.relay.source.clear.val();
        self.coalesce.control.settings.next = self.relay.source.settings.val();
        self.coalesce.control.fence.next = self.relay.source.fence.val();
        self.suppress.control.enable.next = self.relay.source.enable.val();
        self.suppress.control.clear.next = self.relay.source.clear.val();
        self.suppress.control.settings.next = self.relay.source.settings.val();
        self.suppress.control.fence.next = self.relay.source.fence.val();
        self.arm.control.enable.next = self.relay.source.enable.val();
        self.arm.control.clear.next = self.relay.source.clear.val();
        self.arm.control.settings.next = self.relay.source.settings.val();
        self.arm.control.fence.next = self.relay.source.fence.val();
        self.lookup.control.enable.next = self.relay.source.enable.val();
        self.lookup.control.clear.next = self.relay.source.clear.val();
        self.lookup.control.settings.next = self.relay.source.settings.val();
        self.lookup.control.fence.next = self.relay.source.fence.val();
        self.tx_fetch.kick.valid.next = self.notify.kick.valid.val();
        self.tx_fetch.stop.valid.next = self.errors.stop.valid.val();
        self.tx_fetch.kick.queue.next = self.notify.kick.queue.val();
        self.tx_fetch.kick.told.next = self.notify.kick.told.val();
        self.tx_fetch.kick.index.next = self.notify.kick.index.val();
        self.tx_fetch.stop.queue.next = self.errors.stop.queue.val();
        self.rx_fetch.kick.valid.next = self.notify.kick.valid.val();
        self.rx_fetch.stop.valid.next = self.errors.stop.valid.val();
        self.rx_fetch.kick.queue.next = self.notify.kick.queue.val();
        self.rx_fetch.kick.told.next = self.notify.kick.told.val();
        self.rx_fetch.kick.index.next = self.notify.kick.index.val();
        self.rx_fetch.stop.queue.next = self.errors.stop.queue.val();
        self.tx_fetch.event_idx.next = self.common.accepted0.val().get_bit(feature::EVENT_IDX);
        self.rx_fetch.event_idx.next = self.common.accepted0.val().get_bit(feature::EVENT_IDX);
        self.tx_fetch.rearmed.valid.next = self.arm.rearmed.valid.val();
        self.tx_fetch.rearmed.queue.next = self.arm.rearmed.queue.val();
        self.rx_fetch.rearmed.valid.next = self.arm.rearmed.valid.val();
        self.rx_fetch.rearmed.queue.next = self.arm.rearmed.queue.val();
        StreamSource::<Arm>::join(&mut self.rx_fetch.arm, &mut self.arm.arms[0]);
        StreamSource::<Arm>::join(&mut self.tx_fetch.arm, &mut self.arm.arms[1]);

        // Control queue.
        self.control_queue.control.enable.next = self.queues.control_queue.enable.val();
        self.control_queue.control.clear.next = self.queues.control_queue.clear.val();
        self.control_queue.control.settings.next = self.queues.control_queue.settings.val();
        self.control_queue.control.fence.next = self.queues.control_queue.fence.val();
        self.control_queue.kick.next = self.notify.control_kick.val();
        self.control_queue.event_idx.next = self.common.accepted0.val().get_bit(feature::EVENT_IDX);
        self.control_queue.indirect.next = self.common.accepted0.val().get_bit(feature::INDIRECT_DESC);
        self.control_queue.notified.next = self.writer.notified.val().get_bit(2);
        StreamSource::<CommandByte>::join(&mut self.control_queue.command, &mut self.command.command);
        StreamSource::<AnswerByte>::join(&mut self.command.answer, &mut self.control_queue.answer);
        StreamSource::<QueueIrq>::join(&mut self.control_queue.irq, &mut self.interrupts.control_irq);
        self.command.forget.next = self.control_queue.forget.val();
        self.command.accepted.next = self.common.accepted.val();
        self.command.enabled.next = self.queues.enabled.val();
        self.coalesce.asked.next = self.command.asked.val();
        self.command.limits.next = self.coalesce.limits.val();
        self.coalesce.settings.valid.next = self.command.settings.valid.val();
        self.coalesce.settings.item.next = self.command.settings.item.val();
        self.coalesce.settings.index.next = self.command.settings.index.val();
        self.coalesce.settings.data.next = self.command.settings.data.val();
        self.device_cfg.settings.valid.next = self.command.settings.valid.val();
        self.device_cfg.settings.item.next = self.command.settings.item.val();
        self.device_cfg.settings.index.next = self.command.settings.index.val();
        self.device_cfg.settings.data.next = self.command.settings.data.val();
        self.filter.settings.valid.next = self.command.settings.valid.val();
        self.filter.settings.item.next = self.command.settings.item.val();
        self.filter.settings.index.next = self.command.settings.index.val();
        self.filter.settings.data.next = self.command.settings.data.val();
        self.classify.settings.valid.next = self.command.settings.valid.val();
        self.classify.settings.item.next = self.command.settings.item.val();
        self.classify.settings.index.next = self.command.settings.index.val();
        self.classify.settings.data.next = self.command.settings.data.val();
        self.steer.settings.valid.next = self.command.settings.valid.val();
        self.steer.settings.item.next = self.command.settings.item.val();
        self.steer.settings.index.next = self.command.settings.index.val();
        self.steer.settings.data.next = self.command.settings.data.val();

        // Statistics.
        self.stats.queue.next = self.command.counted_queue.val();
        self.stats.field.next = self.command.counted_field.val();
        self.command.counted.next = self.stats.value.val();
        self.stats.kick.next = self.notify.count_kicks.val() & self.notify.kick.valid.val();
        self.stats.kick_queue.next = self.notify.kick.queue.val();
        self.stats.irq.next = self.suppress.irq.valid.val() & self.interrupts.queue_irq.ready.val();
        self.stats.irq_queue.next = self.suppress.irq.data.val().queue;
        self.stats.irq_vector.next = self.queues.irq_vector.val();
        self.stats.came.next = self.net_rx.done.valid.val() & self.used.done[0].ready.val();
        self.stats.arrived.next = self.net_rx.done.data.val();
        self.stats.overrun.next = self.place.count_no_buffer.val();
        self.stats.dropped.next = self.place.count_dropped.val();
        self.stats.drop_queue.next = self.place.count_queue.val();
        self.stats.early.next = self.steer.count_dropped.val();
        self.stats.early_queue.next = self.steer.count_queue.val();
        self.stats.gone.next = self.headers.count_sent.val();
        self.stats.sent.next = self.headers.sent.val();
        self.stats.malformed.next = self.net_tx.count_short.val() | self.net_tx.count_long.val();
        self.stats.malformed_queue.next = self.net_tx.count_queue.val();
        self.stats.unsummed.next = self.checksum.count_bad.val();
        self.stats.unsummed_owner.next = self.checksum.count_owner.val();
        self.stats.uncut.next = self.split.count_bad.val();
        self.stats.uncut_owner.next = self.split.count_owner.val();
        self.stats.unread.next = self.headers.count_bad.val();
        self.stats.unread_owner.next = self.headers.count_owner.val();
        self.net_tx.life.next = self.stats.life.val();

        // Transmission.
        StreamSource::<Head>::join(&mut self.tx_fetch.head, &mut self.tx_walk.head);
        self.tx_walk.indirect.next = self.common.accepted0.val().get_bit(feature::INDIRECT_DESC);
        self.rx_walk.indirect.next = self.common.accepted0.val().get_bit(feature::INDIRECT_DESC);
        StreamSource::<Segment>::join(&mut self.tx_walk.segment, &mut self.net_tx.segment);
        BeatSource::<W, FrameSide>::join(&mut self.net_tx.frame, &mut self.split.sink);
        BeatSource::<W, FrameSide>::join(&mut self.split.source, &mut self.checksum.sink);
        BeatSource::<W, FrameSide>::join(&mut self.checksum.source, &mut self.tx_buffer.sink);
        BeatSource::<W, FrameSide>::join(&mut self.tx_buffer.source, &mut self.headers.sink);
        BeatSource::<W, FrameSide>::join(&mut self.headers.source, &mut self.patch.sink);
        BeatSource::<W, FrameSide>::link(&mut self.frame_out, &mut self.patch.source);
        StreamSource::<Sum>::join(&mut self.checksum.sum, &mut self.headers.sum);
        StreamSource::<Sum>::join(&mut self.headers.patch, &mut self.patch.sum);
        self.split.offload.next = self.net_tx.offload.val();
        self.checksum.task.next = self.split.task.val();
        self.net_tx.accepted0.next = self.common.accepted0.val();
        self.net_tx.accepted1.next = self.common.accepted1.val();
        self.tx_buffer.length.ready.next = true;
        self.net_tx.read_bytes.next = self.config_space.settings.val().read_bytes;
        self.tx_fetch.credit.valid.next = false;
        self.tx_fetch.credit.queue.next = 0.into();
        self.tx_fetch.credit.total.next = 0.into();
        self.tx_fetch.supply.queue.next = 0.into();

        // Reception.
        BeatSink::<W, FrameSide>::link(&mut self.frame_in, &mut self.filter.sink);
        BeatSource::<W, FrameSide>::join(&mut self.filter.source, &mut self.classify.sink);
        BeatSource::<W, FrameSide>::join(&mut self.classify.source, &mut self.verify.sink);
        BeatSource::<W, FrameSide>::join(&mut self.verify.source, &mut self.rx_buffer.sink);
        self.filter.by_vlan.next = self.common.accepted0.val().get_bit(feature::CTRL_VLAN);
        StreamSource::<FrameLength>::join(&mut self.rx_buffer.length, &mut self.steer.length);
        StreamSource::<Flow>::join(&mut self.classify.flow, &mut self.steer.flow);
        StreamSource::<Bit>::join(&mut self.verify.verdict, &mut self.steer.verdict);
        self.steer.guest_csum.next = self.common.accepted0.val().get_bit(feature::GUEST_CSUM);
        StreamSource::<Arrival>::join(&mut self.steer.arrival, &mut self.place.arrival);
        StreamSource::<Report>::join(&mut self.steer.report, &mut self.net_rx.report);
        StreamSource::<Want>::join(&mut self.place.want, &mut self.cache.want);
        CommitSource::join(&mut self.place.commit, &mut self.cache.commit);
        StreamSource::<Head>::join(&mut self.rx_fetch.head, &mut self.cache.head);
        CreditSource::join(&mut self.cache.credit, &mut self.rx_fetch.credit);
        SupplySource::join(&mut self.rx_fetch.supply, &mut self.cache.supply);
        StreamSource::<Head>::join(&mut self.cache.answer, &mut self.rx_walk.head);
        StreamSource::<Segment>::join(&mut self.rx_walk.segment, &mut self.place.segment);
        StreamSource::<net::place::Share>::join(&mut self.place.share, &mut self.net_rx.share);
        StreamSource::<net::place::Job>::join(&mut self.place.job, &mut self.net_rx.job);
        BeatSource::<W, FrameSide>::join(&mut self.rx_buffer.source, &mut self.net_rx.frame);
        self.net_rx.payload_bytes.next = self.config_space.settings.val().payload_bytes;
        self.place.enabled.next = self.status.driver_ok.val() & self.queues.enabled.val().get_bit(0);
        self.place.fence.next = self.relay.source.fence.val();
        self.hashes.next = self.common.accepted1.val().get_bit(self.hash_bit.val().index());
        self.place.hashes.next = self.hashes.val();
        self.stats.hashes.next = self.hashes.val();
        self.net_rx.hashes.next = self.hashes.val();
        self.place.mergeable.next = self.common.accepted0.val().get_bit(feature::MRG_RXBUF);

        // DMA.
        StreamSource::<ReadRequest>::join(&mut self.net_tx.request, &mut self.reader.requests[0]);
        StreamSource::<ReadRequest>::join(&mut self.lookup.request, &mut self.reader.requests[1]);
        StreamSource::<AreaRead>::join(&mut self.tx_fetch.request, &mut self.lookup.reads[0]);
        StreamSource::<AreaRead>::join(&mut self.rx_fetch.request, &mut self.lookup.reads[1]);
        StreamSource::<AreaRead>::join(&mut self.tx_walk.request, &mut self.lookup.reads[2]);
        StreamSource::<AreaRead>::join(&mut self.rx_walk.request, &mut self.lookup.reads[3]);
        StreamSource::<AreaRead>::join(&mut self.suppress.request, &mut self.lookup.reads[4]);
        StreamSource::<AreaRead>::join(&mut self.control_queue.request, &mut self.lookup.reads[5]);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[5], &mut self.control_queue.reply);
        BeatSource::<W, WriteSide>::join(&mut self.control_queue.write, &mut self.writer.writes[4]);
        BeatSource::<W, ReadSide>::join(&mut self.reader.replies[0], &mut self.net_tx.reply);
        BeatSource::<W, ReadSide>::join(&mut self.reader.replies[1], &mut self.lookup.reply);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[0], &mut self.tx_fetch.reply);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[1], &mut self.rx_fetch.reply);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[2], &mut self.tx_walk.reply);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[3], &mut self.rx_walk.reply);
        BeatSource::<W, ReadSide>::join(&mut self.lookup.replies[4], &mut self.suppress.reply);
        BeatSource::<W, WriteSide>::join(&mut self.net_rx.write, &mut self.writer.writes[0]);
        BeatSource::<W, WriteSide>::join(&mut self.used.write, &mut self.writer.writes[1]);
        BeatSource::<W, WriteSide>::join(&mut self.msix.write, &mut self.writer.writes[2]);
        BeatSource::<W, WriteSide>::join(&mut self.arm.write, &mut self.writer.writes[3]);
        StreamSource::<Done>::join(&mut self.net_rx.done, &mut self.used.done[0]);
        StreamSource::<Done>::join(&mut self.net_tx.done, &mut self.used.done[1]);

        // Errors.
        StreamSource::<QueueError>::join(&mut self.tx_fetch.error, &mut self.errors.errors[0]);
        StreamSource::<QueueError>::join(&mut self.rx_fetch.error, &mut self.errors.errors[1]);
        StreamSource::<QueueError>::join(&mut self.tx_walk.error, &mut self.errors.errors[2]);
        StreamSource::<QueueError>::join(&mut self.rx_walk.error, &mut self.errors.errors[3]);
        StreamSource::<QueueError>::join(&mut self.net_tx.error, &mut self.errors.errors[4]);
        StreamSource::<QueueError>::join(&mut self.suppress.error, &mut self.errors.errors[5]);
        StreamSource::<QueueError>::join(&mut self.control_queue.error, &mut self.errors.errors[6]);

        // Inspection.
        self.inspection.settings_data.next = self.queues.inspect_data.val();
        self.inspection.settings_ready.next = self.queues.inspect_ready.val();
        self.queues.inspect_addr.next = self.inspection.settings_addr.val();
        self.inspection.enabled.next = self.queues.enabled.val();
        self.errors.inspect_queue.next = self.inspection.queue.val();
        self.inspection.error.next = self.errors.inspect_code.val();
        self.tx_fetch.probe_queue.next = self.inspection.queue.val();
        self.inspection.tx_seen.next = self.tx_fetch.probe_seen.val();
        self.inspection.tx_taken.next = self.tx_fetch.probe_taken.val();
        self.rx_fetch.probe_queue.next = self.inspection.queue.val();
        self.inspection.rx_seen.next = self.rx_fetch.probe_seen.val();
        self.inspection.rx_taken.next = self.rx_fetch.probe_taken.val();
        self.used.probe_queue.next = self.inspection.queue.val();
        self.inspection.used_idx.next = self.used.probe_used.val();
        self.inspection.failed.next = self.errors.failed.val();
        self.inspection.failed_queue.next = self.errors.failed_queue.val();
        self.inspection.control_seen.next = self.control_queue.seen.val();
        self.inspection.control_taken.next = self.control_queue.taken.val();
        self.inspection.control_used.next = self.control_queue.used.val();
        self.inspection.failed_code.next = self.errors.failed_code.val();
        self.inspection.active.next = self.data_busy.val();
        self.inspection.resetting.next = self.data_reset.val();
        self.inspection.tx_bytes.next = self.headers.count_bytes.val();
        self.inspection.rx_bytes.next = self.rx_buffer.count_bytes.val();
        self.inspection.events.next.tx_frames = self.checksum.count_frames.val();
        self.inspection.events.next.rx_frames = self.net_rx.count_frames.val();
        self.inspection.events.next.rx_no_buffer = self.place.count_no_buffer.val();
        self.inspection.events.next.rx_dropped =
            self.place.count_dropped.val() | self.rx_buffer.count_dropped.val();
        self.inspection.events.next.tx_dropped_short = self.net_tx.count_short.val();
        self.inspection.events.next.tx_dropped_long = self.net_tx.count_long.val();
        self.inspection.events.next.tlp_in = self.rx.count_tlp_in.val();
        self.inspection.events.next.tlp_out = self.tx.count_tlp_out.val();
        self.inspection.events.next.tlp_malformed = self.rx.count_malformed.val();
        self.inspection.events.next.tlp_unsupported = self.completer.count_unsupported.val();
        self.inspection.events.next.cpl_unexpected = self.reader.count_cpl_unexpected.val();
        self.inspection.events.next.cpl_timeout = self.reader.count_cpl_timeout.val();
        self.inspection.events.next.cpl_error = self.reader.count_cpl_error.val();
        self.inspection.events.next.irq_sent = self.msix.count_irq_sent.val();
        self.inspection.events.next.irq_masked = self.msix.count_irq_masked.val();
        self.inspection.events.next.kicks = self.notify.count_kicks.val();
        self.inspection.events.next.kicks_ignored = self.notify.count_ignored.val()
            | self.tx_fetch.count_kick_ignored.val()
            | self.rx_fetch.count_kick_ignored.val();
        self.inspection.events.next.queue_errors = self.errors.failed.val();
        self.inspection.events.next.tx_bytes_lo = false;
        self.inspection.events.next.tx_bytes_hi = false;
        self.inspection.events.next.rx_bytes_lo = false;
        self.inspection.events.next.rx_bytes_hi = false;
        self.inspection.events.next.tlp_aborted = self.completer.count_aborted.val();
        self.inspection.events.next.tlp_poisoned = self.completer.count_poisoned.val();
        self.inspection.events.next.irq_suppressed =
            self.suppress.count_irq_suppressed.val() | self.control_queue.count_irq_suppressed.val();
        self.inspection.events.next.dma_reads = self.reader.count_reads.val();
        self.inspection.events.next.dma_writes = self.writer.count_writes.val();
        self.inspection.events.next.device_resets = self.status.count_resets.val();
        self.inspection.events.next.queue_resets =
            self.relay.source.clear.val() | self.queues.control_queue.clear.val();
        self.inspection.events.next.rx_filtered = self.filter.count_filtered.val();
        self.inspection.events.next.tx_dropped_offload =
            self.split.count_bad.val() | self.checksum.count_bad.val() | self.headers.count_bad.val();
        self.inspection.events.next.rx_right = self.net_rx.count_right.val();

        // Who holds work.
        self.data_busy.next = self.tx_fetch.busy.val()
            | self.rx_fetch.busy.val()
            | self.tx_walk.busy.val()
            | self.rx_walk.busy.val()
            | self.net_tx.busy.val()
            | self.place.busy.val()
            | self.net_rx.busy.val()
            | self.used.busy.val()
            | self.coalesce.busy.val()
            | self.suppress.busy.val()
            | self.arm.busy.val()
            | self.control_queue.busy.val()
            | self.command.busy.val()
            | self.interrupts.busy.val();
        self.busy.next = self.data_busy.val()
            | self.rx.busy.val()
            | self.completer.busy.val()
            | self.tx.busy.val()
            | self.reader.busy.val()
            | self.writer.busy.val()
            | self.msix.busy.val()
            | self.quiesce.busy.val()
            | self.relay.source.fence.val()
            | self.notify.busy.val()
            | self.device_cfg.busy.val()
            | self.filter.busy.val()
            | self.classify.busy.val()
            | self.verify.busy.val()
            | self.steer.busy.val()
            | self.rx_buffer.busy.val()
            | self.tx_buffer.busy.val()
            | self.split.busy.val()
            | self.checksum.busy.val()
            | self.headers.busy.val()
            | self.stats.busy.val()
            | self.reset.val();
    }
}
