//! Finds or fetches the programs that the bench runs. Nothing is installed in the system unless the user is root
//! on a Debian which lacks the Verilog tools; everything else lives below `target/tools`.

pub(crate) mod apt;
pub(crate) mod closure;
pub(crate) mod fpga;
pub(crate) mod hdl;
pub(crate) mod ipxe;
pub(crate) mod mirror;
pub(crate) mod qemu;
