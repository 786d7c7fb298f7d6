//! Takes turns.
//!
//! In: `wants`, one bit per candidate; `take`: the one granted has had its turn.
//! Out: `grants`, at most one of those that want; `index`, its number; `any`, there is one.
//! Time: combinational from `wants`.   Waits: never.
//! The one that has had its turn comes last. After reset the first comes first.

use rust_hdl_core::prelude::*;

/// Round robin among up to 32.
#[derive(LogicBlock)]
pub struct Arbiter {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub wants: Vec<Signal<In, Bit>>,
    pub take: Signal<In, Bit>,
    pub grants: Vec<Signal<Out, Bit>>,
    pub index: Signal<Out, Bits<8>>,
    pub any: Signal<Out, Bit>,
    /// The first to be asked: the one behind the last granted, or `n` when none is.
    _first: usize,
}

impl Arbiter {
    /// `n` candidates, 1 to 32.
    pub fn new(n: usize) -> Self {
        assert!((1..=32).contains(&n), "{n} candidates");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            wants: (0..n).map(|_| Default::default()).collect(),
            take: Default::default(),
            grants: (0..n).map(|_| Default::default()).collect(),
            index: Default::default(),
            any: Default::default(),
            _first: n,
        }
    }

    fn granted(&self) -> Option<usize> {
        let n = self.wants.len();
        (self._first..n).chain(0..n).find(|&i| self.wants[i].val())
    }
}

impl Logic for Arbiter {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.reset.val() {
                self._first = self.wants.len();
            } else if self.take.val() {
                self._first = self.granted().map_or(self._first, |i| i + 1);
            }
        }
        let granted = self.granted();
        for (i, grant) in self.grants.iter_mut().enumerate() {
            grant.next = granted == Some(i);
        }
        self.index.next = (granted.unwrap_or(0) as u64).into();
        self.any.next = granted.is_some();
    }

    fn connect(&mut self) {
        self.grants.iter_mut().for_each(Logic::connect);
        self.index.connect();
        self.any.connect();
    }

    fn hdl(&self) -> Verilog {
        let n = self.wants.len();
        let list = |name: &str| (0..n).rev().map(|i| format!("{name}_{i}")).collect::<Vec<_>>().join(", ");
        let index: Vec<_> = (1..n).map(|i| format!("(grant[{i}] ? 8'd{i} : 8'd0)")).collect();
        // The lowest bit of a mask, bit by bit: for a few candidates shallower than a carry chain.
        let lowest = |mask: &str, i: usize| match i {
            0 => format!("{mask}[0]"),
            _ => format!("({mask}[{i}] & ~|{mask}[{}:0])", i - 1),
        };
        let after: Vec<_> =
            (1..n).rev().map(|i| format!("|grant[{}:0]", i - 1)).chain(["1'b0".into()]).collect();
        let after = format!("{{{}}}", after.join(", "));
        let grant: String = (0..n)
            .map(|i| {
                format!("\nassign grant[{i}] = {} | ({} & none);", lowest("first", i), lowest("wanted", i))
            })
            .collect();
        Verilog::Custom(format!(
            "reg [{top}:0] behind; // those whose turn comes before the others'
wire [{top}:0] wanted = {{{wants}}};
wire [{top}:0] first = wanted & behind;
wire none = ~|first;
wire [{top}:0] grant;{grant}
always @(posedge clock) begin
    if (take & any) begin
        behind <= {after};
    end
    if (reset) begin
        behind <= {n}'d0;
    end
end
initial behind = {n}'d0;
always @* begin
    {{{grants}}} = grant;
    index = {index};
    any = |wanted;
end",
            top = n - 1,
            after = after,
            wants = list("wants"),
            grants = list("grants"),
            index = if index.is_empty() { "8'd0".into() } else { index.join(" | ") },
        ))
    }
}
