//! Verilog names: no `$`, no keyword, no two alike in a module.

use std::collections::{HashMap, HashSet};

/// Words of Verilog-2005 and SystemVerilog that may not be names.
const RESERVED: &[&str] = &[
    "accept_on", "alias", "always", "always_comb", "always_ff", "always_latch", "and", "assert", "assign", "assume",
    "automatic", "before", "begin", "bind", "bins", "binsof", "bit", "break", "buf", "bufif0", "bufif1", "byte",
    "case", "casex", "casez", "cell", "chandle", "checker", "class", "clocking", "cmos", "config", "const",
    "constraint", "context", "continue", "cover", "covergroup", "coverpoint", "cross", "deassign", "default",
    "defparam", "design", "disable", "dist", "do", "edge", "else", "end", "endcase", "endmodule", "enum", "event",
    "eventually", "expect", "export", "extends", "extern", "final", "first_match", "for", "force", "foreach",
    "forever", "fork", "forkjoin", "function", "generate", "genvar", "global", "highz0", "highz1", "if", "iff",
    "ifnone", "ignore_bins", "illegal_bins", "implements", "implies", "import", "incdir", "include", "initial",
    "inout", "input", "inside", "instance", "int", "integer", "interconnect", "interface", "intersect", "join",
    "join_any", "join_none", "large", "let", "liblist", "library", "local", "localparam", "logic", "longint",
    "macromodule", "matches", "medium", "modport", "module", "nand", "negedge", "nettype", "new", "nexttime",
    "nmos", "nor", "noshowcancelled", "not", "notif0", "notif1", "null", "or", "output", "package", "packed",
    "parameter", "pmos", "posedge", "primitive", "priority", "program", "property", "protected", "pull0", "pull1",
    "pulldown", "pullup", "pure", "rand", "randc", "randcase", "randsequence", "rcmos", "real", "realtime", "ref",
    "reg", "reject_on", "release", "repeat", "restrict", "return", "rnmos", "rpmos", "rtran", "scalared",
    "sequence", "shortint", "shortreal", "showcancelled", "signed", "small", "soft", "solve", "specify",
    "specparam", "static", "string", "strong", "strong0", "strong1", "struct", "super", "supply0", "supply1",
    "sync_accept_on", "table", "tagged", "task", "this", "throughout", "time", "timeprecision", "timeunit", "tran",
    "tri", "tri0", "tri1", "triand", "trior", "trireg", "type", "typedef", "union", "unique", "unique0",
    "unsigned", "until", "until_with", "untyped", "use", "uwire", "var", "vectored", "virtual", "void", "wait",
    "wait_order", "wand", "weak", "weak0", "weak1", "while", "wildcard", "wire", "with", "within", "wor", "xnor",
    "xor",
];

/// The name as printed, as long as nothing else in the module has it.
pub(crate) fn mangle(raw: &str) -> String {
    let name = raw.trim_start_matches("r#").replace('$', "_");
    if RESERVED.contains(&name.as_str()) { name + "_" } else { name }
}

/// The names of one module.
#[derive(Default)]
pub(crate) struct Names {
    of: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Names {
    /// The printed name of `raw`, which gets one now if it has none.
    pub(crate) fn give(&mut self, raw: &str) -> String {
        if let Some(name) = self.of.get(raw) {
            return name.clone();
        }
        self.give_like(raw, &mangle(raw))
    }

    /// A name for `raw` that looks like `base`.
    pub(crate) fn give_like(&mut self, raw: &str, base: &str) -> String {
        let name = self.fresh(base);
        self.of.insert(raw.into(), name.clone());
        name
    }

    /// A name like `base` that nobody has.
    pub(crate) fn fresh(&mut self, base: &str) -> String {
        let mut name = base.to_string();
        let mut count = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}_{count}");
            count += 1;
        }
        name
    }

    pub(crate) fn get(&self, raw: &str) -> &str {
        self.of.get(raw).unwrap_or_else(|| panic!("no name was given to {raw}"))
    }
}
