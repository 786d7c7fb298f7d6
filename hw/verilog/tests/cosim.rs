//! Sample blocks whose Verilog must agree with rust-hdl's simulator: the cases in which the stock printer is wrong
//! (W1 to W3), and the ways in which kernels may be written.

mod samples;

use hematite_verilog::gate::{Cosim, GateError, lint, synth};
use hematite_verilog::{emit, offer};
use rust_hdl_core::prelude::*;
use samples::*;

fn passes<B: Block>(name: &str, mut block: B) {
    block.connect_all();
    let text = emit(name, &block, samples::CONSTANTS).unwrap_or_else(|error| panic!("{error}"));
    lint(name, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    synth(name, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
}

#[test]
fn arithmetic_as_rust_means_it() {
    passes("arithmetic", Arithmetic::default());
    Cosim::new("arithmetic", Arithmetic::default())
        .constants(CONSTANTS)
        .cycles(4000)
        .run(|block, s| {
            s.any(&mut block.a);
            s.any(&mut block.b);
            s.any(&mut block.p);
            s.any(&mut block.wide);
            s.any(&mut block.sel);
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn reads_see_settled_values() {
    passes("order", Order::default());
    Cosim::new("order", Order::default())
        .run(|block, s| {
            s.any(&mut block.a);
            s.any(&mut block.b);
            s.any(&mut block.p);
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn reads_between_assignments_see_the_last() {
    passes("half_made", HalfMade::default());
    Cosim::new("half_made", HalfMade::default())
        .cycles(4000)
        .run(|block, s| {
            s.any(&mut block.a);
            s.any(&mut block.b);
            s.any(&mut block.p);
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn structs_enums_arrays_and_children() {
    passes("shapes", Shapes::default());
    Cosim::new("shapes", Shapes::default())
        .clock(|block| &mut block.clock)
        .run(|block, s| {
            s.rare(&mut block.reset);
            s.any(&mut block.item);
            s.any(&mut block.at);
            s.any(&mut block.table);
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_skid_chain_joined_in_a_loop() {
    passes("chain", Chain::<16>::default());
    Cosim::new("chain", Chain::<16>::default())
        .clock(|block| &mut block.clock)
        .cycles(3000)
        .seed(5)
        .run(|block, s| {
            s.rare(&mut block.reset);
            offer!(s, block.sink, data);
            s.bit("source_ready", &mut block.source.ready);
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn registers_take_what_is_assigned_last() {
    passes("registers", Registers::default());
    Cosim::new("registers", Registers::default())
        .clock(|block| &mut block.clock)
        .cycles(4000)
        .run(|block, s| {
            s.rare(&mut block.reset);
            s.any(&mut block.p);
            s.any(&mut block.a);
        })
        .unwrap_or_else(|error| panic!("{error}"));
    // An input has a signal where something else reads it, and where it must share a block with a Local.
    let mut block = Registers::default();
    block.connect_all();
    let text = emit("registers", &block, &[]).unwrap();
    let inputs = |name: &str| text.contains(&format!(" {name}_d;"));
    let named: Vec<&str> = ["each_time", "parts", "back", "counts", "seen", "moved"]
        .into_iter()
        .filter(|name| inputs(name))
        .collect();
    assert_eq!(named, ["counts", "moved"], "{text}");
}

#[test]
fn a_block_whose_verilog_differs_is_caught() {
    let run = Cosim::new("liar", Liar::default()).cycles(300).run(|block, s| s.any(&mut block.a));
    match run {
        Err(GateError::Mismatch { port, .. }) => assert_eq!(port, "b"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn latches_and_warnings_are_caught() {
    let latch =
        "module latch (input wire a, input wire b, output reg c);\n    always @* if (a) c = b;\nendmodule\n";
    assert!(matches!(lint("latch", latch), Err(GateError::Refused { .. })));
    assert!(matches!(synth("latch", latch), Err(GateError::Refused { .. })));
    let width = "module width (input wire [3:0] a, output wire [2:0] b);\n    assign b = a;\nendmodule\n";
    assert!(matches!(lint("width", width), Err(GateError::Refused { .. })));
    let twice = "module twice (input wire a, input wire b, output wire c);\n    assign c = a;\n    assign c = b;\nendmodule\n";
    assert!(matches!(synth("twice", twice), Err(GateError::Refused { .. })));
    let implicit = "module implicit (input wire a, output wire c);\n    assign c = a & nowhere;\nendmodule\n";
    assert!(matches!(synth("implicit", implicit), Err(GateError::Refused { .. })));
}

#[test]
fn black_boxes_are_declared_and_keywords_renamed() {
    passes("grid", Grid::default());
    let mut grid = Grid::default();
    grid.connect_all();
    let text = emit("grid", &grid, &[]).unwrap();
    assert!(text.contains("(* blackbox *)\nmodule VENDOR_BUFFER") && text.contains(" table_"), "{text}");
}
