//! Bodies of the device: the plain Rust model and the RTL, of each parameter set.

use std::path::Path;

use hematite_hw::params::Params;
use hematite_sim::Device;
use hematite_sim::driver::Options;
use hematite_sim::model::{Model, Shape};
use hematite_sim::root::{Credits, Tlp};
use hematite_sim::rtl::Rtl;
use hematite_sim::seed::Seed;

use crate::evidence;

/// A body, to be made as often as a test wants.
#[derive(Clone, Copy)]
pub struct Make {
    pub params: &'static Params,
    rtl: bool,
    /// The driver asks for packed rings.
    pub packed: bool,
}

/// The plain Rust body, of the shape of a parameter set.
pub const fn model(params: &'static Params) -> Make {
    Make { params, rtl: false, packed: false }
}

/// The RTL of a parameter set; with a waveform if the environment asks for evidence.
pub const fn rtl(params: &'static Params) -> Make {
    Make { params, rtl: true, packed: false }
}

impl Make {
    /// The same, with packed rings.
    pub const fn packed(self) -> Make {
        Make { packed: true, ..self }
    }

    /// What the driver asks for, in the rings of this body.
    pub fn asks(self, options: Options) -> Options {
        Options { packed: options.packed | self.packed, ..options }
    }

    /// A fresh device.
    pub fn device(self) -> Box<dyn Device> {
        if self.rtl { Box::new(self.verilated()) } else { Box::new(Model::new(shape(self.params))) }
    }

    /// A fresh device; if it is the RTL, its streams are held up at random.
    pub fn held_up(self, seed: Seed) -> Box<dyn Device> {
        if !self.rtl {
            return self.device();
        }
        let mut body = self.verilated();
        body.0.stall(seed.0, HELD_UP_OF_256);
        Box::new(body)
    }

    /// The model of the same set, to compare with.
    pub fn model(self) -> Box<dyn Device> {
        model(self.params).device()
    }

    /// The RTL, its waveform in a file.
    pub fn traced(self, file: &Path) -> Rtl {
        file.parent().map_or(Ok(()), std::fs::create_dir_all).expect("folder of the evidence");
        let mut rtl = self.bare();
        rtl.trace(file).unwrap_or_else(|error| panic!("{error}"));
        rtl
    }

    fn verilated(self) -> Steady {
        Steady(if evidence::wanted() { self.traced(&evidence::claim("fst")) } else { self.bare() })
    }

    fn bare(self) -> Rtl {
        Rtl::new(self.params.name).unwrap_or_else(|error| panic!("{error}"))
    }
}

const HELD_UP_OF_256: u32 = 80;

/// What of a parameter set the model knows.
fn shape(params: &Params) -> Shape {
    Shape {
        pairs: params.pairs as u16,
        queue_max: params.queue_max as u16,
        read_bytes: params.read_bytes,
        payload_bytes: params.payload_bytes,
        frame_bytes: params.frame_bytes,
        mac: params.mac,
        features: params.features,
        mtu: (params.frame_bytes - TAGGED_HEADER_BYTES) as u16,
        speed: params.speed_mbps,
        clock_mhz: params.clock_mhz as u64,
        ..Shape::default()
    }
}

/// Ethernet header and one VLAN tag.
const TAGGED_HEADER_BYTES: usize = 18;

/// The RTL, and an eye on its output streams: what is offered has to stay until it is taken.
struct Steady(Rtl);

impl Device for Steady {
    fn reset(&mut self) {
        self.0.reset();
    }
    fn tlp_in(&mut self, tlp: Tlp) {
        self.0.tlp_in(tlp);
    }
    fn tlp_out(&mut self) -> Option<Tlp> {
        self.0.tlp_out()
    }
    fn frame_in(&mut self, frame: Vec<u8>) {
        self.0.frame_in(frame);
    }
    fn frame_out(&mut self) -> Option<Vec<u8>> {
        self.0.frame_out()
    }
    fn link(&mut self, up: bool) {
        self.0.link(up);
    }
    fn posted_limit(&mut self, limit: Credits) {
        self.0.posted_limit(limit);
    }
    fn step(&mut self, cycles: u64) {
        self.0.step(cycles);
        assert_eq!(self.0.violations(), 0, "{}: an output stream changed while it waited", self.0.name());
    }
    fn now(&self) -> u64 {
        self.0.now()
    }
    fn busy(&self) -> bool {
        self.0.busy()
    }
    fn name(&self) -> &str {
        self.0.name()
    }
}
