//! The figures as a table, and as JSON of a stable form.

use serde::Serialize;

use super::case::{Figures, SeamUse};
use super::latency::Latency;
use super::negotiate::Limits;
use super::options::{Interrupts, Options};
use super::targets::{self, Target};

/// Everything that was measured; what `--json` prints. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The form of this report.
    pub schema: &'static str,
    pub params: String,
    pub seed: u64,
    pub ring: &'static str,
    pub event_idx: bool,
    pub notification_data: bool,
    pub batch: u16,
    pub interrupts: Interrupts,
    pub poll_cycles: u64,
    pub clock_mhz: f64,
    pub pcie_generation: u32,
    pub pcie_lanes: u32,
    /// What TLPs may use of the link, each way.
    pub pcie_bytes_per_cycle: f64,
    pub mps: usize,
    pub mrrs: usize,
    pub rcb: usize,
    pub rtt_cycles: u64,
    pub credits: usize,
    /// Of the host, for writes: headers, 16 bytes of data each, and when they are returned.
    pub posted_header_credits: u64,
    pub posted_data_credits: u64,
    pub posted_return_cycles: u64,
    pub reorder: bool,
    pub cases: Vec<Figures>,
    pub latency: Option<Vec<Latency>>,
    /// What is to be reached, if it was measured under the conditions for which that is said.
    pub targets: Vec<Target>,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        limits: &Limits,
        cases: Vec<Figures>,
        latency: Option<Vec<Latency>>,
    ) -> Report {
        let slot = options.slot();
        Report {
            schema: "hematite-bench-1",
            params: options.params.clone(),
            seed: options.seed,
            ring: options.ring.name(),
            event_idx: limits.events,
            notification_data: options.notification_data,
            batch: options.batch,
            interrupts: options.interrupts,
            poll_cycles: options.poll_cycles,
            clock_mhz: options.clock_mhz,
            pcie_generation: options.generation,
            pcie_lanes: options.lanes,
            pcie_bytes_per_cycle: slot.rate() as f64 / 1000.0,
            mps: options.mps,
            mrrs: options.mrrs,
            rcb: options.rcb,
            rtt_cycles: slot.rtt_cycles(),
            credits: options.credits,
            posted_header_credits: options.posted_credits.0,
            posted_data_credits: options.posted_credits.1,
            posted_return_cycles: options.posted_cycles,
            reorder: options.reorder,
            targets: targets::judge(options, &cases, latency.as_deref()),
            cases,
            latency,
        }
    }

    /// No frame was lost or changed, and no rule broken.
    pub fn clean(&self) -> bool {
        self.cases.iter().all(Figures::clean)
    }

    /// What went wrong, a line for each case.
    pub fn findings(&self) -> Vec<String> {
        let dirty = self.cases.iter().filter(|case| !case.clean());
        let line = |case: &Figures| {
            format!(
                "{} bytes, {}, {} pairs: {} lost, {} out of order, {} damaged, {} broken rules{}",
                case.case.frame_bytes,
                case.case.direction.name(),
                case.case.queue_pairs,
                case.lost,
                case.disordered,
                case.damaged,
                case.violations,
                case.first_violation.as_ref().map(|text| format!(": {text}")).unwrap_or_default(),
            )
        };
        dirty.map(line).collect()
    }
}

/// The head of the table.
const HEAD: &str = "\
| frame | way | pairs | cycles/packet | Mpps | Gb/s | limit Mpps | of it | PCIe up B | down B | up used | down used | tlp_in | tlp_out | frame_in | frame_out |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- | --- |";

/// A Markdown table of all cases, and one of latencies.
pub fn table(report: &Report) -> String {
    let mut text = format!(
        "{}: {} MHz, PCIe Gen{} x{} ({:.2} bytes/cycle), MPS {}, MRRS {}, RCB {}, RTT {} cycles, batch {}, {} rings{}{}{}\n\
         streams: % of cycles moved / stalled (offered, not taken); the rest is idle\n\n{HEAD}\n",
        report.params,
        report.clock_mhz,
        report.pcie_generation,
        report.pcie_lanes,
        report.pcie_bytes_per_cycle,
        report.mps,
        report.mrrs,
        report.rcb,
        report.rtt_cycles,
        report.batch,
        report.ring,
        if report.event_idx { ", EVENT_IDX" } else { "" },
        if report.notification_data { ", NOTIFICATION_DATA" } else { "" },
        match (report.posted_header_credits, report.posted_data_credits) {
            (0, 0) => String::new(),
            (headers, data) => {
                format!(", posted credits {headers},{data} back in {} cycles", report.posted_return_cycles)
            }
        },
    );
    let percent = |part: f64| (100.0 * part).round();
    let stream = |seam: SeamUse| format!("{} / {}", percent(seam.moved), percent(seam.stalled));
    for figures in &report.cases {
        text += &format!(
            "| {} | {} | {} | {:.2} | {:.2} | {:.1} | {:.1} | {}% | {:.1} | {:.1} | {}% | {}% | {} | {} | {} | {} |\n",
            figures.case.frame_bytes,
            figures.case.direction.name(),
            figures.case.queue_pairs,
            figures.cycles_per_packet,
            figures.mpps,
            figures.gbps,
            figures.limit_mpps,
            percent(figures.ratio_to_limit),
            figures.pcie_up_bytes_per_packet,
            figures.pcie_down_bytes_per_packet,
            percent(figures.pcie_up_use),
            percent(figures.pcie_down_use),
            stream(figures.tlp_in),
            stream(figures.tlp_out),
            stream(figures.frame_in),
            stream(figures.frame_out),
        );
    }
    text += "\nTLPs per packet\n\n| frame | way | pairs | payload reads | descriptor reads | available reads | completions | \
             payload writes | used writes | messages | doorbells | reads in flight, mean / most |\n\
             | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";
    for figures in &report.cases {
        let tlps = &figures.tlps_per_packet;
        text += &format!(
            "| {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} / {} |\n",
            figures.case.frame_bytes,
            figures.case.direction.name(),
            figures.case.queue_pairs,
            tlps.payload_reads,
            tlps.descriptor_reads,
            tlps.available_reads,
            tlps.completions,
            tlps.payload_writes,
            tlps.used_writes,
            tlps.messages,
            figures.doorbells_per_packet,
            figures.reads_in_flight,
            figures.reads_in_flight_most,
        );
    }
    if let Some(latency) = &report.latency {
        text += "\n| frame | doorbell to wire, cycles | RTT | wire to interrupt, cycles | RTT |\n";
        text += "| ---: | ---: | ---: | ---: | ---: |\n";
        for one in latency {
            text += &format!(
                "| {} | {} | {:.2} | {} | {:.2} |\n",
                one.frame_bytes,
                one.doorbell_to_wire_cycles,
                one.doorbell_to_wire_rtts,
                one.wire_to_interrupt_cycles,
                one.wire_to_interrupt_rtts,
            );
        }
        if let Some(one) = latency.first() {
            let ways =
                [("doorbell", &one.doorbell_to_wire_steps), ("the wire", &one.wire_to_interrupt_steps)];
            for (from, steps) in ways {
                let steps: Vec<String> =
                    steps.iter().map(|step| format!("{} {}", step.cycle, step.event)).collect();
                text += &format!("\n{} bytes, cycles from {from}: {}\n", one.frame_bytes, steps.join(", "));
            }
        }
    }
    if !report.targets.is_empty() {
        text += "\n| target: frame | what | pairs | wanted | measured | met |\n";
        text += "| ---: | --- | ---: | ---: | ---: | --- |\n";
    }
    for target in &report.targets {
        let met = if target.met { "yes" } else { "no" };
        let Target { frame_bytes, what, queue_pairs, unit, wanted, measured, .. } = target;
        text += &format!(
            "| {frame_bytes} | {what} | {queue_pairs} | {wanted:.2} {unit} | {measured:.2} | {met} |\n"
        );
    }
    text
}
