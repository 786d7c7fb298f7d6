//! Brings the data plane to rest for a device reset or a function level reset.
//! In: `flr` (level), `device_reset` (level), who is busy.   Out: `data_reset` for the data plane, `function_reset` for all but the TLP
//! path, `quiet`, a cycle late.
//! Time: until nobody is busy, and 16 cycles.
//! Waits: on DMA that is in flight; the reader's time-out bounds it.
//! Spec: [PCIe base: Function Level Reset], [virtio 1.4: Device Reset]

use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Quiesce {
    pub clock: Signal<In, Clock>,
    /// PCIe reset: power-on and hot reset.
    pub reset: Signal<In, Bit>,
    /// A function level reset has been asked for.
    pub flr: Signal<In, Bit>,
    /// The driver has written 0 to device_status.
    pub device_reset: Signal<In, Bit>,
    /// The DMA engines or the transmitter hold something.
    pub dma_busy: Signal<In, Bit>,
    /// The completer holds something: the answer to the write that asked for the reset.
    pub completer_busy: Signal<In, Bit>,
    /// The writer holds writes.
    pub writes_busy: Signal<In, Bit>,
    /// Registers that a reset walks through are not done.
    pub sweep_busy: Signal<In, Bit>,
    /// Level: the data plane forgets everything; the DMA engines drain.
    pub data_reset: Signal<Out, Bit>,
    /// Pulse or level: registers back to their reset values.
    pub function_reset: Signal<Out, Bit>,
    /// The write that asked for a function level reset may be answered: no write of ours will come behind that.
    pub flr_answer: Signal<Out, Bit>,
    /// For device_status: nothing of ours moves.
    pub quiet: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    waited: Reg<Bits<5>>,
    // Half of the function hangs on them: they come from registers.
    data: Reg<Bit>,
    all: Reg<Bit>,
    still: Reg<Bit>,
}

impl Logic for Quiesce {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waited, data, all, still);
        self.data.d.next = self.reset.val() | self.flr.val() | self.device_reset.val();
        self.data_reset.next = self.data.q.val();
        self.all.d.next = self.reset.val();
        self.function_reset.next = self.all.q.val();
        self.still.d.next = !self.dma_busy.val() & !self.sweep_busy.val();
        self.quiet.next = self.still.q.val();
        self.busy.next = self.flr.val()
            | self.device_reset.val()
            | self.sweep_busy.val()
            | self.data.q.val()
            | self.all.q.val();
        self.flr_answer.next = self.waited.q.val().get_bit(4) & !self.writes_busy.val();
        self.waited.d.next = 0.into();
        if self.flr.val() {
            self.waited.d.next = self.waited.q.val();
            if !self.waited.q.val().get_bit(4) {
                self.waited.d.next = self.waited.q.val() + 1;
            } else if !self.dma_busy.val() & !self.completer_busy.val() {
                self.all.d.next = true;
            }
        }
    }
}
