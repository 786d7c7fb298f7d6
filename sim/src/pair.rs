//! Two bodies side by side: the same input, then memory, interrupts and frames must be equal. Cycles need not be.

use std::fmt::{self, Write as _};

use crate::device::Device;
use crate::root::link::LinkModel;
use crate::root::memory::Windows;
use crate::root::{Message, Root};

/// What one body has shown up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub messages: Vec<(u64, u32)>,
    pub frames: Vec<Vec<u8>>,
}

/// A root complex with whichever body below it.
pub type Side = Root<Box<dyn Device>, Windows>;

/// A root complex around each of two bodies.
pub struct Pair {
    pub sides: [Side; 2],
    shown: [Shown; 2],
}

impl Pair {
    /// Both over equal memory; the links may differ, for that must not show.
    pub fn new(
        left: Box<dyn Device>,
        right: Box<dyn Device>,
        memory: Windows,
        links: [LinkModel; 2],
    ) -> Pair {
        let [link, other] = links;
        let left = Root::new(left, memory.clone(), link);
        Pair { sides: [left, Root::new(right, memory, other)], shown: Default::default() }
    }

    /// Does the same to both (`act` gets the side's number, for state of its own), lets both come to rest within `limit`
    /// cycles, and compares all that shows.
    pub fn both<T: PartialEq + fmt::Debug>(
        &mut self,
        what: &str,
        limit: u64,
        mut act: impl FnMut(usize, &mut Side) -> T,
    ) -> Result<T, Difference> {
        let [a, b] = [0, 1].map(|side| act(side, &mut self.sides[side]));
        for side in 0..2 {
            if !self.sides[side].pump(limit) {
                let name = self.sides[side].device.name();
                return Err(self.differ(what, format!("{name} is not at rest after {limit} cycles")));
            }
            gather(&mut self.sides[side], &mut self.shown[side]);
        }
        if a != b {
            return Err(self.differ(what, format!("answers {a:x?} and {b:x?}")));
        }
        self.compare(what)?;
        Ok(a)
    }

    fn differ(&self, what: &str, how: String) -> Difference {
        let [left, right] = [0, 1].map(|side| self.sides[side].device.name().to_string());
        Difference { what: what.to_string(), left, right, how }
    }

    fn compare(&self, what: &str) -> Result<(), Difference> {
        let [left, right] = &self.shown;
        if left.messages != right.messages {
            let how = format!("interrupts {:x?} and {:x?}", left.messages, right.messages);
            return Err(self.differ(what, how));
        }
        if left.frames != right.frames {
            let lengths = |shown: &Shown| shown.frames.iter().map(Vec::len).collect::<Vec<_>>();
            let how =
                format!("frames of {:?} and {:?} bytes, or their contents", lengths(left), lengths(right));
            return Err(self.differ(what, how));
        }
        for ((base, a), (_, b)) in self.sides[0].memory.contents().zip(self.sides[1].memory.contents()) {
            let Some(at) = (0..a.len()).find(|i| a[*i] != b[*i]) else { continue };
            let mut how = format!("memory at {:#x}:", base + at as u64);
            for i in at..a.len().min(at + 8) {
                // Writing to a String cannot fail.
                let _ = write!(how, " {:02x}/{:02x}", a[i], b[i]);
            }
            return Err(self.differ(what, how));
        }
        Ok(())
    }
}

fn gather(root: &mut Side, shown: &mut Shown) {
    let messages = root.msi.drain().into_iter().map(|Message { addr, data, .. }| (addr, data));
    shown.messages.extend(messages);
    while let Some(frame) = root.frame_out() {
        shown.frames.push(frame);
    }
}

/// Where two bodies part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after {what}: {left} and {right} differ: {how}")]
pub struct Difference {
    pub what: String,
    pub left: String,
    pub right: String,
    pub how: String,
}
