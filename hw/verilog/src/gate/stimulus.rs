//! Random inputs, repeatable from a seed.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::HashMap;

/// A type that can be drawn at random. For a struct or an enum of your own, use [`random_struct!`](crate::random_struct)
/// or [`random_enum!`](crate::random_enum).
pub trait Random: Synth {
    fn random(rng: &mut dyn RngCore) -> Self;
}

impl Random for Bit {
    fn random(rng: &mut dyn RngCore) -> Self {
        rng.next_u32() & 1 == 1
    }
}

impl<const N: usize> Random for Bits<N> {
    /// One in four is at an edge: all zeros, all ones, small, near the top.
    fn random(rng: &mut dyn RngCore) -> Self {
        let draw = rng.next_u32();
        let edge = if draw.is_multiple_of(4) { 1 + draw / 4 % 4 } else { 0 };
        let mut value = Bits::<N>::default();
        let (mut word, mut left) = (0, 0);
        for at in 0..N {
            if left == 0 {
                (word, left) = (rng.next_u32(), 32);
            }
            let bit = match edge {
                0 => word & 1 == 1,
                1 => false,
                2 => true,
                3 => at < 2 && word & 1 == 1,
                _ => at >= 2 || word & 1 == 1,
            };
            word >>= 1;
            left -= 1;
            if bit {
                value = value.replace_bit(at, true);
            }
        }
        value
    }
}

/// Draws every field: `random_struct!(Pick { from, count })`.
#[macro_export]
macro_rules! random_struct {
    ($name:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::gate::Random for $name {
            fn random(rng: &mut dyn $crate::gate::RngCore) -> Self {
                Self { $($field: $crate::gate::Random::random(rng)),+ }
            }
        }
    };
}

/// Draws one of the variants: `random_enum!(State { Idle, Busy })`.
#[macro_export]
macro_rules! random_enum {
    ($name:ident { $($variant:ident),+ $(,)? }) => {
        impl $crate::gate::Random for $name {
            fn random(rng: &mut dyn $crate::gate::RngCore) -> Self {
                let all = [$($name::$variant),+];
                all[rng.next_u32() as usize % all.len()]
            }
        }
    };
}

/// Sets the inputs of one cycle. Every input has its own bias, drawn from the seed.
pub struct Stimulus {
    rng: ChaCha8Rng,
    bias: HashMap<String, f64>,
    cycle: usize,
    pub(super) before: HashMap<String, bool>,
}

impl Stimulus {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), bias: HashMap::new(), cycle: 0, before: HashMap::new() }
    }

    pub(super) fn next_cycle(&mut self) {
        self.cycle += 1;
        // Biases move, so that full, empty and every stretch between are seen.
        if self.cycle.is_multiple_of(200) {
            self.bias.clear();
        }
    }

    /// Cycles so far.
    pub fn cycle(&self) -> usize {
        self.cycle
    }

    /// Any value.
    pub fn any<T: Random>(&mut self, signal: &mut Signal<In, T>) {
        signal.next = T::random(&mut self.rng);
    }

    /// A bit with this input's bias; `name` tells inputs apart.
    pub fn bit(&mut self, name: &str, signal: &mut Signal<In, Bit>) {
        let rng = &mut self.rng;
        let choices = [0.1, 0.5, 0.9, 1.0];
        let bias =
            *self.bias.entry(name.into()).or_insert_with(|| choices[rng.random_range(0..choices.len())]);
        signal.next = self.rng.random_bool(bias);
    }

    /// Resets: set in the first two cycles and then once in some hundred.
    pub fn rare(&mut self, signal: &mut Signal<In, Bit>) {
        signal.next = self.cycle < 2 || self.rng.random_range(0..150) == 0;
    }

    /// Whether the offer on this handshake may change: nothing was offered, or it was taken. `sink` for
    /// `sink_valid`, `sink_ready`.
    pub fn free(&self, handshake: &str) -> bool {
        let was = |end: &str| self.before.get(&format!("{handshake}_{end}")).copied();
        !was("valid").unwrap_or(false) || was("ready").unwrap_or(true)
    }

    /// The generator itself.
    pub fn rng(&mut self) -> &mut dyn RngCore {
        &mut self.rng
    }
}

/// Offers on a handshake and holds until taken: `offer!(stimulus, block.sink, data, last)`.
#[macro_export]
macro_rules! offer {
    ($stimulus:ident, $block:ident . $port:ident, $($payload:ident),* $(,)?) => {
        if $stimulus.free(stringify!($port)) {
            $stimulus.bit(concat!(stringify!($port), "_valid"), &mut $block.$port.valid);
            $($stimulus.any(&mut $block.$port.$payload);)*
        }
    };
}
