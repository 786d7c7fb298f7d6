//! Prototype: a width-exact, precedence-safe Verilog back end over rust-hdl-core's public AST
//! (the front end, `#[hdl_gen]`, LogicBlock, Signal, simulate(), stays stock rust-hdl 0.46).
use rust_hdl_core::ast::*;
use rust_hdl_core::atom::{is_atom_signed, Atom, AtomKind};
use rust_hdl_core::block::Block;
use rust_hdl_core::probe::Probe;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

#[derive(Clone)]
struct A { name: String, kind: AtomKind, width: usize, lit: String, clock: bool }
#[derive(Default)]
struct M { atoms: Vec<A>, subs: Vec<(String, String)>, enums: BTreeMap<String, (usize, usize)>, code: Verilog }
#[derive(Default)]
struct Collect { path: Vec<String>, ns: Vec<String>, mods: BTreeMap<String, M>, errs: Vec<String> }

fn enums(d: &TypeDescriptor, out: &mut BTreeMap<String, (usize, usize)>) {
    match &d.kind {
        TypeKind::Enum(v) => { let w = (usize::BITS - (v.len() - 1).leading_zeros()).max(1) as usize; for (i, l) in v.iter().enumerate() { out.insert(l.replace("::", "$"), (w, i)); } }
        TypeKind::Composite(v) => for f in v { enums(&f.kind, out) },
        _ => {}
    }
}
impl Probe for Collect {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let parent = self.path.join("$");
        self.path.push(name.into());
        let p = self.path.join("$");
        if !parent.is_empty() { self.mods.entry(parent).or_default().subs.push((name.into(), p.clone())); }
        self.mods.entry(p).or_default().code = node.hdl();
        self.ns.clear();
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) { self.path.pop(); }
    fn visit_start_namespace(&mut self, n: &str, _: &dyn Block) { self.ns.push(n.into()) }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) { self.ns.pop(); }
    fn visit_atom(&mut self, n: &str, s: &dyn Atom) {
        let name = self.ns.iter().map(|x| x.as_str()).chain([n]).collect::<Vec<_>>().join("$");
        let p = self.path.join("$");
        if is_atom_signed(s) { self.errs.push(format!("{p}.{name}: signed signals are not supported")); }
        let m = self.mods.entry(p).or_default();
        let mut d = s.descriptor();
        enums(&d, &mut m.enums);
        let parent = self.path[..self.path.len() - 1].join("$");
        if !parent.is_empty() { enums(&d, &mut self.mods.entry(parent).or_default().enums); }
        let clock = std::mem::take(&mut d.name) == "clock";
        self.mods.get_mut(&self.path.join("$")).unwrap().atoms.push(A { name, kind: s.kind(), width: s.bits(), lit: s.verilog().to_string(), clock });
    }
}

const RESERVED: &str = " accept_on checker eventually global implies let nexttime reject_on s_always s_eventually s_nexttime s_until s_until_with sync_accept_on sync_reject_on unique0 until until_with untyped weak restrict always and assign begin bit break buf byte case casex casez cell class clocking config const constraint context cover default defparam design disable do edge else end endcase endmodule enum event expect export extends extern final for force foreach forever fork function generate genvar global if ifnone import include initial inout input inside instance int integer interface join large let liblist library local localparam logic longint macromodule matches medium modport module nand negedge new nmos nor not null or output package packed parameter pmos posedge primitive priority program property protected pull0 pull1 pure rand real realtime ref reg release repeat return scalared sequence shortint signed small solve specify static string strong struct super supply0 supply1 table tagged task this throughout time timeprecision timeunit tran tri type typedef union unique unsigned use var vectored virtual void wait wand weak while wildcard wire with within wor xnor xor ";
pub(crate) fn mangle(n: &str) -> String { let s = n.trim_end_matches("$next").replace('$', "_"); if RESERVED.contains(&format!(" {s} ")) { format!("{s}_") } else { s } }
fn parse_lit(l: &VerilogLiteral) -> (usize, String) { // (bits, hex digits)
    let s = format!("{l:x}"); let (b, h) = s.split_once("'h").unwrap(); (b.parse().unwrap(), h.to_string())
}
fn lit(w: usize, hex: &str) -> String { let h = hex.trim_start_matches('0'); format!("{w}'h{}", if h.is_empty() { "0" } else { h }) }

struct Gen<'a> { consts: &'a HashMap<String, u64>, w: HashMap<String, usize>, enums: &'a BTreeMap<String, (usize, usize)>, out: String, ind: usize, loops: Vec<(String, usize)>, temps: Vec<(String, usize)>, prefix: usize, pend: Vec<String>, errs: Vec<String>, skip: HashSet<String> }
#[derive(Clone, Copy, PartialEq)]
enum Cx { W(usize), Index }

impl<'a> Gen<'a> {
    fn line(&mut self, s: &str) { for _ in 0..self.ind { self.out += "    "; } self.out += s; self.out.push('\n'); }
    fn eval_index(&self, t: &str) -> Option<usize> { // + - * / % and parens over loop variables
        fn expr(g: &Gen, t: &[u8], p: &mut usize) -> Option<i64> { let mut v = term(g, t, p)?; while *p < t.len() && (t[*p] == b'+' || t[*p] == b'-') { let o = t[*p]; *p += 1; let r = term(g, t, p)?; if o == b'+' { v += r } else { v -= r } } Some(v) }
        fn term(g: &Gen, t: &[u8], p: &mut usize) -> Option<i64> { let mut v = atom(g, t, p)?; while *p < t.len() && b"*/%".contains(&t[*p]) { let o = t[*p]; *p += 1; let r = atom(g, t, p)?; v = match o { b'*' => v * r, b'/' => v / r, _ => v % r } } Some(v) }
        fn atom(g: &Gen, t: &[u8], p: &mut usize) -> Option<i64> {
            if *p < t.len() && t[*p] == b'(' { *p += 1; let v = expr(g, t, p)?; *p += 1; return Some(v); }
            let s = *p; while *p < t.len() && (t[*p].is_ascii_alphanumeric() || t[*p] == b'_') { *p += 1; }
            let id = std::str::from_utf8(&t[s..*p]).ok()?; id.parse().ok().or_else(|| g.loops.iter().rev().find(|l| l.0 == id).map(|l| l.1 as i64))
        }
        let b: Vec<u8> = t.bytes().filter(|c| *c != b' ').collect(); let mut p = 0; let v = expr(self, &b, &mut p)?; if p == b.len() { usize::try_from(v).ok() } else { None }
    }
    fn name(&mut self, s: &str) -> String {
        let mut x = s.trim_start_matches('.').replace('.', "$").replace("::", "$").trim_end_matches("$next").to_string();
        while let (Some(a), Some(b)) = (x.find('['), x.find(']')) {
            let i = self.eval_index(&x[a + 1..b]);
            if i.is_none() { self.errs.push(format!("array index not constant: {s}")); }
            x = format!("{}${}{}", &x[..a], i.unwrap_or(0), &x[b + 1..]);
        }
        x
    }
    fn loopvar(&self, s: &str) -> Option<usize> { self.loops.iter().rev().find(|l| l.0 == s).map(|l| l.1).or_else(|| if self.w.contains_key(s) { None } else { self.consts.get(s).map(|v| *v as usize) }) }
    /// Rust-semantics width; None = literal (takes the other operand's width)
    fn width(&mut self, e: &VerilogExpression) -> Option<usize> {
        use VerilogExpression::*;
        match e {
            Signal(s) => { if self.loopvar(s).is_some() { return None } let n = self.name(s); if let Some(x) = self.enums.get(&n) { return Some(x.0) } match self.w.get(&n) { Some(w) => Some(*w), None => { self.errs.push(format!("unknown identifier `{n}` (const or const generic used in hdl_gen?)")); Some(1) } } }
            Literal(l) => if parse_lit(l).0 == 1 { Some(1) } else { None },
            Cast(_, n) => Some(*n), Paren(p) | Signed(p) | Unsigned(p) => self.width(p),
            Binary(l, o, r) => match o { VerilogOp::Eq | VerilogOp::Ne | VerilogOp::Lt | VerilogOp::Le | VerilogOp::Gt | VerilogOp::Ge | VerilogOp::LogicalAnd | VerilogOp::LogicalOr => Some(1), VerilogOp::Shl | VerilogOp::Shr => self.width(l), VerilogOp::Mul => match (self.width(l), self.width(r)) { (Some(a), Some(b)) => Some(a + b), _ => None }, _ => { let a = self.width(l); if a.is_some() { a } else { self.width(r) } } },
            Unary(VerilogOpUnary::Not | VerilogOpUnary::Neg, x) => self.width(x), Unary(..) | Index(..) => Some(1),
            Slice(_, n, _) => Some(*n), IndexReplace(s, ..) => self.width(s),
        }
    }
    fn temp(&mut self, w: usize, v: String) -> String { let n = format!("t{}", self.prefix + self.temps.len()); self.temps.push((n.clone(), w)); self.pend.push(format!("{n} = {v};")); n }
    fn simple(&mut self, e: &VerilogExpression) -> String { // something that may be sliced: a plain identifier
        use VerilogExpression::*;
        match e { Signal(_) => self.ex(e, Cx::W(0)), Paren(p) => self.simple(p), _ => { let w = self.width(e).unwrap_or(32); let v = self.ex(e, Cx::W(w)); self.temp(w, v) } }
    }
    fn ex(&mut self, e: &VerilogExpression, cx: Cx) -> String {
        use VerilogExpression::*;
        let w = match cx { Cx::W(w) => w, Cx::Index => 32 };
        match e {
            Signal(s) => { if let Some(v) = self.loopvar(s) { return lit(w.max(1), &format!("{v:x}")) } let n = self.name(s); self.width(e); mangle(&n) }
            Literal(l) => { let (b, h) = parse_lit(l); lit(if b == 1 { 1 } else { let need = h.trim_start_matches('0').len() * 4; if need > w + 3 { self.errs.push(format!("literal 0x{h} does not fit {w} bits")); } w.max(1) }, &h) }
            Paren(p) => self.ex(p, cx),
            Signed(_) | Unsigned(_) => { self.errs.push("signed".into()); String::new() }
            Cast(x, n) => match self.width(x) {
                None => self.ex(x, Cx::W(*n)),
                Some(m) if m == *n => self.ex(x, Cx::W(m)),
                Some(m) if m < *n => { let v = self.ex(x, Cx::W(m)); format!("{{{}'h0, {v}}}", n - m) }
                Some(m) => { if let Slice(b, _, o) = &**x { let b = self.simple(b); let o = self.idx(o); return slice(&b, o, *n) } let v = self.ex(x, Cx::W(m)); if is_ident(&v) { format!("{v}[{}:0]", n - 1) } else { self.temp(*n, format!("{v} /* truncates */")) } }
            },
            Binary(l, o, r) => {
                let op = match o { VerilogOp::Add => "+", VerilogOp::Sub => "-", VerilogOp::Mul => "*", VerilogOp::LogicalAnd => "&&", VerilogOp::LogicalOr => "||", VerilogOp::BitXor => "^", VerilogOp::BitAnd => "&", VerilogOp::BitOr => "|", VerilogOp::Shl => "<<", VerilogOp::Shr => ">>", VerilogOp::Eq => "==", VerilogOp::Lt => "<", VerilogOp::Le => "<=", VerilogOp::Ne => "!=", VerilogOp::Ge => ">=", VerilogOp::Gt => ">" };
                if cx == Cx::Index { // usize arithmetic: 32 bits, operands zero-extended
                    let (a, b) = (self.ex_idx(l), self.ex_idx(r)); return format!("({a} {op} {b})");
                }
                let (lw, rw) = (self.width(l), self.width(r));
                let (a, b) = match o {
                    VerilogOp::Shl | VerilogOp::Shr => { let a = self.ex(l, Cx::W(lw.unwrap_or(w))); let rw = rw.unwrap_or(32); let b = self.ex(r, Cx::W(rw)); (a, b) }
                    VerilogOp::LogicalAnd | VerilogOp::LogicalOr => (self.ex(l, Cx::W(1)), self.ex(r, Cx::W(1))),
                    VerilogOp::Mul => { let (x, y) = (lw.unwrap_or(16), rw.unwrap_or(16)); let a = self.ex(l, Cx::W(x)); let b = self.ex(r, Cx::W(y)); (format!("{{{y}'h0, {a}}}"), format!("{{{x}'h0, {b}}}")) }
                    _ => { if let (Some(x), Some(y)) = (lw, rw) { if x != y { self.errs.push(format!("operand widths {x} and {y} of `{op}`")); } } let k = lw.or(rw).unwrap_or(w); (self.ex(l, Cx::W(k)), self.ex(r, Cx::W(k))) }
                };
                format!("({a} {op} {b})")
            }
            Unary(o, x) => { let xw = self.width(x).unwrap_or(w); let v = self.ex(x, Cx::W(xw)); match o { VerilogOpUnary::Not => format!("(~{v})"), VerilogOpUnary::Neg => format!("(-{v})"), VerilogOpUnary::All => format!("(&{v})"), VerilogOpUnary::Any => format!("(|{v})"), VerilogOpUnary::Xor => format!("(^{v})") } }
            Index(b, i) => { let bw = self.width(b).unwrap_or(1); let b = self.simple(b); match self.idx_in(i, bw) { Ix::C(k) => format!("{b}[{k}]"), Ix::D(s) => format!("{b}[{s}]") } }
            Slice(b, n, o) => { let bw = self.width(b).unwrap_or(1); let b = self.simple(b); let o = self.idx_in(o, bw); slice(&b, o, *n) }
            IndexReplace(s, i, v) => { let sw = self.width(s).unwrap(); let sv = self.ex(s, Cx::W(sw)); let t = self.temp(sw, sv); let i = match self.idx_in(i, sw) { Ix::C(k) => k.to_string(), Ix::D(s) => s }; let v = self.ex(v, Cx::W(1)); self.pend.push(format!("{t}[{i}] = {v};")); t }
        }
    }
    fn ex_idx(&mut self, e: &VerilogExpression) -> String { let v = self.ex(e, Cx::Index); let w = match e { VerilogExpression::Signal(s) if self.loopvar(s).is_none() => self.width(e), _ => None }; match w { Some(w) if w < 32 => format!("{{{}'h0, {v}}}", 32 - w), _ => v } }
    fn cidx(&mut self, e: &VerilogExpression) -> Option<usize> {
        use VerilogExpression::*;
        match e { Literal(l) => usize::from_str_radix(&parse_lit(l).1, 16).ok(), Paren(p) => self.cidx(p), Signal(s) => self.loopvar(s), Binary(a, o, b) => { let (a, b) = (self.cidx(a)?, self.cidx(b)?); match o { VerilogOp::Add => Some(a + b), VerilogOp::Sub => a.checked_sub(b), VerilogOp::Mul => Some(a * b), _ => None } } _ => None }
    }
    fn idx(&mut self, e: &VerilogExpression) -> Ix { match self.cidx(e) { Some(k) => Ix::C(k), None => match e { VerilogExpression::Signal(_) => Ix::D(self.ex(e, Cx::Index)), _ => Ix::D(self.ex_idx(e)) } } }
    /// An index into `bw` bits, as wide as it needs to be.
    fn idx_in(&mut self, e: &VerilogExpression, bw: usize) -> Ix {
        let need = (usize::BITS - (bw.max(2) - 1).leading_zeros()) as usize;
        match self.idx(e) {
            Ix::C(k) => Ix::C(k),
            Ix::D(s) => {
                let iw = match e { VerilogExpression::Signal(_) | VerilogExpression::Slice(..) | VerilogExpression::Cast(..) => self.width(e).unwrap_or(32), _ => 32 };
                if iw == need { Ix::D(s) }
                else if iw < need { Ix::D(format!("{{{}'h0, {s}}}", need - iw)) }
                else if is_ident(&s) { Ix::D(format!("{s}[{}:0]", need - 1)) }
                else { let t = self.temp(iw, s); Ix::D(format!("{t}[{}:0]", need - 1)) }
            }
        }
    }
    fn flush(&mut self) { for p in std::mem::take(&mut self.pend) { self.line(&p); } }
    fn block(&mut self, b: &VerilogBlock) { for s in b { self.stmt(s) } }
    fn ifs(&mut self, c: &VerilogConditional) {
        let t = self.ex(&c.test, Cx::W(1)); self.flush();
        self.line(&format!("if ({t}) begin")); self.ind += 1; self.block(&c.then); self.ind -= 1;
        match &c.otherwise {
            VerilogBlockOrConditional::None => self.line("end"),
            VerilogBlockOrConditional::Block(b) => { self.line("end else begin"); self.ind += 1; self.block(b); self.ind -= 1; self.line("end"); }
            VerilogBlockOrConditional::Conditional(c) => { self.line("end else begin"); self.ind += 1; self.stmt(c); self.ind -= 1; self.line("end"); }
        }
    }
    fn stmt(&mut self, s: &VerilogStatement) {
        use VerilogStatement::*;
        match s {
            Assignment(l, r) => { if let VerilogExpression::Signal(n) = l { let n = self.name(n); if self.skip.contains(&n) { return } } let w = self.width(l).unwrap(); let rw = self.width(r); if let Some(rw) = rw { if rw != w { self.errs.push(format!("assign {w} <- {rw}: {l:?}")); } } let l = self.ex(l, Cx::W(w)); let r = self.ex(r, Cx::W(w)); self.flush(); let r = r.strip_prefix('(').filter(|x| balanced(x)).map(|x| x[..x.len() - 1].to_string()).unwrap_or(r); self.line(&format!("{l} = {r};")); }
            SliceAssignment { base, width, offset, replacement } => { let b = self.simple(base); let o = self.idx(offset); let l = slice(&b, o, *width); let r = self.ex(replacement, Cx::W(*width)); self.flush(); self.line(&format!("{l} = {r};")); }
            If(c) => self.ifs(c),
            Match(m) => { let w = self.width(&m.test).unwrap(); let t = self.ex(&m.test, Cx::W(w)); self.flush(); self.line(&format!("case ({t})")); self.ind += 1; let mut dflt = false;
                for c in &m.cases { let n = self.name(&c.condition); let k = if n == "default" { dflt = true; n } else if self.enums.contains_key(&n) { mangle(&n) } else if let Some(v) = self.loopvar(&n) { lit(w, &format!("{v:x}")) } else if let Ok(v) = n.replace('_', "").parse::<u64>() { lit(w, &format!("{v:x}")) } else if let Some(h) = n.strip_prefix("0x") { lit(w, &h.replace('_', "").to_lowercase()) } else if n == "true" { "1'b1".into() } else if n == "false" { "1'b0".into() } else { self.errs.push(format!("case label {n}")); n };
                    self.line(&format!("{k}: begin")); self.ind += 1; self.block(&c.block); self.ind -= 1; self.line("end"); }
                if !dflt { self.line("default: begin end"); } self.ind -= 1; self.line("endcase"); }
            Loop(l) => for i in l.from.as_usize()..l.to.as_usize() { self.loops.push((l.index.clone(), i)); self.block(&l.block); self.loops.pop(); },
            Comment(c) => { let c = c.clone(); self.line(&format!("// {c}")) }
            Macro(b) => self.block(b),
            Link(links) => for l in links { let (to, from) = match l { VerilogLink::Forward(d) => (format!("{}{}", d.other_name, d.my_name), format!("{}{}", d.owner_name, d.my_name)), VerilogLink::Backward(d) => (format!("{}{}", d.owner_name, d.my_name), format!("{}{}", d.other_name, d.my_name)), VerilogLink::Bidirectional(_) => { self.errs.push("InOut".into()); continue } };
                let f = |s: String| s.replace('.', "$"); self.stmt(&Assignment(VerilogExpression::Signal(f(to)), VerilogExpression::Signal(f(from)))); }
        }
    }
}
enum Ix { C(usize), D(String) }
fn slice(b: &str, o: Ix, n: usize) -> String { match o { Ix::C(k) if n == 1 => format!("{b}[{k}]"), Ix::C(k) => format!("{b}[{}:{k}]", k + n - 1), Ix::D(s) => format!("{b}[{s} +: {n}]") } }
fn is_ident(s: &str) -> bool { s.chars().all(|c| c.is_alphanumeric() || c == '_') && !s.starts_with(|c: char| c.is_ascii_digit()) }
fn balanced(rest: &str) -> bool { let mut d = 1; for (i, c) in rest.char_indices() { match c { '(' => d += 1, ')' => { d -= 1; if d == 0 { return i == rest.len() - 1 } } _ => {} } } false }
fn range(w: usize) -> String { if w == 1 { String::new() } else { format!("[{}:0] ", w - 1) } }

/// unconditional top-level `child$clock = clk`, and plain `child$in = sig` single assignments -> direct port connections
fn direct(b: &VerilogBlock, g: &mut Gen, clocks: &HashSet<String>, out: &mut HashMap<String, String>) {
    for s in b { match s {
        VerilogStatement::Macro(m) => direct(m, g, clocks, out),
        VerilogStatement::Loop(l) => for i in l.from.as_usize()..l.to.as_usize() { g.loops.push((l.index.clone(), i)); direct(&l.block, g, clocks, out); g.loops.pop(); },
        VerilogStatement::Assignment(VerilogExpression::Signal(l), VerilogExpression::Signal(r)) => { let l = g.name(l); if clocks.contains(&l) { let r = g.name(r); out.insert(l, mangle(&r)); } }
        _ => {}
    } }
}

pub fn emit<B: Block>(top: &str, b: &B, constants: &[(&str, u64)]) -> Result<String, Vec<String>> {
    let mut consts: HashMap<String, u64> = HashMap::new();
    for (n, v) in constants { consts.insert(n.replace("::", "$"), *v); }

    let mut c = Collect::default();
    b.accept(top, &mut c);
    let mut errs = c.errs.clone();
    let regs: HashMap<String, (usize, String)> = c.mods.iter().filter_map(|(k, m)| match &m.code { Verilog::Custom(t) if t.contains("q <= d;") && m.atoms.len() == 3 => { let init = t.split("q = ").nth(1)?.split(';').next()?.to_string(); Some((k.clone(), (m.atoms.iter().find(|a| a.name == "q")?.width, init))) } _ => None }).collect();
    let mut done: HashMap<String, String> = HashMap::new(); // body -> module name
    let mut kind: HashMap<String, String> = HashMap::new(); // path -> module name
    let mut text = String::new();
    let mut order: Vec<&String> = c.mods.keys().filter(|k| !regs.contains_key(*k)).collect();
    order.sort_by_key(|k| std::cmp::Reverse(k.matches('$').count()));
    for k in order {
        let m = &c.mods[k];
        let mut w: HashMap<String, usize> = m.atoms.iter().map(|a| (a.name.clone(), a.width)).collect();
        let mut clocks = HashSet::new();
        for (n, p) in &m.subs { for a in &c.mods[p].atoms { if a.kind.is_parameter() { let f = format!("{n}${}", a.name); w.insert(f.clone(), a.width); if a.clock { clocks.insert(f); } } } }
        let mut g = Gen { consts: &consts, w, enums: &m.enums, out: String::new(), ind: 1, loops: vec![], temps: vec![], prefix: 0, pend: vec![], errs: vec![], skip: HashSet::new() };
        let mut conn = HashMap::new();
        let mut body = String::new();
        let mut parts: Vec<(String, usize)> = vec![];
        let wrapper = matches!(m.code, Verilog::Custom(_) | Verilog::Wrapper(_));
        match &m.code {
            Verilog::Combinatorial(blk) => {
                direct(blk, &mut g, &clocks, &mut conn);
                g.skip = conn.keys().cloned().collect();
                for part in split(blk, &mut g) {
                    g.ind = 2; g.out.clear(); g.temps.clear();
                    g.prefix = parts.len();
                    for (s, loops) in &part { g.loops = loops.clone(); g.stmt(s); g.loops.clear(); }
                    if g.out.is_empty() { continue }
                    let text = std::mem::take(&mut g.out);
                    body += "    always @* begin\n";
                    for (n, w) in &g.temps { let _ = writeln!(body, "        {n} = {};", lit(*w, "0")); }
                    body += &text; body += "    end\n";
                    parts.extend(g.temps.drain(..));
                }
            }
            Verilog::Custom(t) => { for l in t.lines() { let _ = writeln!(body, "    {}", l.trim_end()); } }
            Verilog::Wrapper(x) => { for l in x.code.lines() { let _ = writeln!(body, "    {}", l.trim_end()); } }
            _ => {}
        }
        let comb = matches!(m.code, Verilog::Combinatorial(_));
        for e in std::mem::take(&mut g.errs) { errs.push(format!("{k}: {e}")); }
        let mut h = String::from("(\n");
        let ports: Vec<String> = m.atoms.iter().filter(|a| a.kind.is_parameter()).map(|a| format!("    {} {}{}", if a.kind == AtomKind::InputParameter { "input  wire" } else if comb || wrapper { "output reg " } else { "output wire" }, range(a.width), mangle(&a.name))).collect();
        h += &ports.join(",\n"); h += "\n);\n";
        for (n, (w, v)) in m.enums.iter() { let _ = writeln!(h, "    localparam [{}:0] {} = {w}'d{v};", w - 1, mangle(n)); }
        for a in &m.atoms { match a.kind { AtomKind::Constant => { let (_, v) = a.lit.split_once('\'').unwrap(); let _ = writeln!(h, "    localparam [{}:0] {} = {}'{v};", a.width - 1, mangle(&a.name), a.width); } AtomKind::LocalSignal => { let _ = writeln!(h, "    reg {}{};", range(a.width), mangle(&a.name)); } _ => {} } }
        for (n, w) in &parts { let _ = writeln!(h, "    reg {}{n};", range(*w)); }
        for (raw, p) in &m.subs {
            let n = raw.replace('$', "_");
            if let Some((w, init)) = regs.get(p) {
                let Some(clk) = conn.get(&format!("{raw}$clock")).cloned() else { errs.push(format!("{k}: register {raw} has no direct clock")); continue };
                let (_, v) = init.split_once('\'').unwrap();
                let _ = writeln!(h, "    reg {0}{n}_q;\n    reg {0}{n}_d;\n    initial {n}_q = {w}'{v};\n    always @(posedge {clk}) {n}_q <= {n}_d;", range(*w));
            }
        }
        for (n, p) in &m.subs { if regs.contains_key(p) { continue }
            let mut pc = vec![];
            for a in &c.mods[p].atoms { if !a.kind.is_parameter() { continue } let f = format!("{n}${}", a.name);
                if let Some(s) = conn.get(&f) { pc.push(format!("        .{}({s})", mangle(&a.name))); } else { let _ = writeln!(h, "    {} {}{};", if a.kind == AtomKind::InputParameter { "reg" } else { "wire" }, range(a.width), mangle(&f)); pc.push(format!("        .{}({})", mangle(&a.name), mangle(&f))); } }
            let _ = writeln!(h, "    {} {} (\n{}\n    );", kind[p], mangle(n), pc.join(",\n"));
        }
        let full = h + &body;
        let name = match done.get(&full) { Some(n) => n.clone(), None => { let n = mangle(k); let _ = write!(text, "module {n} {full}endmodule\n\n"); done.insert(full, n.clone()); n } };
        kind.insert(k.clone(), name);
    }
    if errs.is_empty() { Ok(text) } else { errs.sort(); errs.dedup(); Err(errs) }
}

type Part = Vec<(VerilogStatement, Vec<(String, usize)>)>;
/// Top-level statements by what they assign: statements that share a target stay together, in order; the rest become always blocks
/// of their own, so that a wire through a sub-block is no loop.
fn split(blk: &VerilogBlock, g: &mut Gen) -> Vec<Part> {
    let mut flat: Part = vec![];
    fn walk(b: &VerilogBlock, g: &mut Gen, flat: &mut Part) {
        for s in b { match s {
            VerilogStatement::Macro(m) => walk(m, g, flat),
            VerilogStatement::Link(links) => for l in links { flat.push((VerilogStatement::Link(vec![l.clone()]), g.loops.clone())); },
            s => flat.push((s.clone(), g.loops.clone())),
        } }
    }
    walk(blk, g, &mut flat);
    let mut owner: HashMap<String, usize> = HashMap::new();
    let mut root: Vec<usize> = (0..flat.len()).collect();
    fn find(root: &mut Vec<usize>, i: usize) -> usize { let mut i = i; while root[i] != i { root[i] = root[root[i]]; i = root[i]; } i }
    for i in 0..flat.len() {
        let mut t = HashSet::new(); g.loops = flat[i].1.clone(); targets(&flat[i].0, g, &mut t); g.loops.clear();
        for n in t { match owner.get(&n) { Some(&j) => { let (a, b) = (find(&mut root, i), find(&mut root, j)); let (a, b) = (a.min(b), a.max(b)); root[b] = a; } None => { owner.insert(n, i); } } }
    }
    let mut out: BTreeMap<usize, Part> = BTreeMap::new();
    for (i, s) in flat.into_iter().enumerate() { let r = find(&mut root, i); out.entry(r).or_default().push(s); }
    out.into_values().collect()
}
fn targets(s: &VerilogStatement, g: &mut Gen, t: &mut HashSet<String>) {
    use VerilogStatement::*;
    let base = |e: &VerilogExpression, g: &mut Gen, t: &mut HashSet<String>| if let VerilogExpression::Signal(n) = e { let n = g.name(n); t.insert(n); };
    match s {
        Assignment(l, _) => base(l, g, t),
        SliceAssignment { base: b, .. } => base(b, g, t),
        If(c) => { for s in &c.then { targets(s, g, t) } match &c.otherwise { VerilogBlockOrConditional::Block(b) => for s in b { targets(s, g, t) }, VerilogBlockOrConditional::Conditional(c) => targets(c, g, t), VerilogBlockOrConditional::None => {} } }
        Match(m) => for c in &m.cases { for s in &c.block { targets(s, g, t) } },
        Loop(l) => for i in l.from.as_usize()..l.to.as_usize() { g.loops.push((l.index.clone(), i)); for s in &l.block { targets(s, g, t) } g.loops.pop(); },
        Macro(b) => for s in b { targets(s, g, t) },
        Link(ls) => for l in ls { let n = match l { VerilogLink::Forward(d) => format!("{}{}", d.other_name, d.my_name), VerilogLink::Backward(d) => format!("{}{}", d.owner_name, d.my_name), VerilogLink::Bidirectional(_) => continue }; let n = g.name(&n.replace('.', "$")); t.insert(n); },
        Comment(_) => {}
    }
}
