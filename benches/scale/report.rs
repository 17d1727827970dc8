//! What comes of a run: a table on the terminal, and the same in JSON.

use std::fs;

use serde_json::{Value, json};

use crate::Failure;
use crate::measure::{Figures, Phase};
use crate::options::Options;
use crate::table::markdown;

const MB: f64 = 1024.0 * 1024.0;

/// One phase for people, while it goes on.
pub(crate) fn line(phase: &Phase) -> String {
    let cells = cells(phase);
    format!("{}: {}; writes {:?}", phase.name, cells[1..].join(" | "), phase.usage.writes)
}

/// Writes everything.
pub(crate) fn write(options: &Options, figures: &Figures) -> Result<(), Failure> {
    let title = format!(
        "{} gates of {} workloads, {} rounds, {} cores, load {} at the beginning and {} at the end, Linux {}",
        options.gates,
        figures.workloads,
        options.rounds,
        std::thread::available_parallelism().map_or(0, usize::from),
        figures.load[0],
        figures.load[1],
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
    );
    println!("\n{}\n{title}.", table(&figures.phases));
    for (phase, why, count) in &figures.lost {
        println!("{phase}: {count} times: {why}");
    }
    println!("warnings of the operator: {}", figures.warnings);
    fs::create_dir_all(&options.out)?;
    let path = options.out.join(format!("scale-{}.json", options.gates));
    fs::write(&path, format!("{:#}\n", json(&title, figures)))?;
    println!("written: {}", path.display());
    Ok(())
}

fn cells(phase: &Phase) -> [String; 10] {
    let seconds = |of: Option<f64>| of.map_or_else(String::new, |seconds| format!("{seconds:.2} s"));
    let gates = |at: usize| seconds(phase.gates.map(|gates| gates[at]));
    let usage = &phase.usage;
    let cpu = |seconds: f64| format!("{:.2} s", seconds / phase.rounds as f64);
    let writes = usage.writes.values().sum::<u64>() / phase.rounds as u64;
    [
        phase.name.clone(),
        gates(0),
        gates(1),
        gates(2),
        seconds(phase.propagated),
        cpu(usage.operator_cpu),
        cpu(usage.api_server_cpu + usage.etcd_cpu),
        cpu(usage.simulator_cpu),
        writes.to_string(),
        format!("{:.0} MB", usage.resident / MB),
    ]
}

fn table(phases: &[Phase]) -> String {
    let head = [
        "",
        "gates p50",
        "p99",
        "last",
        "status",
        "operator CPU",
        "API server CPU",
        "gates CPU",
        "writes",
        "operator memory",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(phases.iter().map(|phase| cells(phase).to_vec()));
    markdown(&rows)
}

fn json(title: &str, figures: &Figures) -> Value {
    let phases = figures.phases.iter().map(|phase| {
        let usage = &phase.usage;
        json!({
            "phase": phase.name,
            "rounds": phase.rounds,
            "gates_seconds_p50_p99_last": phase.gates,
            "slowest_round_p99_seconds": phase.worst,
            "status_seconds": phase.propagated,
            "seconds": usage.seconds,
            "cpu_seconds": {
                "operator": usage.operator_cpu, "api_server": usage.api_server_cpu, "etcd": usage.etcd_cpu,
                "gates": usage.simulator_cpu,
            },
            "writes": usage.writes,
            "operator_bytes": {"resident": usage.resident, "peak": usage.peak},
        })
    });
    json!({"run": title, "phases": phases.collect::<Vec<_>>(), "warnings": figures.warnings})
}
