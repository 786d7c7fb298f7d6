//! What the tests share: bodies of the device, and a bench with a driver on it.

pub mod body;
pub mod evidence;
pub mod packet;

pub use body::{Make, model, rtl};
use evidence::Evidence;
use hematite_abi::{ident, layout};
pub use hematite_hw::params::Params;
use hematite_sim::Device;
use hematite_sim::driver::{self, Driver, DriverError, Options};
use hematite_sim::facts::virtio;
use hematite_sim::root::{LinkModel, Message, Root, Windows};
use hematite_sim::seed::Seed;

/// Runs each test on every body. A test is a `fn(Make)`; a body more is a module more here.
///
/// `model` and `rtl` are of set SIM. BOARD and MAX cost half a minute of a C++ compiler: feature `all-sets`, on in
/// `cargo xtask test`.
#[macro_export]
macro_rules! on_bodies {
    ($($test:ident),* $(,)?) => {
        $crate::on_bodies!(@body tiny, rtl(&$crate::Params::TINY), $($test)*);
        $crate::on_bodies!(but TINY: $($test),*);
    };
    (but TINY: $($test:ident),* $(,)?) => {
        $crate::on_bodies!(@body model, model(&$crate::Params::SIM), $($test)*);
        $crate::on_bodies!(@body rtl, rtl(&$crate::Params::SIM), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_bodies!(@body board, rtl(&$crate::Params::BOARD), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_bodies!(@body max, rtl(&$crate::Params::MAX), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_bodies!(@body max_model, model(&$crate::Params::MAX), $($test)*);
    };
    (@body $name:ident, $make:ident($params:expr), $($test:ident)*) => {
        mod $name {
            $(#[test] fn $test() { super::$test($crate::$make($params)) })*
        }
    };
}

/// Runs each test with packed rings too: `packed_model`, `packed_rtl` and so on, as [`on_bodies`] does with split ones.
#[macro_export]
macro_rules! on_packed {
    ($($test:ident),* $(,)?) => {
        $crate::on_packed!(@body packed_model, model(&$crate::Params::SIM), $($test)*);
        $crate::on_packed!(@body packed_rtl, rtl(&$crate::Params::SIM), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_packed!(@body packed_board, rtl(&$crate::Params::BOARD), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_packed!(@body packed_max, rtl(&$crate::Params::MAX), $($test)*);
        #[cfg(feature = "all-sets")]
        $crate::on_packed!(@body packed_max_model, model(&$crate::Params::MAX), $($test)*);
    };
    (@body $name:ident, $make:ident($params:expr), $($test:ident)*) => {
        mod $name {
            $(#[test] fn $test() { super::$test($crate::$make($params).packed()) })*
        }
    };
}

/// Cycles within which everything has to come to rest, unless a test says otherwise.
pub const REST: u64 = 200_000;

/// A root complex around one body.
pub type BareRoot = Root<Box<dyn Device>, Windows>;

/// A root complex around one body, and a driver which has reached DRIVER_OK.
pub struct Bench {
    pub root: BareRoot,
    pub driver: Driver,
    pub evidence: Evidence,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if !failed && !evidence::wanted() {
            return;
        }
        match self.evidence.write() {
            Err(error) => eprintln!("no evidence: {error:#}"),
            Ok(()) => eprintln!("evidence: {}, .pcap", self.evidence.tlp.display()),
        }
        if failed && !evidence::wanted() {
            eprintln!("replay: with {}=1 it leaves a waveform (.fst) too", evidence::VARIABLE);
        }
    }
}

/// A root complex around a fresh body, with the driver's memory and nothing done yet.
pub fn root(make: Make, link: LinkModel) -> BareRoot {
    around(make.device(), link)
}

fn around(mut device: Box<dyn Device>, link: LinkModel) -> BareRoot {
    device.reset();
    Root::new(device, driver::windows(), link)
}

impl Bench {
    /// Fast link.
    pub fn new(make: Make, options: Options) -> Bench {
        Bench::with_link(make, options, LinkModel::fast())
    }

    /// Any link.
    pub fn with_link(make: Make, options: Options, link: LinkModel) -> Bench {
        Bench::on(make.device(), make.asks(options), link)
    }

    fn on(device: Box<dyn Device>, options: Options, link: LinkModel) -> Bench {
        let mut root = around(device, link);
        let evidence = Evidence::default();
        root.tap(Box::new(evidence.clone()));
        let driver =
            Driver::start(&mut root, options).unwrap_or_else(|error| panic!("driver start: {error}"));
        let mut bench = Bench { root, driver, evidence };
        bench.rest();
        bench.root.msi.drain();
        bench
    }

    /// Latency, splitting and reordering from the seed of the run; the streams of the RTL are held up.
    pub fn random(make: Make, options: Options, seed: Seed) -> Bench {
        Bench::on(make.held_up(seed), make.asks(options), LinkModel::random(seed.0))
    }

    /// Runs until nothing moves.
    pub fn rest(&mut self) {
        self.rest_within(REST);
    }

    /// Runs until nothing moves, at most `limit` cycles.
    pub fn rest_within(&mut self, limit: u64) {
        assert!(self.root.pump(limit), "{} does not rest within {limit} cycles", self.root.device.name());
    }

    /// Frames which the device has sent to the wire.
    pub fn wire(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.root.frame_out()).collect()
    }

    /// Vectors of the interrupts which have come, in order.
    pub fn vectors(&mut self) -> Vec<u32> {
        self.root.msi.drain().into_iter().map(|Message { data, .. }| data).collect()
    }

    /// Sends frames and takes back their chains: what came out on the wire.
    pub fn transmit(&mut self, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
        for frame in frames {
            self.driver.post_tx(&mut self.root, frame, &[]).expect("transmit ring takes the frame");
        }
        self.driver.notify(&mut self.root, driver::TX).expect("kick");
        self.rest();
        for _ in frames {
            let used = self.take_tx().expect("chain used");
            assert_eq!(used.len, 0, "transmit chains are used with length 0");
        }
        self.wire()
    }

    /// Takes a used transmit chain.
    pub fn take_tx(&mut self) -> Option<hematite_sim::ring::Used> {
        self.driver.take_tx(&mut self.root).unwrap_or_else(|error| panic!("transmit ring: {error}"))
    }

    /// Puts a frame on the wire and takes what the driver receives.
    pub fn receive(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        self.root.frame_in(frame.to_vec());
        self.rest();
        self.received()
    }

    /// Takes what the driver has received.
    pub fn received(&mut self) -> Option<Vec<u8>> {
        self.driver.receive(&mut self.root).unwrap_or_else(|error| panic!("receive ring: {error}"))
    }

    /// The device works: a frame each way, with its interrupt. To be called after every misdeed and reset.
    pub fn works(&mut self) {
        self.root.msi.drain();
        let (out, back) = (frame(60, 0x51), frame(61, 0x52));
        assert_eq!(self.transmit(std::slice::from_ref(&out)), [out], "transmit");
        assert_eq!(self.vectors(), [u32::from(driver::TX) + 1], "transmit interrupt");
        assert_eq!(self.receive(&back).as_deref(), Some(back.as_slice()), "receive");
        assert_eq!(self.vectors(), [u32::from(driver::RX) + 1], "receive interrupt");
        self.rest();
        self.quiet();
    }

    /// Resets the device as a driver does after DEVICE_NEEDS_RESET, and shows that it works again.
    pub fn recovers(&mut self) {
        self.root.faults.clear();
        self.driver.initialise(&mut self.root).unwrap_or_else(|error| panic!("after reset: {error}"));
        self.rest();
        self.wire();
        self.works();
    }

    /// No rule of the port was broken.
    pub fn quiet(&mut self) {
        let now = self.root.device.now();
        self.root.monitor.at_rest(now);
        self.root.monitor.assert_silent();
    }

    /// A word of the inspection region.
    pub fn inspect(&mut self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        self.root.bar_read(layout::INSPECTION_OFFSET + offset as u64, &mut bytes).expect("inspection region");
        u32::from_le_bytes(bytes)
    }

    /// One of the function's counters.
    pub fn counter(&mut self, counter: usize) -> u32 {
        self.inspect(ident::COUNTERS_OFFSET + 4 * counter)
    }

    /// Reads device_status.
    pub fn status(&mut self) -> u8 {
        self.driver.status(&mut self.root).expect("device_status")
    }

    /// Does something of the driver's which must not fail.
    pub fn drive<T>(&mut self, act: impl FnOnce(&mut Driver, &mut BareRoot) -> Result<T, DriverError>) -> T {
        act(&mut self.driver, &mut self.root).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A driver without VIRTIO_F_EVENT_IDX.
pub fn flags_only() -> Options {
    Options { features: !(1 << virtio::F_EVENT_IDX), ..Options::default() }
}

/// No interrupt.
pub const NONE: [u32; 0] = [];

/// A frame of `len` bytes whose contents name it.
pub fn frame(len: usize, mark: u8) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(7).wrapping_add(mark)).collect();
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame
}
