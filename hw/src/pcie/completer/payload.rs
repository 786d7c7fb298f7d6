//! A request's payload, or a completion's: beats on one side, DWORDs on the other.
//!
//! In: `put` with `beat`; `load`, the beat at the cursor is fetched; `pass`, its next DWORD; `keep` with `dword_in`; `rewind`.
//! Out: of the beat fetched: `beat_out`, all of it, and `dword`; `ends`, this DWORD is the last of its beat; `lanes`, a constant.
//! Time: what is put, kept, fetched or passed in one cycle is there in the next.   Waits: never.
//! It holds 128 bytes; what is put or kept beyond them is lost.

use crate::prim::ram::Ram;
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
    pub load: Signal<In, Bit>,
    pub pass: Signal<In, Bit>,
    pub keep: Signal<In, Bit>,
    pub dword_in: Signal<In, Bits<32>>,
    /// Back to the first DWORD.
    pub rewind: Signal<In, Bit>,
    pub beat_out: Signal<Out, Bits<W>>,
    pub dword: Signal<Out, Bits<32>>,
    /// DWORDs of a beat.
    pub lanes: Signal<Out, Bits<6>>,
    pub ends: Signal<Out, Bit>,
    // A RAM for each lane.
    banks: Vec<Ram<Bits<32>>>,
    cursor: Reg<Bits<16>>,
    lane: Reg<Bits<6>>,
    part: Signal<Local, Bits<32>>,
    whole: Signal<Local, Bits<W>>,
    place: Signal<Local, Bits<10>>,
    room: Signal<Local, Bit>,
    depth: Constant<Bits<16>>,
    dwords: Constant<Bits<6>>,
    last_lane: Constant<Bits<6>>,
    // Each lane's first bit in a beat.
    places: Vec<Constant<Bits<10>>>,
}

impl<const W: usize> Default for Payload<W> {
    fn default() -> Self {
        let depth = ACCESS_BYTES * 8 / W;
        Self {
            clock: Default::default(),
            put: Default::default(),
            beat: Default::default(),
            load: Default::default(),
            pass: Default::default(),
            keep: Default::default(),
            dword_in: Default::default(),
            rewind: Default::default(),
            beat_out: Default::default(),
            dword: Default::default(),
            lanes: Default::default(),
            ends: Default::default(),
            banks: (0..W / 32).map(|_| Ram::apart(depth)).collect(),
            cursor: Default::default(),
            lane: Default::default(),
            part: Default::default(),
            whole: Default::default(),
            place: Default::default(),
            room: Default::default(),
            depth: Constant::new(depth.to_bits()),
            dwords: Constant::new((W / 32).to_bits()),
            last_lane: Constant::new((W / 32 - 1).to_bits()),
            places: (0..W / 32).map(|lane| Constant::new((32 * lane).to_bits())).collect(),
        }
    }
}

impl<const W: usize> Logic for Payload<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, cursor, lane);
        self.room.next = self.cursor.q.val() < self.depth.val();
        self.lanes.next = self.dwords.val();
        self.ends.next = self.lane.q.val() == self.last_lane.val();
        self.whole.next = 0.into();
        for i in 0..self.banks.len() {
            self.banks[i].clock.next = self.clock.val();
            self.banks[i].read.next = self.load.val();
            self.banks[i].read_addr.next = self.cursor.q.val();
            self.banks[i].write.next =
                (self.put.val() | (self.keep.val() & (self.lane.q.val().index() == i))) & self.room.val();
            self.banks[i].write_addr.next = self.cursor.q.val();
            self.banks[i].write_data.next = self.dword_in.val();
            if self.put.val() {
                self.banks[i].write_data.next = self.beat.val().get_bits::<32>(32 * i);
            }
            self.part.next = self.banks[i].read_data.val();
            self.whole.next = self.whole.val() | (bit_cast::<W, 32>(self.part.val()) << self.places[i].val());
        }
        self.beat_out.next = self.whole.val();
        self.place.next = bit_cast::<10, 6>(self.lane.q.val() & self.last_lane.val()) << 5;
        self.dword.next = (self.whole.val() >> self.place.val()).get_bits::<32>(0);

        if self.pass.val() | self.keep.val() {
            self.lane.d.next = self.lane.q.val() + 1;
        }
        if self.load.val() | ((self.put.val() | (self.keep.val() & self.ends.val())) & self.room.val()) {
            self.cursor.d.next = self.cursor.q.val() + 1;
        }
        if self.load.val() | (self.keep.val() & self.ends.val()) {
            self.lane.d.next = 0.into();
        }
        if self.rewind.val() {
            self.cursor.d.next = 0.into();
            self.lane.d.next = 0.into();
        }
    }
}
