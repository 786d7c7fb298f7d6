//! What a kernel's names mean: signals, fields of structs, elements of arrays, variants, constants.

use crate::collect::{Module, bits_of};
use crate::constants::Constants;
use crate::ir::{Expr, Kind};
use rust_hdl_core::atom::AtomKind;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::HashMap;

struct Known {
    width: usize,
    ty: TypeDescriptor,
    constant: bool,
}

/// Names in sight of one kernel.
pub(crate) struct Scope<'a> {
    known: HashMap<String, Known>,
    module: &'a Module,
    constants: &'a Constants<'a>,
    /// Loop variables, innermost last.
    pub(crate) loops: Vec<(String, usize)>,
}

/// A place in a signal, perhaps one of several signals.
#[derive(Debug)]
pub(crate) enum Place {
    One {
        signal: String,
        lo: usize,
        width: usize,
    },
    /// Elements of an array, and which one is meant.
    Element {
        index: Expr,
        each: Vec<Place>,
    },
}

impl<'a> Scope<'a> {
    pub(crate) fn new(module: &'a Module, constants: &'a Constants<'a>) -> Self {
        let mut known = HashMap::new();
        let own = module.items.iter().map(|item| (item.name.clone(), item));
        let ports = module.children.iter().flat_map(|child| {
            let items = child.items.iter().filter(|item| item.is_port());
            items.map(move |item| (format!("{}${}", child.field, item.name), item))
        });
        for (name, item) in own.chain(ports) {
            let constant = item.kind == AtomKind::Constant;
            known.insert(name, Known { width: item.width, ty: item.ty.clone(), constant });
        }
        Scope { known, module, constants, loops: vec![] }
    }

    pub(crate) fn width_of(&self, signal: &str) -> usize {
        self.known[signal].width
    }

    /// The number behind a loop variable or a constant. `Err`: ambiguous.
    pub(crate) fn number(&self, text: &str) -> Result<Option<u64>, String> {
        if let Some((_, value)) = self.loops.iter().rev().find(|(name, _)| name == text) {
            return Ok(Some(*value as u64));
        }
        if self.known.contains_key(text) || self.variant(text).is_some() || text.contains(['[', '(']) {
            return Ok(None);
        }
        self.constants.get(&text.replace("::", "$"))
    }

    fn variant(&self, text: &str) -> Option<(String, Option<(usize, usize)>)> {
        let text = text.replace("::", "$");
        // A path with its module: the enum and the variant are its last two words.
        let start = text.rmatch_indices('$').nth(1).map_or(0, |(at, _)| at + 1);
        [&text[..], &text[start..]]
            .iter()
            .find_map(|key| self.module.variants.get(*key).map(|found| (key.to_string(), *found)))
    }

    /// The value of a name: a signal or part of one, a variant, a `Constant<>`.
    pub(crate) fn value(&self, text: &str) -> Result<Expr, String> {
        if let Some((name, found)) = self.variant(text) {
            let shown = name.replace('$', "::");
            let (width, _) = found.ok_or_else(|| format!("two enums in sight have a different `{shown}`"))?;
            return Ok(Expr { width, kind: Kind::Param(name) });
        }
        self.place(text).map(|place| self.read(&place))
    }

    fn read(&self, place: &Place) -> Expr {
        match place {
            Place::One { signal, lo, width } => {
                let whole = self.known[signal].width;
                let kind = if self.known[signal].constant {
                    Kind::Param(signal.clone())
                } else {
                    Kind::Signal(signal.clone())
                };
                Expr { width: whole, kind }.slice(*lo, *width)
            }
            Place::Element { index, each } => {
                let each: Vec<Expr> = each.iter().map(|place| self.read(place)).collect();
                Expr { width: each[0].width, kind: Kind::Mux(Box::new(index.clone()), each) }
            }
        }
    }

    /// Where a name is.
    pub(crate) fn place(&self, text: &str) -> Result<Place, String> {
        let name = text.trim_start_matches('.').replace('.', "$").replace("::", "$");
        let Some(open) = name.find('[') else { return self.plain(&name) };
        let close = matching(&name, open).ok_or_else(|| format!("unbalanced brackets in `{text}`"))?;
        let (before, inside, after) = (&name[..open], &name[open + 1..close], &name[close + 1..]);
        if let Some(index) = self.constant_index(inside)? {
            return self.place(&format!("{before}${index}{after}")).map_err(|why| {
                match why.contains("unknown") {
                    true => format!("unknown element `{}`", shown(text)),
                    false => why,
                }
            });
        }
        let index = inside.strip_suffix("$index()").map(|base| base.strip_suffix("$val()").unwrap_or(base));
        let index = index.ok_or_else(|| {
            format!("index `{}`: give a number, a loop variable or `signal.val().index()`", shown(inside))
        })?;
        let index = self.value(index)?;
        let each: Vec<Place> =
            (0..).map_while(|i| self.place(&format!("{before}${i}{after}")).ok()).collect();
        if each.is_empty() {
            return Err(format!("unknown array `{}`", shown(text)));
        }
        Ok(Place::Element { index, each })
    }

    fn plain(&self, name: &str) -> Result<Place, String> {
        let name = name.trim_end_matches("$val()");
        let (base, fields) = match (name.split_once("$val()$"), name.split_once("$next$")) {
            (Some((base, fields)), _) | (None, Some((base, fields))) => (base, fields),
            (None, None) => (name.trim_end_matches("$next"), ""),
        };
        let Some(known) = self.known.get(base) else {
            return Err(format!(
                "unknown name `{}` (a const generic or a Rust const? carry it as a `Constant<>` field, or register it)",
                shown(base)
            ));
        };
        let (mut lo, mut width, mut ty) = (0, known.width, &known.ty);
        for field in fields.split('$').filter(|field| !field.is_empty()) {
            let TypeKind::Composite(list) = &ty.kind else {
                return Err(format!("`{}` has no field `{field}`", shown(base)));
            };
            let at = list.iter().position(|f| f.fieldname == field);
            let at = at.ok_or_else(|| format!("`{}` has no field `{field}`", shown(base)))?;
            lo += list[..at].iter().map(|f| bits_of(&f.kind.kind)).sum::<usize>();
            ty = &list[at].kind;
            width = bits_of(&ty.kind);
        }
        Ok(Place::One { signal: base.into(), lo, width })
    }

    /// A number from `+ - * / %`, parentheses, loop variables and constants.
    fn constant_index(&self, text: &str) -> Result<Option<usize>, String> {
        let mut sum = Sum { scope: self, text: text.as_bytes(), at: 0 };
        let value = sum.terms()?;
        Ok(value.filter(|_| sum.at == text.len()).and_then(|value| usize::try_from(value).ok()))
    }
}

struct Sum<'a> {
    scope: &'a Scope<'a>,
    text: &'a [u8],
    at: usize,
}

impl Sum<'_> {
    fn next(&mut self, of: &[u8]) -> Option<u8> {
        let found = self.text.get(self.at).copied().filter(|c| of.contains(c));
        self.at += found.is_some() as usize;
        found
    }

    fn terms(&mut self) -> Result<Option<i64>, String> {
        let Some(mut value) = self.factors()? else { return Ok(None) };
        while let Some(op) = self.next(b"+-") {
            let Some(right) = self.factors()? else { return Ok(None) };
            value = if op == b'+' { value + right } else { value - right };
        }
        Ok(Some(value))
    }

    fn factors(&mut self) -> Result<Option<i64>, String> {
        let Some(mut value) = self.atom()? else { return Ok(None) };
        while let Some(op) = self.next(b"*/%") {
            let Some(right) = self.atom()? else { return Ok(None) };
            value = match op {
                b'*' => value * right,
                _ if right == 0 => return Ok(None),
                b'/' => value / right,
                _ => value % right,
            };
        }
        Ok(Some(value))
    }

    fn atom(&mut self) -> Result<Option<i64>, String> {
        if self.next(b"(").is_some() {
            let value = self.terms()?;
            return Ok(value.filter(|_| self.next(b")").is_some()));
        }
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || b"_$".contains(c)) {
            self.at += 1;
        }
        let word = std::str::from_utf8(&self.text[start..self.at]).unwrap_or("");
        if let Some(value) = crate::label::integer(word) {
            return Ok(u64::from_str_radix(&value, 16).ok().map(|value| value as i64));
        }
        if word.is_empty() { Ok(None) } else { Ok(self.scope.number(word)?.map(|value| value as i64)) }
    }
}

fn matching(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices().skip(open) {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A name as its author wrote it, or nearly.
pub(crate) fn shown(name: &str) -> String {
    name.replace('$', ".")
}
