//! What no driver may put before the device.

use super::{Buffer, Descriptor, Ring};
use crate::facts::ring;
use crate::root::memory::Windows;

/// Ways to put garbage before the device. [virtio 1.4: Split Virtqueues] forbids each to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evil {
    /// A head which is no descriptor of the table.
    HeadBeyond,
    /// A chain whose second descriptor is not in the table.
    NextBeyond,
    /// Two descriptors which name each other.
    Loop,
    /// A descriptor which names itself.
    SelfLoop,
    /// Every descriptor of the table in one chain, and then one of them again.
    TooLong,
    /// A table that holds a descriptor of another table, one of part of a descriptor, one at no multiple of 16, and one with something behind it.
    TableInTable,
    TablePart,
    TableSkewed,
    TableChained,
    /// A table whose descriptors name each other, one whose second is beyond its end, and one where no memory is.
    TableLoop,
    TableBeyond,
    TableUnmapped,
    /// A device-writable buffer in a transmit chain, a device-readable one in a receive chain.
    WrongDirection,
    /// A buffer where no memory is.
    Unmapped,
    /// An available index further ahead than the ring is long.
    IndexJump,
    /// Of packed rings: all descriptors in one chain that goes on; a table with something behind it, and behind something; in a table.
    Endless,
    TableNext,
    TableBehind,
    TableIn,
}

impl Evil {
    /// All of packed rings, for tests which try each.
    pub const PACKED: [Evil; 10] = [
        Evil::Endless,
        Evil::TableNext,
        Evil::TableBehind,
        Evil::TableIn,
        Evil::TablePart,
        Evil::TableSkewed,
        Evil::TableUnmapped,
        Evil::WrongDirection,
        Evil::Unmapped,
        Evil::TableInTable,
    ];

    /// All of them, for tests which try each.
    pub const ALL: [Evil; 15] = [
        Evil::HeadBeyond,
        Evil::NextBeyond,
        Evil::Loop,
        Evil::SelfLoop,
        Evil::TooLong,
        Evil::TableInTable,
        Evil::TablePart,
        Evil::TableSkewed,
        Evil::TableChained,
        Evil::TableLoop,
        Evil::TableBeyond,
        Evil::TableUnmapped,
        Evil::WrongDirection,
        Evil::Unmapped,
        Evil::IndexJump,
    ];
}

impl Ring {
    /// Puts `evil` before the device and publishes it. `good` is a mapped buffer of the right direction, `nowhere` an
    /// address without memory. The ring is of no use afterwards: reset.
    pub fn add_evil(&mut self, memory: &mut Windows, evil: Evil, good: Buffer, nowhere: u64) {
        if self.packed {
            return self.packed_evil(memory, evil, good, nowhere);
        }
        let write = |writable| if writable { ring::DESC_F_WRITE } else { 0 };
        let flags = write(good.writable);
        let plain = Descriptor { addr: good.addr, len: good.len, flags, next: 0 };
        let linked = |next| Descriptor { flags: flags | ring::DESC_F_NEXT, next, ..plain };
        // A table of two, in the buffer.
        let addr = good.addr.next_multiple_of(ring::DESC_BYTES);
        let table =
            Descriptor { addr, len: 2 * ring::DESC_BYTES as u32, flags: ring::DESC_F_INDIRECT, next: 0 };
        let mut head = 0;
        match evil {
            Evil::HeadBeyond => head = self.size,
            Evil::NextBeyond => self.put(memory, 0, linked(self.size)),
            Evil::Loop => {
                self.put(memory, 0, linked(1));
                self.put(memory, 1, linked(0));
            }
            Evil::SelfLoop => self.put(memory, 0, linked(0)),
            Evil::TooLong => {
                for index in 0..self.size {
                    self.put(memory, index, linked((index + 1) % self.size));
                }
            }
            Evil::TableInTable => {
                memory.poke(table.addr, &table.bytes());
                self.put(memory, 0, table);
            }
            Evil::TablePart => self.put(memory, 0, Descriptor { len: 24, ..table }),
            Evil::TableSkewed => self.put(memory, 0, Descriptor { addr: table.addr + 8, ..table }),
            Evil::TableChained => {
                memory.poke(table.addr, &plain.bytes());
                self.put(memory, 0, Descriptor { flags: table.flags | ring::DESC_F_NEXT, next: 1, ..table });
                self.put(memory, 1, plain);
            }
            Evil::TableLoop => {
                memory.poke(table.addr, &linked(1).bytes());
                memory.poke(table.addr + ring::DESC_BYTES, &linked(0).bytes());
                self.put(memory, 0, table);
            }
            Evil::TableBeyond => {
                memory.poke(table.addr, &linked(2).bytes());
                self.put(memory, 0, table);
            }
            Evil::TableUnmapped => self.put(memory, 0, Descriptor { addr: nowhere, ..table }),
            Evil::WrongDirection => {
                self.put(memory, 0, linked(1));
                self.put(memory, 1, Descriptor { flags: write(!good.writable), ..plain });
            }
            Evil::Unmapped => self.put(memory, 0, Descriptor { addr: nowhere, ..plain }),
            Evil::IndexJump => {
                self.put(memory, 0, plain);
                self.avail_idx = self.avail_idx.wrapping_add(self.size + 1);
                self.publish(memory);
                return;
            }
            other => panic!("{other:?} is of packed rings"),
        }
        self.offer(memory, head);
        self.publish(memory);
    }
}
