//! The function as plain, untimed Rust at TLP level: what the RTL has to do, said once more and shorter.
//! In, out: TLPs and frames.   Waits: for completions only.
//! Spec: [virtio 1.4: Virtio Over PCI Bus], [virtio 1.4: Network Device]; answers to bad input as in hw/README.md

mod coalesce;
mod config;
mod control;
mod device_cfg;
mod dma;
mod engine;
mod inspect;
mod msix;
mod packed;
mod registers;
mod split;
mod stats;

use std::collections::VecDeque;

use hematite_abi::{feature, ident};

use crate::device::Device;
use crate::facts::{bar, net};
use crate::root::replies::span;
use crate::root::tlp::{CfgRequest, CplFields, MemRequest, Status, Tlp, View};
use config::ConfigSpace;
use control::Settings;
use device_cfg::{Announce, Link};
use dma::{Dma, Limits};
use engine::Job;
use inspect::Counters;
use msix::Msix;
use registers::Registers;

/// What may differ between two models, as between two parameter sets of the RTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub pairs: u16,
    pub queue_max: u16,
    /// Largest read and write which the engine is built for, whatever the host allows.
    pub read_bytes: usize,
    pub payload_bytes: usize,
    /// Largest frame, without FCS.
    pub frame_bytes: usize,
    pub timeout_cycles: u64,
    pub mac: [u8; 6],
    pub mtu: u16,
    /// Mbit/s.
    pub speed: u32,
    /// Cycles of a microsecond.
    pub clock_mhz: u64,
    /// Feature bits offered.
    pub features: u128,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            pairs: 4,
            queue_max: 256,
            read_bytes: 512,
            payload_bytes: 256,
            frame_bytes: 1518,
            timeout_cycles: 1 << 16,
            mac: [0x02, 0x68, 0x65, 0x6d, 0x00, 0x01],
            // Ethernet header and one VLAN tag come on top
            mtu: 1500,
            speed: 10_000,
            clock_mhz: 250,
            features: feature::OFFERED,
        }
    }
}

impl Shape {
    fn queues(&self) -> u16 {
        2 * self.pairs
    }

    /// Queues of any kind: the control queue is behind the others.
    fn numbers(&self) -> u16 {
        self.queues() + u16::from(self.features >> feature::CTRL_VQ & 1 == 1)
    }

    fn vectors(&self) -> u16 {
        self.numbers() + 1
    }
}

/// The plain body.
pub struct Model {
    shape: Shape,
    now: u64,
    inbox: VecDeque<Tlp>,
    outbox: VecDeque<Tlp>,
    frames_in: VecDeque<Vec<u8>>,
    frames_out: VecDeque<Vec<u8>>,
    config: ConfigSpace,
    registers: Registers,
    msix: Msix,
    dma: Dma,
    job: Option<Job>,
    settings: Settings,
    /// Queues whose used index has moved and whose interrupt is not yet decided.
    signals: VecDeque<u16>,
    counters: Counters,
    link: Link,
    /// The error which made the device ask for reset first, and its queue.
    first_error: (u8, u16),
}

impl Default for Model {
    fn default() -> Model {
        Model::new(Shape::default())
    }
}

impl Model {
    /// A function of this shape, out of reset.
    pub fn new(shape: Shape) -> Model {
        let config = ConfigSpace::new(shape.vectors(), shape.numbers(), shape.payload_bytes);
        let limits = Model::limits(&config, &shape);
        Model {
            now: 0,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            frames_in: VecDeque::new(),
            frames_out: VecDeque::new(),
            registers: Registers::new(shape.features, shape.numbers(), shape.queue_max, shape.vectors()),
            msix: Msix::new(shape.vectors()),
            dma: Dma::new(limits),
            job: None,
            settings: Settings::new(shape.mac),
            signals: VecDeque::new(),
            counters: [0; ident::COUNTERS.len()],
            link: Link::UP,
            first_error: (0, 0),
            config,
            shape,
        }
    }

    fn limits(config: &ConfigSpace, shape: &Shape) -> Limits {
        Limits {
            requester: config.function,
            bus_master: config.bus_master(),
            read_bytes: config.read_bytes().min(shape.read_bytes),
            payload_bytes: config.payload_bytes().min(shape.payload_bytes),
            timeout: shape.timeout_cycles,
        }
    }

    /// One double word of the BAR.
    fn read_bar(&mut self, offset: u64, be: u8) -> u32 {
        let vectors = u64::from(self.msix.vectors());
        match offset {
            _ if within(offset, bar::COMMON, crate::facts::common::LENGTH) => {
                self.registers.read(offset - bar::COMMON)
            }
            bar::ISR if be & 1 != 0 => u32::from(std::mem::take(&mut self.registers.isr)),
            _ if within(offset, bar::DEVICE, net::CFG_BYTES) => self.device_word(offset - bar::DEVICE, be),
            _ if within(offset, bar::TABLE, vectors * crate::facts::msix::ENTRY_BYTES) => {
                self.msix.read(offset - bar::TABLE)
            }
            _ if within(offset, bar::INSPECTION, bar::INSPECTION_BYTES) => {
                self.inspect(offset - bar::INSPECTION)
            }
            _ if within(offset, bar::PENDING, vectors.div_ceil(64) * 8) => {
                self.msix.pending(offset - bar::PENDING)
            }
            _ => 0,
        }
    }

    fn write_bar(&mut self, offset: u64, be: u8, value: u32) {
        if within(offset, bar::COMMON, crate::facts::common::LENGTH) {
            match self.registers.write(offset - bar::COMMON, be, value) {
                registers::Effect::Nothing => {}
                registers::Effect::DeviceReset => {
                    self.count(ident::DEVICE_RESETS);
                    self.abandon(None);
                    self.settings = Settings::new(self.shape.mac);
                    self.link.announce = Announce::No;
                    self.msix.forget_pending();
                }
                registers::Effect::QueueReset(queue) => {
                    self.count(ident::QUEUE_RESETS);
                    self.abandon(Some(queue));
                }
            }
        } else if within(offset, bar::NOTIFY, bar::NOTIFY_MULTIPLIER * u64::from(self.shape.numbers())) {
            let queue = (offset - bar::NOTIFY) / bar::NOTIFY_MULTIPLIER;
            if be != 0 {
                let rung = self.registers.kick(queue as u16, be, value);
                self.count(if rung { ident::KICKS } else { ident::KICKS_IGNORED });
                self.notified(queue as u16, be, value);
            }
        } else if within(offset, bar::NOTIFY, bar::NOTIFY_BYTES) {
            self.count(ident::KICKS_IGNORED);
        } else if within(offset, bar::TABLE, u64::from(self.msix.vectors()) * crate::facts::msix::ENTRY_BYTES)
        {
            let old = self.msix.read(offset - bar::TABLE);
            let mask =
                (0..4).filter(|lane| be >> lane & 1 == 1).fold(0, |mask, lane| mask | 0xff << (8 * lane));
            self.msix.write(offset - bar::TABLE, old & !mask | value & mask);
            self.masks_changed();
        }
    }

    fn answer(&mut self, requester: crate::root::Bdf, tag: u16, status: Status) -> CplFields {
        CplFields { completer: self.config.function, status, byte_count: 4, requester, tag, lower_addr: 0 }
    }

    fn refuse(&mut self, requester: crate::root::Bdf, tag: u16, status: Status) {
        let fields = self.answer(requester, tag, status);
        self.outbox.push_back(Tlp::cpl(fields));
    }

    fn in_bar(&self, request: &MemRequest) -> Option<u64> {
        let offset = request.addr.wrapping_sub(self.config.bar());
        let inside = offset < bar::BYTES && offset + 4 * u64::from(request.words) <= bar::BYTES;
        (self.config.memory_enabled() && inside).then_some(offset)
    }

    fn mem_read(&mut self, request: MemRequest) {
        let Some(offset) = self.in_bar(&request) else {
            self.count(ident::TLP_UNSUPPORTED);
            return self.refuse(request.requester, request.tag, Status::UnsupportedRequest);
        };
        if usize::from(request.words) * 4 > bar::ACCESS_BYTES {
            self.count(ident::TLP_ABORTED);
            return self.refuse(request.requester, request.tag, Status::CompleterAbort);
        }
        let mut data = vec![];
        for word in 0..request.words {
            let be = lanes(&request, word);
            data.extend_from_slice(&self.read_bar(offset + 4 * u64::from(word), be).to_le_bytes());
        }
        let (lead, len) = span(&request);
        let fields = self.answer(request.requester, request.tag, Status::Success);
        let lower_addr = ((request.addr + lead) & 0x7f) as u8;
        self.outbox.push_back(Tlp::cpl_d(CplFields { byte_count: len as u16, lower_addr, ..fields }, data));
    }

    fn mem_write(&mut self, request: MemRequest, data: &[u8]) {
        let Some(offset) = self.in_bar(&request).filter(|_| data.len() <= bar::ACCESS_BYTES) else {
            self.count(ident::TLP_UNSUPPORTED);
            return;
        };
        for (word, bytes) in data.chunks_exact(4).enumerate() {
            let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            self.write_bar(offset + 4 * word as u64, lanes(&request, word as u16), value);
        }
    }

    fn config_read(&mut self, request: CfgRequest) {
        let value = match (ConfigSpace::is_window(request.offset), self.config.window()) {
            (false, _) => self.config.read(request.offset),
            (true, None) => 0,
            (true, Some((at, len))) => {
                let lane = at & 3;
                let be = ((1 << len) - 1) << lane;
                self.read_bar(at & !3, be as u8) >> (8 * lane) & (u32::MAX >> (32 - 8 * len))
            }
        };
        let fields = self.answer(request.requester, request.tag, Status::Success);
        self.outbox.push_back(Tlp::cpl_d(fields, value.to_le_bytes().to_vec()));
    }

    fn config_write(&mut self, request: CfgRequest, value: u32) {
        // [PCIe base: Transaction Descriptor, Requester ID] captured from every Type 0 configuration write
        self.config.function = request.target;
        let effect = self.config.write(request.offset, request.be, value);
        // completed before its effect: a Function Level Reset takes back everything which is not yet on its way
        self.refuse(request.requester, request.tag, Status::Success);
        match effect {
            config::Effect::Nothing => {}
            config::Effect::FunctionReset => self.function_reset(),
            config::Effect::WindowWrite => {
                if let Some((at, len)) = self.config.window() {
                    let lane = at & 3;
                    let be = request.be & ((1u8 << len) - 1);
                    self.write_bar(at & !3, be << lane, value << (8 * lane));
                }
            }
        }
        self.dma.limits = Model::limits(&self.config, &self.shape);
        self.masks_changed();
    }

    /// PCIe scope, from within: all but the clock, the number, and what is on its way to the host.
    fn function_reset(&mut self) {
        let fresh = Model::new(self.shape.clone());
        let old = std::mem::replace(self, fresh);
        self.now = old.now;
        self.inbox = old.inbox;
        self.outbox = old.outbox;
        self.link = Link { announce: Announce::No, ..old.link };
        self.config.function = old.config.function;
        self.dma.keep_tag(&old.dma);
    }

    fn serve(&mut self, tlp: &Tlp) {
        self.count(ident::TLP_IN);
        if tlp.error {
            self.count(ident::TLP_POISONED);
            return;
        }
        match tlp.view() {
            View::CfgRead0(request) | View::CfgWrite0(request, _) if request.target.function() != 0 => {
                self.refuse(request.requester, request.tag, Status::UnsupportedRequest);
            }
            View::CfgRead0(request) => self.config_read(request),
            View::CfgWrite0(request, _) if tlp.poisoned() => {
                self.refuse(request.requester, request.tag, Status::UnsupportedRequest);
            }
            View::CfgWrite0(request, value) => self.config_write(request, value),
            View::MemRead(request) => self.mem_read(request),
            View::MemWrite(..) if tlp.poisoned() => self.count(ident::TLP_POISONED),
            View::MemWrite(request, data) => self.mem_write(request, data),
            View::Cpl(_) | View::CplD(..) => {
                if !self.dma.completion(tlp) {
                    self.count(ident::CPL_UNEXPECTED);
                }
            }
            View::Unsupported { .. } if tlp.non_posted() => {
                let (requester, tag) = tlp.requester_and_tag();
                let cpl = Tlp::cpl(self.answer(requester, tag, Status::UnsupportedRequest));
                self.outbox.push_back(if tlp.is_locked_read() { cpl.locked() } else { cpl });
            }
            View::Msg { .. } => {}
            View::Unsupported { .. } => self.count(ident::TLP_UNSUPPORTED),
            View::Malformed(_) => self.count(ident::TLP_MALFORMED),
        }
    }
}

/// Byte enables of the `word`-th double word of a request.
fn lanes(request: &MemRequest, word: u16) -> u8 {
    match word {
        0 => request.first_be,
        _ if word + 1 == request.words => request.last_be,
        _ => 0xf,
    }
}

fn within(offset: u64, start: u64, len: u64) -> bool {
    (start..start + len).contains(&offset)
}

impl Device for Model {
    fn reset(&mut self) {
        let (now, up) = (self.now, self.link.up);
        *self = Model::new(self.shape.clone());
        (self.now, self.link) = (now, Link { up, told: up, ..Link::UP });
    }

    fn tlp_in(&mut self, tlp: Tlp) {
        self.inbox.push_back(tlp);
    }

    fn tlp_out(&mut self) -> Option<Tlp> {
        self.outbox.pop_front()
    }

    fn frame_in(&mut self, frame: Vec<u8>) {
        self.frames_in.push_back(frame);
    }

    fn frame_out(&mut self) -> Option<Vec<u8>> {
        self.frames_out.pop_front()
    }

    fn link(&mut self, up: bool) {
        self.link.up = up;
    }

    fn step(&mut self, cycles: u64) {
        self.now += cycles;
        self.look_at_link();
        while let Some(tlp) = self.inbox.pop_front() {
            self.serve(&tlp);
            self.work();
        }
        self.work();
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn busy(&self) -> bool {
        !self.inbox.is_empty() || self.link_waits() || self.has_work()
    }

    fn name(&self) -> &str {
        "model"
    }
}
