//! Stages of a stream, and a chain of them.

use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "Sink"]
pub struct Source<const W: usize> {
    pub valid: Signal<Out, Bit>,
    pub data: Signal<Out, Bits<W>>,
    pub ready: Signal<In, Bit>,
}

#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "Source"]
pub struct Sink<const W: usize> {
    pub valid: Signal<In, Bit>,
    pub data: Signal<In, Bits<W>>,
    pub ready: Signal<Out, Bit>,
}

/// One register deep.
#[derive(LogicBlock, Default)]
pub struct Stage<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: Sink<W>,
    pub source: Source<W>,
    full: Reg<Bit>,
    data: Reg<Bits<W>>,
    take: Signal<Local, Bit>,
}

impl<const W: usize> Logic for Stage<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, full, data);
        self.take.next = !self.full.q.val() | self.source.ready.val();
        self.sink.ready.next = self.take.val();
        self.source.valid.next = self.full.q.val();
        self.source.data.next = self.data.q.val();
        if self.take.val() {
            self.full.d.next = self.sink.valid.val();
            self.data.d.next = self.sink.data.val();
        }
        if self.reset.val() {
            self.full.d.next = false;
        }
    }
}

/// Stages in a vector: linked at the ends, joined in a loop.
#[derive(LogicBlock)]
pub struct Chain<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub sink: Sink<W>,
    pub source: Source<W>,
    head: Stage<W>,
    stages: Vec<Stage<W>>,
    tail: Stage<W>,
}

impl<const W: usize> Default for Chain<W> {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            sink: Default::default(),
            source: Default::default(),
            head: Default::default(),
            stages: (0..2).map(|_| Default::default()).collect(),
            tail: Default::default(),
        }
    }
}

impl<const W: usize> Logic for Chain<W> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, head, tail);
        self.head.reset.next = self.reset.val();
        self.tail.reset.next = self.reset.val();
        for i in 0..2 {
            self.stages[i].clock.next = self.clock.val();
            self.stages[i].reset.next = self.reset.val();
        }
        Sink::<W>::link(&mut self.sink, &mut self.head.sink);
        Source::<W>::join(&mut self.head.source, &mut self.stages[0].sink);
        for i in 0..1 {
            self.stages[i + 1].sink.valid.next = self.stages[i].source.valid.val();
            self.stages[i + 1].sink.data.next = self.stages[i].source.data.val();
            self.stages[i].source.ready.next = self.stages[i + 1].sink.ready.val();
        }
        Source::<W>::join(&mut self.stages[1].source, &mut self.tail.sink);
        Source::<W>::link(&mut self.source, &mut self.tail.source);
    }
}
