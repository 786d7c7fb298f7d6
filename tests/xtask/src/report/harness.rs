//! Puts a module between registers, so that place and route times the module's own paths: inputs come from a shift
//! register, outputs go into a signature register. Two pins and a clock are left.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The wrapper's name.
pub(super) const TOP: &str = "harness";
const CLOCKS: [&str; 2] = ["clock", "clk"];

/// A port of the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Port {
    name: String,
    width: usize,
    input: bool,
}

/// The ports of `top`, from the JSON that yosys writes.
pub(super) fn ports(netlist: &Value, top: &str) -> Result<Vec<Port>> {
    let ports = netlist["modules"][top]["ports"].as_object();
    let ports = ports.with_context(|| format!("the Verilog has no module `{top}`"))?;
    let port = |(name, port): (&String, &Value)| {
        let input = match port["direction"].as_str() {
            Some("input") => true,
            Some("output") => false,
            other => bail!("port {name} of {top} is {other:?}"),
        };
        Ok(Port { name: name.clone(), width: port["bits"].as_array().map_or(0, Vec::len), input })
    };
    ports.iter().map(port).collect()
}

/// The wrapper's Verilog.
pub(super) fn verilog(top: &str, ports: &[Port]) -> Result<String> {
    let clock = ports.iter().find(|port| port.input && CLOCKS.contains(&port.name.as_str()));
    let clock = clock.with_context(|| format!("{top} has no input named {}", CLOCKS.join(" or ")))?;
    let sum = |input| {
        ports.iter().filter(|port| port.input == input && *port != clock).map(|port| port.width).sum()
    };
    let (inputs, outputs): (usize, usize) = (sum(true), sum(false));
    if inputs == 0 || outputs == 0 {
        bail!("{top} has {inputs} input and {outputs} output bits: there is nothing to time");
    }
    let mut wires = String::new();
    let (mut next_input, mut next_output) = (0, 0);
    for port in ports {
        let (bus, next) = match port {
            port if port == clock => {
                wires += &format!("        .{}(clk),\n", port.name);
                continue;
            }
            port if port.input => ("in", &mut next_input),
            _ => ("out", &mut next_output),
        };
        wires += &format!("        .{}({bus}[{} +: {}]),\n", port.name, next, port.width);
        *next += port.width;
    }
    let wires = wires.trim_end().trim_end_matches(',');
    Ok(format!(
        "// Times {top} alone: all its ports are registered.\n\
         module {TOP}(input wire clk, input wire sin, output wire sout);\n    \
         reg [{input}:0] in;\n    wire [{output}:0] out;\n    reg [{output}:0] signature;\n    \
         always @(posedge clk) begin\n        in <= {{in, sin}};\n        \
         signature <= {{signature, signature[{output}]}} ^ out;\n    end\n    \
         assign sout = signature[{output}];\n    {top} dut (\n{wires}\n    );\nendmodule\n",
        input = inputs - 1,
        output = outputs - 1,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_port_is_joined_once() {
        let netlist = json!({ "modules": { "fifo": { "ports": {
            "clock": { "direction": "input", "bits": [2] },
            "data_in": { "direction": "input", "bits": [3, 4, 5] },
            "valid": { "direction": "input", "bits": [6] },
            "data_out": { "direction": "output", "bits": [7, 8] },
        } } } });
        let text = verilog("fifo", &ports(&netlist, "fifo").unwrap()).unwrap();
        for want in [
            ".clock(clk)",
            ".data_in(in[0 +: 3])",
            ".valid(in[3 +: 1])",
            ".data_out(out[0 +: 2])",
            "reg [3:0] in;",
        ] {
            assert!(text.contains(want), "{want} in\n{text}");
        }
        assert!(ports(&netlist, "other").unwrap_err().to_string().contains("no module `other`"));
    }
}
