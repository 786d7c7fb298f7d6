//! Wrong answers on demand: what a broken or hostile host may do to the device's read requests.

use std::ops::Range;

/// What happens to a read request instead of its right completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Completion with status UR.
    UnsupportedRequest,
    /// Completion with status CA.
    CompleterAbort,
    /// No completion at all: the device has to time out.
    Lost,
    /// Right data with the poisoned bit.
    Poisoned,
    /// Right data with the link's error mark.
    LinkError,
    /// The right completion twice.
    Duplicate,
    /// A completion with a tag which nobody asked for, then the right one.
    UnknownTag,
    /// A completion which promises more payload than it has, then nothing.
    Malformed,
    /// A byte count which does not fit the request.
    BadByteCount,
}

impl Answer {
    /// The device gets no completion which would end the read.
    pub fn leaves_it_open(self) -> bool {
        matches!(self, Answer::Lost | Answer::LinkError | Answer::Malformed | Answer::BadByteCount)
    }
}

/// Which requests a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The n-th read from the moment the rule is added; 0 is the next.
    Nth(u64),
    /// Reads whose first byte is in the range.
    Range(Range<u64>),
    /// Every read.
    All,
}

#[derive(Clone, Debug)]
struct Rule {
    which: Which,
    answer: Answer,
    seen: u64,
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    /// Wrong answers given so far.
    pub given: u64,
}

impl Faults {
    /// Adds a rule. A rule by number serves once; the others until [`Faults::clear`].
    pub fn add(&mut self, which: Which, answer: Answer) {
        self.rules.push(Rule { which, answer, seen: 0 });
    }

    /// The host is well again.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The answer to the read whose first byte is at `addr`, if it is to be a wrong one.
    pub fn judge(&mut self, addr: u64) -> Option<Answer> {
        let mut verdict = None;
        for rule in &mut self.rules {
            let hit = match &rule.which {
                Which::Nth(n) => rule.seen == *n,
                Which::Range(range) => range.contains(&addr),
                Which::All => true,
            };
            rule.seen += 1;
            if hit && verdict.is_none() {
                verdict = Some(rule.answer);
            }
        }
        self.rules.retain(|rule| !matches!(rule.which, Which::Nth(n) if rule.seen > n));
        self.given += u64::from(verdict.is_some());
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_number_once_by_range_always() {
        let mut faults = Faults::default();
        faults.add(Which::Nth(1), Answer::Lost);
        faults.add(Which::Range(0x100..0x200), Answer::Poisoned);
        let verdicts: Vec<_> = [0, 0, 0x100, 0x1ff, 0x200].map(|addr| faults.judge(addr)).into();
        let poisoned = Some(Answer::Poisoned);
        assert_eq!(verdicts, [None, Some(Answer::Lost), poisoned, poisoned, None]);
        assert_eq!(faults.given, 3);
    }
}
