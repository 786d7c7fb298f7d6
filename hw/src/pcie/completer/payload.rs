//! A request's payload, or a completion's: beats on one side, DWORDs on the other.
//!
//! In: `put` with `beat`; `load`, `shift` with `dword_in`, `store`, `step`, `rewind`: at most one in a cycle.
//! Out: `beat_out`, the beat at the cursor; `dword`, the next to write; `whole`, as many DWORDs as a beat has are shifted;
//! `ends`, all but one; `lanes`, a constant.
//! Time: what is put, loaded, shifted or stored in one cycle is there in the next.   Waits: never.
//! It holds 128 bytes; beats put beyond them are lost.

use crate::prim::lutram::Lutram;
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// The largest request served, bytes.
pub const ACCESS_BYTES: usize = 128;

/// See the head of this file.
#[derive(LogicBlock)]
pub struct Payload<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub put: Signal<In, Bit>,
    pub beat: Signal<In, Bits<W>>,
    /// Takes the beat at the cursor apart.
    pub load: Signal<In, Bit>,
    pub shift: Signal<In, Bit>,
    pub dword_in: Signal<In, Bits<32>>,
    /// Keeps the beat put together, at the cursor.
    pub store: Signal<In, Bit>,
    pub step: Signal<In, Bit>,
    pub rewind: Signal<In, Bit>,
    pub beat_out: Signal<Out, Bits<W>>,
    pub dword: Signal<Out, Bits<32>>,
    /// DWORDs of a beat.
    pub lanes: Signal<Out, Bits<6>>,
    pub whole: Signal<Out, Bit>,
    pub ends: Signal<Out, Bit>,
    beats: Lutram<Bits<W>>,
    cursor: Reg<Bits<16>>,
    shifter: Reg<Bits<W>>,
    count: Reg<Bits<6>>,
    room: Signal<Local, Bit>,
    depth: Constant<Bits<16>>,
    dwords: Constant<Bits<6>>,
    before_last: Constant<Bits<6>>,
    top: Constant<Bits<10>>,
}

impl<const W: usize> Default for Payload<W> {
    fn default() -> Self {
        let depth = ACCESS_BYTES * 8 / W;
        Self {
            clock: Default::default(),
            put: Default::default(),
            beat: Default::default(),
            load: Default::default(),
            shift: Default::default(),
            dword_in: Default::default(),
            store: Default::default(),
            step: Default::default(),
            rewind: Default::default(),
            beat_out: Default::default(),
            dword: Default::default(),
            lanes: Default::default(),
            whole: Default::default(),
            ends: Default::default(),
            beats: Lutram::new(depth),
            cursor: Default::default(),
            shifter: Default::default(),
            count: Default::default(),
            room: Default::default(),
            depth: Constant::new(depth.to_bits()),
            dwords: Constant::new((W / 32).to_bits()),
            before_last: Constant::new((W / 32 - 1).to_bits()),
            top: Constant::new((W - 32).to_bits()),
        }
    }
}

impl<const W: usize> Logic for Payload<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, cursor, shifter, count);
        clock!(self, clock, beats);
        self.beats.read_addr.next = self.cursor.q.val();
        self.beats.write_addr.next = self.cursor.q.val();
        self.room.next = self.cursor.q.val() < self.depth.val();
        self.beats.write.next = (self.put.val() & self.room.val()) | self.store.val();
        self.beats.write_data.next = self.beat.val();
        if self.store.val() {
            self.beats.write_data.next = self.shifter.q.val();
        }
        self.beat_out.next = self.beats.read_data.val();
        self.dword.next = self.shifter.q.val().get_bits::<32>(0);
        self.lanes.next = self.dwords.val();
        self.whole.next = self.count.q.val() == self.dwords.val();
        self.ends.next = self.count.q.val() == self.before_last.val();

        if self.shift.val() {
            self.shifter.d.next =
                (self.shifter.q.val() >> 32) | (bit_cast::<W, 32>(self.dword_in.val()) << self.top.val());
            self.count.d.next = self.count.q.val() + 1;
        }
        if self.load.val() {
            self.shifter.d.next = self.beats.read_data.val();
        }
        if self.load.val() | self.store.val() | self.rewind.val() {
            self.count.d.next = 0.into();
        }
        if ((self.put.val() | self.step.val()) & self.room.val()) | self.load.val() | self.store.val() {
            self.cursor.d.next = self.cursor.q.val() + 1;
        }
        if self.rewind.val() {
            self.cursor.d.next = 0.into();
        }
    }
}
