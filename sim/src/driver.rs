//! A small virtio-net driver in the process, over the root complex: what a guest's driver does, and where tests do otherwise.
//! Spec: [virtio 1.4: Device Initialization], [virtio 1.4: Network Device]

mod control;
pub mod memory;
mod traffic;

use crate::facts::{common, net, status, virtio};

use crate::device::Device;
use crate::monitor::order::Watched;
use crate::ring::{Buffer, Ring, RingError, Tables};
use crate::root::enumerate::{EnumerateError, Function};
use crate::root::{MsiSink, RequestError, Root, WaitError, Windows};
pub use memory::windows;
pub use traffic::Received;

/// What went wrong between driver and device.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error(transparent)]
    Enumerate(#[from] EnumerateError),
    #[error("device offers {offered:#x} and refused {accepted:#x}")]
    FeaturesRefused { offered: u128, accepted: u128 },
    #[error("receive: {0}")]
    Receive(&'static str),
    #[error("there is no control queue: CTRL_VQ is not accepted")]
    NoControl,
}

/// How the driver sets the device up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Of the offered features, accept these. All but HASH_REPORT, with which headers are longer.
    pub features: u128,
    /// Queue size asked for; the device's maximum limits it.
    pub queue_size: u16,
    /// Receive buffers posted at the start.
    pub rx_buffers: u16,
    /// Bytes of each.
    pub rx_bytes: u32,
    /// Extra offset of every buffer in its slot: alignment does not matter to the device.
    pub skew: u64,
    /// Indirect tables for chains of several buffers, if they are accepted, behind so many direct ones.
    pub tables: Option<usize>,
    /// Packed rings, if they are offered: RING_PACKED is not accepted without.
    pub packed: bool,
}

impl Default for Options {
    fn default() -> Options {
        let features = !(1 << net::F_HASH_REPORT);
        Options {
            features,
            queue_size: 16,
            rx_buffers: 8,
            rx_bytes: 2000,
            skew: 2,
            tables: None,
            packed: false,
        }
    }
}

/// Receive queue of the first pair. [virtio 1.4: Network Device, Virtqueues]
pub const RX: u16 = 0;
/// Transmit queue of the first pair.
pub const TX: u16 = 1;
/// The vector for configuration changes; queue `n` has vector `n + 1`.
pub const CONFIG_VECTOR: u16 = 0;

type Bench<D> = Root<D, Windows>;

/// A driver bound to the function behind a root complex.
#[derive(Debug)]
pub struct Driver {
    pub function: Function,
    pub options: Options,
    /// Features accepted.
    pub features: u128,
    pub rx: Ring,
    pub tx: Ring,
    /// The control queue, if there is one.
    pub control: Option<Ring>,
    tx_slots: Vec<u64>,
}

impl Driver {
    /// Enumerates, initialises, reaches DRIVER_OK, posts receive buffers.
    pub fn start<D: Device>(root: &mut Bench<D>, options: Options) -> Result<Driver, DriverError> {
        let function = root.enumerate()?;
        Driver::bind(root, function, options)
    }

    /// The same on a function which is enumerated already.
    pub fn bind<D: Device>(
        root: &mut Bench<D>,
        function: Function,
        options: Options,
    ) -> Result<Driver, DriverError> {
        let mut driver = Driver::unbound(root, function, options);
        driver.initialise(root)?;
        Ok(driver)
    }

    /// A driver which has done nothing yet.
    pub fn unbound<D: Device>(root: &mut Bench<D>, function: Function, options: Options) -> Driver {
        let idle = Ring::new(&mut root.memory, RX, 2, memory::RINGS);
        Driver { function, options, features: 0, rx: idle.clone(), tx: idle, control: None, tx_slots: vec![] }
    }

    /// The initialisation list, from reset to DRIVER_OK. May be run again at any time.
    pub fn initialise<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        self.negotiate(root)?;
        self.setup_queue(root, RX)?;
        self.setup_queue(root, TX)?;
        if self.features >> net::F_CTRL_VQ & 1 == 1 {
            self.setup_control(root)?;
        }
        self.go(root)?;
        self.post_buffers(root)
    }

    /// Sets DRIVER_OK.
    pub fn go<D: Device>(&self, root: &mut Bench<D>) -> Result<(), DriverError> {
        let ready = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK;
        self.set_status(root, ready)
    }

    /// Posts the receive buffers of the options, and kicks if there are any.
    pub fn post_buffers<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        for slot in 0..self.options.rx_buffers {
            let addr = memory::RX + u64::from(slot) * memory::SLOT + self.options.skew;
            self.post(root, RX, &[Buffer { addr, len: self.options.rx_bytes, writable: true }])?;
        }
        if self.options.rx_buffers > 0 { self.notify(root, RX) } else { Ok(()) }
    }

    /// Device reset: writes 0 and waits until it reads 0.
    pub fn reset<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        let common = self.function.common.offset;
        root.bar_write(common + common::DEVICE_STATUS, &[0])?;
        for _ in 0..RESET_READS {
            if self.status(root)? == 0 {
                root.monitor.order.forget_all();
                return Ok(());
            }
            root.run(RESET_PAUSE);
        }
        let limit = RESET_READS * RESET_PAUSE;
        Err(WaitError { name: "device_status reads 0".into(), limit, idle: false }.into())
    }

    /// Reads `N` bytes of the common configuration structure.
    pub fn common<const N: usize, D: Device>(
        &self,
        root: &mut Bench<D>,
        field: u64,
    ) -> Result<[u8; N], DriverError> {
        let mut bytes = [0; N];
        root.bar_read(self.function.common.offset + field, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes a field of the common configuration structure.
    pub fn set_common<D: Device>(
        &self,
        root: &mut Bench<D>,
        field: u64,
        data: &[u8],
    ) -> Result<(), DriverError> {
        Ok(root.bar_write(self.function.common.offset + field, data)?)
    }

    /// Reads device_status.
    pub fn status<D: Device>(&self, root: &mut Bench<D>) -> Result<u8, DriverError> {
        Ok(self.common::<1, D>(root, common::DEVICE_STATUS)?[0])
    }

    /// Writes device_status.
    pub fn set_status<D: Device>(&self, root: &mut Bench<D>, value: u8) -> Result<(), DriverError> {
        self.set_common(root, common::DEVICE_STATUS, &[value])
    }

    /// Reads the 128 feature bits that may be offered.
    pub fn offered<D: Device>(&self, root: &mut Bench<D>) -> Result<u128, DriverError> {
        let mut offered = 0;
        for select in 0..FEATURE_WINDOWS {
            self.set_common(root, common::DEVICE_FEATURE_SELECT, &select.to_le_bytes())?;
            let window = u32::from_le_bytes(self.common(root, common::DEVICE_FEATURE)?);
            offered |= u128::from(window) << (32 * select);
        }
        Ok(offered)
    }

    /// Writes the accepted feature bits, all 128.
    pub fn accept<D: Device>(&self, root: &mut Bench<D>, features: u128) -> Result<(), DriverError> {
        for select in 0..FEATURE_WINDOWS {
            self.set_common(root, common::DRIVER_FEATURE_SELECT, &select.to_le_bytes())?;
            let window = (features >> (32 * select)) as u32;
            self.set_common(root, common::DRIVER_FEATURE, &window.to_le_bytes())?;
        }
        Ok(())
    }

    /// The initialisation list from reset to FEATURES_OK; vectors too.
    pub fn negotiate<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        self.reset(root)?;
        self.set_status(root, status::ACKNOWLEDGE)?;
        self.set_status(root, status::ACKNOWLEDGE | status::DRIVER)?;
        let offered = self.offered(root)?;
        let split = if self.options.packed { 0 } else { 1 << virtio::F_RING_PACKED };
        self.features = offered & self.options.features & !split;
        self.accept(root, self.features)?;
        let wanted = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;
        self.set_status(root, wanted)?;
        if self.status(root)? & status::FEATURES_OK == 0 {
            return Err(DriverError::FeaturesRefused { offered, accepted: self.features });
        }
        self.program_vectors(root)
    }

    fn program_vectors<D: Device>(&mut self, root: &mut Bench<D>) -> Result<(), DriverError> {
        for vector in 0..self.function.vectors {
            let (addr, data) = message(vector);
            root.program_vector(&self.function, vector, addr, data, false)?;
        }
        self.set_common(root, common::CONFIG_MSIX_VECTOR, &CONFIG_VECTOR.to_le_bytes())
    }

    /// Sets up and enables a queue, with fresh memory.
    pub fn setup_queue<D: Device>(&mut self, root: &mut Bench<D>, number: u16) -> Result<(), DriverError> {
        let base = memory::RINGS + u64::from(number) * memory::RING_STRIDE;
        let ring = self.enable_queue(root, number, base)?;
        if number == RX {
            self.rx = ring;
        } else {
            self.tx = ring;
            self.tx_slots = (0..memory::SLOTS).rev().collect();
        }
        Ok(())
    }

    /// Makes a ring at `base` and enables the queue with it.
    pub fn enable_queue<D: Device>(
        &self,
        root: &mut Bench<D>,
        number: u16,
        base: u64,
    ) -> Result<Ring, DriverError> {
        self.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
        let most = u16::from_le_bytes(self.common(root, common::QUEUE_SIZE)?);
        let size = self.options.queue_size.min(most);
        self.set_common(root, common::QUEUE_SIZE, &size.to_le_bytes())?;
        let packed = self.features >> virtio::F_RING_PACKED & 1 == 1;
        let make = if packed { Ring::new_packed } else { Ring::new };
        let mut ring = make(&mut root.memory, number, size, base);
        ring.event_idx = self.features >> virtio::F_EVENT_IDX & 1 == 1;
        if self.features >> virtio::F_INDIRECT_DESC & 1 == 1 {
            let base = memory::TABLES + base - memory::RINGS;
            ring.tables = self.options.tables.map(|direct| Tables { base, direct });
        }
        self.set_common(root, common::QUEUE_MSIX_VECTOR, &(number + 1).to_le_bytes())?;
        self.set_common(root, common::QUEUE_DESC, &ring.areas.desc.to_le_bytes())?;
        self.set_common(root, common::QUEUE_DRIVER, &ring.areas.driver.to_le_bytes())?;
        self.set_common(root, common::QUEUE_DEVICE, &ring.areas.device.to_le_bytes())?;
        self.set_common(root, common::QUEUE_ENABLE, &1u16.to_le_bytes())?;
        let message = Some(message(number + 1));
        let used = if packed { ring.areas.desc } else { ring.areas.device };
        root.monitor.order.watch(number, Watched { used, size, packed, message });
        Ok(ring)
    }

    /// Resets one queue by VIRTIO_F_RING_RESET and waits for its end. It is not enabled again.
    pub fn reset_queue<D: Device>(&mut self, root: &mut Bench<D>, number: u16) -> Result<(), DriverError> {
        self.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
        self.set_common(root, common::QUEUE_RESET, &1u16.to_le_bytes())?;
        for _ in 0..RESET_READS {
            if u16::from_le_bytes(self.common(root, common::QUEUE_RESET)?) == 0 {
                root.monitor.order.forget(number);
                return Ok(());
            }
            root.run(RESET_PAUSE);
        }
        let limit = RESET_READS * RESET_PAUSE;
        Err(WaitError { name: format!("queue_reset of queue {number} reads 0"), limit, idle: false }.into())
    }

    /// Where the doorbell of a queue is in the BAR.
    pub fn doorbell<D: Device>(&self, root: &mut Bench<D>, number: u16) -> Result<u64, DriverError> {
        self.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
        let off = u16::from_le_bytes(self.common(root, common::QUEUE_NOTIFY_OFF)?);
        Ok(self.function.notify.offset + u64::from(off) * u64::from(self.function.notify_multiplier))
    }

    /// What is written there. [virtio 1.4: Driver Notifications]
    pub fn notification<D: Device>(
        &self,
        root: &mut Bench<D>,
        number: u16,
        ring: Option<&Ring>,
    ) -> Result<Vec<u8>, DriverError> {
        let mut name = number;
        if self.features >> virtio::F_NOTIF_CONFIG_DATA & 1 == 1 {
            self.set_common(root, common::QUEUE_SELECT, &number.to_le_bytes())?;
            name = u16::from_le_bytes(self.common(root, common::QUEUE_NOTIFY_DATA)?);
        }
        let with_index = self.features >> virtio::F_NOTIFICATION_DATA & 1 == 1;
        let index = ring.filter(|_| with_index).map(|ring| ring.available().to_le_bytes());
        Ok(name.to_le_bytes().into_iter().chain(index.into_iter().flatten()).collect())
    }

    /// Rings the doorbell of a queue.
    pub fn kick<D: Device>(&mut self, root: &mut Bench<D>, number: u16) -> Result<(), DriverError> {
        let at = self.doorbell(root, number)?;
        let ring = [Some(&self.rx), Some(&self.tx), self.control.as_ref()];
        let ring = ring.into_iter().flatten().find(|ring| ring.number == number);
        let bytes = self.notification(root, number, ring)?;
        Ok(root.bar_write(at, &bytes)?)
    }
}

/// Address and data of the message which the driver programs for `vector`.
pub fn message(vector: u16) -> (u64, u32) {
    (MsiSink::X86.start, u32::from(vector))
}

/// Feature bits, by 32.
const FEATURE_WINDOWS: u32 = u128::BITS / 32;

/// How often a reset's end is looked for, and the cycles between.
const RESET_READS: u64 = 64;
const RESET_PAUSE: u64 = 64;
