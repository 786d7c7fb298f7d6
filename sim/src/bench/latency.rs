//! One frame through a device at rest: from the doorbell to the wire, and from the wire to the interrupt.

use serde::Serialize;

use super::BenchError;
use super::host::{self, Host, World};
use super::options::{Direction, Options, Selection};
use super::tlps::Step;
use crate::device::Device;

/// The slowest of some rounds, in cycles and in round trips of the link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Bytes of the frame with its check sequence.
    pub frame_bytes: usize,
    pub rtt_cycles: u64,
    /// From the doorbell's beat at the device's edge to the frame's first on the wire.
    pub doorbell_to_wire_cycles: u64,
    pub doorbell_to_wire_rtts: f64,
    /// From the frame's first beat to the message's arrival at the host.
    pub wire_to_interrupt_cycles: u64,
    pub wire_to_interrupt_rtts: f64,
    /// TLPs of the slowest round, as they crossed the edge.
    pub doorbell_to_wire_steps: Vec<Step>,
    pub wire_to_interrupt_steps: Vec<Step>,
}

/// Cycles of a round, and what happened.
type Round = (u64, Vec<Step>);

const ROUNDS: usize = 4;
/// Cycles within which one frame is through.
const LIMIT: u64 = 100_000;

/// Measures each frame size of the cases.
pub(super) fn run(options: &Options, cases: &[Selection]) -> Result<Vec<Latency>, BenchError> {
    let mut sizes: Vec<usize> = cases.iter().map(|case| case.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.into_iter().map(|size| measure(options, size)).collect()
}

fn measure(options: &Options, size: usize) -> Result<Latency, BenchError> {
    let selection = Selection { size, direction: Direction::Both, queues: 1 };
    // The device is to interrupt for each frame.
    let options = Options { interrupts: super::Interrupts::Always, ..options.clone() };
    let (mut world, mut host) = host::start(&options, selection)?;
    host.stop = true;
    host::record(&options, &mut world)?;
    let (mut out, mut into): (Round, Round) = Default::default();
    for round in 0..ROUNDS {
        out = slower(out, doorbell_to_wire(&mut world, &mut host)?);
        rest(&mut world, &mut host)?;
        into = slower(into, wire_to_interrupt(&mut world, &mut host, round as u64)?);
        rest(&mut world, &mut host)?;
    }
    let rtt_cycles = options.slot().rtt_cycles();
    let rtts = |cycles: u64| cycles as f64 / rtt_cycles as f64;
    Ok(Latency {
        frame_bytes: size,
        rtt_cycles,
        doorbell_to_wire_cycles: out.0,
        doorbell_to_wire_rtts: rtts(out.0),
        wire_to_interrupt_cycles: into.0,
        wire_to_interrupt_rtts: rtts(into.0),
        doorbell_to_wire_steps: out.1,
        wire_to_interrupt_steps: into.1,
    })
}

fn slower(one: Round, other: Round) -> Round {
    if other.0 > one.0 { other } else { one }
}

fn doorbell_to_wire(world: &mut World, host: &mut Host) -> Result<Round, BenchError> {
    let before = world.device.seams().frame_out.moved;
    let bells = world.device.seams().tlp_in.moved;
    host.tlps.begin();
    host.send_one(world)?;
    until(world, "a doorbell", |world| world.device.seams().tlp_in.moved > bells)?;
    let start = world.device.now();
    until(world, "doorbell to wire", |world| world.device.seams().frame_out.moved > before)?;
    Ok((world.device.now() - start, host.tlps.end(start)))
}

fn wire_to_interrupt(world: &mut World, host: &mut Host, number: u64) -> Result<Round, BenchError> {
    let before = world.msi.count;
    let start = world.device.now();
    host.tlps.begin();
    world.frame_in(host.arriving(number));
    until(world, "wire to interrupt", |world| world.msi.count > before)?;
    Ok((world.device.now() - start, host.tlps.end(start)))
}

fn until(world: &mut World, what: &str, done: impl Fn(&World) -> bool) -> Result<(), BenchError> {
    let start = world.device.now();
    while !done(world) {
        if !world.turn() || world.device.now() - start > LIMIT {
            let missing = "one frame through an idle device".into();
            return Err(BenchError::Stuck { case: what.into(), limit: LIMIT, missing });
        }
    }
    Ok(())
}

/// Everything under way arrives, the driver takes it, gives it back, and the device takes note.
fn rest(world: &mut World, host: &mut Host) -> Result<(), BenchError> {
    world.pump(LIMIT);
    while world.frame_out().is_some() {}
    host.look(world)?;
    world.pump(LIMIT);
    world.msi.drain();
    Ok(())
}
