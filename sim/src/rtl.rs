//! The device as Verilator runs its RTL.

use crate::device::Device;
use crate::root::credits::Credits;
use crate::root::tlp::Tlp;
use hematite_abi::tlp;
use hematite_verilated::{Beat, Model};
pub use hematite_verilated::{Seam, Seams};
use std::collections::VecDeque;
use std::path::Path;

/// The Verilog of a parameter set, or which sets there are.
pub fn verilog(params: &str) -> Result<&'static str, String> {
    hematite_verilated::verilog(params).ok_or_else(|| {
        format!("no parameter set {params}: there are {}", hematite_verilated::all_sets().join(", "))
    })
}

/// Cycles for which PCIe reset is held.
const RESET_CYCLES: u64 = 8;

/// The RTL of one parameter set.
pub struct Rtl {
    model: Model,
    name: String,
    /// Beats of a packet that is not yet whole.
    tlp: Vec<Beat>,
    frame: Vec<Beat>,
    tlps: VecDeque<Tlp>,
    frames: VecDeque<Vec<u8>>,
}

impl Rtl {
    /// An instance, out of reset; or which sets there are.
    pub fn new(params: &str) -> Result<Rtl, String> {
        let model = Model::new(params).ok_or_else(|| {
            format!(
                "no RTL of parameter set {params} in this build: there are {} (all with feature all-sets of hematite-sim)",
                hematite_verilated::sets().join(", ")
            )
        })?;
        let name = format!("rtl {params}");
        let mut rtl = Rtl {
            model,
            name,
            tlp: Vec::new(),
            frame: Vec::new(),
            tlps: VecDeque::new(),
            frames: VecDeque::new(),
        };
        rtl.reset();
        Ok(rtl)
    }

    /// Records every signal to an FST file from now on.
    pub fn trace(&mut self, file: &Path) -> Result<(), String> {
        if self.model.trace(file) {
            Ok(())
        } else {
            Err(format!("cannot write the trace {}", file.display()))
        }
    }

    /// Brings the trace to its file.
    pub fn flush(&mut self) {
        self.model.flush();
    }

    /// Holds the streams up at random, in so many of 256 cycles.
    pub fn stall(&mut self, seed: u64, of_256: u32) {
        self.model.stall(seed, of_256);
    }

    /// How often an output stream broke the handshake.
    pub fn violations(&self) -> u64 {
        self.model.violations()
    }

    /// From now on TLPs are taken as by a link which moves so many thousandths of a byte in a cycle; 0: whenever they come.
    pub fn pace(&mut self, thousandths: u64) {
        self.model.pace(thousandths);
    }

    /// What each stream did since the instance was made.
    pub fn seams(&self) -> Seams {
        self.model.seams()
    }

    /// Beats of frames which wait to go in.
    pub fn waiting(&self) -> u64 {
        self.model.waiting()
    }

    /// Bytes of a beat.
    pub fn lanes(&self) -> usize {
        self.model.lanes()
    }

    fn collect(&mut self) {
        while let Some(beat) = self.model.take_tlp() {
            self.tlp.push(beat);
            if beat.last != 0 {
                self.tlps.push_back(whole_tlp(&self.tlp, self.model.lanes()));
                self.tlp.clear();
            }
        }
        while let Some(beat) = self.model.take_frame() {
            self.frame.push(beat);
            if beat.last != 0 {
                if beat.error == 0 {
                    let mut bytes = Vec::with_capacity(self.frame.len() * self.model.lanes());
                    self.frame.iter().for_each(|beat| append(&mut bytes, beat, usize::from(beat.count)));
                    self.frames.push_back(bytes);
                }
                self.frame.clear();
            }
        }
    }
}

/// The first `count` bytes of a beat, lane 0 first.
fn append(bytes: &mut Vec<u8>, beat: &Beat, count: usize) {
    let end = bytes.len() + count;
    beat.data[..count.div_ceil(4)].iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    bytes.truncate(end);
}

/// Bytes of payload a header promises.
fn payload(header: &[u32; 4]) -> usize {
    if header[0] >> tlp::HAS_DATA_BIT & 1 == 0 {
        return 0;
    }
    let length = (header[0] >> tlp::LENGTH_LSB) as usize & ((1 << tlp::LENGTH_BITS) - 1);
    4 * if length == 0 { 1 << tlp::LENGTH_BITS } else { length }
}

fn whole_tlp(beats: &[Beat], width: usize) -> Tlp {
    let header = beats[0].header;
    let mut data = Vec::with_capacity(beats.len() * width);
    beats.iter().for_each(|beat| append(&mut data, beat, width));
    data.truncate(payload(&header));
    Tlp { header, data, error: beats.last().is_some_and(|b| b.error != 0) }
}

/// Bytes into beats; `mark` sees each beat with the number of bytes in it and whether it is the last.
fn beats(bytes: &[u8], width: usize, mut mark: impl FnMut(&mut Beat, usize, bool)) {
    let chunks = bytes.len().div_ceil(width).max(1);
    for n in 0..chunks {
        let chunk = &bytes[n * width..bytes.len().min((n + 1) * width)];
        let mut beat = Beat::default();
        for (lane, byte) in chunk.iter().enumerate() {
            beat.data[lane / 4] |= u32::from(*byte) << (8 * (lane % 4));
        }
        mark(&mut beat, chunk.len(), n + 1 == chunks);
    }
}

impl Device for Rtl {
    fn reset(&mut self) {
        self.model.reset(RESET_CYCLES);
        self.tlp.clear();
        self.frame.clear();
        self.tlps.clear();
        self.frames.clear();
    }

    fn tlp_in(&mut self, tlp: Tlp) {
        let model = &mut self.model;
        beats(&tlp.data, model.lanes(), |beat, _, last| {
            beat.header = tlp.header;
            beat.last = u8::from(last);
            beat.error = u8::from(last && tlp.error);
            model.put_tlp(beat);
        });
    }

    fn tlp_out(&mut self) -> Option<Tlp> {
        self.tlps.pop_front()
    }

    fn frame_in(&mut self, frame: Vec<u8>) {
        if frame.is_empty() {
            return;
        }
        let model = &mut self.model;
        beats(&frame, model.lanes(), |beat, count, last| {
            beat.count = count as u8;
            beat.last = u8::from(last);
            model.put_frame(beat);
        });
    }

    fn frame_out(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    fn link(&mut self, up: bool) {
        self.model.link(up);
    }

    fn posted_limit(&mut self, limit: Credits) {
        self.model.posted(limit.headers, limit.data);
    }

    fn step(&mut self, cycles: u64) {
        self.model.step(cycles, false);
        self.collect();
    }

    fn now(&self) -> u64 {
        self.model.cycle()
    }

    fn busy(&self) -> bool {
        self.model.busy()
    }

    fn name(&self) -> &str {
        &self.name
    }
}
