//! One description, many readers: each macro makes the constants, a table with names and docs, a list of `(path, value)` for
//! the Verilog emitter, and a check at compile time.

/// Joins tables of constants; `N` is their total length.
pub(crate) const fn join<const N: usize>(tables: &[&[(&'static str, u64)]]) -> [(&'static str, u64); N] {
    let mut all = [("", 0); N];
    let (mut table, mut at) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[at] = tables[table][row];
            at += 1;
            row += 1;
        }
        table += 1;
    }
    assert!(at == N, "a table is missing");
    all
}

/// `registers! { TABLE, CONSTANTS in "module", total bytes; offset NAME, NAME_DW: width Access = reset, mask; … }`.
/// Rising offsets, no overlap, aligned to what one access needs, inside the total.
macro_rules! registers {
    ($table:ident, $constants:ident in $module:literal, $size:expr;
     $($(#[doc = $doc:literal])+ $offset:literal $name:ident, $dw:ident: $width:literal $access:ident = $reset:expr, $mask:expr;)*) => {
        $($(#[doc = $doc])+
        pub const $name: usize = $offset;
        #[doc = concat!("DWORD index of [`", stringify!($name), "`].")]
        pub const $dw: usize = $offset / 4;)*
        /// The registers, by rising offset.
        pub const $table: &[$crate::Reg] = &[$($crate::Reg {
            name: stringify!($name), offset: $offset, width: $width, access: $crate::Access::$access,
            reset: $reset, mask: $mask, doc: concat!($($doc),+).trim_ascii(),
        }),*];
        const $constants: &[(&str, u64)] = &[
            $((concat!($module, "::", stringify!($name)), $offset),
              (concat!($module, "::", stringify!($dw)), $offset / 4)),*
        ];
        const _: () = $crate::macros::check_registers($table, $size);
    };
}

/// `fields! { TABLE, CONSTANTS in "module", total bits; NAME_LSB, NAME_BITS = lsb, bits; … }`. No overlap.
macro_rules! fields {
    ($table:ident, $constants:ident in $module:literal, $size:expr;
     $($(#[doc = $doc:literal])+ $lsb:ident, $bits:ident = $at:literal, $count:literal;)*) => {
        $($(#[doc = $doc])+
        pub const $lsb: usize = $at;
        #[doc = concat!("Width of the field at [`", stringify!($lsb), "`], bits.")]
        pub const $bits: usize = $count;)*
        /// The fields of this layout.
        pub const $table: &[$crate::Field] = &[$($crate::Field {
            name: stringify!($lsb), lsb: $at, bits: $count, doc: concat!($($doc),+).trim_ascii(),
        }),*];
        const $constants: &[(&str, u64)] = &[
            $((concat!($module, "::", stringify!($lsb)), $at),
              (concat!($module, "::", stringify!($bits)), $count)),*
        ];
        const _: () = $crate::macros::check_fields($table, $size);
    };
}

/// `flags! { TABLE, CONSTANTS in "module"; NAME, NAME_BIT = bit; … }`: the mask as `u64`, the position as `usize`.
macro_rules! flags {
    ($table:ident, $constants:ident in $module:literal;
     $($(#[doc = $doc:literal])+ $name:ident, $bit:ident = $at:literal;)*) => {
        $($(#[doc = $doc])+
        pub const $name: u64 = 1 << $at;
        #[doc = concat!("Bit position of [`", stringify!($name), "`].")]
        pub const $bit: usize = $at;)*
        /// The bits.
        pub const $table: &[$crate::Field] = &[$($crate::Field {
            name: stringify!($name), lsb: $at, bits: 1, doc: concat!($($doc),+).trim_ascii(),
        }),*];
        const $constants: &[(&str, u64)] = &[
            $((concat!($module, "::", stringify!($name)), 1 << $at),
              (concat!($module, "::", stringify!($bit)), $at)),*
        ];
        const _: () = $crate::macros::check_fields($table, 64);
    };
}

/// `values! { TABLE, CONSTANTS in "module"; NAME: type = value; … }`: plain numbers with names.
macro_rules! values {
    ($table:ident, $constants:ident in $module:literal;
     $($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $value:expr;)*) => {
        $($(#[doc = $doc])+ pub const $name: $kind = $value;)*
        /// The values with their names.
        pub const $table: &[$crate::Value] = &[$($crate::Value {
            name: stringify!($name), value: $name as u64, doc: concat!($($doc),+).trim_ascii(),
        }),*];
        const $constants: &[(&str, u64)] =
            &[$((concat!($module, "::", stringify!($name)), $name as u64)),*];
    };
}

/// `constants!(A, B)`: the module's `CONSTANTS`, joined from the tables of the macros above.
macro_rules! constants {
    ($($table:ident),+ $(,)?) => {
        /// Every constant of this module a kernel may name, by path.
        pub const CONSTANTS: &[(&str, u64)] =
            &$crate::macros::join::<{ 0 $(+ $table.len())+ }>(&[$($table),+]);
    };
}

pub(crate) const fn check_registers(table: &[crate::Reg], size: usize) {
    let (mut i, mut end) = (0, 0);
    while i < table.len() {
        let reg = &table[i];
        assert!(reg.offset >= end, "registers overlap or are out of order");
        assert!(
            reg.width == 6 || reg.offset.is_multiple_of(if reg.width > 4 { 4 } else { reg.width }),
            "register not aligned"
        );
        assert!(
            reg.width > 7 || (reg.mask | reg.reset) >> (8 * reg.width) == 0,
            "reset or mask wider than the register"
        );
        end = reg.offset + reg.width;
        i += 1;
    }
    assert!(end <= size, "registers beyond the end");
}

pub(crate) const fn check_fields(table: &[crate::Field], size: usize) {
    let mut used: u128 = 0;
    let mut i = 0;
    while i < table.len() {
        let field = &table[i];
        assert!(field.bits > 0 && field.lsb + field.bits <= size, "field outside its word");
        let mask = field.mask();
        assert!(used & mask == 0, "fields overlap");
        used |= mask;
        i += 1;
    }
}

pub(crate) use {constants, fields, flags, registers, values};
