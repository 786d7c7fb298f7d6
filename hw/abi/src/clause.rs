//! The device conformance clauses of VIRTIO 1.4 which concern this function. Spec: [virtio 1.4: Conformance Targets]

/// Whether we claim a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// We do.
    Claimed,
    /// We do not, because.
    NotClaimed(&'static str),
}

/// One clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Path of the section's label in the specification's source, after `devicenormative:`.
    pub label: &'static str,
    /// Claimed or not.
    pub claim: Claim,
}

/// All of them.
pub const CLAUSES: &[Clause] = &[];
