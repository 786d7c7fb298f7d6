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
        // In network order the first byte is the highest. A bit of the hash is the parity of the data below a window of the key:
        // written so, Verilator simulates it in a few operations.
        let bytes = |name: &str, count: usize| -> String {
            let byte = |n: usize| format!("{name}[{}:{}]", 8 * n + 7, 8 * n);
            (0..count).map(byte).collect::<Vec<_>>().join(", ")
        };
        let (bits, key_bits) = (8 * STEP_BYTES, 8 * KEY_BYTES);
        let mut text = format!(
            "wire [{}:0] stream = {{{}}};\nwire [{}:0] bits = {{{}}};\nalways @* begin\n",
            key_bits - 1,
            bytes("key", KEY_BYTES),
            bits - 1,
            bytes("data", STEP_BYTES)
        );
        for bit in 0..32 {
            let high = key_bits - 32 + bit;
            text += &format!("    hash[{bit}] = ^(bits & stream[{high}:{}]);\n", high + 1 - bits);
        }
        Verilog::Custom(text + "end\nwire unused = &{1'b0, stream[0]};")
    }
}
