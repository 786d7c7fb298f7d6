//! The longest path between registers of a netlist for UltraScale+, in LUTs: a measure of speed where there is no place and route.
//!
//! A LUT is a level, and so is a distributed RAM that is read. Carry chains and the multiplexers beside LUTs are none: the chain is told
//! apart. A path begins at a register's output or a port and ends at any input that a clock samples, or at a port.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What yosys writes with `write_json`, as far as it is needed.
#[derive(Deserialize)]
pub(super) struct Netlist {
    modules: HashMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    ports: HashMap<String, Port>,
    cells: HashMap<String, Cell>,
    netnames: HashMap<String, Net>,
}

#[derive(Deserialize)]
struct Port {
    direction: String,
    bits: Vec<Bit>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    port_directions: HashMap<String, String>,
    connections: HashMap<String, Vec<Bit>>,
}

#[derive(Deserialize)]
struct Net {
    bits: Vec<Bit>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(from = "serde_json::Value")]
struct Bit(Option<u32>);

impl From<serde_json::Value> for Bit {
    /// A number is a net, a text a constant.
    fn from(value: serde_json::Value) -> Bit {
        Bit(value.as_u64().map(|net| net as u32))
    }
}

/// A path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Longest {
    pub(super) luts: usize,
    pub(super) carries: usize,
    /// The module's own signals along it.
    pub(super) path: Vec<String>,
}

/// What a net follows from within a cycle.
struct Driver {
    inputs: Vec<u32>,
    lut: bool,
    carry: bool,
}

/// The inputs a clock samples, and the nets that follow from others.
#[derive(Default)]
struct Graph {
    drivers: HashMap<u32, Driver>,
    ends: Vec<u32>,
}

impl Graph {
    fn comes_from(&mut self, outputs: &[Bit], inputs: Vec<u32>, lut: bool) {
        for output in nets(outputs) {
            self.drivers.insert(output, Driver { inputs: inputs.clone(), lut, carry: false });
        }
    }
}

fn nets(bits: &[Bit]) -> impl Iterator<Item = u32> + '_ {
    bits.iter().filter_map(|bit| bit.0)
}

/// The longest path of `top`.
pub(super) fn longest(netlist: &Netlist, top: &str) -> Result<Longest> {
    let module = netlist.modules.get(top).with_context(|| format!("the netlist has no module `{top}`"))?;
    let graph = graph(module)?;
    let (depths, before) = depths(&graph);
    let depth = |net: &u32| depths.get(net).copied().unwrap_or_default();
    let Some(end) = graph.ends.iter().max_by_key(|net| depth(net)) else {
        return Ok(Longest::default());
    };
    let names = names(module);
    let mut path: Vec<String> = Vec::new();
    let mut at = Some(*end);
    while let Some(net) = at {
        if let Some(name) = names.get(&net)
            && path.last().is_none_or(|last| last != name)
        {
            path.push((*name).to_string());
        }
        at = before.get(&net).copied();
    }
    path.reverse();
    let (luts, carries) = depth(end);
    Ok(Longest { luts, carries, path })
}

fn graph(module: &Module) -> Result<Graph> {
    let mut graph = Graph::default();
    for cell in module.cells.values() {
        add(&mut graph, cell)?;
    }
    let out = |port: &&Port| port.direction == "output";
    graph.ends.extend(module.ports.values().filter(out).flat_map(|port| nets(&port.bits)));
    Ok(graph)
}

fn add(graph: &mut Graph, cell: &Cell) -> Result<()> {
    let is_output = |port: &str| cell.port_directions.get(port).is_some_and(|way| way == "output");
    let inputs = |wanted: &dyn Fn(&str) -> bool| -> Vec<u32> {
        let ports = cell.connections.iter().filter(|(port, _)| !is_output(port) && wanted(port));
        ports.flat_map(|(_, bits)| nets(bits)).collect()
    };
    let outputs = || cell.connections.iter().filter(|(port, _)| is_output(port));
    let clocked = |port: &str| port != "C" && !port.contains("CLK");
    let kind = cell.kind.as_str();
    let lut = kind.starts_with("LUT") || kind == "INV";
    if lut || kind.starts_with("MUXF") || matches!(kind, "IBUF" | "OBUF" | "BUFG") {
        outputs().for_each(|(_, bits)| graph.comes_from(bits, inputs(&|_| true), lut));
    } else if matches!(kind, "CARRY4" | "CARRY8") {
        carry(graph, cell);
    } else if kind.starts_with("FD") || kind.starts_with("RAMB") || kind.starts_with("DSP") {
        graph.ends.extend(inputs(&clocked));
    } else if kind.starts_with("RAM") || kind.starts_with("SRL") {
        for (port, bits) in outputs() {
            graph.comes_from(bits, inputs(&|input| addresses(port, input)), true);
        }
        graph.ends.extend(inputs(&clocked));
    } else if !matches!(kind, "VCC" | "GND" | "$scopeinfo") {
        bail!("a cell of kind {kind}: how its outputs follow from its inputs is not known here");
    }
    Ok(())
}

/// Whether a distributed RAM's output hangs on this input: `DOA` on `ADDRA`, `DPO` on `DPRA`, all others on `A`.
fn addresses(output: &str, input: &str) -> bool {
    match output.strip_prefix("DO") {
        Some(port) if port.len() == 1 => input == format!("ADDR{port}"),
        _ if output == "DPO" => input.starts_with("DPRA"),
        _ => input.starts_with('A'),
    }
}

/// Each bit hangs on those below it.
fn carry(graph: &mut Graph, cell: &Cell) {
    let port = |name: &str| cell.connections.get(name).map_or(&[][..], Vec::as_slice);
    let mut below: Vec<u32> = ["CI", "CI_TOP", "CYINIT"].iter().flat_map(|name| nets(port(name))).collect();
    for bit in 0..port("S").len() {
        below.extend(["S", "DI"].iter().filter_map(|name| port(name).get(bit)?.0));
        for output in ["O", "CO"].iter().filter_map(|name| port(name).get(bit)?.0) {
            graph.drivers.insert(output, Driver { inputs: below.clone(), lut: false, carry: true });
        }
    }
}

type Depths = HashMap<u32, (usize, usize)>;

/// LUTs and carries up to each net, and the net before it on that path. A loop, of which synthesis makes none, would be cut.
fn depths(graph: &Graph) -> (Depths, HashMap<u32, u32>) {
    let (mut depths, mut before) = (Depths::new(), HashMap::new());
    let mut entered = HashSet::new();
    for end in &graph.ends {
        let mut stack = vec![*end];
        while let Some(&net) = stack.last() {
            let Some(driver) = graph.drivers.get(&net).filter(|_| !depths.contains_key(&net)) else {
                depths.entry(net).or_default();
                stack.pop();
                continue;
            };
            if entered.insert(net) {
                stack.extend(driver.inputs.iter().filter(|input| !entered.contains(input)));
                continue;
            }
            let known = driver.inputs.iter().filter_map(|input| Some((*depths.get(input)?, *input)));
            let ((luts, carries), input) = known.max().unwrap_or_default();
            depths.insert(net, (luts + usize::from(driver.lut), carries + usize::from(driver.carry)));
            before.insert(net, input);
            stack.pop();
        }
    }
    (depths, before)
}

/// Nets by the names that the module gives them, not by those which synthesis makes up: `$...`, or a name, `_` and a kind of cell.
fn names(module: &Module) -> HashMap<u32, &str> {
    let made = ["$", "_LUT", "_MUXF", "_CARRY", "_FD", "_RAM", "_INV", "_SRL", "_IBUF", "_OBUF"];
    let own = |(name, _): &(&String, &Net)| !made.iter().any(|mark| name.contains(mark));
    let mut names: HashMap<u32, &str> = HashMap::new();
    for (name, net) in module.netnames.iter().filter(own) {
        for bit in nets(&net.bits) {
            let known = names.entry(bit).or_insert(name);
            if (name.len(), name.as_str()) < (known.len(), *known) {
                *known = name;
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(cells: serde_json::Value) -> Result<Longest> {
        let ports = json!({ "in": { "direction": "input", "bits": [2] }, "out": { "direction": "output", "bits": [9] } });
        let nets = json!({ "q": { "bits": [3] }, "$made": { "bits": [4] }, "sum": { "bits": [5] } });
        let netlist = json!({ "modules": { "top": { "ports": ports, "cells": cells, "netnames": nets } } });
        longest(&serde_json::from_value(netlist).unwrap(), "top")
    }

    fn lut(input: u32, output: u32) -> serde_json::Value {
        json!({ "type": "LUT1", "port_directions": { "I0": "input", "O": "output" },
                "connections": { "I0": [input], "O": [output] } })
    }

    fn register(input: u32, output: u32) -> serde_json::Value {
        json!({ "type": "FDRE", "port_directions": { "C": "input", "D": "input", "Q": "output" },
                "connections": { "C": [2], "D": [input], "Q": [output] } })
    }

    #[test]
    fn luts_between_registers_are_counted_and_carries_apart() {
        let carry = json!({ "type": "CARRY8", "port_directions": { "S": "input", "DI": "input", "CI": "input", "O": "output" },
            "connections": { "S": [4, "0"], "DI": ["0", "0"], "CI": ["0"], "O": [5, 7] } });
        let cells =
            json!({ "a": register(6, 3), "b": lut(3, 4), "c": carry, "d": lut(5, 6), "e": lut(2, 9) });
        let path = vec!["q".to_string(), "sum".into()];
        assert_eq!(of(cells).unwrap(), Longest { luts: 2, carries: 1, path });
    }

    #[test]
    fn a_ram_is_a_level_from_its_own_address_only() {
        let ram = json!({ "type": "RAM32M", "port_directions": { "DOA": "output", "DOB": "output", "DIA": "input", "ADDRA": "input", "ADDRB": "input" },
            "connections": { "DOA": [5], "DOB": [8], "DIA": ["0"], "ADDRA": [4], "ADDRB": [3] } });
        let cells = json!({ "a": register(5, 3), "b": lut(3, 4), "c": ram, "d": lut(8, 9) });
        assert_eq!(of(cells).unwrap().luts, 2);
    }

    /// As yosys 0.70 writes them: chains of four, and cells that only say which module something came from.
    #[test]
    fn chains_of_four_and_scopes_are_known() {
        let carry = json!({ "type": "CARRY4", "port_directions": { "S": "input", "DI": "input", "CI": "input", "CYINIT": "input", "CO": "output" },
            "connections": { "S": ["0", "0", "0", 4], "DI": ["0", "0", "0", "0"], "CI": ["0"], "CYINIT": [6], "CO": [7, 8, 10, 5] } });
        let scope = json!({ "type": "$scopeinfo", "port_directions": {}, "connections": {} });
        let cells = json!({ "a": register(9, 3), "b": lut(3, 6), "c": lut(6, 4), "d": carry, "e": lut(5, 9), "f": scope });
        let longest = of(cells).unwrap();
        assert_eq!((longest.luts, longest.carries), (3, 1));
    }

    #[test]
    fn an_unknown_cell_is_an_error() {
        let cells = json!({ "a": { "type": "NEWCELL", "port_directions": {}, "connections": {} } });
        assert!(of(cells).unwrap_err().to_string().contains("NEWCELL"));
    }
}
