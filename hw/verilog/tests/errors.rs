//! What is refused, and in which words.

mod samples;

use expect_test::{Expect, expect};
use hematite_verilog::gate::kernel_lint;
use hematite_verilog::{emit, ports};
use rust_hdl_core::prelude::*;
use samples::*;

fn refused<B: Block>(mut block: B, want: Expect) {
    block.connect_all();
    let error = emit("top", &block, CONSTANTS).expect_err("it must be refused");
    want.assert_eq(&(error.findings.join("\n") + "\n"));
}

#[test]
fn findings_name_block_and_signal() {
    refused(
        Tangled::default(),
        expect![[r#"
        top: `middle` is read before its first assignment and between two: use another Local
    "#]],
    );
    refused(
        Latch::default(),
        expect![[r#"
        top: `forgotten` is never driven
        top: `latched` is not assigned on every path: give it a value at the top of the kernel
    "#]],
    );
    refused(
        Unknown::default(),
        expect![[r#"
            top: 0x12c does not fit 8 bits
            top: `LENGTH_LSB` may be any of tlp::LENGTH_LSB, other::LENGTH_LSB
            top: unknown name `NOWHERE` (a const generic or a Rust const? carry it as a `Constant<>` field, or register it)
        "#]],
    );
}

#[test]
fn a_stage_is_printed_so() {
    let mut stage = Stage::<16>::default();
    stage.connect_all();
    expect![[r#"
        // stage: printed by hematite-verilog. Do not edit.

        // stage
        module stage (
            input  wire        clock,
            input  wire        reset,
            input  wire        sink_valid,
            input  wire [15:0] sink_data,
            output wire        sink_ready,
            output wire        source_valid,
            output wire [15:0] source_data,
            input  wire        source_ready
        );
            wire        take;
            reg         full_q;
            reg  [15:0] data_q;
            initial full_q = 1'd0;
            initial data_q = 16'd0;
            assign take = (~full_q) | source_ready;
            assign sink_ready = take;
            assign source_valid = full_q;
            assign source_data = data_q;
            always @(posedge clock) begin
                if (take) begin
                    full_q <= sink_valid;
                    data_q <= sink_data;
                end
                if (reset) begin
                    full_q <= 1'd0;
                end
            end
        endmodule
    "#]]
    .assert_eq(&emit("stage", &stage, &[]).unwrap());
    let names: Vec<String> =
        ports(&stage).iter().map(|port| format!("{}:{}", port.name, port.bits)).collect();
    expect![
        "clock:1 reset:1 sink_valid:1 sink_data:16 sink_ready:1 source_valid:1 source_data:16 source_ready:1"
    ]
    .assert_eq(&names.join(" "));
}

#[test]
fn equal_children_share_a_module() {
    let mut chain = Chain::<16>::default();
    chain.connect_all();
    let text = emit("chain", &chain, &[]).unwrap();
    assert_eq!(text.matches("\nmodule ").count(), 2, "{text}");
}

#[test]
fn the_macro_s_silences_are_found() {
    let source = "impl Logic for A {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..=7 { self.a.next = i.into(); }
        match self.b.val().index() {
            0 if self.p.val() => {}
            other => {}
        }
        assert!(true);
        self.c.next = self.a.val().index() + 1 == self.b.val();
        self.d.next = self.a.val().get_bit(self.b.val().index() + 1);
        helper(self.d.val());
    }
    fn other(&self) { for i in 0..=7 { assert!(i < 9); } }
}";
    let found: Vec<String> = kernel_lint(source).iter().map(|f| format!("{}: {}", f.line, f.text)).collect();
    expect![[r#"
        4: `..=` loses its last turn: write `..`
        6: a match guard is dropped: write an `if` inside the arm
        7: a binding in a match becomes a label: write `_`
        9: `assert!` and `println!` do not reach the hardware
        10: `.index()` is dropped: outside an index or a match its arithmetic would wrap at the signal's width
        12: only bit_cast, bits, Bits::from, and an interface's join and link may be called in a kernel"#]]
    .assert_eq(&found.join("\n"));
}

/// Every kernel of the hardware: the lint is worth nothing where it is not applied.
#[test]
fn kernels_of_the_hardware() {
    let mut todo = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../src")];
    let mut findings = vec![];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for finding in kernel_lint(&source) {
                findings.push(format!("{}:{}: {}", path.display(), finding.line, finding.text));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
