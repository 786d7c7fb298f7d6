//! Stands in for `svg` 0.10, which rust-hdl-core depends on and never calls.
