//! The figures as a picture: what each delivered message costs each broker, on a logarithmic scale.

use std::fmt::Write as _;

use super::results::Results;
use super::workloads::{self, Kind};

/// One colour for each broker, in their order; those who can't tell them apart have the key's order.
const COLOURS: [&str; 4] = ["#0b62c4", "#c2410c", "#0f766e", "#7e22ce"];

const WIDTH: f64 = 880.0;
/// Where the scale begins and ends.
const LEFT: f64 = 400.0;
const RIGHT: f64 = 850.0;
/// Where the first row is, and from one to the next.
const TOP: f64 = 92.0;
const ROW: f64 = 26.0;

/// The plot as SVG.
pub(super) fn draw(results: &Results) -> String {
    let rows: Vec<_> = results
        .workloads
        .iter()
        .filter_map(|measured| {
            let workload = workloads::ALL.iter().find(|w| w.name == measured.name)?;
            (workload.kind == Kind::Messages).then_some((workload.title, measured))
        })
        .collect();
    let points = |of: &super::results::Measured| -> Vec<(usize, f64)> {
        let spread = |name: &str| of.spread(name, |round| round.broker_us);
        let brokers = results.brokers.iter().enumerate();
        brokers.filter_map(|(n, broker)| Some((n, spread(&broker.name)?.median))).collect()
    };
    let values: Vec<f64> =
        rows.iter().flat_map(|(_, measured)| points(measured)).map(|(_, us)| us).collect();
    // Whole powers of ten around everything.
    let low = values.iter().copied().fold(1.0, f64::min).max(1e-3).log10().floor();
    let high = values.iter().copied().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let x = |us: f64| LEFT + (us.max(1e-3).log10() - low) / (high - low) * (RIGHT - LEFT);

    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n\
         <title>Processor time of each broker for each delivered message</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"600\">Processor time for each delivered \
         message</text>\n\
         <text x=\"16\" y=\"48\" fill=\"#4b5563\">microseconds, less is better; one step of the scale \
         is ten times as much</text>\n"
    );
    let mut key = 16.0;
    for (broker, colour) in results.brokers.iter().zip(COLOURS) {
        let name = escape(format!("{} {}", broker.name, broker.version).trim());
        _ = writeln!(
            svg,
            "<circle cx=\"{:.0}\" cy=\"68\" r=\"5\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"72\">{name}</text>",
            key + 5.0,
            key + 16.0,
        );
        key += 44.0 + 7.5 * name.chars().count() as f64;
    }
    let mut exponent = low;
    while exponent <= high {
        let at = x(10_f64.powf(exponent));
        _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\" stroke=\"#d1d5db\"/>\
             <text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#4b5563\">{}</text>",
            TOP - 8.0,
            bottom + 18.0,
            10_f64.powf(exponent),
        );
        exponent += 1.0;
    }
    for (index, (title, measured)) in rows.iter().enumerate() {
        let y = TOP + ROW * (index as f64 + 0.5);
        _ = writeln!(svg, "<text x=\"16\" y=\"{:.1}\">{}</text>", y + 4.5, escape(title));
        let points = points(measured);
        let ends = |pick: fn(f64, f64) -> f64| points.iter().map(|(_, us)| x(*us)).reduce(pick);
        if let (Some(from), Some(to)) = (ends(f64::min), ends(f64::max)) {
            _ = writeln!(
                svg,
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" \
                 stroke=\"#9ca3af\" stroke-width=\"2\"/>"
            );
        }
        // Ours last, so that it lies on top.
        for (broker, us) in points.iter().rev() {
            let colour = COLOURS.get(broker % COLOURS.len()).unwrap_or(&"#1f2937");
            _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\">\
                 <title>{us:.2} µs</title></circle>",
                x(*us),
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::results::{Measured, Round, Version};
    use super::*;

    #[test]
    fn ten_times_as_much_is_one_step_to_the_right() {
        let round = |us| vec![Round { broker_us: Some(us), ..Round::default() }];
        let broker = |name: &str| Version { name: name.into(), version: "<1>".into() };
        let results = Results {
            brokers: vec![broker("a"), broker("b")],
            workloads: vec![Measured {
                name: "qos0-window500".into(),
                brokers: [("a".to_owned(), round(0.1)), ("b".to_owned(), round(10.0))].into(),
                ..Measured::default()
            }],
            ..Results::default()
        };
        let svg = draw(&results);
        assert!(svg.contains("a &lt;1&gt;"), "{svg}");
        for (x, us) in [(LEFT, "0.10"), (RIGHT, "10.00")] {
            let point = format!("<circle cx=\"{x:.1}\" cy=\"105.0\"");
            let line = svg.lines().find(|line| line.starts_with(&point)).expect("a point there");
            assert!(line.contains(&format!("<title>{us} µs</title>")), "{line}");
        }
    }
}
