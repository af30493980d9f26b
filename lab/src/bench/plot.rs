//! Two plots as SVG: bars of CPU time, and curves of fuel.

use std::fmt::Write as _;

use super::{Costs, Curve, Report};

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#222}.small{font-size:10px;fill:#555}\
    .grid{stroke:#ddd}.range{stroke:#222;stroke-width:1.5}</style>";
const COLOURS: [&str; 4] = ["#1f6feb", "#d1242f", "#1a7f37", "#8250df"];
const OURS: &str = "#1f6feb";
const OTHERS: &str = "#8c959f";

/// One bar for each scenario, with its interval.
pub(super) fn bars(report: &Report) -> String {
    const LEFT: f64 = 160.0;
    const LENGTH: f64 = 480.0;
    const STEP: f64 = 24.0;
    let costs = |(_, one): &(String, super::Measured)| one.cpu_us_per_request;
    let longest = report
        .scenarios
        .iter()
        .map(|one| costs(one).high)
        .fold(0.0, f64::max);
    let scale = LENGTH / longest.max(1.0);
    let mut body = String::new();
    for (row, scenario) in report.scenarios.iter().enumerate() {
        let (name, of) = (&scenario.0, costs(scenario));
        let middle = 44.0 + STEP * row as f64;
        let colour = if name.starts_with("filter_") {
            OURS
        } else {
            OTHERS
        };
        label(&mut body, LEFT - 8.0, middle + 4.0, "end", name);
        let _ = writeln!(
            body,
            r#"<rect x="{LEFT}" y="{:.1}" width="{:.1}" height="16" fill="{colour}"/>"#,
            middle - 8.0,
            of.median * scale
        );
        let (low, high) = (LEFT + of.low * scale, LEFT + of.high * scale);
        let _ = writeln!(
            body,
            r#"<line class="range" x1="{low:.1}" y1="{middle:.1}" x2="{high:.1}" y2="{middle:.1}"/>"#
        );
        label(
            &mut body,
            high + 6.0,
            middle + 4.0,
            "start",
            &format!("{:.1}", of.median),
        );
    }
    label(
        &mut body,
        LEFT,
        20.0,
        "start",
        "CPU time of Envoy for each request, µs: median and its 95 % interval",
    );
    image(
        LEFT + LENGTH + 60.0,
        44.0 + STEP * report.scenarios.len() as f64,
        &body,
    )
}

/// One panel for each curve and one for the configurations, all axes logarithmic.
pub(super) fn curves(costs: &Costs) -> String {
    const WIDTH: f64 = 360.0;
    const HEIGHT: f64 = 250.0;
    let mut panels: Vec<Panel> = costs.curves.iter().map(requests).collect();
    panels.push(configurations(&costs.curves));
    let mut body = String::new();
    for (place, panel) in panels.iter().enumerate() {
        let (row, column) = (place / 2, place % 2);
        let x = WIDTH * column as f64 + 10.0;
        let y = HEIGHT * row as f64 + 10.0;
        let _ = writeln!(body, r#"<g transform="translate({x} {y})">"#);
        panel.draw(&mut body);
        body += "</g>\n";
    }
    let rows = panels.len().div_ceil(2);
    image(WIDTH * 2.0 + 20.0, HEIGHT * rows as f64 + 20.0, &body)
}

/// Lines with a name each, of places across and up.
struct Panel<'a> {
    title: String,
    lines: Vec<(&'a str, Vec<(u64, u64)>)>,
}

fn requests(curve: &Curve) -> Panel<'_> {
    let names = curve
        .points
        .first()
        .into_iter()
        .flat_map(|point| point.fuel.keys());
    let line = |name: &String| {
        let points = curve.points.iter();
        points
            .filter_map(|point| Some((point.size, *point.fuel.get(name)?)))
            .collect()
    };
    Panel {
        title: format!("fuel of a request against {}", curve.of),
        lines: names.map(|name| (name.as_str(), line(name))).collect(),
    }
}

fn configurations(curves: &[Curve]) -> Panel<'_> {
    let line = |curve: &Curve| -> Vec<(u64, u64)> {
        let points = curve.points.iter();
        points
            .filter_map(|point| Some((point.size, point.configuration?.fuel)))
            .collect()
    };
    let lines = curves.iter().map(|curve| (curve.of.as_str(), line(curve)));
    Panel {
        title: "fuel of a configuration against its size".into(),
        lines: lines.filter(|(_, points)| !points.is_empty()).collect(),
    }
}

impl Panel<'_> {
    fn draw(&self, body: &mut String) {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let across = Axis::of(points().map(|(size, _)| *size), 60.0, 330.0);
        let up = Axis::of(points().map(|(_, fuel)| *fuel), 200.0, 60.0);
        label(body, 60.0, 14.0, "start", &self.title);
        for (power, x) in across.ticks() {
            let _ = writeln!(
                body,
                r#"<line class="grid" x1="{x:.1}" y1="60" x2="{x:.1}" y2="200"/>"#
            );
            small(body, x, 214.0, "middle", &thousands(power));
        }
        for (power, y) in up.ticks() {
            let _ = writeln!(
                body,
                r#"<line class="grid" x1="60" y1="{y:.1}" x2="330" y2="{y:.1}"/>"#
            );
            small(body, 54.0, y + 4.0, "end", &thousands(power));
        }
        for ((index, (name, points)), colour) in self.lines.iter().enumerate().zip(COLOURS) {
            let places: Vec<String> = points
                .iter()
                .map(|(size, fuel)| format!("{:.1},{:.1}", across.place(*size), up.place(*fuel)))
                .collect();
            let places = places.join(" ");
            let _ = writeln!(
                body,
                r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{places}"/>"#
            );
            let x = 60.0 + 140.0 * (index % 2) as f64;
            let y = 30.0 + 14.0 * (index / 2) as f64;
            let line = y - 5.0;
            let _ = writeln!(
                body,
                r#"<rect x="{x}" y="{line:.1}" width="10" height="3" fill="{colour}"/>"#
            );
            small(body, x + 14.0, y, "start", name);
        }
    }
}

/// A logarithmic axis over whole powers of ten, from one place of the image to another.
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = u64>, from: f64, to: f64) -> Self {
        let (mut least, mut most) = (u64::MAX, 1);
        for value in values {
            least = least.min(value.max(1));
            most = most.max(value);
        }
        let low = least.min(most).ilog10().cast_signed();
        let high = (most as f64).log10().ceil() as i32;
        Self {
            low,
            high: high.max(low + 1),
            from,
            to,
        }
    }

    fn place(&self, value: u64) -> f64 {
        let share =
            ((value.max(1) as f64).log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = (u64, f64)> {
        (self.low..=self.high).map(|power| {
            let value = 10_u64.saturating_pow(power.unsigned_abs());
            (value, self.place(value))
        })
    }
}

/// `1000` as `1k`, `1000000` as `1M`, and so on.
fn thousands(value: u64) -> String {
    match value {
        1_000_000_000.. => format!("{}G", value / 1_000_000_000),
        1_000_000.. => format!("{}M", value / 1_000_000),
        1000.. => format!("{}k", value / 1000),
        _ => value.to_string(),
    }
}

fn label(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    write_text(body, "", x, y, anchor, text);
}

fn small(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    write_text(body, r#" class="small""#, x, y, anchor, text);
}

/// Texts are our own names, with nothing in them that XML minds. Writing to a String cannot fail.
fn write_text(body: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(
        body,
        r#"<text{class} x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

fn image(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         {STYLE}\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_spans_whole_powers_of_ten() {
        let axis = Axis::of([3_u64, 2000].into_iter(), 0.0, 400.0);
        assert_eq!((axis.low, axis.high), (0, 4));
        assert_eq!(
            [1, 100, 10_000].map(|value| axis.place(value)),
            [0.0, 200.0, 400.0]
        );
        let ticks: Vec<u64> = axis.ticks().map(|(value, _)| value).collect();
        assert_eq!(ticks, [1, 10, 100, 1000, 10_000]);
    }

    #[test]
    fn one_value_has_an_axis_too() {
        let axis = Axis::of([1000_u64].into_iter(), 0.0, 100.0);
        assert_eq!((axis.low, axis.high), (3, 4));
    }
}
