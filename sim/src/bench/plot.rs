//! Throughput against frame size as a picture, with the link's limit.

use std::fmt::Write;

use super::case::Figures;
use super::options::Direction;
use super::report::Report;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 56.0;
const WAYS: [(Direction, &str); 3] =
    [(Direction::Tx, "#1f6fb4"), (Direction::Rx, "#c44e1c"), (Direction::Both, "#3f8f3a")];
/// Lines across the picture.
const RULES: u32 = 6;

/// A picture of a report: Gb/s of each direction over frame size, its limit dashed. The fewest queues that were measured.
pub fn svg(report: &Report) -> String {
    let pairs = report.cases.iter().map(|case| case.case.queue_pairs).min().unwrap_or(1);
    let cases: Vec<&Figures> = report.cases.iter().filter(|case| case.case.queue_pairs == pairs).collect();
    let gbps = |case: &Figures, mpps: f64| mpps * case.case.frame_bytes as f64 * 8.0 / 1000.0;
    let most = cases.iter().map(|case| case.gbps.max(gbps(case, case.limit_mpps))).fold(1.0, f64::max);
    let step = round_up(most / f64::from(RULES));
    let top = step * f64::from(RULES);
    let sizes = cases.iter().map(|case| (case.case.frame_bytes as f64).log2());
    let (low, high) = sizes.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    let span = if high > low { high - low } else { 1.0 };
    let x = |size: usize| LEFT + ((size as f64).log2() - low) / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{} at {} MHz, Gen{} x{}, RTT {} cycles, {pairs} pair(s): Gb/s each way</text>\n",
        report.params, report.clock_mhz, report.pcie_generation, report.pcie_lanes, report.rtt_cycles
    );
    for rule in 0..=RULES {
        let (value, at) = (step * f64::from(rule), y(step * f64::from(rule)));
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
    }
    let mut sizes: Vec<usize> = cases.iter().map(|case| case.case.frame_bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let at = HEIGHT - BOTTOM + 18.0;
        let _ = writeln!(text, "<text x=\"{:.1}\" y=\"{at}\" text-anchor=\"middle\">{size}</text>", x(size));
    }
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">bytes of a frame; dashed: the link's limit</text>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        HEIGHT - 14.0
    );
    for (index, (way, colour)) in WAYS.iter().enumerate() {
        let mut own: Vec<&&Figures> = cases.iter().filter(|case| case.case.direction == *way).collect();
        own.sort_by_key(|case| case.case.frame_bytes);
        if own.is_empty() {
            continue;
        }
        let points = |value: &dyn Fn(&Figures) -> f64| {
            let point = |case: &&&Figures| format!("{:.1},{:.1}", x(case.case.frame_bytes), y(value(case)));
            own.iter().map(point).collect::<Vec<_>>().join(" ")
        };
        let line = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"");
        let measured = points(&|case| case.gbps);
        let limit = points(&|case| gbps(case, case.limit_mpps));
        let _ =
            writeln!(text, "<polyline points=\"{limit}\" {line} stroke-dasharray=\"5 4\" opacity=\"0.6\"/>");
        let _ = writeln!(text, "<polyline points=\"{measured}\" {line}/>");
        for point in measured.split(' ') {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let at = LEFT + 70.0 * index as f64;
        let _ = writeln!(text, "<text x=\"{at}\" y=\"40\" fill=\"{colour}\">\u{25cf} {}</text>", way.name());
    }
    text + "</svg>\n"
}

/// The next of 1, 2, 5, 10, 20, 50 and so on.
fn round_up(value: f64) -> f64 {
    let ten = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * ten).find(|step| *step >= value).unwrap_or(10.0 * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.7, 1.0, 3.0, 21.0, 130.0].map(round_up), [1.0, 1.0, 5.0, 50.0, 200.0]);
    }
}
