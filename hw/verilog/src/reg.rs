//! The one register: clocked, with a power-up value; a reset is the last `if` of the kernel that owns it.

use rust_hdl_core::prelude::*;

/// A register of any type; the emitter prints it in place.
#[derive(LogicBlock)]
pub struct Reg<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
    _init: T,
}

impl<T: Synth> Reg<T> {
    /// Powers up as `init`.
    pub fn new(init: T) -> Self {
        Self { clock: Default::default(), d: Default::default(), q: Signal::new_with_default(init), _init: init }
    }
}

impl<T: Synth> Default for Reg<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Synth> Logic for Reg<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val();
        }
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!("initial q = {:x};\nalways @(posedge clock) q <= d;", self._init.verilog()))
    }
}

/// Clocks registers and lets them hold: the first lines of a kernel.
#[macro_export]
macro_rules! dff_setup {
    ($me:ident, $clock:ident, $($dff:ident),+ $(,)?) => {
        $(
            $me.$dff.clock.next = $me.$clock.val();
            $me.$dff.d.next = $me.$dff.q.val();
        )+
    };
}
