//! The vfio-user server as a client meets it, on the model, in process.

mod client;
mod driver;
mod program;
mod protocol;
mod traffic;
