//! The one register: clocked, with a power-up value; a reset is the last `if` of the kernel that owns it.

use crate::collect::{Module, hex};
use rust_hdl_core::prelude::*;

/// How the emitter knows a register, among all blocks with Verilog of their own.
const MARK: &str = "// hematite register\n";

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
        Self {
            clock: Default::default(),
            d: Default::default(),
            q: Signal::new_with_default(init),
            _init: init,
        }
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
        let init = hex(&self._init.verilog());
        Verilog::Custom(format!("{MARK}initial q = {}'h{init};\nalways @(posedge clock) q <= d;", T::BITS))
    }
}

/// Whether a child is printed in place.
pub(crate) fn is(module: &Module) -> bool {
    matches!(&module.code, Verilog::Custom(text) if text.starts_with(MARK))
}

/// Width and power-up value of a register.
pub(crate) fn init(module: &Module) -> (usize, String) {
    let Verilog::Custom(text) = &module.code else { unreachable!("a register has text of its own") };
    let value = text[MARK.len()..].trim_start_matches("initial q = ").split(';').next().unwrap_or("1'h0");
    let (width, value) = value.split_once("'h").unwrap_or(("1", "0"));
    (width.parse().unwrap_or(1), value.into())
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
