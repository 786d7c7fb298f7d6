//! Reads a configuration of RSS: first all of it, to see whether it is good, and then again, to set it. Or of hashes alone: it has eight bytes
//! that mean nothing where RSS has its table of one entry.
//! In: `start`, a pulse; `hashes_only`, beside it; `count`, the bytes of its command; `byte`, what stood at `at` in the cycle before.
//! Out: `at`; `settings`, a pulse each; `done`, a pulse, and `good`.
//! Time: four cycles per byte.   Waits: never.
//! Hash types that are not offered, a mask that is not one less than a power of two, queues there are not, a key of another length than the
//! device's: refused.
//! Spec: [virtio 1.4: Network Device, Receive-side scaling (RSS), Setting RSS parameters; Hash calculation]

use crate::params::Params;
use crate::port::control::SettingSource;
use hematite_abi::{ctrl, net};
use hematite_verilog::{Reg, dff_setup};
use rust_hdl_core::prelude::*;

/// The fields, in their order.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Field {
    Types,
    Mask,
    Unclassified,
    Table,
    MaxTx,
    KeyLength,
    Key,
    End,
}

/// See the file's head.
#[derive(LogicBlock)]
pub struct Rss {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub hashes_only: Signal<In, Bit>,
    pub count: Signal<In, Bits<10>>,
    pub at: Signal<Out, Bits<10>>,
    pub byte: Signal<In, Bits<8>>,
    pub settings: SettingSource,
    pub busy: Signal<Out, Bit>,
    pub done: Signal<Out, Bit>,
    pub good: Signal<Out, Bit>,
    running: Reg<Bit>,
    /// There is no table.
    plain: Reg<Bit>,
    /// The byte at `place` is there; the second time.
    here: Reg<Bit>,
    setting: Reg<Bit>,
    place: Reg<Bits<10>>,
    field: Reg<Field>,
    /// Bytes of the field's entry so far, the youngest on top; entries so far.
    phase: Reg<Bits<2>>,
    word: Reg<Bits<24>>,
    entry: Reg<Bits<8>>,
    types: Reg<Bits<8>>,
    mask: Reg<Bits<8>>,
    whole: Signal<Local, Bits<32>>,
    half: Signal<Local, Bits<16>>,
    ends: Signal<Local, Bit>,
    wrong: Signal<Local, Bit>,
    last_key: Constant<Bits<8>>,
    key_bytes: Constant<Bits<8>>,
    entries: Constant<Bits<16>>,
    pairs: Constant<Bits<16>>,
    unknown: Constant<Bits<32>>,
}

impl Rss {
    /// For the pairs of `params`.
    pub fn new(params: &Params) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            start: Default::default(),
            hashes_only: Default::default(),
            count: Default::default(),
            at: Default::default(),
            byte: Default::default(),
            settings: Default::default(),
            busy: Default::default(),
            done: Default::default(),
            good: Default::default(),
            running: Default::default(),
            plain: Default::default(),
            here: Default::default(),
            setting: Default::default(),
            place: Default::default(),
            field: Default::default(),
            phase: Default::default(),
            word: Default::default(),
            entry: Default::default(),
            types: Default::default(),
            mask: Default::default(),
            whole: Default::default(),
            half: Default::default(),
            ends: Default::default(),
            wrong: Default::default(),
            last_key: Constant::new((net::RSS_KEY_BYTES / 4 - 1).to_bits()),
            key_bytes: Constant::new(net::RSS_KEY_BYTES.to_bits()),
            entries: Constant::new(net::RSS_TABLE.to_bits()),
            pairs: Constant::new(params.pairs.to_bits()),
            unknown: Constant::new((!(net::HASH_TYPES_KNOWN as u32)).to_bits()),
        }
    }
}

impl Logic for Rss {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, running, plain, here, setting, place, field, phase, word, entry, types, mask);
        self.at.next = self.place.q.val();
        self.busy.next = self.running.q.val();
        self.done.next = false;
        self.good.next = false;
        self.settings.valid.next = false;
        self.settings.item.next = ctrl::SET_RSS.into();
        self.settings.index.next = bit_cast::<16, 8>(self.entry.q.val());
        self.settings.data.next = bit_cast::<32, 16>(self.word.q.val().get_bits::<16>(8));

        // What the field's entry is, with this byte its last.
        self.whole.next = bit_cast::<32, 24>(self.word.q.val()) | (bit_cast::<32, 8>(self.byte.val()) << 24);
        self.half.next = self.whole.val().get_bits::<16>(16);
        self.ends.next = self.phase.q.val() == 1;
        self.wrong.next = false;
        match self.field.q.val() {
            Field::Types => {
                self.ends.next = self.phase.q.val() == 3;
                self.wrong.next = (self.whole.val() & self.unknown.val()).any();
            }
            Field::Mask => {
                self.wrong.next = !self.plain.q.val()
                    & ((self.half.val() & (self.half.val() + 1)).any()
                        | (self.half.val() >= self.entries.val()));
            }
            Field::Unclassified => {
                self.wrong.next = !self.plain.q.val() & (self.half.val() >= self.pairs.val());
            }
            Field::Table => {
                self.wrong.next = !self.plain.q.val() & (self.half.val() >= self.pairs.val());
            }
            Field::MaxTx => {
                self.wrong.next =
                    !self.plain.q.val() & (!self.half.val().any() | (self.half.val() > self.pairs.val()));
            }
            Field::KeyLength => {
                self.ends.next = true;
                self.wrong.next = self.byte.val() != self.key_bytes.val();
            }
            Field::Key => self.ends.next = self.phase.q.val() == 3,
            // Linux (6.12) sends a byte of padding behind the key: what follows means nothing.
            Field::End => self.ends.next = true,
            _ => {}
        }

        if self.running.q.val() {
            self.here.d.next = !self.here.q.val();
            if self.place.q.val() == self.count.val() {
                // All of it has been read.
                self.here.d.next = false;
                self.field.d.next = Field::Types;
                self.phase.d.next = 0.into();
                self.entry.d.next = 0.into();
                self.place.d.next = 2.into();
                self.setting.d.next = true;
                if self.setting.q.val() | !(self.field.q.val() == Field::End) {
                    self.running.d.next = false;
                    self.done.next = true;
                    self.good.next = self.setting.q.val();
                }
                if self.setting.q.val() {
                    self.settings.valid.next = true;
                    self.settings.index.next = bit_cast::<16, 8>(self.mask.q.val());
                    self.settings.data.next = bit_cast::<32, 8>(self.types.q.val());
                    if self.plain.q.val() {
                        self.settings.item.next = ctrl::SET_HASH.into();
                    }
                }
            } else if self.here.q.val() {
                self.place.d.next = self.place.q.val() + 1;
                self.phase.d.next = self.phase.q.val() + 1;
                self.word.d.next = self.whole.val().get_bits::<24>(8);
                if self.ends.val() {
                    self.phase.d.next = 0.into();
                    match self.field.q.val() {
                        Field::Types => {
                            self.types.d.next = self.whole.val().get_bits::<8>(0);
                            self.field.d.next = Field::Mask;
                        }
                        Field::Mask => {
                            self.mask.d.next = self.half.val().get_bits::<8>(0);
                            if self.plain.q.val() {
                                self.mask.d.next = 0.into();
                            }
                            self.field.d.next = Field::Unclassified;
                        }
                        Field::Unclassified => {
                            self.settings.item.next = ctrl::SET_RSS_UNCLASSIFIED.into();
                            self.settings.data.next = bit_cast::<32, 16>(self.half.val());
                            self.settings.valid.next = self.setting.q.val() & !self.plain.q.val();
                            self.field.d.next = Field::Table;
                        }
                        Field::Table => {
                            self.settings.item.next = ctrl::SET_RSS_TABLE.into();
                            self.settings.data.next = bit_cast::<32, 16>(self.half.val());
                            self.settings.valid.next = self.setting.q.val() & !self.plain.q.val();
                            self.entry.d.next = self.entry.q.val() + 1;
                            if self.entry.q.val() == self.mask.q.val() {
                                self.entry.d.next = 0.into();
                                self.field.d.next = Field::MaxTx;
                            }
                        }
                        Field::MaxTx => self.field.d.next = Field::KeyLength,
                        Field::KeyLength => self.field.d.next = Field::Key,
                        Field::Key => {
                            self.settings.item.next = ctrl::SET_RSS_KEY.into();
                            self.settings.data.next = self.whole.val();
                            self.settings.valid.next = self.setting.q.val();
                            self.entry.d.next = self.entry.q.val() + 1;
                            if self.entry.q.val() == self.last_key.val() {
                                self.field.d.next = Field::End;
                            }
                        }
                        _ => {}
                    }
                    if self.wrong.val() {
                        self.running.d.next = false;
                        self.done.next = true;
                    }
                }
            }
        }
        if self.start.val() {
            self.running.d.next = true;
            self.plain.d.next = self.hashes_only.val();
            self.here.d.next = false;
            self.setting.d.next = false;
            self.place.d.next = 2.into();
            self.field.d.next = Field::Types;
            self.phase.d.next = 0.into();
            self.entry.d.next = 0.into();
        }
        if self.reset.val() {
            self.running.d.next = false;
        }
    }
}
