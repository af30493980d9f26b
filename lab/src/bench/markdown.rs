//! The tables, in Markdown that is also read in a terminal.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    Commands, Costs, Curve, Machine, Median, Report,
    costs::{Configuration, REQUESTS},
    scenarios::ALL,
    targets::{self, Target},
};

/// Everything there is: without rounds in Envoy only what wasmtime tells.
pub(super) fn tables(
    envoy: Option<(&Machine, &Report)>,
    costs: &Costs,
    timed: Option<&Commands>,
) -> String {
    let mut text = String::new();
    if let Some((machine, report)) = envoy {
        section(
            &mut text,
            "CPU time of Envoy for each request",
            &circumstances(machine),
        );
        text += &scenarios(report);
    }
    section(
        &mut text,
        "Targets",
        "Shown, never asserted. A ratio is the median of the ratios within each round, with its 95 % interval.",
    );
    text += &targets(targets::all(envoy.map(|(_, report)| report), costs));
    let module = format!(
        "The module has {} bytes, {} after gzip.",
        number(costs.module.bytes),
        number(costs.module.gzip_bytes)
    );
    section(&mut text, "Under wasmtime", &module);
    text += &policies(costs);
    for curve in &costs.curves {
        section(&mut text, &format!("Fuel against {}", curve.of), "");
        text += &points(curve);
    }
    if let Some(timed) = timed {
        text.push('\n');
        text += &commands(timed);
    }
    text
}

/// What the plugin's commands take, with their targets.
pub(super) fn commands(timed: &Commands) -> String {
    let mut text = String::new();
    let rounds = timed.rounds.first().map_or(0, |(_, rounds)| rounds.len());
    let words = format!(
        "Milliseconds of whole processes, {rounds} interleaved rounds, load {:.2} before they began. Each installation has a new cluster, whose pods are ready at once.",
        timed.load_before
    );
    section(&mut text, "The plugin's commands", &words);
    let rows = timed.rounds.iter().map(|(name, rounds)| {
        let median = Median::of(rounds.iter().copied());
        vec![
            format!("`{name}`"),
            format!(
                "{:.1} [{:.1}, {:.1}]",
                median.median, median.low, median.high
            ),
        ]
    });
    text += &table(&["command", "ms"], rows);
    text.push('\n');
    text += &targets(targets::commands(timed));
    text
}

fn section(text: &mut String, title: &str, words: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    // Writing to a String cannot fail.
    let _ = write!(text, "{gap}### {title}\n\n");
    if !words.is_empty() {
        let _ = write!(text, "{words}\n\n");
    }
}

fn circumstances(machine: &Machine) -> String {
    format!(
        "Envoy {} with one worker, {} interleaved rounds of {} s for each scenario, {} × {}, load {:.2} before it began.",
        machine.envoy,
        machine.rounds,
        machine.seconds,
        machine.processors,
        machine.processor,
        machine.load_before
    )
}

fn scenarios(report: &Report) -> String {
    let rows = report.scenarios.iter().map(|(name, one)| {
        let about = ALL.iter().find(|(known, _)| known == name);
        vec![
            format!("`{name}`"),
            with_interval(one.cpu_us_per_request),
            with_interval(one.ratio_to_none),
            with_interval(one.ratio_to_jwt_authn),
            about.map_or_else(String::new, |(_, about)| (*about).to_owned()),
        ]
    });
    let none = "to `none`";
    table(
        &["scenario", "µs", none, "to `jwt_authn`", "what it does"],
        rows,
    )
}

fn with_interval(of: Median) -> String {
    format!("{:.2} [{:.2}, {:.2}]", of.median, of.low, of.high)
}

fn targets(all: Vec<Target>) -> String {
    let rows = all
        .into_iter()
        .map(|target| vec![target.what, target.limit, target.found, target.verdict]);
    table(&["target", "wanted", "measured", ""], rows)
}

fn policies(costs: &Costs) -> String {
    let rows = costs.policies.iter().map(|policy| {
        let mut row = vec![policy.name.clone()];
        row.extend(configuration(&policy.configuration));
        row.extend([
            number(policy.memory_bytes_after_requests),
            policy.cold.map_or("-".into(), |cold| number(cold.fuel)),
            number(policy.warm.fuel),
            number(policy.warm.host_calls),
        ]);
        row
    });
    let after = format!("after {} requests", number(REQUESTS as u64));
    let header = [
        "policy",
        "bytes",
        "configure: fuel",
        "ms",
        "memory, bytes",
        &after,
        "request: cold, fuel",
        "warm, fuel",
        "host calls",
    ];
    table(&header, rows)
}

fn points(curve: &Curve) -> String {
    let names: BTreeSet<&String> = curve
        .points
        .iter()
        .flat_map(|point| point.fuel.keys())
        .collect();
    let configures = curve
        .points
        .iter()
        .any(|point| point.configuration.is_some());
    let mut header = vec![curve.of.as_str()];
    header.extend(names.iter().map(|name| name.as_str()));
    if configures {
        header.extend(["bytes", "configure: fuel", "ms", "memory, bytes"]);
    }
    let rows = curve.points.iter().map(|point| {
        let mut row = vec![number(point.size)];
        row.extend(names.iter().map(|name| {
            point
                .fuel
                .get(*name)
                .map_or("-".into(), |fuel| number(*fuel))
        }));
        row.extend(point.configuration.iter().flat_map(configuration));
        row
    });
    table(&header, rows)
}

fn configuration(of: &Configuration) -> [String; 4] {
    [
        number(of.bytes),
        number(of.fuel),
        format!("{:.1}", of.ms),
        number(of.memory_bytes),
    ]
}

/// With commas between thousands.
fn number(of: u64) -> String {
    let digits = of.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns as wide as their widest cell; all but the first aligned as text, since they hold intervals.
fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut all = vec![header.iter().map(|cell| (*cell).to_owned()).collect()];
    all.extend(rows);
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row: &Vec<String>| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for (index, row) in all.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text += "|\n";
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        let texts = [7, 999, 1000, 1_234_567].map(number);
        assert_eq!(texts, ["7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&["a", "µs"], [vec!["long".into(), "1".into()]]);
        assert_eq!(text, "| a    | µs |\n|------|----|\n| long | 1  |\n");
    }
}
