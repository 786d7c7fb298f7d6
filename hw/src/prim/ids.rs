//! Hands out numbers from 0 to `count - 1`, none twice before it has come back.
//!
//! In: `give`, `give_id`: a number that comes back.   Out: `id`: a free one; `fresh`.
//! Time: one out and one in per cycle; a number that has come back may go out again in the next cycle.
//! Waits: `id` is not valid while all are out.   After reset all are free.

use super::stream::StreamSource;
use rust_hdl_core::prelude::*;

/// Pool of up to 256 numbers.
#[derive(LogicBlock)]
pub struct Ids {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub give: Signal<In, Bit>,
    pub give_id: Signal<In, Bits<8>>,
    pub id: StreamSource<Bits<8>>,
    /// Numbers below this one have been out since reset; the others have not.
    pub fresh: Signal<Out, Bits<9>>,
    _count: usize,
    _fresh: usize,
    _ring: Vec<Bits<8>>,
    _head: usize,
    _tail: usize,
}

impl Ids {
    /// `count` is a power of two from 2 to 256.
    pub fn new(count: usize) -> Self {
        assert!(count.is_power_of_two() && (2..=256).contains(&count), "{count} numbers");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            give: Default::default(),
            give_id: Default::default(),
            id: Default::default(),
            fresh: Default::default(),
            _count: count,
            _fresh: 0,
            _ring: vec![Bits::default(); count],
            _head: 0,
            _tail: 0,
        }
    }
}

impl Logic for Ids {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let take = self.id.ready.val() && self.id.valid.val();
            if self.give.val() {
                self._ring[self._tail % self._count] = self.give_id.val();
            }
            if self.reset.val() {
                (self._fresh, self._head, self._tail) = (0, 0, 0);
            } else {
                if take && self._fresh < self._count {
                    self._fresh += 1;
                } else if take {
                    self._head += 1;
                }
                if self.give.val() {
                    self._tail += 1;
                }
            }
        }
        let fresh = self._fresh < self._count;
        self.fresh.next = (self._fresh as u64).into();
        self.id.valid.next = fresh || self._head != self._tail;
        self.id.data.next =
            if fresh { (self._fresh as u64).into() } else { self._ring[self._head % self._count] };
    }

    fn connect(&mut self) {
        self.id.valid.connect();
        self.id.data.connect();
        self.fresh.connect();
    }

    fn hdl(&self) -> Verilog {
        let a = self._count.trailing_zeros() as usize;
        let pad = if a < 8 { format!("{}'d0, ", 8 - a) } else { String::new() };
        Verilog::Custom(format!(
            "(* ram_style = \"distributed\" *)
reg [7:0] returned [0:{last}];
reg [{a}:0] fresh_count;
reg [{a}:0] head;
reg [{a}:0] tail;
wire some_fresh = ~fresh_count[{a}];
wire take = id_ready & id_valid;
always @(posedge clock) begin
    if (give) begin
        returned[tail[{ah}:0]] <= give_id;
    end
    if (give) begin
        tail <= tail + {a1}'d1;
    end
    if (take & some_fresh) begin
        fresh_count <= fresh_count + {a1}'d1;
    end
    if (take & ~some_fresh) begin
        head <= head + {a1}'d1;
    end
    if (reset) begin
        fresh_count <= {a1}'d0;
        head <= {a1}'d0;
        tail <= {a1}'d0;
    end
end
initial fresh_count = {a1}'d0;
initial head = {a1}'d0;
initial tail = {a1}'d0;
always @* begin
    id_valid = some_fresh | (head != tail);
    id_data = some_fresh ? {{{pad}fresh_count[{ah}:0]}} : returned[head[{ah}:0]];
    fresh = {pad9}fresh_count{end9};
end",
            last = self._count - 1,
            a1 = a + 1,
            ah = a - 1,
            pad9 = if a < 8 { format!("{{{}'d0, ", 8 - a) } else { String::new() },
            end9 = if a < 8 { "}" } else { "" },
        ))
    }
}
