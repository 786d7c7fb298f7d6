//! Feature bits which a client is not shown, as a VMM may offer a driver less than the device does: so each of a driver's
//! ways to receive and transmit can be had on one function. The function's own offer stays what it is; it sees a driver
//! which accepts less.
//!
//! `--hide-features` names them once and for all. The file named by `--hide` has more of them, with spaces between; it is
//! read anew whenever a driver resets the device, so that it may be changed while a guest runs.

use std::path::{Path, PathBuf};

use crate::facts::{bar, common};
use crate::log::say;

/// Bits of one window of `device_feature`.
const WINDOW: u32 = 32;

/// What is hidden.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    always: u128,
    file: Option<PathBuf>,
    bits: u128,
    select: u32,
}

impl Hidden {
    /// The bits `always`, and those in `file`; it may come later.
    pub fn new(always: &[u32], file: Option<&Path>) -> Hidden {
        let always = always.iter().fold(0, |bits, bit| bits | 1u128.checked_shl(*bit).unwrap_or(0));
        let mut hidden = Hidden { always, file: file.map(Path::to_path_buf), bits: 0, select: 0 };
        hidden.read_file();
        hidden
    }

    fn read_file(&mut self) {
        self.bits = self.always;
        let Some(file) = &self.file else { return };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for word in text.split_whitespace() {
            match word.parse::<u32>() {
                Ok(bit) if bit < u128::BITS => self.bits |= 1 << bit,
                _ => say(format_args!("{}: {word:?} is not the number of a feature bit", file.display())),
            }
        }
    }

    /// Looks at what a client writes to the BAR.
    pub fn written(&mut self, offset: u64, data: &[u8]) {
        let byte = |at: u64| at.checked_sub(offset).and_then(|at| data.get(at as usize)).copied();
        if byte(bar::COMMON + common::DEVICE_STATUS) == Some(0) {
            self.read_file();
        }
        for at in 0..4 {
            if let Some(value) = byte(bar::COMMON + common::DEVICE_FEATURE_SELECT + at) {
                let shift = at * 8;
                self.select = self.select & !(0xff << shift) | u32::from(value) << shift;
            }
        }
    }

    /// Takes the bits out of what a client has read of the BAR.
    pub fn cover(&self, offset: u64, data: &mut [u8]) {
        let shift = self.select.saturating_mul(WINDOW);
        let bits = self.bits.checked_shr(shift).unwrap_or(0) as u32;
        let first = bar::COMMON + common::DEVICE_FEATURE;
        for (at, byte) in (offset..).zip(data) {
            if (first..first + 4).contains(&at) {
                *byte &= !bits.to_le_bytes()[(at - first) as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_out_of_their_window_alone_and_anew_after_a_reset() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hide");
        let mut hidden = Hidden::new(&[63], Some(&file));
        let shown = |hidden: &mut Hidden, select: u32| {
            hidden.written(bar::COMMON + common::DEVICE_FEATURE_SELECT, &select.to_le_bytes());
            let mut data = [0xff; 4];
            hidden.cover(bar::COMMON + common::DEVICE_FEATURE, &mut data);
            u32::from_le_bytes(data)
        };
        std::fs::write(&file, "15 34\n35 and 128").unwrap();
        assert_eq!(shown(&mut hidden, 0), !0, "not before a reset");
        assert_eq!(shown(&mut hidden, 1), !(1 << 31), "always");
        hidden.written(bar::COMMON + common::DEVICE_STATUS, &[0]);
        assert_eq!(
            [0, 1, 2, 3, 4, !0].map(|select| shown(&mut hidden, select)),
            [!(1 << 15), !(1 << 31 | 3 << 2), !0, !0, !0, !0]
        );
        // Single bytes, and what lies beside.
        hidden.written(bar::COMMON + common::DEVICE_FEATURE_SELECT, &[0, 0, 0, 0]);
        let mut data = [0xff; 3];
        hidden.cover(bar::COMMON + common::DEVICE_FEATURE + 1, &mut data);
        assert_eq!(data, [0x7f, 0xff, 0xff]);
        std::fs::write(&file, "").unwrap();
        hidden.written(bar::COMMON + common::DEVICE_STATUS, &[0]);
        assert_eq!(shown(&mut hidden, 1), !(1 << 31));
    }
}
