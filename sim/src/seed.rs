//! One seed, one generator. A failing run prints the line which replays it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The environment variable which sets the seed, decimal or `0x` hexadecimal.
pub const VARIABLE: &str = "HEMATITE_SEED";

/// A run's seed. Everything random in a run comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of `HEMATITE_SEED`, else `default`: same seed, same run.
    pub fn from_env(default: u64) -> Seed {
        Seed(std::env::var(VARIABLE).ok().and_then(|text| parse(&text)).unwrap_or(default))
    }

    /// The generator of one consumer. `stream` keeps consumers independent: a draw more in one moves no other.
    pub fn rng(self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(stream);
        rng
    }

    /// The words to put before a command so that it runs the same again.
    pub fn replay(self) -> String {
        format!("replay: {VARIABLE}={:#x}", self.0)
    }
}

/// Reads `0x1f` or `31`.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim().replace('_', "");
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Prints the replay line if the thread is panicking when it is dropped: hold one in every random test.
pub struct ReplayLine(pub Seed);

impl Drop for ReplayLine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.replay());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn same_seed_same_draws_and_streams_differ() {
        let draw = |seed: u64, stream| Seed(seed).rng(stream).random::<u64>();
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn both_notations() {
        assert_eq!(parse("0x51f3"), Some(0x51f3));
        assert_eq!(parse(" 1_000 "), Some(1000));
        assert_eq!(parse("zebra"), None);
    }
}
