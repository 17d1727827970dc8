//! The targets of the decision path in one table, measured in one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::decision::Desk;
use super::prompts;

/// Decides the same prompt for some seconds, for a profiler.
pub fn spin(rules: usize, kind: &str, bytes: usize) {
    let desk = Desk::new(rules);
    let made = prompts::HONEST.iter().chain(prompts::HOSTILE).find(|(name, _)| *name == kind);
    let form = || prompts::forms(bytes).into_iter().find(|(name, _)| *name == kind).map(|(_, body)| body);
    let body = made.map(|(_, text)| prompts::chat(&text(bytes))).or_else(form).expect("is a kind of prompt");
    let took = laps(&desk, &Bytes::from(body), Duration::from_secs(3));
    println!("{kind}: median {}", shown(quantile(&took, 0.5)));
}

/// Builds a rule set, for a profiler.
pub fn build(rules: usize) {
    memory("before");
    let started = clock();
    let desk = Desk::new(rules);
    println!("{rules} rules built in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    memory("after");
    drop(desk);
    memory("when it is gone");
}

/// Prints the table.
pub fn print() {
    memory("before");
    let started = clock();
    let desk = Desk::new(1_000);
    println!("build of 1,000 rules, files read included: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    memory("with 1,000 rules");
    let prose = |bytes: usize| Bytes::from(prompts::chat(&(prompts::HONEST[0].1)(bytes)));
    for size in [1, 4, 16, 400] {
        let took = laps(&desk, &prose(size << 10), Duration::from_millis(600));
        println!(
            "{size:>4} KB x 1,000 rules: median {}, p99 {}",
            shown(quantile(&took, 0.5)),
            shown(quantile(&took, 0.99))
        );
    }
    worst(&desk);
    memory("after all prompts");
    drop(desk);
    for rules in [0, 10, 100, 10_000] {
        let started = clock();
        let desk = Desk::new(rules);
        let built = started.elapsed().as_secs_f64() * 1e3;
        for size in [1, 16] {
            let took = laps(&desk, &prose(size << 10), Duration::from_millis(400));
            println!("{size:>4} KB x {rules} rules: median {}, built in {built:.0} ms", shown(quantile(&took, 0.5)));
        }
    }
    memory("with 10,000 rules");
}

fn worst(desk: &Desk) {
    let mut table: Vec<(Duration, &str)> = Vec::new();
    let made =
        prompts::HONEST.iter().chain(prompts::HOSTILE).map(|(name, text)| (*name, prompts::chat(&text(4 << 10))));
    for (name, body) in made.chain(prompts::forms(4 << 10)) {
        let took = laps(desk, &Bytes::from(body), Duration::from_millis(60));
        table.push((quantile(&took, 0.5), name));
    }
    let median = table.iter().find(|(_, name)| *name == prompts::HONEST[0].0).unwrap().0;
    table.sort();
    for (took, name) in &table {
        println!("  4 KB {name:<18} {:>10} {:>6.1} x", shown(*took), took.as_secs_f64() / median.as_secs_f64());
    }
}

fn laps(desk: &Desk, body: &Bytes, time: Duration) -> Vec<Duration> {
    for _ in 0..20 {
        black_box(desk.decide(body.clone()));
    }
    let started = clock();
    let mut laps = Vec::new();
    while started.elapsed() < time {
        let lap = clock();
        black_box(desk.decide(body.clone()));
        laps.push(lap.elapsed());
    }
    laps.sort();
    laps
}

fn quantile(sorted: &[Duration], q: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = ((sorted.len() - 1) as f64 * q) as usize;
    sorted[at]
}

fn shown(took: Duration) -> String {
    format!("{:.1} us", took.as_secs_f64() * 1e6)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn clock() -> Instant {
    Instant::now()
}

fn memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    println!("resident {when}: {}", resident.map(str::trim).collect::<Vec<_>>().join(", "));
}
