//! A mirror: what the function sends comes back to it.

use std::collections::VecDeque;
use std::io;

use super::Wire;

/// Frames which the mirror holds before it drops: a wire has no memory for more.
const DEPTH: usize = 1024;

/// The mirror.
#[derive(Debug, Default)]
pub struct Loopback {
    frames: VecDeque<Vec<u8>>,
}

impl Loopback {
    /// An empty mirror.
    pub fn new() -> Loopback {
        Loopback::default()
    }
}

impl Wire for Loopback {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.frames.len() < DEPTH {
            self.frames.push_back(frame.to_vec());
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.frames.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_frames_in_order_and_drops_beyond_its_depth() {
        let mut wire = Loopback::new();
        for n in 0..DEPTH + 5 {
            wire.send(&n.to_be_bytes()).unwrap();
        }
        let returned: Vec<_> = std::iter::from_fn(|| wire.receive().unwrap()).collect();
        assert_eq!(returned.len(), DEPTH);
        assert_eq!(returned[3], 3usize.to_be_bytes());
    }
}
