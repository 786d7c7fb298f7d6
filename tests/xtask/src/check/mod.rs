//! What must hold before a change lands: form, lints, licences, tests, guests. Each is a task of its own as well.

pub(crate) mod count;
pub(crate) mod licences;
pub(crate) mod lint;
pub(crate) mod soak;
pub(crate) mod suite;
