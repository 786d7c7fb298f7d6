//! The Verilog and C++ around a block under Verilator: one word in, one word out, so that the C++ never changes.

use crate::collect::Item;
use crate::names::mangle;
use std::fmt::Write;

/// A top module with the block's inputs in one vector and its outputs in another.
pub(super) fn wrapper(name: &str, items: &[Item]) -> String {
    let (mut inputs, mut outputs, mut ports) = (0, 0, vec![]);
    for item in items {
        let (at, vector) = match item.is_input() {
            _ if is_clock(item) => {
                ports.push(format!("        .{} (clock)", mangle(&item.name)));
                continue;
            }
            true => (&mut inputs, "in"),
            false => (&mut outputs, "out"),
        };
        ports.push(format!("        .{} ({vector}[{}:{at}])", mangle(&item.name), *at + item.width - 1));
        *at += item.width;
    }
    format!(
        "\nmodule hematite_bench (\n    input  wire clock,\n    input  wire [{}:0] in,\n    output wire [{}:0] out\n);\n    {name} dut (\n{}\n    );\nendmodule\n",
        words(inputs) * 32 - 1,
        words(outputs) * 32 - 1,
        ports.join(",\n")
    )
}

pub(super) fn is_clock(item: &Item) -> bool {
    item.is_input() && item.ty.name == "clock"
}

/// 32-bit words, at least three, so that Verilator makes an array of them.
pub(super) fn words(bits: usize) -> usize {
    bits.div_ceil(32).max(3)
}

/// Reads a line of hex words per cycle, lowest first; writes the outputs before the edge likewise.
pub(super) fn main(inputs: usize, outputs: usize) -> String {
    let mut text = String::from(
        "#include <cstdio>\n#include <cinttypes>\n#include \"verilated.h\"\n#include \"Vbench.h\"\n#include \"all.h\"\n",
    );
    let _ = write!(
        text,
        "int main(int argc, char** argv) {{\n  VerilatedContext context;\n  context.commandArgs(argc, argv);\n  \
         Vbench top(&context);\n  top.clock = 0;\n  for (;;) {{\n    for (int i = 0; i < {inputs}; i++) {{\n      \
         uint32_t word;\n      if (scanf(\"%\" SCNx32, &word) != 1) return 0;\n      top.in[i] = word;\n    }}\n    \
         top.eval();\n    for (int i = 0; i < {outputs}; i++) printf(\"%\" PRIx32 \" \", (uint32_t)top.out[i]);\n    \
         puts(\"\");\n    top.clock = 1;\n    top.eval();\n    top.clock = 0;\n    top.eval();\n  }}\n}}\n"
    );
    text
}
