//! What `#[hdl_gen]` drops or bends in silence, found in the source.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A place in a kernel that would become other hardware than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub line: usize,
    pub text: String,
}

/// Looks at every `#[hdl_gen]` function of a source text.
pub fn kernel_lint(source: &str) -> Vec<Finding> {
    match syn::parse_file(source) {
        Ok(file) => {
            let mut find = Kernels(vec![]);
            find.visit_file(&file);
            find.0
        }
        Err(error) => {
            vec![Finding { line: error.span().start().line, text: format!("does not parse: {error}") }]
        }
    }
}

struct Kernels(Vec<Finding>);

impl<'ast> Visit<'ast> for Kernels {
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if item.attrs.iter().any(|attr| attr.path().is_ident("hdl_gen")) {
            let mut kernel = Kernel { findings: vec![], index: 0 };
            kernel.visit_block(&item.block);
            self.0.append(&mut kernel.findings);
        }
    }
}

struct Kernel {
    findings: Vec<Finding>,
    /// Depth of places where `.index()` means what it says.
    index: usize,
}

impl Kernel {
    fn refuse(&mut self, span: Span, text: &str) {
        self.findings.push(Finding { line: span.start().line, text: text.into() });
    }

    fn indexed(&mut self, walk: impl FnOnce(&mut Self)) {
        self.index += 1;
        walk(self);
        self.index -= 1;
    }
}

impl<'ast> Visit<'ast> for Kernel {
    fn visit_expr_range(&mut self, range: &'ast syn::ExprRange) {
        if matches!(range.limits, syn::RangeLimits::Closed(_)) {
            self.refuse(range.span(), "`..=` loses its last turn: write `..`");
        }
        visit::visit_expr_range(self, range);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.refuse(guard.span(), "a match guard is dropped: write an `if` inside the arm");
        }
        if let syn::Pat::Ident(name) = &arm.pat
            && name.ident.to_string().starts_with(|c: char| c.is_lowercase())
        {
            self.refuse(name.span(), "a binding in a match becomes a label: write `_`");
        }
        if let syn::Pat::Ident(name) = &arm.pat
            && name.subpat.is_some()
        {
            self.refuse(name.span(), "`name @ pattern` loses its pattern");
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        self.indexed(|kernel| kernel.visit_expr(&expr.expr));
        expr.arms.iter().for_each(|arm| self.visit_arm(arm));
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        use syn::BinOp as O;
        let compares = matches!(expr.op, O::Eq(_) | O::Ne(_) | O::Lt(_) | O::Le(_) | O::Gt(_) | O::Ge(_));
        for side in [&expr.left, &expr.right] {
            // Compared as it is, an index is the signal's value; in a sum it would not wrap in Rust.
            match &**side {
                syn::Expr::MethodCall(call) if compares && call.method == "index" => {
                    self.visit_expr(&call.receiver)
                }
                side => self.visit_expr(side),
            }
        }
    }

    fn visit_expr_index(&mut self, expr: &'ast syn::ExprIndex) {
        self.visit_expr(&expr.expr);
        self.indexed(|kernel| kernel.visit_expr(&expr.index));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if name == "index" && self.index == 0 {
            self.refuse(
                call.method.span(),
                "`.index()` is dropped: outside an index or a match its arithmetic would wrap at the signal's width",
            );
        }
        self.visit_expr(&call.receiver);
        let takes_index = matches!(name.as_str(), "get_bit" | "get_bits" | "replace_bit");
        for (at, arg) in call.args.iter().enumerate() {
            if takes_index && at == 0 {
                self.indexed(|kernel| kernel.visit_expr(arg));
            } else {
                self.visit_expr(arg);
            }
        }
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast syn::ExprForLoop) {
        if let Some(label) = &expr.label {
            self.refuse(label.span(), "a loop's label is dropped");
        }
        visit::visit_expr_for_loop(self, expr);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let text = match &*call.func {
            syn::Expr::Path(path) => {
                path.path.segments.iter().map(|s| s.ident.to_string()).collect::<Vec<_>>().join("::")
            }
            _ => String::new(),
        };
        let last = text.rsplit("::").next().unwrap_or("");
        let ok = matches!(last, "join" | "link") && text.contains("::")
            || matches!(text.as_str(), "bit_cast" | "bits" | "Bits::from");
        if !ok {
            self.refuse(
                call.span(),
                "only bit_cast, bits, Bits::from, and an interface's join and link may be called in a kernel",
            );
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let name = mac.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        match name.as_str() {
            "dff_setup" | "clock" | "comment" => {}
            "assert" | "println" => {
                self.refuse(mac.span(), "`assert!` and `println!` do not reach the hardware")
            }
            _ => self.refuse(mac.span(), "a macro the front end does not know"),
        }
    }

    fn visit_attribute(&mut self, attr: &'ast syn::Attribute) {
        if attr.path().is_ident("cfg") {
            self.refuse(attr.span(), "`#[cfg]` inside a kernel is dropped");
        }
    }
}
