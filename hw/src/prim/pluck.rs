//! Keeps words of a frame that stand at fixed places.
//! In: `take`: the beat `data` passes; `last`: it ends its frame; `reset`: the next beat begins a frame.   Out: `kept`, the words of the beats before;
//! `words`, those of this beat among them.
//! Time: combinational; a register to `kept`.   Waits: never.
//! A word is two bytes, the first the high one. One that a frame has not reached is what was there before.

use rust_hdl_core::prelude::*;

/// Words there are.
pub const WORDS: usize = 16;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Pluck<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub data: Signal<In, Bits<W>>,
    pub take: Signal<In, Bit>,
    pub last: Signal<In, Bit>,
    pub words: Signal<Out, Bits<256>>,
    pub kept: Signal<Out, Bits<256>>,
    _places: [usize; WORDS],
    _beat: usize,
    _kept: Bits<256>,
}

impl<const W: usize> Pluck<W> {
    /// Words at these bytes of a frame, all of them even; the first is the lowest of `words`.
    pub fn new(places: [usize; WORDS]) -> Self {
        assert!(places.iter().all(|place| place % 2 == 0 && place / (W / 8) < Self::BEATS), "{places:?}");
        Self {
            clock: Default::default(),
            reset: Default::default(),
            data: Default::default(),
            take: Default::default(),
            last: Default::default(),
            words: Default::default(),
            kept: Default::default(),
            _places: places,
            _beat: 0,
            _kept: Default::default(),
        }
    }

    /// Beats that are counted.
    const BEATS: usize = 15;

    fn seen(&self) -> Bits<256> {
        let mut seen = self._kept;
        for (word, place) in
            self._places.iter().enumerate().filter(|(_, place)| *place / (W / 8) == self._beat)
        {
            let lane = place % (W / 8);
            let byte = |lane: usize| self.data.val().get_bits::<8>(8 * lane);
            seen.set_bits::<8>(16 * word + 8, byte(lane));
            seen.set_bits::<8>(16 * word, byte(lane + 1));
        }
        seen
    }
}

impl<const W: usize> Logic for Pluck<W> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.take.val() {
                self._kept = self.seen();
                self._beat = if self.last.val() { 0 } else { (self._beat + 1).min(Self::BEATS) };
            }
            if self.reset.val() {
                self._beat = 0;
            }
        }
        self.kept.next = self._kept;
        self.words.next = self.seen();
    }

    fn connect(&mut self) {
        self.words.connect();
        self.kept.connect();
    }

    fn hdl(&self) -> Verilog {
        let words: String = (0..WORDS)
            .map(|word| {
                let (beat, lane) = (self._places[word] / (W / 8), self._places[word] % (W / 8));
                let byte = |lane: usize| format!("data[{}:{}]", 8 * lane + 7, 8 * lane);
                let bits = format!("[{}:{}]", 16 * word + 15, 16 * word);
                format!(
                    "    words{bits} = (beat == 4'd{beat}) ? {{{}, {}}} : kept_words{bits};\n",
                    byte(lane),
                    byte(lane + 1)
                )
            })
            .collect();
        let most = Self::BEATS;
        Verilog::Custom(format!(
            "reg [3:0] beat;
reg [255:0] kept_words;
always @(posedge clock) begin
    if (take) begin
        kept_words <= words;
        beat <= last ? 4'd0 : (beat == 4'd{most}) ? beat : beat + 4'd1;
    end
    if (reset) begin
        beat <= 4'd0;
    end
end
initial beat = 4'd0;
initial kept_words = 256'd0;
always @* begin
    kept = kept_words;
{words}end"
        ))
    }
}
