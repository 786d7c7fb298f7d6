//! A traffic generator: numbered frames go into the function, and what the guest forwards comes back and is judged (PVP: in
//! at the wire, through a forwarder in the guest, out at the wire).
//!
//! A round begins a while after the first frame which is not its own: the forwarder is there, and its address known. At most
//! `rate` frames are sent in a second and at most `window` are under way, so that a slow machine makes a round longer and
//! loses nothing. The round ends when all are back, or when none has come for a while; a line on standard error tells of it.
//! [RFC 2544: Throughput] asks for the highest rate without loss: that is what a round without loss shows of its own.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::Duration;

use super::Wire;
use super::stack::MAC;
use crate::log::say;

/// [IEEE 802: Local Experimental Ethertype 1]
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const MAGIC: [u8; 4] = *b"HmGn";
/// Where payload, round and number stand.
const PAYLOAD: usize = 14;
const ROUND: usize = PAYLOAD + 4;
const NUMBER: usize = ROUND + 4;
const HEAD: usize = NUMBER + 8;
/// Lengths without FCS. [RFC 2544: Frame sizes]
const MIX: [usize; 6] = [60, 124, 252, 508, 1020, 1514];
/// From the forwarder's first frame to the round's; from the last sign of life to its end.
const SETTLE: Duration = Duration::from_millis(300);
const SILENCE: Duration = Duration::from_secs(2);
/// Frames which are ready at once at most, so that their times are looked at now and then.
const BURST: usize = 32;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    frames: u64,
    /// In a second.
    rate: u32,
    window: u64,
    /// All lengths in turn if there is none.
    bytes: Option<usize>,
}

impl Plan {
    fn read(words: &str) -> Result<Plan, String> {
        let mut plan = Plan { frames: 1000, rate: 100_000, window: 128, bytes: None };
        for word in words.split(',').filter(|word| !word.is_empty()) {
            let wrong = || format!("--wire gen: {word:?} is not frames=N, rate=N, window=N or bytes=N|mix");
            let (key, value) = word.split_once('=').ok_or_else(wrong)?;
            let number = || value.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(wrong);
            match key {
                "frames" => plan.frames = number()?.into(),
                "rate" => plan.rate = number()?,
                "window" => plan.window = number()?.into(),
                "bytes" if value == "mix" => plan.bytes = None,
                "bytes" => plan.bytes = Some(number()? as usize).filter(|bytes| *bytes >= MIX[0]),
                _ => return Err(wrong()),
            }
        }
        Ok(plan)
    }

    fn length(&self, number: u64) -> usize {
        self.bytes.unwrap_or(MIX[(number % MIX.len() as u64) as usize])
    }
}

/// A round, and what has come of it.
#[derive(Debug, Default)]
struct Round {
    started: Duration,
    /// The last frame which went or came.
    last: Duration,
    sent: u64,
    came: HashSet<u64>,
    /// One more than the highest number which has come.
    next: u64,
    disordered: u64,
    damaged: u64,
    repeated: u64,
    /// With other addresses than they left with.
    readdressed: u64,
}

/// The generator.
#[derive(Debug)]
pub struct Generator {
    plan: Plan,
    now: Duration,
    /// The forwarder's address, and when the next round begins.
    to: [u8; 6],
    begins: Option<Duration>,
    round: Option<Round>,
    rounds: u32,
    out: VecDeque<Vec<u8>>,
    /// What rounds came to, a line each.
    pub reports: Vec<String>,
}

impl Generator {
    /// What `frames=N,rate=N,window=N,bytes=N|mix` says.
    pub fn new(words: &str) -> Result<Generator, String> {
        let plan = Plan::read(words)?;
        let (now, to, out) = (Duration::ZERO, [0; 6], VecDeque::new());
        Ok(Generator { plan, now, to, begins: None, round: None, rounds: 0, out, reports: vec![] })
    }

    fn frame(&self, number: u64) -> Vec<u8> {
        let mut frame = [&self.to[..], &MAC.0, &ETHERTYPE, &MAGIC, &self.rounds.to_be_bytes()].concat();
        frame.extend(number.to_be_bytes());
        let fill = (HEAD..self.plan.length(number)).map(|at| (number as usize + at * 7) as u8);
        frame.extend(fill);
        frame
    }

    /// Makes what is due.
    fn fill(&mut self) {
        while self.out.len() < BURST && self.due().is_some_and(|due| due <= self.now) {
            let Some(round) = &self.round else { return };
            let frame = self.frame(round.sent);
            self.out.push_back(frame);
            if let Some(round) = &mut self.round {
                (round.sent, round.last) = (round.sent + 1, self.now);
            }
        }
    }

    /// When the next frame is due.
    fn due(&self) -> Option<Duration> {
        let round = self.round.as_ref()?;
        let under_way = round.sent - round.came.len() as u64;
        let more = round.sent < self.plan.frames && under_way < self.plan.window;
        more.then(|| round.started + Duration::from_secs_f64(round.sent as f64 / f64::from(self.plan.rate)))
    }

    fn judge(&mut self, frame: &[u8]) {
        let number =
            |range| frame.get(range).map(|bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)));
        let (of, at) = (number(ROUND..NUMBER), number(NUMBER..HEAD));
        let want = at.map(|at| self.frame(at));
        let (now, frames) = (self.now, u64::from(self.rounds));
        let Some(round) = &mut self.round else { return };
        let (Some(at), Some(want)) = (at.filter(|at| *at < round.sent && of == Some(frames)), want) else {
            round.damaged += 1;
            return;
        };
        round.last = now;
        // Addresses are the forwarder's business, all behind them is not.
        if frame.len() != want.len() || frame[PAYLOAD - 2..] != want[PAYLOAD - 2..] {
            round.damaged += 1;
        } else if !round.came.insert(at) {
            round.repeated += 1;
        } else {
            round.readdressed += u64::from(frame[..PAYLOAD - 2] != want[..PAYLOAD - 2]);
            round.disordered += u64::from(at < round.next);
            round.next = round.next.max(at + 1);
        }
    }

    /// When the round is over although not all is back.
    fn patience(&self) -> Option<Duration> {
        self.round.as_ref().map(|round| round.last + SILENCE)
    }

    fn end(&mut self) {
        let Some(round) = self.round.take() else { return };
        let came = round.came.len() as u64;
        let seconds = round.last.saturating_sub(round.started).as_secs_f64();
        let report = format!(
            "gen: round {}: sent {}, received {came}, lost {}, disordered {}, damaged {}, repeated {}, readdressed {}, {:.0} frames/s",
            self.rounds,
            round.sent,
            round.sent - came,
            round.disordered,
            round.damaged,
            round.repeated,
            round.readdressed,
            came as f64 / seconds.max(1e-6),
        );
        say(format_args!("{report}"));
        self.reports.push(report);
        self.out.clear();
    }
}

impl Wire for Generator {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let own =
            frame.get(PAYLOAD - 2..PAYLOAD + 4).is_some_and(|head| head == [&ETHERTYPE[..], &MAGIC].concat());
        if own {
            self.judge(frame);
        } else if self.round.is_none()
            && let Some(source) = frame.get(6..12)
        {
            self.to.copy_from_slice(source);
            self.begins.get_or_insert(self.now + SETTLE);
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.fill();
        Ok(self.out.pop_front())
    }

    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.begins.is_some_and(|at| at <= self.now) {
            self.begins = None;
            self.rounds += 1;
            self.round = Some(Round { started: self.now, last: self.now, ..Round::default() });
        }
        let done = self.round.as_ref().is_some_and(|round| round.came.len() as u64 == self.plan.frames);
        if done || self.patience().is_some_and(|at| at <= self.now) {
            self.end();
        }
    }

    fn deadline(&self) -> Option<Duration> {
        [self.begins, self.due(), self.patience()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Plays a round whose frames go through `forward`.
    fn play(words: &str, mut forward: impl FnMut(u64, Vec<u8>) -> Vec<Vec<u8>>) -> (Vec<String>, Duration) {
        let mut wire = Generator::new(words).unwrap();
        wire.send(&[&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &[8, 0], &[0; 46]].concat()).unwrap();
        let (mut now, mut count) = (Duration::ZERO, 0);
        while wire.reports.is_empty() {
            now += MS;
            wire.advance(now);
            while let Some(frame) = wire.receive().unwrap() {
                assert_eq!(frame[..6], [2, 0, 0, 0, 0, 9]);
                count += 1;
                forward(count, frame).iter().for_each(|frame| wire.send(frame).unwrap());
            }
            assert!(now < Duration::from_secs(100), "no end");
        }
        (wire.reports, now)
    }

    #[test]
    fn what_comes_back_whole_is_counted_at_its_rate() {
        let (reports, now) = play("frames=600,rate=2000", |_, frame| vec![frame]);
        assert!(reports[0].starts_with(
            "gen: round 1: sent 600, received 600, lost 0, disordered 0, damaged 0, repeated 0, readdressed 0, 20"
        ), "{reports:?}");
        assert!((590 * MS..620 * MS).contains(&now), "{now:?}");
    }

    #[test]
    fn each_fault_has_its_count() {
        let mut held = None;
        let (reports, _) = play("frames=100,rate=2000,bytes=60", |count, mut frame| match count {
            10 => vec![],
            20 => {
                held = Some(frame);
                vec![]
            }
            21 => vec![frame, held.take().unwrap()],
            30 => vec![frame.clone(), frame],
            40 => {
                frame[59] ^= 1;
                vec![frame]
            }
            50 => {
                frame[..6].copy_from_slice(&[2; 6]);
                vec![frame]
            }
            60 => vec![frame[..40].to_vec()],
            70 => vec![frame[..20].to_vec()],
            _ => vec![frame],
        });
        assert!(reports[0].starts_with(
            "gen: round 1: sent 100, received 96, lost 4, disordered 1, damaged 3, repeated 1, readdressed 1, "
        ), "{reports:?}");
    }

    #[test]
    fn no_more_are_under_way_than_the_window_has() {
        let (reports, _) = play("frames=1000,window=16", |_, _| vec![]);
        assert!(reports[0].starts_with("gen: round 1: sent 16, received 0, lost 16, "), "{reports:?}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for words in ["frames", "frames=0", "speed=3", "rate=x"] {
            assert!(Generator::new(words).unwrap_err().contains(words), "{words}");
        }
    }
}
