//! A width-exact, precedence-safe Verilog back end over rust-hdl-core's AST, and the register it inlines.
//!
//! rust-hdl's own printer emits wrong code for ordinary expressions; its front end and its simulator do not.

mod emit;
mod ports;
mod reg;

pub use emit::emit;
pub use ports::{Port, ports};
pub use reg::Reg;
