//! A queue of words, first word falls through.
//!
//! In: `sink`.   Out: `source`; `room`, the number of words that can still be put in.
//! Time: a word put in is offered in the next cycle; one in and one out in every cycle.
//! Waits: `sink.ready` is low while full. It does not depend on `source.ready`, except at depth 1, where a word moves on in the
//! cycle in which the one before it leaves; from depth 4 on it and `source.valid` are registers.
//! Depth 1 is a register, depth 2 a pair of them, of which the first is offered; from 4 on the words are in distributed RAM and
//! are offered straight from it. An empty queue shows what is left there.
//! Of words that never have some bits (`narrow`) only the others are kept: synthesis does not find out by itself that a bit of a
//! memory is constant.

use super::stream::{StreamSink, StreamSource};
use rust_hdl_core::prelude::*;

/// Synchronous queue of up to `depth` words.
#[derive(LogicBlock)]
pub struct Fifo<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: StreamSink<T>,
    pub source: StreamSource<T>,
    pub room: Signal<Out, Bits<16>>,
    _slots: Slots<T>,
    _mask: Option<T>,
}

impl<T: Synth> Fifo<T> {
    /// `depth` is a power of two from 1 to 32768.
    pub fn new(depth: usize) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            room: Default::default(),
            _slots: Slots::new(depth),
            _mask: None,
        }
    }

    /// As `new`; words have no bits but those of `mask`.
    pub fn narrow(depth: usize, mask: T) -> Self {
        Self { _mask: Some(mask), ..Self::new(depth) }
    }
}

impl<T: Synth> Logic for Fifo<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let put = self.sink.data.val();
            self._slots.edge(self.sink.valid.val(), put, self.source.ready.val(), self.reset.val());
        }
        self.sink.ready.next = self._slots.ready(self.source.ready.val());
        self.room.next = (self._slots.room() as u64).into();
        self.source.valid.next = self._slots.valid();
        self.source.data.next = self._slots.front();
    }

    fn connect(&mut self) {
        self.sink.ready.connect();
        self.source.valid.connect();
        self.source.data.connect();
        self.room.connect();
    }

    fn hdl(&self) -> Verilog {
        let Some(mask) = self._mask else {
            return Verilog::Custom(fifo_text(self._slots.depth(), "sink_data", "source_data", T::BITS));
        };
        let kept = set_bits(&format!("{:x}", mask.verilog()));
        assert!(!kept.is_empty(), "a queue of words without bits");
        let list = |name: &str| {
            let bits: Vec<String> = kept.iter().rev().map(|bit| format!("{name}[{bit}]")).collect();
            format!("{{{}}}", bits.join(", "))
        };
        let read = format!("source_data = {}'d0;\n    {}", T::BITS, list("source_data"));
        let text = fifo_text(self._slots.depth(), &list("sink_data"), &read, kept.len());
        Verilog::Custom(format!("{text}\nwire unused = &{{1'b0, sink_data}};"))
    }
}

/// Where the ones are in a literal such as `12'h8ff`, from bit 0 on.
fn set_bits(literal: &str) -> Vec<usize> {
    let digits = literal.split_once("'h").map_or("", |(_, digits)| digits);
    let nibbles = digits.chars().rev().filter_map(|digit| digit.to_digit(16)).enumerate();
    nibbles
        .flat_map(|(at, nibble)| (0..4).filter(move |i| nibble >> i & 1 == 1).map(move |i| 4 * at + i))
        .collect()
}

/// What a queue holds, as its Verilog does, down to what it shows when it is empty.
pub(super) struct Slots<T> {
    words: Vec<T>,
    head: usize,
    tail: usize,
}

impl<T: Copy + Default> Slots<T> {
    pub(super) fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (1..=32768).contains(&depth), "fifo depth {depth}");
        Self { words: vec![T::default(); depth], head: 0, tail: 0 }
    }

    pub(super) fn depth(&self) -> usize {
        self.words.len()
    }

    pub(super) fn room(&self) -> usize {
        self.depth() - (self.tail - self.head)
    }

    pub(super) fn valid(&self) -> bool {
        self.tail != self.head
    }

    pub(super) fn ready(&self, source_ready: bool) -> bool {
        self.room() > 0 || (self.depth() == 1 && source_ready)
    }

    pub(super) fn front(&self) -> T {
        // Registers are moved along, RAM is addressed.
        self.words[if self.depth() < 4 { 0 } else { self.head % self.depth() }]
    }

    /// A rising edge, at which these were the inputs.
    pub(super) fn edge(&mut self, valid: bool, word: T, source_ready: bool, reset: bool) {
        let put = valid && self.ready(source_ready);
        let (moves, full) = (!self.valid() || source_ready, self.room() == 0);
        match self.depth() {
            1 if moves => self.words[0] = word,
            2 => {
                if moves {
                    self.words[0] = if full { self.words[1] } else { word };
                }
                if !full {
                    self.words[1] = word;
                }
            }
            depth if put && depth >= 4 => self.words[self.tail % depth] = word,
            _ => {}
        }
        self.head += usize::from(self.valid() && source_ready);
        self.tail += usize::from(put);
        if reset {
            (self.head, self.tail) = (0, 0);
        }
    }
}

/// The Verilog of a first-word-fall-through queue of `bits` wide words.
pub(super) fn fifo_text(depth: usize, write: &str, read: &str, bits: usize) -> String {
    match depth {
        1 => register_text(write, read, bits),
        2 => pair_text(write, read, bits),
        _ => ram_text(depth, write, read, bits),
    }
}

fn register_text(write: &str, read: &str, bits: usize) -> String {
    format!(
        "reg [{top}:0] word;
reg full;
wire move = source_ready | ~full;
always @(posedge clock) begin
    if (move) begin
        word <= {write};
    end
    if (move) begin
        full <= sink_valid;
    end
    if (reset) begin
        full <= 1'b0;
    end
end
initial full = 1'b0;
always @* begin
    sink_ready = move;
    source_valid = full;
    {read} = word;
    room = {{15'd0, ~full}};
end",
        top = bits - 1
    )
}

fn pair_text(write: &str, read: &str, bits: usize) -> String {
    format!(
        "reg [{top}:0] first;
reg [{top}:0] second;
reg first_full;
reg second_full;
wire move = source_ready | ~first_full;
always @(posedge clock) begin
    if (move) begin
        first <= second_full ? second : {write};
    end
    if (~second_full) begin
        second <= {write};
    end
    if (move) begin
        first_full <= sink_valid | second_full;
        second_full <= 1'b0;
    end else if (sink_valid) begin
        second_full <= 1'b1;
    end
    if (reset) begin
        first_full <= 1'b0;
        second_full <= 1'b0;
    end
end
initial first_full = 1'b0;
initial second_full = 1'b0;
always @* begin
    sink_ready = ~second_full;
    source_valid = first_full;
    {read} = first;
    room = {{14'd0, ~first_full, first_full & ~second_full}};
end",
        top = bits - 1
    )
}

fn ram_text(depth: usize, write: &str, read: &str, bits: usize) -> String {
    let a = depth.trailing_zeros();
    format!(
        "(* ram_style = \"distributed\" *)
reg [{top}:0] mem [0:{last}];
reg [{a}:0] head;
reg [{a}:0] tail;
reg ready;
reg some;
wire put = sink_valid & ready;
wire [{a}:0] behind = tail + {a1}'d1;
wire last = behind == {{~head[{a}], head[{ah}:0]}};
wire [{a}:0] ahead = head + {a1}'d1;
wire take = source_ready & some;
always @(posedge clock) begin
    if (put) begin
        mem[tail[{ah}:0]] <= {write};
        tail <= behind;
    end
    ready <= take | (ready & ~(sink_valid & last));
    some <= put | (some & ~(source_ready & ahead == tail));
    if (take) begin
        head <= ahead;
    end
    if (reset) begin
        head <= {a1}'d0;
        tail <= {a1}'d0;
        ready <= 1'b1;
        some <= 1'b0;
    end
end
initial head = {a1}'d0;
initial tail = {a1}'d0;
initial ready = 1'b1;
initial some = 1'b0;
always @* begin
    sink_ready = ready;
    source_valid = some;
    {read} = mem[head[{ah}:0]];
    room = {room_pad}{a1}'d{depth} - (tail - head){room_end};
end",
        top = bits - 1,
        last = depth - 1,
        a1 = a + 1,
        ah = a - 1,
        room_pad = if a + 1 < 16 { format!("{{{}'d0, ", 16 - (a + 1)) } else { String::new() },
        room_end = if a + 1 < 16 { "}" } else { "" },
    )
}
