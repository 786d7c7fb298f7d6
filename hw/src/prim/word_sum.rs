//! Adds up the 16-bit words of a beat, the first byte of each the high one.
//! In: `reset`, of what is beside the beats only; `data`; `from`, the first lane that counts (W/8: none); `count`, lanes that hold bytes; `tag` beside it.
//! Out: `sum`, of all words, with its carries; `sum_tag`.
//! Time: a beat in each cycle; `STAGES` cycles through.   Waits: never.

use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// See the file's head.
#[derive(LogicBlock)]
pub struct WordSum<const W: usize, T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub data: Signal<In, Bits<W>>,
    pub from: Signal<In, Bits<7>>,
    pub count: Signal<In, Bits<7>>,
    pub tag: Signal<In, T>,
    pub sum: Signal<Out, Bits<32>>,
    pub sum_tag: Signal<Out, T>,
    _stages: VecDeque<(u64, T)>,
}

impl<const W: usize, T: Synth> WordSum<W, T> {
    const LEVELS: usize = (W / 16).trailing_zeros() as usize;
    /// Registers on the way: one for what comes, one for the lanes that count, one behind every two levels of adders.
    pub const STAGES: usize = 2 + Self::LEVELS.div_ceil(2);
}

impl<const W: usize, T: Synth> Default for WordSum<W, T> {
    fn default() -> Self {
        assert!(W >= 64 && W.is_power_of_two(), "words of {W} bits");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            data: Default::default(),
            from: Default::default(),
            count: Default::default(),
            tag: Default::default(),
            sum: Default::default(),
            sum_tag: Default::default(),
            _stages: VecDeque::from(vec![(0, T::default()); Self::STAGES]),
        }
    }
}

impl<const W: usize, T: Synth> Logic for WordSum<W, T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let (data, from, count) = (self.data.val(), self.from.val().index(), self.count.val().index());
            let byte = |lane: usize| u64::from(data.get_bits::<8>(8 * lane));
            let sum = (from..count.min(W / 8)).map(|lane| byte(lane) << (8 * (1 - lane % 2))).sum();
            self._stages.push_front((sum, self.tag.val()));
            self._stages.truncate(Self::STAGES);
            if self.reset.val() {
                self._stages.iter_mut().for_each(|stage| stage.1 = T::default());
            }
        }
        let (sum, tag) = self._stages[Self::STAGES - 1];
        self.sum.next = sum.into();
        self.sum_tag.next = tag;
    }

    fn connect(&mut self) {
        self.sum.connect();
        self.sum_tag.connect();
    }

    fn hdl(&self) -> Verilog {
        let (words, tag_high) = (W / 16, T::BITS - 1);
        let mut names = format!("reg [{}:0] beat;\nreg [6:0] first;\nreg [6:0] behind;\n", W - 1);
        let mut edge = String::from("    beat <= data;\n    first <= from;\n    behind <= count;\n");
        for word in 0..words {
            let lane = |lane: usize| {
                let bits = format!("beat[{}:{}]", 8 * lane + 7, 8 * lane);
                format!("({bits} & {{8{{(first <= 7'd{lane}) & (behind > 7'd{lane})}}}})")
            };
            names += &format!("reg [15:0] sum0_{word};\n");
            edge += &format!("    sum0_{word} <= {{{}, {}}};\n", lane(2 * word), lane(2 * word + 1));
        }
        for stage in 0..Self::STAGES {
            names += &format!("reg [{tag_high}:0] tag{stage};\ninitial tag{stage} = 0;\n");
            let before = if stage == 0 { "tag".into() } else { format!("tag{}", stage - 1) };
            edge += &format!("    tag{stage} <= reset ? {}'d0 : {before};\n", T::BITS);
        }
        let mut left = words;
        // Behind the stage of what comes and that of the lanes.
        for stage in 1..Self::STAGES - 1 {
            let joined = left.min(4);
            left /= joined;
            for word in 0..left {
                let terms: Vec<_> = (0..joined)
                    .map(|i| format!("{{2'd0, sum{}_{}}}", stage - 1, joined * word + i))
                    .collect();
                names += &format!("reg [{}:0] sum{stage}_{word};\n", 15 + 2 * stage);
                edge += &format!("    sum{stage}_{word} <= {};\n", terms.join(" + "));
            }
        }
        let (last, last_tag) = (Self::STAGES - 2, Self::STAGES - 1);
        let unused = 16 - 2 * last;
        Verilog::Custom(format!(
            "{names}always @(posedge clock) begin\n{edge}end\nalways @* begin\n    sum = {{{unused}'d0, sum{last}_0}};\n    sum_tag = tag{last_tag};\nend"
        ))
    }
}
