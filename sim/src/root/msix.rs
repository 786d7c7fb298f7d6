//! Catches interrupts: a memory write into a message window is an interrupt, not data.

use std::collections::VecDeque;
use std::ops::Range;

/// One message-signalled interrupt as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub cycle: u64,
    pub addr: u64,
    pub data: u32,
}

/// The address ranges where messages land, and those which have landed.
#[derive(Clone, Debug)]
pub struct MsiSink {
    windows: Vec<Range<u64>>,
    arrived: VecDeque<Message>,
    /// Messages since the start.
    pub count: u64,
}

impl MsiSink {
    /// Where x86 hosts receive messages.
    pub const X86: Range<u64> = 0xfee0_0000..0xfef0_0000;

    /// A sink with the x86 window.
    pub fn new() -> MsiSink {
        MsiSink { windows: vec![MsiSink::X86], arrived: VecDeque::new(), count: 0 }
    }

    /// One more window.
    pub fn register(&mut self, window: Range<u64>) {
        self.windows.push(window);
    }

    /// Whether a write to `addr` is a message.
    pub fn claims(&self, addr: u64) -> bool {
        self.windows.iter().any(|window| window.contains(&addr))
    }

    /// Puts one in, as the root complex does.
    pub fn deliver(&mut self, message: Message) {
        self.count += 1;
        self.arrived.push_back(message);
    }

    /// Takes the oldest.
    pub fn take(&mut self) -> Option<Message> {
        self.arrived.pop_front()
    }

    /// Takes all.
    pub fn drain(&mut self) -> Vec<Message> {
        self.arrived.drain(..).collect()
    }
}

impl Default for MsiSink {
    fn default() -> MsiSink {
        MsiSink::new()
    }
}
