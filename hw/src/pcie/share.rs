//! Two masters of the BAR's registers: memory TLPs, and the PCI configuration access capability.
//! In: `bar`, `window`.   Out: `access`.
//! Time: no cycle of its own.
//! Waits: `bar` waits while `window` asks, which goes first even in the middle of an access of `bar`: the completer, which asks
//! for both, asks one thing at a time, so they never meet.

use crate::port::mmio::{MmioMaster, MmioSlave};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Share {
    pub bar: MmioSlave,
    pub window: MmioSlave,
    pub access: MmioMaster,
}

impl Logic for Share {
    #[hdl_gen]
    fn update(&mut self) {
        self.access.valid.next = self.bar.valid.val() | self.window.valid.val();
        self.access.write.next = self.bar.write.val();
        self.access.addr.next = self.bar.addr.val();
        self.access.write_data.next = self.bar.write_data.val();
        self.access.strobe.next = self.bar.strobe.val();
        self.bar.ready.next = self.access.ready.val() & !self.window.valid.val();
        self.bar.read_data.next = self.access.read_data.val();
        self.window.ready.next = self.access.ready.val() & self.window.valid.val();
        self.window.read_data.next = self.access.read_data.val();
        if self.window.valid.val() {
            self.access.write.next = self.window.write.val();
            self.access.addr.next = self.window.addr.val();
            self.access.write_data.next = self.window.write_data.val();
            self.access.strobe.next = self.window.strobe.val();
        }
    }
}
