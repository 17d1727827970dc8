//! The chart: three groups of bars, drawn by hand as SVG, readable on white and on dark pages.

use std::fmt::Write as _;

use crate::measure::Figures;
use crate::report::median;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const BAR: f64 = 14.0;
const LINE: f64 = 48.0;
const FIGURE_WIDTH: f64 = 60.0;
const NGINX: &str = "#9aa5b1";
const GATE: &str = "#2f6fdb";
const TARGET: &str = "#c2410c";

/// One line of the chart.
struct Bars {
    name: String,
    nginx: f64,
    gate: f64,
    /// The most that is wanted of the gate, in the same unit.
    target: Option<f64>,
    unit: &'static str,
}

struct Group {
    title: &'static str,
    bars: Vec<Bars>,
}

/// Draws it.
pub(crate) fn draw(figures: &Figures, title: &str) -> String {
    let groups = groups(figures);
    let lines: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = 90.0 + groups.len() as f64 * 40.0 + lines as f64 * LINE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"The gate and nginx, measured in the same run\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut svg,
        (20.0, 28.0),
        "#111827",
        "The gate and nginx as a plain proxy, same upstream, same run",
        "font-size=\"16\" font-weight=\"bold\"",
    );
    text(&mut svg, (20.0, 48.0), "#4b5563", title, "font-size=\"12\"");
    legend(&mut svg);
    let mut y = 84.0;
    for group in &groups {
        y += 26.0;
        text(&mut svg, (20.0, y), "#111827", group.title, "font-weight=\"bold\"");
        y += 12.0;
        let most = group.bars.iter().map(|bars| bars.nginx.max(bars.gate).max(bars.target.unwrap_or(0.0)));
        let scale = (WIDTH - LEFT - 110.0) / most.fold(1e-9, f64::max);
        for bars in &group.bars {
            line(&mut svg, bars, y, scale);
            y += LINE;
        }
    }
    svg + "</svg>\n"
}

fn groups(figures: &Figures) -> Vec<Group> {
    const MB: f64 = 1024.0 * 1024.0;
    let cpu = figures.sizes.iter().zip([1.3, 1.8]).map(|(of_size, target)| Bars {
        name: format!("{} body, {:.2} x nginx", of_size.name, median(&of_size.cpu.ratios())),
        nginx: median(&of_size.cpu.nginx),
        gate: median(&of_size.cpu.gate),
        target: Some(target * median(&of_size.cpu.nginx)),
        unit: "us",
    });
    let added = figures.sizes.iter().map(|of_size| Bars {
        name: format!("{} body, p50", of_size.name),
        nginx: median(&of_size.added_p50.nginx),
        gate: median(&of_size.added_p50.gate),
        target: Some(median(&of_size.added_p50.nginx) + 60.0),
        unit: "us",
    });
    let stream = Bars {
        name: "first byte of a stream, p50".to_owned(),
        nginx: median(&figures.stream_added_p50.nginx),
        gate: median(&figures.stream_added_p50.gate),
        target: None,
        unit: "us",
    };
    let memory = &figures.memory;
    let resident = [
        ("idle, 1,000 rules", &memory.nginx_idle, &memory.gate_idle, 15.0),
        ("64 bodies of 400 KB at once", &memory.nginx_loaded, &memory.gate_loaded, 40.0),
    ]
    .map(|(name, nginx, gate, target)| Bars {
        name: name.to_owned(),
        nginx: median(nginx) / MB,
        gate: median(gate) / MB,
        target: Some(target),
        unit: "MB",
    });
    vec![
        Group { title: "CPU per request", bars: cpu.collect() },
        Group {
            title: "Latency added to the direct call, 500 requests a second",
            bars: added.chain([stream]).collect(),
        },
        Group { title: "Resident memory", bars: resident.into() },
    ]
}

fn legend(svg: &mut String) {
    for (at, (colour, name)) in [(NGINX, "nginx"), (GATE, "gate"), (TARGET, "target, at most")].into_iter().enumerate()
    {
        let x = LEFT + 110.0 * at as f64;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"62\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        text(svg, (x + 18.0, 73.0), "#111827", name, "");
    }
}

fn line(svg: &mut String, bars: &Bars, y: f64, scale: f64) {
    text(svg, (20.0, y + 20.0), "#111827", &bars.name, "");
    for (at, (value, colour)) in [(bars.nginx, NGINX), (bars.gate, GATE)].into_iter().enumerate() {
        let top = y + 3.0 + at as f64 * (BAR + 2.0);
        let width = (value * scale).max(1.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
        );
        let digits = usize::from(value < 100.0);
        // The mark of the target must not run through the figure.
        let mark = bars.target.map_or(0.0, |target| target * scale).max(width);
        let after = if at == 1 && mark - width < FIGURE_WIDTH { mark } else { width };
        text(
            svg,
            (LEFT + after + 6.0, top + 11.5),
            "#374151",
            &format!("{value:.digits$} {}", bars.unit),
            "font-size=\"12\"",
        );
    }
    if let Some(target) = bars.target {
        let x = LEFT + target * scale;
        let (top, bottom) = (y + BAR + 3.0, y + 2.0 * BAR + 7.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{TARGET}\" stroke-width=\"2\"/>"
        );
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), colour: &str, words: &str, more: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\" {more}>{words}</text>");
}
