//! Where each used ring stands, or packed ring, and how far it is. By queue number, both directions.
//! In: `control` for the start of a queue; `queue`; `look`; `store`: its new index.   Out: `ring`, in the cycle after `look`, and
//! `number`, both of `queue`; the probe's.
//! Time: a number is read in the cycle of its address, and is new in the cycle after its write.
//! Waits: `store` waits while a queue starts.   Who looks does so while no queue starts.

use crate::params::Params;
use crate::port::queue::QueueControlSink;
use crate::prim::lutram::Lutram;
use crate::prim::ram::Ram;
use crate::prim::stream::StreamSink;
use hematite_abi::feature;
use rust_hdl_core::prelude::*;

/// Where a used ring stands.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct UsedRing {
    pub device: Bits<64>,
    pub size: Bits<16>,
}

/// State of the used rings.
#[derive(LogicBlock)]
pub struct UsedRings {
    pub clock: Signal<In, Clock>,
    pub control: QueueControlSink,
    /// RING_PACKED is accepted: what is used is told in the Descriptor Area.
    pub packed: Signal<In, Bit>,
    pub queue: Signal<In, Bits<16>>,
    /// No queue starts in this cycle.
    pub look: Signal<In, Bit>,
    pub ring: Signal<Out, UsedRing>,
    pub number: Signal<Out, Bits<16>>,
    pub store: StreamSink<Bits<16>>,
    pub probe_queue: Signal<In, Bits<16>>,
    pub probe_used: Signal<Out, Bits<16>>,
    able: Constant<Bit>,
    mask: Constant<Bits<16>>,
    rings: Ram<UsedRing>,
    used: Lutram<Bits<16>>,
    used_probe: Lutram<Bits<16>>,
    write: Signal<Local, Bit>,
    place: Signal<Local, Bits<16>>,
    total: Signal<Local, Bits<16>>,
}

impl UsedRings {
    /// For all queues.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            control: Default::default(),
            packed: Default::default(),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            queue: Default::default(),
            look: Default::default(),
            ring: Default::default(),
            number: Default::default(),
            store: Default::default(),
            probe_queue: Default::default(),
            probe_used: Default::default(),
            mask: Constant::new((params.queues() as u64 - 1).into()),
            rings: Ram::apart(params.queues()),
            used: Lutram::new(params.queues()),
            used_probe: Lutram::new(params.queues()),
            write: Default::default(),
            place: Default::default(),
            total: Default::default(),
        }
    }
}

impl Logic for UsedRings {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, rings, used, used_probe);
        self.rings.write.next = self.control.enable.val();
        self.rings.write_addr.next = self.control.settings.val().queue & self.mask.val();
        // The Device Area is aligned to 4: what stands below is not looked at.
        self.rings.write_data.next.device = (self.control.settings.val().device >> 2) << 2;
        if self.packed.val() & self.able.val() {
            self.rings.write_data.next.device = (self.control.settings.val().desc >> 4) << 4;
        }
        self.rings.write_data.next.size = self.control.settings.val().size;
        self.rings.read.next = self.look.val();
        self.rings.read_addr.next = self.queue.val() & self.mask.val();
        self.ring.next = self.rings.read_data.val();
        // A queue that starts has the write ports for itself.
        self.store.ready.next = !self.control.enable.val();
        self.write.next = self.control.enable.val() | self.store.valid.val();
        self.place.next = self.queue.val() & self.mask.val();
        self.total.next = self.store.data.val();
        if self.control.enable.val() {
            self.place.next = self.control.settings.val().queue & self.mask.val();
            self.total.next = 0.into();
        }
        self.used.write.next = self.write.val();
        self.used.write_addr.next = self.place.val();
        self.used.write_data.next = self.total.val();
        self.used.read_addr.next = self.queue.val() & self.mask.val();
        self.number.next = self.used.read_data.val();
        self.used_probe.write.next = self.write.val();
        self.used_probe.write_addr.next = self.place.val();
        self.used_probe.write_data.next = self.total.val();
        self.used_probe.read_addr.next = self.probe_queue.val() & self.mask.val();
        self.probe_used.next = self.used_probe.read_data.val();
    }
}
