//! One access of a register port, with someone looking on.

#![allow(dead_code, reason = "each block test uses the part it needs")]

use crate::harness::Harness;
use hematite_hw::port::mmio::MmioSlave;
use rust_hdl_core::prelude::*;

/// Cycles within which every access is answered.
const ANSWER_LIMIT: u64 = 3000;

/// A block with a register port.
pub(crate) struct Registers<B: Block> {
    pub(crate) bench: Harness<B>,
    port: fn(&mut B) -> &mut MmioSlave,
    /// Called in every cycle of an access.
    pub(crate) watch: fn(&B) -> Option<u64>,
    /// What it has answered.
    pub(crate) seen: Vec<u64>,
}

impl<B: Block> Registers<B> {
    pub(crate) fn new(
        bench: Harness<B>,
        port: fn(&mut B) -> &mut MmioSlave,
        watch: fn(&B) -> Option<u64>,
    ) -> Self {
        Registers { bench, port, watch, seen: Vec::new() }
    }

    pub(crate) fn cycle(&mut self) {
        self.bench.settle();
        self.seen.extend((self.watch)(&self.bench.uut));
        self.bench.tick();
    }

    pub(crate) fn cycles(&mut self, count: usize) {
        (0..count).for_each(|_| self.cycle());
    }

    fn access(&mut self, addr: u64, write: Option<u32>, strobe: u64) -> u32 {
        let port = (self.port)(&mut self.bench.uut);
        port.valid.next = true;
        port.write.next = write.is_some();
        port.addr.next = addr.into();
        port.write_data.next = u64::from(write.unwrap_or(0xdead_beef)).into();
        port.strobe.next = strobe.into();
        for _ in 0..ANSWER_LIMIT {
            self.bench.settle();
            let port = (self.port)(&mut self.bench.uut);
            let answer = port.ready.val().then(|| u64::from(port.read_data.val()) as u32);
            self.cycle();
            if let Some(answer) = answer {
                (self.port)(&mut self.bench.uut).valid.next = false;
                self.cycle();
                return answer;
            }
        }
        panic!("the access of {addr:x} is not answered within {ANSWER_LIMIT} cycles");
    }

    pub(crate) fn read(&mut self, addr: u64) -> u32 {
        self.access(addr, None, 15)
    }

    pub(crate) fn write(&mut self, addr: u64, value: u32) {
        self.access(addr, Some(value), 15);
    }

    /// Bytes of a DWORD, as a driver's narrower write does.
    pub(crate) fn write_bytes(&mut self, addr: u64, value: u32, strobe: u64) {
        self.access(addr, Some(value), strobe);
    }
}
