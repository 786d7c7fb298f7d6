//! Cuts a range of addresses at every multiple of a power of two.
//!
//! In: `job` (address and length); `limit`, a power of two from 128 to 4096, steady while a job is inside.
//! Out: `piece`, in order of address; none is longer than `limit` or crosses a multiple of it, so none crosses 4 KiB.
//! Time: the first piece two cycles after its job, then one per cycle, also from job to job.
//! Waits: on `piece` only.   A job of length 0 gives one piece of length 0.
//! Spec: [PCI Express: Max_Payload_Size, Max_Read_Request_Size; requests must not cross a 4-KB boundary]

use super::stream::{StreamSink, StreamSource};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// What to cut.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct CutJob {
    pub addr: Bits<64>,
    /// Bytes.
    pub len: Bits<32>,
}

/// A part of a job.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Piece {
    pub addr: Bits<64>,
    /// Bytes.
    pub len: Bits<13>,
    /// The last one of its job.
    pub last: Bit,
}

/// See the head of this file.
#[derive(LogicBlock, Default)]
pub struct Cut {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub limit: Signal<In, Bits<13>>,
    pub job: StreamSink<CutJob>,
    pub piece: StreamSource<Piece>,
    // The rest of the job: from here, so many bytes, so many of them to the next multiple of the limit.
    active: Reg<Bit>,
    addr: Reg<Bits<64>>,
    left: Reg<Bits<32>>,
    room: Reg<Bits<13>>,
    // The piece on offer.
    offered: Reg<Bit>,
    out: Reg<Piece>,
    into_page: Signal<Local, Bits<13>>,
    last: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
}

impl Cut {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Logic for Cut {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, addr, left, room, offered, out);
        self.last.next = self.left.q.val() <= bit_cast::<32, 13>(self.room.q.val());
        self.step.next = self.active.q.val() & (!self.offered.q.val() | self.piece.ready.val());
        self.take.next = !self.active.q.val() | (self.step.val() & self.last.val());
        self.into_page.next = bit_cast::<13, 64>(self.job.data.val().addr) & (self.limit.val() - 1);

        self.job.ready.next = self.take.val();
        self.piece.valid.next = self.offered.q.val();
        self.piece.data.next = self.out.q.val();

        if self.piece.ready.val() {
            self.offered.d.next = false;
        }
        if self.step.val() {
            self.offered.d.next = true;
            self.out.d.next.addr = self.addr.q.val();
            self.out.d.next.last = self.last.val();
            if self.last.val() {
                self.out.d.next.len = bit_cast::<13, 32>(self.left.q.val());
                self.active.d.next = false;
            } else {
                self.out.d.next.len = self.room.q.val();
            }
            self.addr.d.next = self.addr.q.val() + bit_cast::<64, 13>(self.room.q.val());
            self.left.d.next = self.left.q.val() - bit_cast::<32, 13>(self.room.q.val());
            self.room.d.next = self.limit.val();
        }
        if self.take.val() & self.job.valid.val() {
            self.active.d.next = true;
            self.addr.d.next = self.job.data.val().addr;
            self.left.d.next = self.job.data.val().len;
            self.room.d.next = self.limit.val() - self.into_page.val();
        }
        if self.reset.val() {
            self.active.d.next = false;
            self.offered.d.next = false;
        }
    }
}
