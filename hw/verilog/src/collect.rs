//! Walks a block and writes down its modules: ports, locals, children, kernel.

use rust_hdl_core::ast::Verilog;
use rust_hdl_core::atom::{Atom, AtomKind, is_atom_signed};
use rust_hdl_core::block::Block;
use rust_hdl_core::probe::Probe;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::BTreeMap;

/// A signal or constant of a block.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) kind: AtomKind,
    pub(crate) width: usize,
    /// Hex digits of its value when collected.
    pub(crate) value: String,
    pub(crate) ty: TypeDescriptor,
}

impl Item {
    pub(crate) fn new(name: String, atom: &dyn Atom) -> Item {
        Item {
            name,
            kind: atom.kind(),
            width: atom.bits(),
            value: hex(&atom.verilog()),
            ty: atom.descriptor(),
        }
    }

    pub(crate) fn is_input(&self) -> bool {
        self.kind == AtomKind::InputParameter
    }

    pub(crate) fn is_port(&self) -> bool {
        self.kind.is_parameter()
    }
}

/// One block of the tree.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) path: String,
    /// The field that holds it.
    pub(crate) field: String,
    pub(crate) items: Vec<Item>,
    pub(crate) children: Vec<Module>,
    pub(crate) code: Verilog,
    /// Variants in sight: width and number; `None` where two enums of one name disagree.
    pub(crate) variants: BTreeMap<String, Option<(usize, usize)>>,
}

#[derive(Default)]
struct Walk {
    open: Vec<(Module, Vec<String>)>,
    done: Option<Module>,
    findings: Vec<String>,
}

/// The tree of modules under `block`.
pub(crate) fn collect<B: Block>(top: &str, block: &B) -> Result<Module, Vec<String>> {
    let mut walk = Walk::default();
    block.accept(top, &mut walk);
    if !walk.findings.is_empty() {
        return Err(walk.findings);
    }
    let mut module = walk.done.ok_or_else(|| vec![format!("{top}: not a block")])?;
    see_variants(&mut module);
    Ok(module)
}

impl Probe for Walk {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let path = match self.open.last() {
            Some((parent, _)) => format!("{}.{}", parent.path, name.replace('$', ".")),
            None => name.into(),
        };
        let module = Module { path, field: name.into(), code: node.hdl(), ..Module::default() };
        self.open.push((module, vec![]));
    }

    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        let (module, _) = self.open.pop().expect("scopes are balanced");
        match self.open.last_mut() {
            Some((parent, _)) => parent.children.push(module),
            None => self.done = Some(module),
        }
    }

    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.open.last_mut().expect("inside a block").1.push(name.into());
    }

    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.open.last_mut().expect("inside a block").1.pop();
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let (module, inside) = self.open.last_mut().expect("inside a block");
        let name = inside.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("$");
        let mut refuse = |why: &str| self.findings.push(format!("{}.{name}: {why}", module.path));
        if is_atom_signed(atom) {
            refuse("signed signals are not supported");
        }
        if atom.bits() == 0 {
            refuse("is zero bits wide");
        }
        if !matches!(
            atom.kind(),
            AtomKind::InputParameter | AtomKind::OutputParameter | AtomKind::LocalSignal | AtomKind::Constant
        ) {
            refuse("only In, Out, Local and Constant are supported (no InOut)");
        }
        module.items.push(Item::new(name, atom));
    }
}

/// A kernel may name the enums of its own signals, of its registers and of its children's ports.
fn see_variants(module: &mut Module) {
    let mut seen = BTreeMap::new();
    for item in &module.items {
        variants(&item.ty, &mut seen);
    }
    for item in module.children.iter().flat_map(|child| &child.items).filter(|item| item.is_port()) {
        variants(&item.ty, &mut seen);
    }
    module.variants = seen;
    module.children.iter_mut().for_each(see_variants);
}

fn variants(ty: &TypeDescriptor, out: &mut BTreeMap<String, Option<(usize, usize)>>) {
    match &ty.kind {
        TypeKind::Enum(list) => {
            let width = bits_of(&TypeKind::Enum(list.clone()));
            for (number, variant) in list.iter().enumerate() {
                let entry = out.entry(variant.replace("::", "$")).or_insert(Some((width, number)));
                if *entry != Some((width, number)) {
                    *entry = None;
                }
            }
        }
        TypeKind::Composite(fields) => fields.iter().for_each(|field| variants(&field.kind, out)),
        TypeKind::Bits(_) | TypeKind::Signed(_) => {}
    }
}

/// Width of a type.
pub(crate) fn bits_of(kind: &TypeKind) -> usize {
    match kind {
        TypeKind::Bits(n) | TypeKind::Signed(n) => *n,
        TypeKind::Enum(list) => (usize::BITS - (list.len() - 1).leading_zeros()) as usize,
        TypeKind::Composite(fields) => fields.iter().map(|field| bits_of(&field.kind.kind)).sum(),
    }
}

/// The digits of a front-end literal, without leading zeros.
pub(crate) fn hex(literal: &rust_hdl_core::ast::VerilogLiteral) -> String {
    let text = format!("{literal:x}");
    let digits = text.split_once("'h").map_or("0", |(_, digits)| digits).trim_start_matches('0');
    if digits.is_empty() { "0".into() } else { digits.into() }
}
