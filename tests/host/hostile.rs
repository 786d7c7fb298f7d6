//! A hostile device: contents at random, looping chains, lying lengths, rings that point anywhere, memory scribbled on while it
//! is in use. Nothing of ours panics, hangs, or reaches beyond what it has mapped. Thousands of devices, one seed.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use hematite_abi::space::{ConfigParams, config_space};
use hematite_abi::{common, config, feature, ident, layout, msix, net, pci_cap};
use hematite_host::bus::{Bar, Bus, Holder, Width};
use hematite_host::control::{Command, Mode, Options, RX, TX, bring_up};
use hematite_host::error::Error;
use hematite_host::feature::FeatureSet;
use hematite_host::memory::DmaMemory;
use hematite_host::report::{Config, Counters, FeatureReport, Health, List, Queues, Show};
use hematite_host::ring::look::{self, Addresses, Ram};
use hematite_host::validate::{Plan, Validation};
use hematite_host::{Address, Function, Result};
use hematite_sim::seed::{ReplayLine, Seed};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// More accesses than this for one verb are a hang.
const ACCESSES: u64 = 400_000;
/// How long a driver waits for such a device.
const PATIENCE: Duration = Duration::from_millis(1);

/// The device.
struct Hostile {
    rng: ChaCha8Rng,
    address: Address,
    holder: Holder,
    config: Vec<u8>,
    sizes: [u64; 6],
    /// What was written to the first BAR, which is read again now and then.
    bar: Vec<u8>,
    /// In percent: how often a read is a lie.
    lies: u32,
    memory: Option<(File, u64)>,
    accesses: u64,
}

impl Hostile {
    /// One that is like ours but for what is changed at random; `lies` says how often a register lies.
    fn new(mut rng: ChaCha8Rng, lies: u32, holder: Holder) -> Hostile {
        let bytes = [64, 256, 4096][rng.random_range(0..12usize).min(2)];
        let mut words = vec![0; config::SPACE_BYTES];
        for reg in config_space(&ConfigParams::new(10, 9, 256)) {
            words[reg.offset..reg.offset + 4].copy_from_slice(&reg.reset.to_le_bytes());
        }
        let sizes = [layout::BAR_BYTES, 0, 0, 0, rng.random_range(0..1 << 20), u64::MAX];
        let mut one = Hostile {
            rng,
            address: Address::Pci("0000:00:01.0".parse().unwrap()),
            holder,
            config: words,
            sizes,
            bar: vec![0; layout::BAR_BYTES as usize],
            lies,
            memory: None,
            accesses: 0,
        };
        one.spoil_config();
        one.config.truncate(bytes);
        one.fill_bar();
        one
    }

    /// Bytes at random, and the places where it hurts: pointers, lengths, BARs, offsets.
    fn spoil_config(&mut self) {
        let spoils = self.rng.random_range(0..8) * self.lies / 10;
        for _ in 0..spoils {
            let cap = layout::CHAIN[self.rng.random_range(0..layout::CHAIN.len())].offset;
            let inspection = layout::CAP_INSPECTION;
            let at = [
                config::CAP_POINTER,
                cap + 1,
                cap + pci_cap::CAP_LEN,
                cap + pci_cap::CFG_TYPE,
                cap + pci_cap::BAR,
                cap + pci_cap::OFFSET + self.rng.random_range(0..4usize),
                cap + pci_cap::LENGTH + self.rng.random_range(0..4usize),
                layout::CAP_MSIX + self.rng.random_range(0..msix::CAP_BYTES),
                inspection + self.rng.random_range(0..ident::VSEC_BYTES),
                self.rng.random_range(0..config::SPACE_BYTES),
            ];
            let at = at[self.rng.random_range(0..at.len())];
            self.config[at] = match self.rng.random_range(0..4) {
                0 => 0xff,
                1 => 0,
                2 => layout::CHAIN[self.rng.random_range(0..layout::CHAIN.len())].offset as u8,
                _ => self.rng.random(),
            };
        }
        self.config[config::COMMAND] |= config::COMMAND_MEMORY as u8;
    }

    /// What an honest device would say, so that some get far.
    fn fill_bar(&mut self) {
        let common_at = layout::COMMON_OFFSET as usize;
        self.bar[common_at + common::NUM_QUEUES] = 9;
        self.bar[common_at + common::QUEUE_SIZE + 1] = 1;
        self.bar[layout::DEVICE_OFFSET as usize + net::MAX_VIRTQUEUE_PAIRS] = 4;
        let inspection = layout::INSPECTION_OFFSET as usize;
        self.bar[inspection + ident::PARAM_QUEUES] = 9;
        self.bar[inspection + ident::COUNTER_COUNT] = ident::COUNTERS.len() as u8;
    }

    fn count(&mut self) {
        self.accesses += 1;
        assert!(self.accesses < ACCESSES, "{} accesses: a hang", self.accesses);
    }

    fn lie(&mut self) -> bool {
        let lies = self.lies;
        self.rng.random_range(0..100) < lies
    }

    /// Writes anything anywhere into the driver's memory, rings above all.
    fn scribble(&mut self) {
        let Some((file, bytes)) = &self.memory else { return };
        for _ in 0..self.rng.random_range(0..6) {
            // The first pages hold the rings.
            let end = if self.rng.random_bool(0.8) { (*bytes).min(24 << 10) } else { *bytes };
            let length = [1usize, 2, 4, 8, 16][self.rng.random_range(0..5)];
            let at = self.rng.random_range(0..end - 16);
            let small = self.rng.random_bool(0.5);
            let data: Vec<u8> = (0..length)
                .map(|_| if small { self.rng.random_range(0..4) } else { self.rng.random() })
                .collect();
            file.write_all_at(&data, at).expect("the memory is there");
        }
    }
}

impl Bus for Hostile {
    fn address(&self) -> &Address {
        &self.address
    }
    fn holder(&self) -> &Holder {
        &self.holder
    }
    fn config_bytes(&self) -> usize {
        self.config.len()
    }
    fn config_read(&mut self, offset: usize, data: &mut [u8]) -> Result<()> {
        self.count();
        let length = data.len();
        assert!(offset + length <= self.config.len(), "{offset:#x}+{length} of configuration space");
        data.copy_from_slice(&self.config[offset..offset + length]);
        if self.lies > 0 && self.rng.random_range(0..1000) < self.lies {
            self.rng.fill(data);
        }
        Ok(())
    }
    fn config_write(&mut self, offset: usize, data: &[u8]) -> Result<()> {
        self.count();
        assert!(offset + data.len() <= self.config.len(), "{offset:#x} of configuration space");
        self.config[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn bar_bytes(&self, bar: Bar) -> u64 {
        self.sizes[bar.number()]
    }
    fn bar_read(&mut self, bar: Bar, offset: u64, width: Width) -> Result<u32> {
        self.count();
        let bytes = width.bytes();
        let end = offset.checked_add(bytes as u64).expect("no access wraps");
        assert!(end <= self.bar_bytes(bar), "{offset:#x} of {bar}");
        // A bus refuses what is not aligned, as the real ones do.
        if !offset.is_multiple_of(bytes as u64) {
            return Err(Error::Device(format!("{offset:#x} is not aligned")));
        }
        if self.lie() || end > self.bar.len() as u64 || bar.number() != 0 {
            return Ok(self.rng.random::<u32>() >> self.rng.random_range(0..32));
        }
        let at = offset as usize;
        let honest = layout::COMMON_OFFSET as usize + common::DEVICE_FEATURE;
        if at == honest {
            let select = self.bar[layout::COMMON_OFFSET as usize + common::DEVICE_FEATURE_SELECT];
            return Ok((feature::OFFERED >> (32 * u32::from(select & 3))) as u32);
        }
        let mut word = [0; 4];
        word[..bytes].copy_from_slice(&self.bar[at..at + bytes]);
        Ok(u32::from_le_bytes(word))
    }
    fn bar_write(&mut self, bar: Bar, offset: u64, width: Width, value: u32) -> Result<()> {
        self.count();
        let end = offset.checked_add(width.bytes() as u64).expect("no access wraps");
        assert!(end <= self.bar_bytes(bar), "{offset:#x} of {bar}");
        if end <= self.bar.len() as u64 && bar.number() == 0 {
            let (at, bytes) = (offset as usize, width.bytes());
            // A queue reset is over at once, and has switched the queue off.
            let reset = layout::COMMON_OFFSET as usize + common::QUEUE_RESET;
            let enable = layout::COMMON_OFFSET as usize + common::QUEUE_ENABLE;
            if at == reset {
                self.bar[enable] = 0;
                return Ok(());
            }
            let select = layout::COMMON_OFFSET as usize + common::QUEUE_SELECT;
            if at == select {
                self.bar[enable] = 0;
            }
            self.bar[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        }
        self.scribble();
        Ok(())
    }
    fn map(&mut self, memory: &DmaMemory, _iova: u64) -> Result<()> {
        let file = memory.as_fd().try_clone_to_owned().expect("a descriptor");
        self.memory = Some((file.into(), memory.bytes() as u64));
        Ok(())
    }
    fn unmap(&mut self, _iova: u64, _bytes: u64) -> Result<()> {
        self.memory = None;
        Ok(())
    }
    fn arm(&mut self, vectors: u16) -> Result<u16> {
        Ok(self.rng.random_range(0..=vectors))
    }
    fn wait(&mut self, _vector: u16, _limit: Duration) -> Result<bool> {
        self.count();
        self.scribble();
        std::thread::sleep(Duration::from_micros(50));
        Ok(self.rng.random())
    }
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A way that others may ask how the case went.
fn open(seed: Seed, case: u64, holder: Holder) -> Option<(Function, ChaCha8Rng)> {
    let mut rng = seed.rng(case);
    let lies = [0, 3, 30, 90][rng.random_range(0..4usize)];
    let bus = Hostile::new(seed.rng(case + (1 << 40)), lies, holder);
    Some((Function::discover(Box::new(bus), None).ok()?, rng))
}

#[test]
fn looking_at_any_device_ends_well() {
    let seed = Seed::from_env(0x4057);
    let _replay = ReplayLine(seed);
    let (mut findings, mut answers) = (0, 0);
    for case in 0..6000 {
        let holder = match case % 3 {
            0 => Holder::Us,
            1 => Holder::Driver("virtio-pci".into()),
            _ => Holder::Nobody,
        };
        let Some((mut function, _)) = open(seed, case, holder) else { continue };
        let one = &mut function;
        findings += one.findings.len();
        List::of(one);
        answers += usize::from(Show::gather(one).is_ok());
        answers += usize::from(FeatureReport::gather(one, case % 2 == 0).is_ok());
        answers += usize::from(Config::gather(one).is_ok());
        answers += usize::from(Counters::gather(one).is_ok());
        answers += usize::from(Health::gather(one).is_ok());
        answers += usize::from(Validation::gather(one).is_ok());
        // Last, for a device with many queues takes most accesses.
        answers += usize::from(Queues::gather(one).is_ok());
    }
    assert!(findings > 1000 && answers > 10_000, "the devices lie, and are answered: {findings}, {answers}");
}

#[test]
fn driving_any_device_ends_well() {
    let seed = Seed::from_env(0x4058);
    let _replay = ReplayLine(seed);
    let (mut up, mut frames) = (0, 0);
    for case in 0..1500 {
        let Some((function, mut rng)) = open(seed, case, Holder::Us) else { continue };
        let options = Options {
            features: FeatureSet(if rng.random() { u128::MAX } else { !(1 << feature::RING_PACKED) }),
            queue_size: 1 << rng.random_range(0..9),
            receive_buffers: rng.random_range(1..64),
            limit: PATIENCE,
            ..Options::default()
        };
        let Ok(mut driver) = bring_up(function, options) else { continue };
        up += 1;
        for _ in 0..6 {
            let _ = driver.send(&vec![1; rng.random_range(0..2200)]);
            match driver.receive(PATIENCE) {
                Ok(Some(frame)) => {
                    frames += 1;
                    assert!(frame.len() <= 64 * 2048, "no frame is longer than its buffers");
                }
                Ok(None) => {}
                Err(_) => break,
            }
            let _ = driver.sent();
        }
        let _ = driver.command(&Command::SetMac([2; 6]));
        let _ = driver.command(&Command::SetMode(Mode::Promiscuous, true));
        let _ = driver.reset_queue(TX);
        let _ = driver.reset_queue(RX);
        let _ = driver.receive(PATIENCE);
        let _ = driver.finish();
    }
    assert!(up > 100, "some devices get as far as DRIVER_OK: {up}, {frames} frames");
}

#[test]
fn validating_any_device_ends_well() {
    let seed = Seed::from_env(0x4059);
    let _replay = ReplayLine(seed);
    let mut verdicts = 0;
    for case in 0..400 {
        let Some((function, _)) = open(seed, case, Holder::Us) else { continue };
        let options = Options { limit: PATIENCE, ..Options::default() };
        if let Ok(validation) = Validation::try_out(function, &Plan { frames: 4, options }) {
            verdicts += validation.failed;
        }
    }
    assert!(verdicts > 100, "lies are found: {verdicts}");
}

/// Memory in one piece somewhere, and nothing beside it.
struct Piece {
    base: u64,
    bytes: Vec<u8>,
}

impl Ram for Piece {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        let at = address.checked_sub(self.base).and_then(|at| usize::try_from(at).ok());
        let part = at.and_then(|at| self.bytes.get(at..at.checked_add(data.len())?));
        let part = part.ok_or_else(|| Error::Device(format!("{address:#x} is no memory")))?;
        data.copy_from_slice(part);
        Ok(())
    }
}

#[test]
fn rings_that_point_anywhere_are_looked_at_to_their_end() {
    let seed = Seed::from_env(0x405a);
    let _replay = ReplayLine(seed);
    let (mut seen, mut broken) = (0, 0);
    for case in 0..20_000 {
        let mut rng = seed.rng(case);
        let base = if rng.random() { 0x1000 } else { u64::MAX - 0x3fff };
        // Small numbers make loops, chains and tables; large ones point anywhere.
        let most = [2u8, 8, 255][rng.random_range(0..3usize)];
        let bytes =
            (0..0x3000).map(|_| if rng.random_bool(0.6) { 0 } else { rng.random_range(0..=most) }).collect();
        let ram = Piece { base, bytes };
        let mut place = |align: u64| match rng.random_range(0..10) {
            0 => rng.random(),
            _ => base.wrapping_add(rng.random_range(0..0x2000u64) / align * align),
        };
        let (descriptors, driver, device) = (place(16), place(2), place(4));
        let size = [0, 1, 2, 8, 64, 256, 32768, 65535, 100][rng.random_range(0..9usize)];
        let at = Addresses { size, descriptors, driver, device };
        let looked = if case % 2 == 0 { look::split(&ram, at) } else { look::packed(&ram, at) };
        if let Ok(looked) = looked {
            seen += looked.chains.len();
            broken += looked.chains.iter().filter(|chain| chain.broken.is_some()).count();
        }
    }
    assert!(seen > 10_000 && broken > 1000, "{seen} chains, {broken} broken");
}
