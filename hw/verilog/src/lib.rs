//! A width-exact, precedence-safe Verilog back end over rust-hdl-core's AST, the register it inlines, and the gates
//! a block has to pass.
//!
//! rust-hdl's own printer emits wrong code for ordinary expressions; its front end and its simulator do not. See
//! README.md.

mod clocked;
mod collect;
mod constants;
mod drive;
mod emit;
pub mod gate;
mod group;
mod index;
mod ir;
mod kernel;
mod label;
mod lower;
mod module;
mod names;
mod ports;
mod print;
mod reg;
mod scope;
mod value;

pub use emit::{EmitError, black_box, emit};
pub use ports::{Port, ports};
pub use reg::Reg;
