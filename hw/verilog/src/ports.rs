//! The ports of a block, from the block itself.

use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::block::Block;
use rust_hdl_core::probe::Probe;

/// A port of the printed module.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// As printed.
    pub name: String,
    pub input: bool,
    pub bits: usize,
}

#[derive(Default)]
struct Collect {
    depth: usize,
    path: Vec<String>,
    ports: Vec<Port>,
}

impl Probe for Collect {
    fn visit_start_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth += 1;
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth -= 1;
    }
    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.path.push(name.into());
    }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.path.pop();
    }
    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let input = atom.kind() == AtomKind::InputParameter;
        if self.depth == 1 && (input || atom.kind() == AtomKind::OutputParameter) {
            let full: Vec<&str> = self.path.iter().map(String::as_str).chain([name]).collect();
            self.ports.push(Port { name: crate::emit::mangle(&full.join("$")), input, bits: atom.bits() });
        }
    }
}

/// Every port of `block`, in order of declaration.
pub fn ports<B: Block>(block: &B) -> Vec<Port> {
    let mut collect = Collect::default();
    block.accept("top", &mut collect);
    collect.ports
}
