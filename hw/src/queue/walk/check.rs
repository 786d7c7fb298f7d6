//! What a descriptor says, and what is wrong with it.
//! In: `desc`, `inside` (it is out of an indirect table), `size`, entries of the table it is out of, `left`, descriptors that its
//! chain may still have out of the same table, with it; `first`, none was before it; `indirect`, whether tables are accepted.
//! Out: `chained`, `tabled`, what follows it; `flagged`, `wrong`, `code`.
//! Time: combinational.   Waits: never.
//! Spec: [virtio: The Virtqueue Descriptor Table], [virtio: Indirect Descriptors]

use crate::params::Params;
use crate::port::chain::Head;
use crate::queue::Direction;
use hematite_abi::{feature, ident, ring};
use rust_hdl_core::prelude::*;

/// See the file's head.
#[derive(LogicBlock)]
pub struct Check {
    pub desc: Signal<In, Head>,
    pub inside: Signal<In, Bit>,
    pub size: Signal<In, Bits<16>>,
    pub left: Signal<In, Bits<16>>,
    pub first: Signal<In, Bit>,
    pub indirect: Signal<In, Bit>,
    /// It is out of a packed ring, or of a table of such.
    pub packed: Signal<In, Bit>,
    /// Another descriptor of the same table follows.
    pub chained: Signal<Out, Bit>,
    /// It refers to a table.
    pub tabled: Signal<Out, Bit>,
    /// Wrong for its flags alone, if nothing follows.
    pub flagged: Signal<Out, Bit>,
    pub wrong: Signal<Out, Bit>,
    /// The gravest of what is wrong.
    pub code: Signal<Out, Bits<8>>,
    misdirected: Signal<Local, Bit>,
    table: Signal<Local, Bit>,
    next: Signal<Local, Bit>,
    tx: Constant<Bit>,
    tables: Constant<Bit>,
    able: Constant<Bit>,
    table_bytes: Constant<Bits<32>>,
}

impl Check {
    /// For one direction's queues.
    pub fn new(params: &Params, direction: Direction) -> Self {
        Self {
            desc: Default::default(),
            inside: Default::default(),
            size: Default::default(),
            left: Default::default(),
            first: Default::default(),
            indirect: Default::default(),
            packed: Default::default(),
            able: Constant::new(params.offers(feature::RING_PACKED)),
            chained: Default::default(),
            tabled: Default::default(),
            flagged: Default::default(),
            wrong: Default::default(),
            code: Default::default(),
            misdirected: Default::default(),
            table: Default::default(),
            next: Default::default(),
            tx: Constant::new(direction == Direction::Tx),
            tables: Constant::new(params.offers(feature::INDIRECT_DESC)),
            table_bytes: Constant::new((ring::TABLE_BYTES as u64).into()),
        }
    }
}

impl Logic for Check {
    #[hdl_gen]
    fn update(&mut self) {
        self.next.next = self.desc.val().flags.get_bit(ring::DESC_F_NEXT_BIT);
        // [Packed Virtqueues, Indirect Flag] of a table all entries count, in their order; NEXT means nothing in it.
        if self.packed.val() & self.able.val() & self.inside.val() {
            self.next.next = self.left.val() != 1;
        }
        self.table.next = self.desc.val().flags.get_bit(ring::DESC_F_INDIRECT_BIT)
            & self.indirect.val()
            & self.tables.val();
        self.misdirected.next = self.desc.val().flags.get_bit(ring::DESC_F_WRITE_BIT) == self.tx.val();
        self.chained.next = self.next.val();
        self.tabled.next = self.table.val();
        self.flagged.next = self.desc.val().flags.get_bit(ring::DESC_F_INDIRECT_BIT) | self.misdirected.val();
        self.wrong.next = self.desc.val().flags.get_bit(ring::DESC_F_INDIRECT_BIT) | self.misdirected.val();
        self.code.next = ident::ERROR_INDIRECT.into();
        // "a loop": a chain cannot have more descriptors than the table.
        if self.next.val() & (self.left.val() == 1) {
            self.wrong.next = true;
            self.code.next = ident::ERROR_DESC_LOOP.into();
        }
        if self.next.val() & (self.desc.val().next_desc >= self.size.val()) {
            self.wrong.next = true;
            self.code.next = ident::ERROR_DESC_INDEX.into();
        }
        if self.misdirected.val() {
            self.code.next = ident::ERROR_WRONG_DIRECTION.into();
        }
        // "The device MUST ignore the write-only flag" of one that refers to a table. A table within a table, one that is not of whole
        // descriptors, and anything behind it the driver must not make. [Indirect Descriptors] says nothing of where a table stands:
        // a descriptor at a multiple of 16 is one read, and drivers' tables are there.
        if self.table.val() {
            self.wrong.next = self.inside.val()
                | self.next.val()
                | (self.packed.val() & self.able.val() & !self.first.val())
                | !self.desc.val().len.any()
                | self.desc.val().len.get_bits::<4>(0).any()
                | (self.desc.val().len >= self.table_bytes.val())
                | self.desc.val().addr.get_bits::<4>(0).any();
            self.code.next = ident::ERROR_INDIRECT.into();
        }
    }
}
