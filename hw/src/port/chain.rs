//! Descriptor chains on their way through the device.

use rust_hdl_core::prelude::*;

/// A chain's first descriptor, as fetched.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Head {
    pub queue: Bits<16>,
    /// Index of the chain's first descriptor: its name in the used ring. Of a packed ring: the name the driver gave it.
    pub id: Bits<16>,
    /// Of a packed ring: descriptors of the ring it takes.
    pub slots: Bits<16>,
    pub addr: Bits<64>,
    pub len: Bits<32>,
    /// Descriptor flags.
    pub flags: Bits<16>,
    /// Index of the descriptor that follows, if flags has NEXT.
    pub next_desc: Bits<16>,
    /// There is no chain: the driver has given none that has not been taken. Of the rest only `queue` means something.
    pub none: Bit,
}

/// Asks the cache for a receive queue's next chain; each is answered by one [`Head`].
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Want {
    pub queue: Bits<16>,
    /// Begin again behind the last chain committed; otherwise go on behind the last one answered.
    pub first: Bit,
}

/// The oldest chains of those the cache has answered with are used up. A pulse.
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "CommitSink"]
pub struct CommitSource {
    pub valid: Signal<Out, Bit>,
    pub queue: Signal<Out, Bits<16>>,
    pub chains: Signal<Out, Bits<8>>,
}

/// See [`CommitSource`].
#[derive(Clone, Debug, Default, LogicInterface)]
#[join = "CommitSource"]
pub struct CommitSink {
    pub valid: Signal<In, Bit>,
    pub queue: Signal<In, Bits<16>>,
    pub chains: Signal<In, Bits<8>>,
}

/// The used index of this queue has reached the host: see whether the driver wants to be interrupted.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Published {
    pub queue: Bits<16>,
    /// As it stands there; of a packed ring, descriptors used in all.
    pub index: Bits<16>,
}

/// The driver of this queue wants to be interrupted.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct QueueIrq {
    pub queue: Bits<16>,
}

/// The driver of this queue is to ring when it makes available what stands at this index; of a packed ring, behind so many descriptors.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Arm {
    pub queue: Bits<16>,
    pub index: Bits<16>,
}

/// One buffer of a chain, checked. Buffers of one chain follow each other; zero-length ones are left out unless last.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Segment {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub slots: Bits<16>,
    pub addr: Bits<64>,
    pub len: Bits<32>,
    /// The last one of its chain.
    pub last: Bit,
    /// With `last`: the chain is bad, its queue has stopped; drop what has come of it and do not complete it.
    pub error: Bit,
    /// With `last`: there is no chain (see [`Head::none`]).
    pub none: Bit,
}

/// A chain the device has done with.
#[derive(Copy, Clone, Debug, Default, PartialEq, LogicStruct)]
pub struct Done {
    pub queue: Bits<16>,
    pub id: Bits<16>,
    pub slots: Bits<16>,
    /// Bytes written to it.
    pub len: Bits<32>,
    /// More chains of the same packet follow: do not publish the index yet.
    pub more: Bit,
}
