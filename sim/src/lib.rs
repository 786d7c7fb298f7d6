//! The simulated world around Hematite: device bodies, root complex, driver side, monitors, server and wire.

pub mod bench;
pub mod device;
pub mod driver;
pub mod facts;
pub mod flow;
pub mod log;
pub mod model;
pub mod monitor;
pub mod offload;
pub mod pair;
pub mod ring;
pub mod root;
pub mod rtl;
pub mod seed;
pub mod vfio_user;
pub mod wire;

pub use device::Device;
pub use root::tlp::Tlp;
