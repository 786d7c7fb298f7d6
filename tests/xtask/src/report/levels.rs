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

/// The longest path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Longest {
    pub(super) luts: usize,
    pub(super) carries: usize,
    /// From where it begins to the last cell before its end.
    pub(super) steps: Vec<Step>,
    /// The input it ends at.
    pub(super) end: String,
    /// How many ends lie behind as many LUTs as the place in this list says.
    pub(super) ends: Vec<usize>,
}

/// A net of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// LUTs up to here.
    pub(super) luts: usize,
    /// As the module calls it, if it does.
    pub(super) name: Option<String>,
    /// What else the module has a name for goes into the cell.
    pub(super) beside: Vec<String>,
}

/// What a net follows from within a cycle.
struct Driver {
    inputs: Vec<u32>,
    lut: bool,
    carry: bool,
}

/// An input that a clock samples, or a port of the module, by name.
struct End<'a> {
    net: u32,
    name: &'a str,
    /// Which input, and of what.
    input: Option<(&'a str, &'a Cell)>,
}

impl End<'_> {
    fn order(&self) -> (&str, &str, u32) {
        (self.name, self.input.map_or("", |(port, _)| port), self.net)
    }

    /// A register by what it drives.
    fn described(&self, names: &HashMap<u32, String>) -> String {
        let Some((port, cell)) = self.input else { return format!("port, {}", self.name) };
        let output = || cell.outputs().find_map(|(_, bits)| nets(bits).next());
        let register = cell.kind.starts_with("FD").then(output).flatten().and_then(|net| names.get(&net));
        format!("{port} of {}, {}", cell.kind, register.map_or(self.name, String::as_str))
    }
}

/// The ends of paths, and the nets that follow from others.
#[derive(Default)]
struct Graph<'a> {
    drivers: HashMap<u32, Driver>,
    ends: Vec<End<'a>>,
}

impl<'a> Graph<'a> {
    fn comes_from(&mut self, outputs: &[Bit], inputs: Vec<u32>, lut: bool) {
        for output in nets(outputs) {
            self.drivers.insert(output, Driver { inputs: inputs.clone(), lut, carry: false });
        }
    }

    fn ends_at(&mut self, name: &'a str, cell: &'a Cell) {
        let clocked = |port: &str| port != "C" && !port.contains("CLK");
        let inputs = cell.connections.iter().filter(|(port, _)| !cell.is_output(port) && clocked(port));
        for (port, bits) in inputs {
            let end = |net| End { net, name, input: Some((port, cell)) };
            self.ends.extend(nets(bits).map(end));
        }
    }
}

impl Cell {
    fn is_output(&self, port: &str) -> bool {
        self.port_directions.get(port).is_some_and(|way| way == "output")
    }

    fn outputs(&self) -> impl Iterator<Item = (&String, &Vec<Bit>)> {
        self.connections.iter().filter(|(port, _)| self.is_output(port))
    }

    fn inputs(&self, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
        let ports = self.connections.iter().filter(|(port, _)| !self.is_output(port) && wanted(port));
        ports.flat_map(|(_, bits)| nets(bits)).collect()
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
    let mut ends = Vec::new();
    for (luts, _) in graph.ends.iter().map(|end| depth(&end.net)) {
        ends.resize(ends.len().max(luts + 1), 0);
        ends[luts] += 1;
    }
    // Of several that are as long, that with the least name: cells come in no order.
    let longer =
        |a: &&End, b: &&End| depth(&a.net).cmp(&depth(&b.net)).then_with(|| b.order().cmp(&a.order()));
    let Some(end) = graph.ends.iter().max_by(longer) else {
        return Ok(Longest::default());
    };
    let names = names(module);
    let (mut steps, mut at) = (Vec::new(), Some(end.net));
    while let Some(net) = at {
        at = before.get(&net).copied();
        let inputs = graph.drivers.get(&net).map_or(&[][..], |driver| &driver.inputs);
        let beside = inputs.iter().filter(|input| Some(**input) != at);
        let mut beside: Vec<String> = beside.filter_map(|input| names.get(input).cloned()).collect();
        beside.sort();
        beside.dedup();
        steps.push(Step { luts: depth(&net).0, name: names.get(&net).cloned(), beside });
    }
    steps.reverse();
    let (luts, carries) = depth(&end.net);
    Ok(Longest { luts, carries, steps, end: end.described(&names), ends })
}

fn graph(module: &Module) -> Result<Graph<'_>> {
    let mut graph = Graph::default();
    for (name, cell) in &module.cells {
        add(&mut graph, name, cell)?;
    }
    for (name, port) in module.ports.iter().filter(|(_, port)| port.direction == "output") {
        let end = |net| End { net, name, input: None };
        graph.ends.extend(nets(&port.bits).map(end));
    }
    Ok(graph)
}

fn add<'a>(graph: &mut Graph<'a>, name: &'a str, cell: &'a Cell) -> Result<()> {
    let kind = cell.kind.as_str();
    let lut = kind.starts_with("LUT") || kind == "INV";
    if lut || kind.starts_with("MUXF") || matches!(kind, "IBUF" | "OBUF" | "BUFG") {
        cell.outputs().for_each(|(_, bits)| graph.comes_from(bits, cell.inputs(|_| true), lut));
    } else if matches!(kind, "CARRY4" | "CARRY8") {
        carry(graph, cell);
    } else if kind.starts_with("FD") || kind.starts_with("RAMB") || kind.starts_with("DSP") {
        graph.ends_at(name, cell);
    } else if kind.starts_with("RAM") || kind.starts_with("SRL") {
        for (port, bits) in cell.outputs() {
            graph.comes_from(bits, cell.inputs(|input| addresses(port, input)), true);
        }
        graph.ends_at(name, cell);
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
fn carry(graph: &mut Graph<'_>, cell: &Cell) {
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
fn depths(graph: &Graph<'_>) -> (Depths, HashMap<u32, u32>) {
    let (mut depths, mut before) = (Depths::new(), HashMap::new());
    let mut entered = HashSet::new();
    for end in &graph.ends {
        let mut stack = vec![end.net];
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
fn names(module: &Module) -> HashMap<u32, String> {
    let made = ["$", "_LUT", "_MUXF", "_CARRY", "_FD", "_RAM", "_INV", "_SRL", "_IBUF", "_OBUF"];
    let own = |(name, _): &(&String, &Net)| !made.iter().any(|mark| name.contains(mark));
    let mut names: HashMap<u32, String> = HashMap::new();
    for (name, net) in module.netnames.iter().filter(own) {
        for (at, bit) in net.bits.iter().enumerate() {
            let Some(bit) = bit.0 else { continue };
            let name = if net.bits.len() == 1 { name.clone() } else { format!("{name}[{at}]") };
            let known = names.entry(bit).or_insert_with(|| name.clone());
            if (name.len(), &name) < (known.len(), known) {
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
        let nets = json!({ "q": { "bits": [3] }, "$made": { "bits": [4] }, "sum": { "bits": [5] },
            "wish": { "bits": [0, 10] }, "result": { "bits": [6] } });
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
        let two = json!({ "type": "LUT2", "port_directions": { "I0": "input", "I1": "input", "O": "output" },
            "connections": { "I0": [3], "I1": [10], "O": [4] } });
        let cells = json!({ "a": register(6, 3), "b": two, "c": carry, "d": lut(5, 6), "e": lut(2, 9) });
        let step = |luts, name: Option<&str>, beside: &[&str]| Step {
            luts,
            name: name.map(String::from),
            beside: beside.iter().map(|name| name.to_string()).collect(),
        };
        let steps = vec![
            step(0, Some("wish[1]"), &[]),
            step(1, None, &["q"]),
            step(1, Some("sum"), &[]),
            step(2, Some("result"), &[]),
        ];
        let longest = of(cells).unwrap();
        assert_eq!(
            longest,
            Longest { luts: 2, carries: 1, steps, end: "D of FDRE, q".into(), ends: vec![0, 1, 1] }
        );
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
