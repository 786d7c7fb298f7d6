//! The golden register map and configuration space. `UPDATE_EXPECT=1` blesses.

use std::fmt::Write;

use expect_test::expect_file;
use hematite_abi::{
    Access, Field, Reg, Value, clause, common, config, feature, ident, isr, layout, msix, net,
};
use hematite_abi::{packed, pci_cap, ring, space, status, tlp};

fn registers(out: &mut String, title: &str, regs: &[Reg]) {
    writeln!(out, "\n## {title}\n\n| offset | bytes | name | access | reset | writable | |\n|---|---|---|---|---|---|---|").unwrap();
    for reg in regs {
        let access = match reg.access {
            Access::Ro => "ro",
            Access::Rw => "rw",
            Access::W1c => "w1c",
            Access::Rc => "rc",
            Access::Wo => "wo",
        };
        writeln!(
            out,
            "| {:02x} | {} | {} | {access} | {:x} | {:x} | {} |",
            reg.offset, reg.width, reg.name, reg.reset, reg.mask, reg.doc
        )
        .unwrap();
    }
}

fn fields(out: &mut String, title: &str, fields: &[Field]) {
    writeln!(out, "\n## {title}\n\n| bits | name | |\n|---|---|---|").unwrap();
    for field in fields {
        let name = field.name.trim_end_matches("_LSB");
        let high = field.lsb + field.bits - 1;
        let bits = if high == field.lsb { format!("{high}") } else { format!("{high}:{}", field.lsb) };
        writeln!(out, "| {bits} | {name} | {} |", field.doc).unwrap();
    }
}

fn values(out: &mut String, title: &str, values: &[Value]) {
    writeln!(out, "\n## {title}\n\n| value | name | |\n|---|---|---|").unwrap();
    for value in values {
        writeln!(out, "| {:x} | {} | {} |", value.value, value.name, value.doc).unwrap();
    }
}

#[test]
fn register_map() {
    let mut out = String::from(
        "# Register map\n\nMade by `hw/abi/tests/regmap.rs`. Offsets, values: hexadecimal; bits: decimal.\n",
    );
    writeln!(out, "\n## BAR 0\n\n| from | to | region |\n|---|---|---|").unwrap();
    for region in layout::REGIONS {
        writeln!(out, "| {:04x} | {:04x} | {} |", region.offset, region.end - 1, region.name).unwrap();
    }
    writeln!(out, "\n## Capability chain\n\n| from | to | id | capability |\n|---|---|---|---|").unwrap();
    for cap in layout::CHAIN {
        writeln!(
            out,
            "| {:02x} | {:02x} | {:02x} | {} |",
            cap.offset,
            cap.offset + cap.bytes - 1,
            cap.id,
            cap.name
        )
        .unwrap();
    }
    registers(&mut out, "Common configuration", common::REGS);
    fields(&mut out, "Device status", status::FLAGS);
    fields(&mut out, "ISR status", isr::FLAGS);
    registers(&mut out, "Network device configuration", net::REGS);
    fields(&mut out, "Network status", net::STATUS_FLAGS);
    registers(&mut out, "MSI-X table entry", msix::ENTRY);
    registers(&mut out, "Inspection region", ident::REGS);
    registers(&mut out, "Inspection region: a queue", ident::QUEUE);
    values(&mut out, "Error codes", ident::ERRORS);
    values(&mut out, "Counters", ident::COUNTERS);
    registers(&mut out, "Type-0 header", config::HEADER);
    fields(&mut out, "Command", config::COMMAND_FLAGS);
    fields(&mut out, "Status", config::STATUS_FLAGS);
    registers(&mut out, "Power management capability", config::POWER);
    registers(&mut out, "PCI Express capability", config::PCIE);
    fields(&mut out, "Device control", config::DEVICE_CONTROL_FIELDS);
    registers(&mut out, "Virtio capability", pci_cap::REGS);
    values(&mut out, "Feature bits", feature::BITS);
    writeln!(out, "\nOffered: {:032x}", feature::OFFERED).unwrap();
    fields(&mut out, "Descriptor", ring::DESC);
    fields(&mut out, "Descriptor flags", ring::DESC_FLAGS);
    fields(&mut out, "Used element", ring::USED_ELEM);
    fields(&mut out, "Descriptor of a packed ring", packed::DESC);
    fields(&mut out, "Its flags", packed::DESC_FLAGS);
    fields(&mut out, "Event suppression structure", packed::EVENT);
    fields(&mut out, "virtio_net_hdr", net::HDR);
    fields(&mut out, "virtio_net_hdr flags", net::HDR_FLAGS);
    fields(&mut out, "TLP header: DW0", tlp::DW0);
    fields(&mut out, "TLP header: request", tlp::REQUEST);
    fields(&mut out, "TLP header: address, 3 DW", tlp::ADDRESS3);
    fields(&mut out, "TLP header: address, 4 DW", tlp::ADDRESS4);
    fields(&mut out, "TLP header: configuration request", tlp::CONFIG);
    fields(&mut out, "TLP header: completion", tlp::COMPLETION);
    writeln!(out, "\n## Clauses\n").unwrap();
    for clause in clause::clauses() {
        match clause.claim {
            clause::Claim::Claimed => writeln!(out, "- {}", clause.label).unwrap(),
            clause::Claim::NotClaimed(why) => {
                writeln!(out, "- not claimed ({why}): {}", clause.label).unwrap()
            }
        }
    }
    expect_file!["../../../tests/golden/regmap.md"].assert_eq(&out);
}

/// The numbers of the parameter set SIM: 8 queues, a vector each and one for configuration.
#[test]
fn config_space() {
    let mut out = String::from("# offset reset write w1c live; made by hw/abi/tests/regmap.rs\n");
    for dw in space::config_space(&space::ConfigParams::new(9, 8, 256)) {
        writeln!(out, "{:03x} {:08x} {:08x} {:08x} {:08x}", dw.offset, dw.reset, dw.write, dw.w1c, dw.live)
            .unwrap();
    }
    expect_file!["../../../tests/golden/config.hex"].assert_eq(&out);
}
