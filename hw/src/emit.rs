//! The Verilog of a parameter set.

use crate::function::Function;
use crate::params::Params;
use rust_hdl_core::prelude::*;

/// Name of the printed top module.
pub const TOP: &str = "hematite";

/// The function's Verilog for `params`, or everything that is wrong with it.
pub fn verilog(params: &Params) -> Result<String, String> {
    params.check()?;
    match params.width {
        64 => print(Function::<64>::new(params)),
        128 => print(Function::<128>::new(params)),
        256 => print(Function::<256>::new(params)),
        512 => print(Function::<512>::new(params)),
        width => Err(format!("{}: width {width}: must be 64, 128, 256 or 512", params.name)),
    }
}

/// Any block's Verilog, under this name.
pub fn block<B: Block>(top: &str, mut block: B) -> Result<String, String> {
    block.connect_all();
    let constants: Vec<(&str, u64)> = hematite_abi::constants().collect();
    hematite_verilog::emit(top, &block, &constants).map_err(|findings| findings.findings.join("\n"))
}

fn print<B: Block>(function: B) -> Result<String, String> {
    block(TOP, function)
}
