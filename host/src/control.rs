//! Drives a function that is ours: from reset to DRIVER_OK in the specification's steps, then queues, commands, frames.
//! Spec: [virtio 1.4: Device Initialization], [virtio 1.4: Network Device]

pub(crate) mod bring_up;
mod command;
mod traffic;

use std::time::{Duration, Instant};

use hematite_abi::{common, feature, net};

pub use bring_up::{Step, bring_up};
pub use command::{Command, Mode, Side};

use crate::arena::{Arena, Part};
use crate::bus::Width;
use crate::common::Common;
use crate::error::{Error, Result};
use crate::feature::FeatureSet;
use crate::function::Function;
use crate::memory::Pages;
use crate::ring::{Ring, Used};
use crate::structure::Structure;

/// What the driver understands: of what is offered it accepts these.
pub const UNDERSTOOD: FeatureSet = FeatureSet(
    1 << feature::VERSION_1
        | 1 << feature::ACCESS_PLATFORM
        | 1 << feature::ORDER_PLATFORM
        | 1 << feature::RING_PACKED
        | 1 << feature::RING_RESET
        | 1 << feature::NOTIFICATION_DATA
        | 1 << feature::MAC
        | 1 << feature::STATUS
        | 1 << feature::MTU
        | 1 << feature::MRG_RXBUF
        | 1 << feature::SPEED_DUPLEX
        | 1 << feature::CTRL_VQ
        | 1 << feature::CTRL_RX
        | 1 << feature::CTRL_RX_EXTRA
        | 1 << feature::CTRL_VLAN
        | 1 << feature::CTRL_MAC_ADDR
        | 1 << feature::GUEST_ANNOUNCE
        | 1 << feature::MQ
        | 1 << feature::RSS
        | 1 << feature::NOTF_COAL
        | 1 << feature::VQ_NOTF_COAL,
);

/// How a function is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Of what is offered and understood, accept no more than this.
    pub features: FeatureSet,
    /// Entries of each queue, at most.
    pub queue_size: u16,
    /// Receive buffers of pair 0.
    pub receive_buffers: u16,
    /// Bytes of each.
    pub receive_bytes: u32,
    /// Pages of the memory.
    pub pages: Pages,
    /// How long the device may take for anything.
    pub limit: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            features: FeatureSet(!(1 << feature::RING_PACKED)),
            queue_size: 256,
            receive_buffers: 128,
            receive_bytes: 2048,
            pages: Pages::Usual,
            limit: Duration::from_secs(10),
        }
    }
}

/// Receive and transmit queue of pair 0; pairs beyond it stay without queues.
pub const RX: u16 = net::RX_QUEUE as u16;
/// See there.
pub const TX: u16 = net::TX_QUEUE as u16;
/// Vector of configuration changes; each queue's is its place in `Driver::rings` and one.
const CONFIG_VECTOR: u16 = 0;
/// Bytes of the largest frame that is sent, and of its header.
const SEND_BYTES: usize = 2048;
/// Frames that can be on their way out at a time.
const SENDING: u16 = 64;
/// The memory: rings of three queues, buffers of pair 0, one command.
const MEMORY: usize = 2 << 20;
/// How long to sleep between two looks where no interrupt comes.
const PAUSE: Duration = Duration::from_micros(200);

/// A queue that is set up.
#[derive(Debug)]
struct Queue {
    ring: Ring,
    /// Where its doorbell is in the notify structure.
    doorbell: u64,
    /// Its vector, if it has one that can be waited for.
    vector: Option<u16>,
}

/// A function that is driven.
pub struct Driver {
    /// The function.
    pub function: Function,
    /// Features that were agreed on.
    pub features: FeatureSet,
    /// Interrupts that were waited for and came.
    pub interrupts: u64,
    /// The steps that were taken.
    pub steps: Vec<Step>,
    options: Options,
    common: Common,
    notify: Structure,
    arena: Arena,
    receive: Queue,
    transmit: Queue,
    control: Option<Queue>,
    /// Receive buffers, all of them.
    buffers: Vec<Part>,
    /// Buffers by the id of the chain that has them.
    receiving: Vec<Option<Part>>,
    sending: Vec<Option<Part>>,
    idle: Vec<Part>,
    scratch: Part,
}

impl Driver {
    /// Whether a feature was agreed on.
    pub fn has(&self, bit: usize) -> bool {
        self.features.has(bit)
    }

    /// One of the queues that are set up, and the memory it lies in.
    pub fn ring(&self, number: u16) -> Option<&Ring> {
        let queues = [Some(&self.receive), Some(&self.transmit), self.control.as_ref()];
        queues.into_iter().flatten().map(|queue| &queue.ring).find(|ring| ring.number == number)
    }

    /// The memory that the function may reach.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Reads the device's state.
    pub fn status(&mut self) -> Result<u8> {
        self.common.status(&mut *self.function.bus)
    }

    /// Resets a queue and sets it up anew, with nothing in it.
    pub fn reset_queue(&mut self, number: u16) -> Result<()> {
        if !self.has(feature::RING_RESET) {
            let what = "reset a queue: RING_RESET is not agreed on".into();
            return Err(Error::Unable { what, next: "reset the whole device" });
        }
        let bus = &mut *self.function.bus;
        self.common.set(bus, common::QUEUE_SELECT, number.into())?;
        self.common.set(bus, common::QUEUE_RESET, 1)?;
        let start = Instant::now();
        while self.common.get(bus, common::QUEUE_RESET)? != 0 {
            if start.elapsed() > self.options.limit {
                let what = format!("queue_reset of queue {number} reads 0");
                return Err(Error::Late { what, limit: self.options.limit });
            }
            std::thread::sleep(PAUSE);
        }
        if self.common.get(bus, common::QUEUE_ENABLE)? != 0 {
            return Err(Error::Device(format!("queue {number} is reset, and queue_enable is not 0")));
        }
        self.renew(number)
    }

    /// The memory of a ring is used again: none of it is the device's any more.
    fn renew(&mut self, number: u16) -> Result<()> {
        if number == RX {
            self.receiving.iter_mut().for_each(|slot| *slot = None);
        } else if number == TX {
            let back = self.sending.iter_mut().filter_map(Option::take);
            self.idle.extend(back);
        }
        let queue = match number {
            RX => &mut self.receive,
            TX => &mut self.transmit,
            _ => {
                return Err(Error::Unable {
                    what: format!("set up queue {number} anew"),
                    next: "queues 0 and 1 can be",
                });
            }
        };
        queue.ring = queue.ring.renewed(&self.arena)?;
        bring_up::enable(&mut self.function, &self.common, &self.arena, &queue.ring, queue.vector)?;
        if number == RX { self.fill() } else { Ok(()) }
    }

    /// How long the device may take for anything.
    pub fn limit(&self) -> Duration {
        self.options.limit
    }

    /// Whether interrupts can come at all.
    pub fn has_vectors(&self) -> bool {
        self.receive.vector.is_some()
    }

    /// Whether an interrupt of the receive queue has come that nobody has waited for, or comes within `limit`.
    pub fn interrupted(&mut self, limit: Duration) -> Result<bool> {
        let Some(vector) = self.receive.vector else { return Ok(false) };
        let came = self.function.bus.wait(vector, limit)?;
        self.interrupts += u64::from(came);
        Ok(came)
    }

    /// Tells the device that there is something in a queue.
    fn kick(function: &mut Function, notify: &Structure, features: FeatureSet, queue: &Queue) -> Result<()> {
        let number = u32::from(queue.ring.number);
        let position = u32::from(queue.ring.position());
        let with_data = features.has(feature::NOTIFICATION_DATA);
        let (width, value) =
            if with_data { (Width::Word, number | position << 16) } else { (Width::Half, number) };
        notify.ring(&mut *function.bus, queue.doorbell, width, value)
    }

    /// Waits until a queue has given something back.
    fn wait(
        function: &mut Function,
        arena: &Arena,
        queue: &mut Queue,
        limit: Duration,
        interrupts: &mut u64,
    ) -> Result<Option<Used>> {
        let start = Instant::now();
        loop {
            if let Some(used) = queue.ring.take(&arena.memory)? {
                return Ok(Some(used));
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            match queue.vector {
                // One that came with something which is taken already costs another turn.
                Some(vector) => {
                    *interrupts += u64::from(function.bus.wait(vector, left.min(Duration::from_millis(20)))?);
                }
                None => std::thread::sleep(PAUSE.min(left)),
            }
        }
    }

    /// Resets the device and lets go of its memory.
    pub fn finish(mut self) -> Result<Function> {
        bring_up::reset(&mut self.function, &self.common, self.options.limit)?;
        self.arena.withdraw(&mut *self.function.bus)?;
        Ok(self.function)
    }
}
