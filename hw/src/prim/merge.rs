//! A DWORD written with byte enables.
//! In: `old`, `new`, `strobe`.   Out: `merged`, combinational: bytes of `new` where `strobe` has a bit, else of `old`.

use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Merge {
    pub old: Signal<In, Bits<32>>,
    pub new: Signal<In, Bits<32>>,
    pub strobe: Signal<In, Bits<4>>,
    pub merged: Signal<Out, Bits<32>>,
    byte0: Signal<Local, Bits<32>>,
    byte1: Signal<Local, Bits<32>>,
    byte2: Signal<Local, Bits<32>>,
    byte3: Signal<Local, Bits<32>>,
}

impl Logic for Merge {
    #[hdl_gen]
    fn update(&mut self) {
        self.byte0.next = bit_cast::<32, 8>(self.old.val().get_bits::<8>(0));
        self.byte1.next = bit_cast::<32, 8>(self.old.val().get_bits::<8>(8));
        self.byte2.next = bit_cast::<32, 8>(self.old.val().get_bits::<8>(16));
        self.byte3.next = bit_cast::<32, 8>(self.old.val().get_bits::<8>(24));
        if self.strobe.val().get_bit(0) {
            self.byte0.next = bit_cast::<32, 8>(self.new.val().get_bits::<8>(0));
        }
        if self.strobe.val().get_bit(1) {
            self.byte1.next = bit_cast::<32, 8>(self.new.val().get_bits::<8>(8));
        }
        if self.strobe.val().get_bit(2) {
            self.byte2.next = bit_cast::<32, 8>(self.new.val().get_bits::<8>(16));
        }
        if self.strobe.val().get_bit(3) {
            self.byte3.next = bit_cast::<32, 8>(self.new.val().get_bits::<8>(24));
        }
        self.merged.next =
            self.byte0.val() | (self.byte1.val() << 8) | (self.byte2.val() << 16) | (self.byte3.val() << 24);
    }
}
