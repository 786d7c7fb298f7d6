//! The model's virtio registers: common configuration, per-queue settings, ISR. One double word at a time, with byte enables.
//! Spec: [virtio 1.4: Common configuration structure layout]

use super::coalesce::Limits;
use crate::facts::{bar, common, net, status, virtio};

/// One queue: what the driver set, and where the engine stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) size: u16,
    pub(super) vector: u16,
    pub(super) desc: u64,
    pub(super) driver: u64,
    pub(super) device: u64,
    /// queue_enable is 1.
    pub(super) live: bool,
    /// A queue reset waits for DMA to end.
    pub(super) resetting: bool,
    pub(super) kicked: bool,
    /// Stopped by an error until it is reset.
    pub(super) bad: bool,
    pub(super) last_error: u8,
    pub(super) avail_seen: u16,
    pub(super) used_idx: u16,
    /// `used_idx` when the driver's wish was last looked at.
    pub(super) signalled: u16,
    /// Where the driver has been asked to ring.
    pub(super) armed: Option<u16>,
    /// Limits of its own, within which interrupts are held back; `used_idx` at the last one, and since when one waits.
    pub(super) own: Option<Limits>,
    pub(super) told: u16,
    pub(super) waits: Option<u64>,
}

/// What a register write asks of the rest of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    DeviceReset,
    QueueReset(u16),
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    offered: u128,
    queue_max: u16,
    vectors: u16,
    device_select: u32,
    driver_select: u32,
    features: [u32; FEATURE_WINDOWS],
    pub(super) config_vector: u16,
    pub(super) status: u8,
    /// Of device configuration.
    pub(super) generation: u8,
    queue_select: u16,
    pub(super) queues: Vec<Queue>,
    pub(super) isr: u8,
    /// A device reset waits for DMA to end.
    resetting: bool,
}

/// 32-bit windows of feature bits which are kept: the 128 bits of VIRTIO 1.4.
const FEATURE_WINDOWS: usize = 4;

fn half(word: u32, high: bool) -> u16 {
    if high { (word >> 16) as u16 } else { word as u16 }
}

fn pair(low: u16, high: u16) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

impl Registers {
    pub(super) fn new(offered: u128, queues: u16, queue_max: u16, vectors: u16) -> Registers {
        let queue = Queue { size: queue_max, vector: virtio::NO_VECTOR, ..Queue::default() };
        Registers {
            offered,
            queue_max,
            vectors,
            device_select: 0,
            driver_select: 0,
            features: [0; FEATURE_WINDOWS],
            config_vector: virtio::NO_VECTOR,
            status: 0,
            generation: 0,
            queue_select: 0,
            queues: vec![queue; usize::from(queues)],
            isr: 0,
            resetting: false,
        }
    }

    fn accepted_bits(&self) -> u128 {
        self.features.iter().rev().fold(0, |bits, window| bits << 32 | u128::from(*window))
    }

    /// Whether a feature bit is negotiated.
    pub(super) fn accepted(&self, bit: u32) -> bool {
        self.accepted_bits() >> bit & 1 == 1
    }

    /// There may be more pairs than one: the control queue is behind all of them, not the third.
    /// [virtio 1.4: Network Device, Virtqueues] "N=1 if VIRTIO_NET_F_MQ and VIRTIO_NET_F_RSS are not negotiated".
    pub(super) fn several_pairs(&self) -> bool {
        self.accepted(net::F_MQ) || self.accepted(net::F_RSS)
    }

    pub(super) fn driver_ok(&self) -> bool {
        self.status & status::DRIVER_OK != 0 && !self.resetting
    }

    /// Sets DEVICE_NEEDS_RESET. True if the driver is to be told: it drives the device, and does not know yet.
    /// [virtio 1.4: Device Status Field] "If DRIVER_OK is set, after it sets DEVICE_NEEDS_RESET, the device MUST send a
    /// device configuration change notification."
    pub(super) fn needs_reset(&mut self) -> bool {
        let news = self.status & status::NEEDS_RESET == 0 && self.driver_ok();
        self.status |= status::NEEDS_RESET;
        news
    }

    /// Looks again at a queue whose work was given up.
    pub(super) fn again(&mut self, number: u16) {
        let queue = &mut self.queues[usize::from(number)];
        queue.kicked |= queue.live;
    }

    /// No DMA is in flight: resets which waited for that are done now. True if there was one.
    pub(super) fn quiesce(&mut self) -> bool {
        let mut done = self.resetting;
        if self.resetting {
            *self = Registers::new(self.offered, self.queues.len() as u16, self.queue_max, self.vectors);
        }
        for queue in self.queues.iter_mut().filter(|queue| queue.resetting) {
            *queue = Queue { size: self.queue_max, vector: virtio::NO_VECTOR, ..Queue::default() };
            done = true;
        }
        done
    }

    /// The queue selected, as the function numbers it: the control queue is behind all others.
    fn number(&self) -> u16 {
        let one_pair = self.offered >> net::F_CTRL_VQ & 1 == 1 && !self.several_pairs();
        match self.queue_select {
            2 if one_pair => self.queues.len() as u16 - 1,
            3.. if one_pair => virtio::NO_QUEUE,
            select => select,
        }
    }

    fn selected(&mut self) -> Option<&mut Queue> {
        let number = usize::from(self.number());
        self.queues.get_mut(number)
    }

    /// What a doorbell of this queue is to name.
    fn notify_data(&self, number: u16) -> Option<u16> {
        self.accepted(virtio::F_NOTIF_CONFIG_DATA).then_some(bar::NOTIFY_DATA | number)
    }

    /// There is someone to be kicked by these bytes.
    pub(super) fn hears(&self, number: u16, be: u8, value: u32) -> bool {
        let named = self.notify_data(number).is_none_or(|data| be & 3 == 3 && half(value, false) == data);
        self.driver_ok() && named
    }

    /// A kick of a queue by these bytes. False if nobody wants it: ignored. What NOTIFICATION_DATA says is never more than a hint here.
    pub(super) fn kick(&mut self, number: u16, be: u8, value: u32) -> bool {
        let ready = self.hears(number, be, value);
        match self.queues.get_mut(usize::from(number)) {
            Some(queue) if ready && queue.live => {
                queue.kicked = true;
                true
            }
            _ => false,
        }
    }

    fn feature_window(&self, select: u32) -> u32 {
        // [virtio 1.4: Common configuration structure layout] "0 for any other value"
        self.offered.checked_shr(select.saturating_mul(32)).unwrap_or(0) as u32
    }

    /// One double word of the common configuration structure.
    pub(super) fn read(&mut self, offset: u64) -> u32 {
        let number = self.number();
        let queues = self.queues.len() as u16;
        let queue = self.selected().cloned().unwrap_or_default();
        match offset {
            common::DEVICE_FEATURE_SELECT => self.device_select,
            common::DEVICE_FEATURE => self.feature_window(self.device_select),
            common::DRIVER_FEATURE_SELECT => self.driver_select,
            common::DRIVER_FEATURE => self.features.get(self.driver_select as usize).copied().unwrap_or(0),
            common::CONFIG_MSIX_VECTOR => pair(self.config_vector, queues),
            common::DEVICE_STATUS => {
                pair(u16::from_le_bytes([self.status, self.generation]), self.queue_select)
            }
            common::QUEUE_SIZE => pair(queue.size, queue.vector),
            common::QUEUE_ENABLE => pair(u16::from(queue.live), if number < queues { number } else { 0 }),
            common::QUEUE_DESC => queue.desc as u32,
            QUEUE_DESC_HIGH => (queue.desc >> 32) as u32,
            common::QUEUE_DRIVER => queue.driver as u32,
            QUEUE_DRIVER_HIGH => (queue.driver >> 32) as u32,
            common::QUEUE_DEVICE => queue.device as u32,
            QUEUE_DEVICE_HIGH => (queue.device >> 32) as u32,
            common::QUEUE_NOTIFY_DATA if number < queues => {
                pair(self.notify_data(number).unwrap_or(0), u16::from(queue.resetting))
            }
            _ => 0,
        }
    }

    /// Writes the enabled lanes of one double word. Fields of which no lane is enabled are not touched.
    pub(super) fn write(&mut self, offset: u64, be: u8, value: u32) -> Effect {
        let old = self.read(offset);
        let mask = (0..4).filter(|lane| be >> lane & 1 == 1).fold(0, |mask, lane| mask | 0xff << (8 * lane));
        let word = old & !mask | value & mask;
        let (low, high) = (be & 0b0011 != 0, be & 0b1100 != 0);
        match offset {
            common::DEVICE_FEATURE_SELECT => self.device_select = word,
            common::DRIVER_FEATURE_SELECT => self.driver_select = word,
            common::DRIVER_FEATURE if self.status & status::FEATURES_OK == 0 => {
                if let Some(window) = self.features.get_mut(self.driver_select as usize) {
                    *window = word;
                }
            }
            common::CONFIG_MSIX_VECTOR if low => self.config_vector = self.vector(half(word, false)),
            common::DEVICE_STATUS => {
                if high {
                    self.queue_select = half(word, true);
                }
                if be & 1 != 0 {
                    return self.write_status(word as u8);
                }
            }
            _ => return self.write_queue(offset, be, word),
        }
        Effect::Nothing
    }

    fn vector(&self, vector: u16) -> u16 {
        if vector < self.vectors { vector } else { virtio::NO_VECTOR }
    }

    /// [virtio 1.4: Device Status Field]
    fn write_status(&mut self, value: u8) -> Effect {
        if value == 0 {
            self.resetting = self.status != 0;
            if !self.resetting {
                *self = Registers::new(self.offered, self.queues.len() as u16, self.queue_max, self.vectors);
            }
            return Effect::DeviceReset;
        }
        if self.resetting {
            return Effect::Nothing;
        }
        let mut next = value | self.status & status::NEEDS_RESET;
        let excess = self.accepted_bits() & !self.offered != 0;
        if self.status & status::FEATURES_OK == 0 && (excess || !self.accepted(virtio::F_VERSION_1)) {
            next &= !status::FEATURES_OK;
        }
        self.status = next;
        Effect::Nothing
    }

    fn write_queue(&mut self, offset: u64, be: u8, word: u32) -> Effect {
        let (low, high) = (be & 0b0011 != 0, be & 0b1100 != 0);
        let (number, most, vector) = (self.number(), self.queue_max, self.vector(half(word, true)));
        let running = self.driver_ok();
        let Some(queue) = self.selected() else { return Effect::Nothing };
        let low_word = |old: u64| old & !u64::from(u32::MAX) | u64::from(word);
        let high_word = |old: u64| old & u64::from(u32::MAX) | u64::from(word) << 32;
        match offset {
            common::QUEUE_SIZE => {
                let size = half(word, false);
                if low && size.is_power_of_two() && size <= most && !queue.live {
                    queue.size = size;
                }
                if high {
                    queue.vector = vector;
                }
            }
            common::QUEUE_ENABLE if be & word as u8 & 1 == 1 && !queue.live && !queue.resetting => {
                (queue.live, queue.bad, queue.last_error) = (true, false, 0);
                // There may be buffers already.
                (queue.avail_seen, queue.used_idx, queue.kicked) = (0, 0, running);
                (queue.signalled, queue.armed) = (0, None);
                (queue.own, queue.told, queue.waits) = (None, 0, None);
            }
            common::QUEUE_NOTIFY_DATA if be >> 2 & (word >> 16) as u8 & 1 == 1 && queue.live => {
                queue.live = false;
                queue.resetting = true;
                return Effect::QueueReset(number);
            }
            _ if queue.live => {}
            common::QUEUE_DESC => queue.desc = low_word(queue.desc),
            QUEUE_DESC_HIGH => queue.desc = high_word(queue.desc),
            common::QUEUE_DRIVER => queue.driver = low_word(queue.driver),
            QUEUE_DRIVER_HIGH => queue.driver = high_word(queue.driver),
            common::QUEUE_DEVICE => queue.device = low_word(queue.device),
            QUEUE_DEVICE_HIGH => queue.device = high_word(queue.device),
            _ => {}
        }
        Effect::Nothing
    }
}

// Upper halves of the 64-bit fields: a driver may write them apart.
const QUEUE_DESC_HIGH: u64 = common::QUEUE_DESC + 4;
const QUEUE_DRIVER_HIGH: u64 = common::QUEUE_DRIVER + 4;
const QUEUE_DEVICE_HIGH: u64 = common::QUEUE_DEVICE + 4;
