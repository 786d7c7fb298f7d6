//! A step of the Toeplitz hash: for each bit of the input that is set, the 32 bits of the key that begin at its place, all exclusive-ored.
//! In: `data`, twelve bytes, the first in the low bits; `key`, sixteen bytes, so too: those from the place of the first of `data`.   Out: `hash`.
//! Time: combinational.   Waits: never.
//! The first bit of a byte is its highest. The hash is additive: that of a longer input is the exclusive or of its steps'.
//! Spec: [virtio 1.4: Network Device, Hash calculation for incoming packets]

use rust_hdl_core::prelude::*;

/// Bytes of a step; those of the key it needs.
pub const STEP_BYTES: usize = 12;
/// See `STEP_BYTES`.
pub const KEY_BYTES: usize = STEP_BYTES + 4;

/// See the file's head.
#[derive(LogicBlock, Default)]
pub struct Toeplitz {
    pub data: Signal<In, Bits<96>>,
    pub key: Signal<In, Bits<128>>,
    pub hash: Signal<Out, Bits<32>>,
}

/// Where the n-th bit of a row of bytes stands.
fn at(n: usize) -> usize {
    n / 8 * 8 + 7 - n % 8
}

impl Logic for Toeplitz {
    fn update(&mut self) {
        let (data, key) = (self.data.val(), self.key.val());
        let window =
            |from: usize| (from..from + 32).fold(0, |bits: u64, n| bits << 1 | u64::from(key.get_bit(at(n))));
        let set = (0..8 * STEP_BYTES).filter(|n| data.get_bit(at(*n)));
        self.hash.next = set.fold(0, |hash, n| hash ^ window(n)).into();
    }

    fn connect(&mut self) {
        self.hash.connect();
    }

    fn hdl(&self) -> Verilog {
        let (bits, key_bits) = (8 * STEP_BYTES, 8 * KEY_BYTES);
        Verilog::Custom(format!(
            "integer i;\nreg [{}:0] stream;\nalways @* begin\n    \
             for (i = 0; i < {key_bits}; i = i + 1) stream[{} - i] = key[(i / 8) * 8 + 7 - (i % 8)];\n    \
             hash = 32'h0;\n    \
             for (i = 0; i < {bits}; i = i + 1)\n        \
             if (data[(i / 8) * 8 + 7 - (i % 8)]) hash = hash ^ stream[{} - i -: 32];\nend",
            key_bits - 1,
            key_bits - 1,
            key_bits - 1
        ))
    }
}
