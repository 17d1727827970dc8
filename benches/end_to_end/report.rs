//! What comes of a run: a table on the terminal, the same in JSON, a chart, and the table of the README.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Failure;
use crate::chart;
use crate::measure::{Figures, OfSize, PER_SECOND, STREAMS_PER_SECOND};
use crate::options::Options;
use crate::table::markdown;

/// Between these lines of the README stands the table of the last saved run.
const TABLE_START: &str = "<!-- figures: written by `make bench SAVE=1` -->";
const TABLE_END: &str = "<!-- end of figures -->";

const MB: f64 = 1024.0 * 1024.0;

/// A line of the table.
struct Row {
    what: String,
    direct: String,
    nginx: String,
    gate: String,
    figure: String,
    target: String,
}

/// The median; 0 of nothing.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
        odd => sorted[odd / 2],
    }
}

/// Writes everything.
pub(crate) fn write(options: &Options, figures: &Figures) -> Result<(), Failure> {
    let rows = rows(figures);
    let table = markdown(&cells(&rows));
    let title = format!(
        "{} rounds of {} s, {} rules, {} cores, Linux {}",
        options.rounds,
        options.seconds,
        options.rules,
        std::thread::available_parallelism().map_or(0, usize::from),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
    );
    println!("\n{table}\n{title}");
    fs::create_dir_all(&options.out)?;
    let path = |name: &str| options.out.join(name);
    fs::write(path("end-to-end.json"), format!("{:#}\n", json(&title, figures)))?;
    fs::write(path("end-to-end.svg"), chart::draw(figures, &title))?;
    println!("written: {} and {}", path("end-to-end.json").display(), path("end-to-end.svg").display());
    options.readme.as_deref().map_or(Ok(()), |readme| into_readme(readme, &format!("{table}\n{title}.\n")))
}

fn into_readme(readme: &Path, table: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(readme)?;
    let wrong = || format!("`{}` has no place for the table", readme.display());
    let (before, rest) = text.split_once(TABLE_START).ok_or_else(wrong)?;
    let (_, after) = rest.split_once(TABLE_END).ok_or_else(wrong)?;
    fs::write(readme, format!("{before}{TABLE_START}\n{table}{TABLE_END}{after}"))?;
    println!("table of {} replaced", readme.display());
    Ok(())
}

fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    for of_size in &figures.sizes {
        rows.extend(rows_of(of_size));
    }
    let us = |figures: &[f64]| format!("{:.0} us", median(figures));
    rows.push(Row {
        what: format!("first byte of a stream, {STREAMS_PER_SECOND} a second, added p50"),
        direct: us(&figures.stream_direct_p50),
        nginx: us(&figures.stream_added_p50.nginx),
        gate: us(&figures.stream_added_p50.gate),
        figure: format!("nginx {:+.0} us", median(&figures.stream_added_p50.differences())),
        target: String::new(),
    });
    rows.push(Row {
        what: "CPU per stream of 21 chunks".to_owned(),
        direct: String::new(),
        nginx: us(&figures.stream_cpu.nginx),
        gate: us(&figures.stream_cpu.gate),
        figure: format!("{:.2} x", median(&figures.stream_cpu.ratios())),
        target: String::new(),
    });
    let memory = &figures.memory;
    let own = |what: &str, nginx: String, gate: String, target: &str| Row {
        what: what.to_owned(),
        direct: String::new(),
        figure: gate.clone(),
        nginx,
        gate,
        target: target.to_owned(),
    };
    let mb = |figures: &[f64]| format!("{:.1} MB", median(figures) / MB);
    let ms = |figures: &[f64]| format!("{:.0} ms", median(figures));
    rows.push(own("resident, idle", mb(&memory.nginx_idle), mb(&memory.gate_idle), "15 MB"));
    rows.push(own("resident, 64 x 400 KB bodies", mb(&memory.nginx_loaded), mb(&memory.gate_loaded), "40 MB"));
    rows.push(own("start to ready", ms(&memory.nginx_ready), ms(&memory.gate_ready), "100 ms"));
    let idle = |figures: &[f64]| format!("{:.2} ms/s", median(figures));
    rows.push(own("CPU while idle", idle(&figures.idle_cpu.nginx), idle(&figures.idle_cpu.gate), "near 0"));
    rows
}

fn rows_of(of_size: &OfSize) -> Vec<Row> {
    let us = |figures: &[f64]| format!("{:.1} us", median(figures));
    let added = |what: &str, direct: &[f64], pair: &crate::measure::Pair, target: &str| Row {
        what: format!("{what} at {PER_SECOND}/s, {}", of_size.name),
        direct: format!("{:.0} us", median(direct)),
        nginx: format!("{:.0} us", median(&pair.nginx)),
        gate: format!("{:.0} us", median(&pair.gate)),
        figure: format!("nginx {:+.0} us", median(&pair.differences())),
        target: target.to_owned(),
    };
    let cpu = |what: String, pair: &crate::measure::Pair, target: &str| Row {
        what,
        direct: String::new(),
        nginx: us(&pair.nginx),
        gate: us(&pair.gate),
        figure: format!("{:.2} x", median(&pair.ratios())),
        target: target.to_owned(),
    };
    let target = if of_size.name == "1 KB" { "1.3 x" } else { "1.8 x" };
    vec![
        cpu(format!("CPU per request, {}", of_size.name), &of_size.cpu, target),
        cpu(format!("CPU per request at {PER_SECOND}/s, {}", of_size.name), &of_size.cpu_at_rate, ""),
        added("added p50", &of_size.direct_p50, &of_size.added_p50, "nginx + 60 us"),
        added("added p99", &of_size.direct_p99, &of_size.added_p99, ""),
    ]
}

fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let mut cells =
        vec![["", "direct", "nginx", "gate", "gate to nginx", "target, at most"].map(str::to_owned).to_vec()];
    for Row { what, direct, nginx, gate, figure, target } in rows {
        cells.push([what, direct, nginx, gate, figure, target].map(ToString::to_string).to_vec());
    }
    cells
}

fn json(title: &str, figures: &Figures) -> Value {
    let pair = |pair: &crate::measure::Pair| {
        json!({
            "nginx": pair.nginx, "gate": pair.gate,
            "median": {"nginx": median(&pair.nginx), "gate": median(&pair.gate), "ratio": median(&pair.ratios()), "difference": median(&pair.differences())},
        })
    };
    let sizes = figures.sizes.iter().map(|of_size| {
        let figures = json!({
            "cpuMicrosPerRequest": pair(&of_size.cpu),
            "cpuMicrosPerRequestAtRate": pair(&of_size.cpu_at_rate),
            "directP50Micros": of_size.direct_p50,
            "directP99Micros": of_size.direct_p99,
            "addedP50Micros": pair(&of_size.added_p50),
            "addedP99Micros": pair(&of_size.added_p99),
        });
        (of_size.name.to_owned(), figures)
    });
    let memory = &figures.memory;
    json!({
        "run": title,
        "sizes": sizes.collect::<serde_json::Map<_, _>>(),
        "stream": {
            "directFirstByteP50Micros": figures.stream_direct_p50,
            "addedFirstByteP50Micros": pair(&figures.stream_added_p50),
            "cpuMicrosPerStream": pair(&figures.stream_cpu),
        },
        "residentBytes": {
            "nginxIdle": memory.nginx_idle, "nginxLoaded": memory.nginx_loaded,
            "gateIdle": memory.gate_idle, "gateLoaded": memory.gate_loaded,
            "gateHalfASecondAfterLoad": memory.gate_after, "gatePeakOfStart": memory.gate_start_peak,
        },
        "readyMillis": {"nginx": memory.nginx_ready, "gate": memory.gate_ready},
        "idleCpuMillisPerSecond": {"nginx": figures.idle_cpu.nginx, "gate": figures.idle_cpu.gate},
    })
}
