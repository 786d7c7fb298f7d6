//! One case: a frame size, a direction, a number of queues. Runs in, measures, runs out, counts what did not come.

use serde::Serialize;

use super::BenchError;
use super::frames::Sequence;
use super::host::{self, Host, World};
use super::options::{Direction, Options, Selection};
use super::tlps::Tlps;
use crate::device::Device;
use crate::driver;
use crate::root::complex::Counts;
use crate::root::slot::Traffic;
use crate::rtl::{Seam, Seams};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Case {
    /// Bytes of a frame with its check sequence.
    pub frame_bytes: usize,
    pub direction: Direction,
    pub queue_pairs: u16,
    pub ring_entries: u16,
}

/// How the cycles of one stream of the RTL's edge went by, in parts of all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeamUse {
    /// A beat moved.
    pub moved: f64,
    /// A beat was offered and not taken.
    pub stalled: f64,
    /// Nothing was offered.
    pub idle: f64,
}

/// What was found. Rates are those of the slower direction, each way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub case: Case,
    /// Cycles measured, and the frames which went by in them.
    pub cycles: u64,
    pub tx_frames: u64,
    pub rx_frames: u64,
    /// Transmitted by the queue which had least, and by the one which had most.
    pub tx_frames_slowest_queue: u64,
    pub tx_frames_fastest_queue: u64,
    pub cycles_per_packet: f64,
    pub mpps: f64,
    /// Without preamble and gap.
    pub gbps: f64,
    /// What the link would allow.
    pub limit_mpps: f64,
    pub ratio_to_limit: f64,
    /// Bytes of TLPs on the link for each frame: from the device, and to it.
    pub pcie_up_bytes_per_packet: f64,
    pub pcie_down_bytes_per_packet: f64,
    /// The same as parts of what the link moves in that time.
    pub pcie_up_use: f64,
    pub pcie_down_use: f64,
    pub doorbells_per_packet: f64,
    /// Reads of the function which are not answered in full: in the mean, and at most.
    pub reads_in_flight: f64,
    pub reads_in_flight_most: u64,
    pub tlps_per_packet: Tlps<f64>,
    pub tlp_in: SeamUse,
    pub tlp_out: SeamUse,
    pub frame_in: SeamUse,
    pub frame_out: SeamUse,
    /// Cycles of the whole case, from power-on.
    pub simulated_cycles: u64,
    /// Over the whole case: frames which never came, came late or twice, or with a wrong byte.
    pub lost: u64,
    pub disordered: u64,
    pub damaged: u64,
    /// Broken rules of the TLP port, or of the handshake.
    pub violations: u64,
    /// The first of them.
    pub first_violation: Option<String>,
}

impl Figures {
    /// Every frame came as it was, and no rule was broken.
    pub fn clean(&self) -> bool {
        self.lost + self.disordered + self.damaged + self.violations == 0
    }
}

/// What is counted, at one moment.
struct Moment {
    /// Frames of each transmit queue.
    queues: Vec<u64>,
    cycle: u64,
    seams: Seams,
    counts: Counts,
    tx: u64,
    rx: u64,
    tlps: Tlps<u64>,
    flight: (u64, u64),
    doorbells: u64,
}

struct Run {
    traffic: Traffic,
    world: World,
    host: Host,
    /// Frames which came to the wire, by queue, and how many.
    sent: Vec<Sequence>,
    transmitted: u64,
    /// Frames offered from the wire.
    offered: u64,
    offering: bool,
    window: u64,
    /// Frames for each cycle, if there is a rate.
    rate: Option<f64>,
    started: u64,
    backlog: u64,
    /// Cycles after which the device knows of a receive buffer.
    grace: u64,
}

/// Cycles beside a round trip within which the device learns of buffers from their doorbell.
const GRACE: u64 = 64;
/// So long may nothing come out anywhere.
const PATIENCE: u64 = 200_000;

pub(super) fn run(options: &Options, selection: Selection) -> Result<Figures, BenchError> {
    let Selection { size, direction, queues } = selection;
    let traffic = direction.traffic();
    let (mut world, host) = host::start(options, selection)?;
    host::record(options, &mut world)?;
    let lanes = world.device.lanes() as u64;
    let mut run = Run {
        traffic,
        sent: vec![Sequence::default(); 2 * usize::from(queues)],
        transmitted: 0,
        offered: 0,
        offering: traffic.rx,
        window: options.window.unwrap_or((host.receive_buffers() / 2).max(1)),
        rate: options.offer_mpps.map(|mpps| mpps / options.clock_mhz),
        started: world.device.now(),
        grace: options.slot().rtt_cycles() + GRACE,
        backlog: (size as u64).div_ceil(lanes) + 2,
        world,
        host,
    };
    let frames = options.frames_of(size);
    let enough = |run: &Run, tx: u64, rx: u64| {
        (!traffic.tx || run.transmitted >= tx) && (!traffic.rx || run.host.received >= rx)
    };
    let name = format!("{size} bytes, {}, {queues} queue pairs", direction.name());
    let poll = options.poll_cycles;
    let warm = frames.div_ceil(4);
    run.until(&name, poll, Run::ways, |run| enough(run, warm, warm))?;
    let from = run.moment();
    run.until(&name, poll, Run::ways, |run| enough(run, from.tx + frames, from.rx + frames))?;
    let to = run.moment();
    run.drain(&name, poll)?;
    Ok(run.figures(options, selection, &from, &to))
}

impl Run {
    /// One cycle of everything.
    fn cycle(&mut self, poll: u64) -> Result<(), BenchError> {
        let now = self.world.device.now();
        if now.is_multiple_of(poll) {
            self.host.look(&mut self.world)?;
        }
        while self.offering && self.may_offer(now) {
            let frame = self.host.arriving(self.offered);
            self.world.frame_in(frame);
            self.offered += 1;
        }
        if !self.world.turn() {
            self.world.device.step(1);
        }
        while let Some(frame) = self.world.frame_out() {
            self.transmitted += 1;
            match self.host.recognise(&frame) {
                Some((queue, number)) if usize::from(queue) < self.sent.len() => {
                    self.sent[usize::from(queue)].take(number);
                }
                _ => self.host.damaged += 1,
            }
        }
        Ok(())
    }

    fn may_offer(&mut self, now: u64) -> bool {
        let known = self.host.known(now, self.grace);
        match self.rate {
            Some(rate) => self.offered as f64 <= (now - self.started) as f64 * rate,
            None => {
                let on_their_way = self.offered - self.host.received;
                let room = self.offered < known && on_their_way < self.window;
                room && self.world.device.waiting() < self.backlog
            }
        }
    }

    /// Runs until `done`; each of the `ways` has to move now and then, on its own: the other one may go on for ever.
    fn until<const N: usize>(
        &mut self,
        name: &str,
        poll: u64,
        ways: impl Fn(&Run) -> [Option<u64>; N],
        done: impl Fn(&Run) -> bool,
    ) -> Result<(), BenchError> {
        let mut last = ways(self).map(|way| (way, self.world.device.now()));
        while !done(self) {
            self.cycle(poll)?;
            let now = self.world.device.now();
            for (last, way) in last.iter_mut().zip(ways(self)) {
                if last.0 != way || way.is_none() {
                    *last = (way, now);
                }
            }
            if last.iter().any(|(_, since)| now - since > PATIENCE) {
                let Run { transmitted, offered, .. } = self;
                let Host { queued, freed, received, .. } = &self.host;
                let missing = format!(
                    "tx {queued} queued, {transmitted} on the wire, {freed} used; rx {offered} offered, {received} received"
                );
                return Err(BenchError::Stuck { case: name.into(), limit: PATIENCE, missing });
            }
        }
        Ok(())
    }

    /// What comes out, each way that is wanted.
    fn ways(&self) -> [Option<u64>; 2] {
        let ways = [(self.traffic.tx, self.transmitted), (self.traffic.rx, self.host.received)];
        ways.map(|(wanted, count)| wanted.then_some(count))
    }

    /// Nothing more goes in; what is under way comes out, or is lost.
    fn drain(&mut self, name: &str, poll: u64) -> Result<(), BenchError> {
        self.host.stop = true;
        self.offering = false;
        let out = |run: &Run| {
            run.host.freed == run.host.queued
                && run.transmitted >= run.host.queued
                && run.host.received >= run.offered
        };
        let anything = |run: &Run| [Some(run.transmitted + run.host.received + run.host.freed)];
        match self.until(name, poll, anything, out) {
            // What never comes is counted.
            Err(BenchError::Stuck { .. }) => Ok(()),
            other => other,
        }
    }

    fn moment(&self) -> Moment {
        let transmit = self.sent.iter().skip(usize::from(driver::TX)).step_by(2);
        Moment {
            queues: transmit.map(Sequence::count).collect(),
            cycle: self.world.device.now(),
            seams: self.world.device.seams(),
            counts: self.world.counts,
            tx: self.transmitted,
            rx: self.host.received,
            tlps: self.host.tlps.seen(),
            flight: self.host.tlps.flight(self.world.device.now()),
            doorbells: self.host.doorbells,
        }
    }

    fn figures(&self, options: &Options, selection: Selection, from: &Moment, to: &Moment) -> Figures {
        let Selection { size, direction, queues } = selection;
        let (slot, traffic) = (options.slot(), direction.traffic());
        let cycles = to.cycle - from.cycle;
        let (tx, rx) = (to.tx - from.tx, to.rx - from.rx);
        let packets = match direction {
            Direction::Tx => tx,
            Direction::Rx => rx,
            Direction::Both => tx.min(rx),
        };
        let queues_of = from.queues.iter().zip(&to.queues).map(|(from, to)| to - from);
        let (slowest, fastest) = (queues_of.clone().min(), queues_of.max());
        let cycles_per_packet = cycles as f64 / packets as f64;
        let mpps = slot.clock_mhz / cycles_per_packet;
        let limit_mpps = slot.mpps(traffic, size, options.batch.into());
        // With both ways, a frame each way is one packet here: bytes of the link are for the pair.
        let each = |all: u64| all as f64 / packets as f64;
        let (up, down) = (to.counts.link_out - from.counts.link_out, to.counts.link_in - from.counts.link_in);
        let full = slot.rate() as f64 * cycles as f64 / 1000.0;
        let (lost_rx, late_rx) = self.host.losses();
        let sent = self.sent.iter().fold((0, 0), |(lost, late), s| (lost + s.lost, late + s.disordered));
        let missing_tx = self.host.queued.saturating_sub(self.transmitted);
        let missing_rx = self.offered.saturating_sub(self.host.received);
        let rules = self.world.monitor.violations();
        let case = Case {
            frame_bytes: size,
            direction,
            queue_pairs: queues,
            ring_entries: self.host.receive_buffers() as u16,
        };
        Figures {
            case,
            cycles,
            tx_frames: tx,
            rx_frames: rx,
            tx_frames_slowest_queue: slowest.unwrap_or_default(),
            tx_frames_fastest_queue: fastest.unwrap_or_default(),
            cycles_per_packet,
            mpps,
            gbps: mpps * (size * 8) as f64 / 1000.0,
            limit_mpps,
            ratio_to_limit: mpps / limit_mpps,
            pcie_up_bytes_per_packet: each(up),
            pcie_down_bytes_per_packet: each(down),
            pcie_up_use: up as f64 / full,
            pcie_down_use: down as f64 / full,
            doorbells_per_packet: each(to.doorbells - from.doorbells),
            reads_in_flight: (to.flight.0 - from.flight.0) as f64 / cycles as f64,
            reads_in_flight_most: to.flight.1,
            tlps_per_packet: to.tlps.since(from.tlps, packets),
            tlp_in: used(from.seams.tlp_in, to.seams.tlp_in, cycles),
            tlp_out: used(from.seams.tlp_out, to.seams.tlp_out, cycles),
            frame_in: used(from.seams.frame_in, to.seams.frame_in, cycles),
            frame_out: used(from.seams.frame_out, to.seams.frame_out, cycles),
            simulated_cycles: self.world.device.now(),
            lost: missing_tx.max(sent.0) + missing_rx.max(lost_rx),
            disordered: sent.1 + late_rx,
            damaged: self.host.damaged,
            violations: rules.len() as u64 + self.world.device.violations(),
            first_violation: rules.first().map(ToString::to_string),
        }
    }
}

fn used(from: Seam, to: Seam, cycles: u64) -> SeamUse {
    let part = |count: u64| count as f64 / cycles as f64;
    let (moved, stalled) = (to.moved - from.moved, to.stalled - from.stalled);
    SeamUse { moved: part(moved), stalled: part(stalled), idle: part(cycles - moved - stalled) }
}
