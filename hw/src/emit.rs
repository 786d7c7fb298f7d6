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
        64 => block(TOP, Function::<64>::new(params)),
        128 => block(TOP, Function::<128>::new(params)),
        256 => block(TOP, Function::<256>::new(params)),
        512 => block(TOP, Function::<512>::new(params)),
        width => Err(format!("{}: width {width}: must be 64, 128, 256 or 512", params.name)),
    }
}

/// Any block's Verilog, under this name.
pub fn block<B: Block>(top: &str, mut block: B) -> Result<String, String> {
    block.connect_all();
    let constants: Vec<(&str, u64)> = hematite_abi::constants().collect();
    hematite_verilog::emit(top, &block, &constants).map_err(|findings| findings.findings.join("\n"))
}
