//! Sets of feature bits: names of what is known, numbers of what is not. Spec: [virtio 1.4: Feature Bits]

use std::fmt;
use std::str::FromStr;

use hematite_abi::feature;
use serde::Serialize;

use crate::error::Error;
use crate::finding::{Finding, clause};

/// Feature bits, 128 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureSet(pub u128);

/// Bits that belong to the transport and the rings, whatever the device: 24 to 49.
const RESERVED: std::ops::Range<usize> = 24..50;

/// One bit, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bit {
    /// Its number.
    pub bit: usize,
    /// Its name; none: nobody here knows it.
    pub name: Option<&'static str>,
}

/// A set, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Features {
    /// All bits as one hexadecimal number.
    pub value: String,
    /// Each that is set.
    pub bits: Vec<Bit>,
    /// Those without a name.
    pub unknown: Vec<usize>,
}

impl FeatureSet {
    /// Bits there may be.
    pub const BITS: usize = 128;

    /// Whether a bit is set.
    pub fn has(self, bit: usize) -> bool {
        bit < FeatureSet::BITS && self.0 >> bit & 1 == 1
    }

    /// The numbers of the bits that are set.
    pub fn bits(self) -> impl Iterator<Item = usize> {
        (0..FeatureSet::BITS).filter(move |bit| self.has(*bit))
    }

    /// What the other has not.
    pub fn without(self, other: FeatureSet) -> FeatureSet {
        FeatureSet(self.0 & !other.0)
    }

    /// Names for a network device's bits, or for any device's.
    pub fn shown(self, network: bool) -> Features {
        let bits: Vec<Bit> = self.bits().map(|bit| Bit { bit, name: name(bit, network) }).collect();
        let unknown = bits.iter().filter(|bit| bit.name.is_none()).map(|bit| bit.bit).collect();
        Features { value: self.to_string(), bits, unknown }
    }

    /// Bits which need others that are not there: "The device MUST NOT offer a feature which requires another".
    pub fn check(self, whose: &str) -> Vec<Finding> {
        let lacking = feature::REQUIRES
            .iter()
            .filter(|row| self.has(row.feature) && !row.any_of.iter().any(|bit| self.has(*bit)));
        let name = |bit: usize| name(bit, true).unwrap_or("?");
        lacking
            .map(|row| {
                let wanted: Vec<&str> = row.any_of.iter().map(|bit| name(*bit)).collect();
                let text = format!("{whose}: {} without {}", name(row.feature), wanted.join(" or "));
                Finding::new(clause::NET_FEATURES, text)
            })
            .collect()
    }
}

/// The name of a bit. Below 24 and from 50 on bits mean what the kind of device says.
pub fn name(bit: usize, network: bool) -> Option<&'static str> {
    let known = feature::BITS.iter().find(|value| value.value == bit as u64)?;
    (network || RESERVED.contains(&bit)).then_some(known.name)
}

impl fmt::Display for FeatureSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:#x}", self.0)
    }
}

impl FromStr for FeatureSet {
    type Err = Error;

    /// `0x...`, or a list of bits: `0,5,32`.
    fn from_str(text: &str) -> Result<FeatureSet, Error> {
        let wanted = "set of features: 0x and hexadecimal digits, or bits with commas";
        let error = || Error::Words { text: text.into(), wanted };
        if let Some(digits) = text.strip_prefix("0x") {
            let good = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            return u128::from_str_radix(digits, 16).ok().filter(|_| good).map(FeatureSet).ok_or_else(error);
        }
        let mut set = 0;
        for part in text.split(',') {
            let bit = part.trim().parse::<usize>().ok().filter(|bit| *bit < FeatureSet::BITS);
            set |= 1 << bit.ok_or_else(error)?;
        }
        Ok(FeatureSet(set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_bits() {
        let set: FeatureSet = "0,32,127".parse().unwrap();
        assert_eq!(set, "0x80000000000000000000000100000001".parse().unwrap());
        let shown = set.shown(true);
        assert_eq!(shown.unknown, [127]);
        assert_eq!(shown.bits[0], Bit { bit: 0, name: Some("CSUM") });
        assert_eq!(set.shown(false).unknown, [0, 127], "of another device bit 0 means something else");
        for text in ["", "0x", "128", "-1", "0x+1", "1,,2", "0x1ffffffffffffffffffffffffffffffff"] {
            assert!(text.parse::<FeatureSet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_lacks_its_ground_is_found() {
        assert!(
            FeatureSet(1 << feature::HOST_TSO4).check("offered")[0].text.contains("HOST_TSO4 without CSUM")
        );
        assert_eq!(FeatureSet(feature::OFFERED).check("offered"), []);
    }
}
