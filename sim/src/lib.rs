//! The simulated world around Hematite: device bodies, root complex, driver side, monitors, server and wire.

pub mod device;
pub mod root;
pub mod seed;
pub mod vfio_user;

pub use device::Device;
pub use root::tlp::Tlp;
