//! The ports of a block, from the block itself.

use crate::collect::Item;
use crate::names::mangle;
use rust_hdl_core::atom::Atom;
use rust_hdl_core::block::Block;
use rust_hdl_core::probe::Probe;

/// A port of the printed module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// As printed.
    pub name: String,
    pub input: bool,
    pub bits: usize,
}

#[derive(Default)]
struct Walk {
    depth: usize,
    inside: Vec<String>,
    items: Vec<Item>,
}

impl Probe for Walk {
    fn visit_start_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth += 1;
    }

    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        self.depth -= 1;
    }

    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.inside.push(name.into());
    }

    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.inside.pop();
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        if self.depth == 1 && atom.kind().is_parameter() {
            let name = self.inside.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("$");
            self.items.push(Item::new(name, atom));
        }
    }
}

/// The ports with what they hold now.
pub(crate) fn port_items<B: Block>(block: &B) -> Vec<Item> {
    let mut walk = Walk::default();
    block.accept("top", &mut walk);
    walk.items
}

/// Every port of `block`, in order of declaration.
pub fn ports<B: Block>(block: &B) -> Vec<Port> {
    let port = |item: &Item| Port { name: mangle(&item.name), input: item.is_input(), bits: item.width };
    port_items(block).iter().map(port).collect()
}
