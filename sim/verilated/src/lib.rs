//! The function's RTL, as Verilator runs it: the only C++ and the only `unsafe` for it.
//!
//! A [`Model`] is one instance; several live side by side. Its four streams are queues of [`Beat`]s on this side.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

/// One beat of a TLP or of a frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// Bytes, lowest lane first, little-endian words; as many as the set is wide.
    pub data: [u32; 16],
    /// A TLP's header, in its first beat.
    pub header: [u32; 4],
    /// Bytes of a frame in this beat.
    pub count: u8,
    /// Nonzero: bad.
    pub error: u8,
    /// Nonzero: the packet's last beat.
    pub last: u8,
}

/// The functions of one parameter set's shim.
struct Set {
    name: &'static str,
    width: usize,
    new: unsafe extern "C" fn() -> *mut c_void,
    delete: unsafe extern "C" fn(*mut c_void),
    reset: unsafe extern "C" fn(*mut c_void, u64),
    step: unsafe extern "C" fn(*mut c_void, u64, c_int) -> u64,
    put_tlp: unsafe extern "C" fn(*mut c_void, *const Beat),
    put_frame: unsafe extern "C" fn(*mut c_void, *const Beat),
    take_tlp: unsafe extern "C" fn(*mut c_void, *mut Beat) -> c_int,
    take_frame: unsafe extern "C" fn(*mut c_void, *mut Beat) -> c_int,
    cycle: unsafe extern "C" fn(*mut c_void) -> u64,
    busy: unsafe extern "C" fn(*mut c_void) -> c_int,
    violations: unsafe extern "C" fn(*mut c_void) -> u64,
    stall: unsafe extern "C" fn(*mut c_void, u64, u32),
    pace: unsafe extern "C" fn(*mut c_void, u64),
    posted: unsafe extern "C" fn(*mut c_void, u64, u64),
    counts: unsafe extern "C" fn(*mut c_void, *mut u64),
    waiting: unsafe extern "C" fn(*mut c_void) -> u64,
    link: unsafe extern "C" fn(*mut c_void, c_int),
    trace: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    flush: unsafe extern "C" fn(*mut c_void),
}

include!(concat!(env!("OUT_DIR"), "/sets.rs"));

/// The parameter sets this build has.
pub fn sets() -> Vec<&'static str> {
    SETS.iter().map(|set| set.name).collect()
}

/// The Verilog of a parameter set, also of those that this build does not simulate.
pub fn verilog(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(set, _)| *set == name).map(|(_, text)| *text)
}

/// Every parameter set there is.
pub fn all_sets() -> Vec<&'static str> {
    TEXTS.iter().map(|(set, _)| *set).collect()
}

/// What one stream did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seam {
    /// Cycles in which a beat moved.
    pub moved: u64,
    /// Cycles in which a beat was offered and not taken.
    pub stalled: u64,
}

/// The four streams of the function's edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seams {
    pub tlp_in: Seam,
    pub tlp_out: Seam,
    pub frame_in: Seam,
    pub frame_out: Seam,
}

/// One instance of the function.
pub struct Model {
    set: &'static Set,
    instance: *mut c_void,
}

// SAFETY: an instance has a Verilator context of its own and shares nothing with others; `&mut self` guards every call that changes it.
unsafe impl Send for Model {}

impl Model {
    /// An instance of this parameter set, in reset; `None` if the build does not have the set.
    pub fn new(name: &str) -> Option<Model> {
        let set = SETS.iter().find(|set| set.name == name)?;
        // SAFETY: allocates an instance; `drop` gives it back.
        let instance = unsafe { (set.new)() };
        Some(Model { set, instance })
    }

    /// The set's name.
    pub fn name(&self) -> &'static str {
        self.set.name
    }

    /// Bytes in a beat.
    pub fn lanes(&self) -> usize {
        self.set.width / 8
    }

    /// Holds PCIe reset for so many cycles and lets go. What waits at the streams is gone, but for the rest of a frame which has begun
    /// to come from the wire.
    pub fn reset(&mut self, cycles: u64) {
        // SAFETY: `instance` is live until drop.
        unsafe { (self.set.reset)(self.instance, cycles) }
    }

    /// Clocks up to `most` cycles, fewer if `stop` and a packet has come out whole; returns how many.
    pub fn step(&mut self, most: u64, stop: bool) -> u64 {
        // SAFETY: as in `reset`.
        unsafe { (self.set.step)(self.instance, most, c_int::from(stop)) }
    }

    /// Queues a beat of a TLP towards the function.
    pub fn put_tlp(&mut self, beat: &Beat) {
        // SAFETY: as in `reset`; the beat is copied.
        unsafe { (self.set.put_tlp)(self.instance, beat) }
    }

    /// Queues a beat of a frame from the wire.
    pub fn put_frame(&mut self, beat: &Beat) {
        // SAFETY: as in `reset`; the beat is copied.
        unsafe { (self.set.put_frame)(self.instance, beat) }
    }

    /// The next beat of a TLP from the function.
    pub fn take_tlp(&mut self) -> Option<Beat> {
        let mut beat = Beat::default();
        // SAFETY: as in `reset`; `beat` outlives the call.
        (unsafe { (self.set.take_tlp)(self.instance, &mut beat) } != 0).then_some(beat)
    }

    /// The next beat of a frame to the wire.
    pub fn take_frame(&mut self) -> Option<Beat> {
        let mut beat = Beat::default();
        // SAFETY: as in `reset`; `beat` outlives the call.
        (unsafe { (self.set.take_frame)(self.instance, &mut beat) } != 0).then_some(beat)
    }

    /// Cycles since the instance was made.
    pub fn cycle(&self) -> u64 {
        // SAFETY: as in `reset`.
        unsafe { (self.set.cycle)(self.instance) }
    }

    /// The function holds work, or beats wait to go in.
    pub fn busy(&self) -> bool {
        // SAFETY: as in `reset`.
        unsafe { (self.set.busy)(self.instance) != 0 }
    }

    /// How often an output stream changed while it waited.
    pub fn violations(&self) -> u64 {
        // SAFETY: as in `reset`.
        unsafe { (self.set.violations)(self.instance) }
    }

    /// From now on each stream is held up at random in so many of 256 cycles.
    pub fn stall(&mut self, seed: u64, of_256: u32) {
        // SAFETY: as in `reset`.
        unsafe { (self.set.stall)(self.instance, seed, of_256) }
    }

    /// From now on TLPs of the function are taken as by a link which moves so many thousandths of a byte in a cycle;
    /// 0: whenever they come.
    pub fn pace(&mut self, thousandths: u64) {
        // SAFETY: as in `reset`.
        unsafe { (self.set.pace)(self.instance, thousandths) }
    }

    /// From now on so many posted credits may have been taken since the last reset, of headers and of 16 bytes of payload: a write
    /// that has none waits, and what is behind it too.
    pub fn posted(&mut self, headers: u64, data: u64) {
        // SAFETY: as in `reset`.
        unsafe { (self.set.posted)(self.instance, headers, data) }
    }

    /// What each stream did since the instance was made.
    pub fn seams(&self) -> Seams {
        let mut counts = [[0; 2]; 4];
        // SAFETY: as in `reset`; the shim writes eight numbers.
        unsafe { (self.set.counts)(self.instance, counts.as_mut_ptr().cast()) };
        let [tlp_in, tlp_out, frame_in, frame_out] = counts.map(|[moved, stalled]| Seam { moved, stalled });
        Seams { tlp_in, tlp_out, frame_in, frame_out }
    }

    /// Beats of frames which wait to go in.
    pub fn waiting(&self) -> u64 {
        // SAFETY: as in `reset`.
        unsafe { (self.set.waiting)(self.instance) }
    }

    /// The wire's link.
    pub fn link(&mut self, up: bool) {
        // SAFETY: as in `reset`.
        unsafe { (self.set.link)(self.instance, c_int::from(up)) }
    }

    /// Records every signal from now on to an FST file; false if it cannot be written.
    pub fn trace(&mut self, file: &Path) -> bool {
        let Ok(name) = CString::new(file.as_os_str().as_encoded_bytes()) else { return false };
        // SAFETY: as in `reset`; the name is copied.
        unsafe { (self.set.trace)(self.instance, name.as_ptr()) != 0 }
    }

    /// Brings what has been recorded to the file.
    pub fn flush(&mut self) {
        // SAFETY: as in `reset`.
        unsafe { (self.set.flush)(self.instance) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: `instance` came from `new` and goes nowhere else.
        unsafe { (self.set.delete)(self.instance) }
    }
}
