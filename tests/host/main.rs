//! The host's tooling over the simulated function: the real command line and library, a served function, and false ones.

mod beside;
mod changes;
mod driven;
mod false_kernel;
mod flash;
mod front;
mod garbled;
mod handed;
mod hostile;
mod logged;
mod migrated;
mod rings;
mod schema;
mod served;
mod through;
mod vdpa;
mod verbs;
