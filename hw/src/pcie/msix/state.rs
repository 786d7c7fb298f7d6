//! What the MSI-X block is at, and what a vector is.

use rust_hdl_core::prelude::*;

/// The arms of `Msix` say what each is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum State {
    Idle,
    Clear,
    Fetch,
    Modify,
    Pba,
    Answer,
    Look,
    High,
    Data,
    Send,
    Next,
}

/// What a vector is, beside its message.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct VectorState {
    pub masked: Bit,
    pub pending: Bit,
}
