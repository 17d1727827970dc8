//! The targets of the decision path in one table, measured in one run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::decision::Desk;
use super::prompts;

/// Decides the same prompt for some seconds, for a profiler.
pub(crate) fn spin(rules: usize, kind: &str, bytes: usize) {
    let desk = Desk::new(rules);
    let made = prompts::HONEST.iter().chain(prompts::HOSTILE).find(|(name, _)| *name == kind);
    let form = || prompts::forms(bytes).into_iter().find(|(name, _)| *name == kind).map(|(_, body)| body);
    let body = made.map(|(_, text)| prompts::chat(&text(bytes))).or_else(form).expect("is a kind of prompt");
    let body = Bytes::from(body);
    let rounds = (0..400).map(|_| cost(&desk, &body)).collect::<Vec<_>>();
    println!("{kind}: {}", shown(rounds.into_iter().min().unwrap()));
}

/// Builds a rule set, for a profiler.
pub(crate) fn build(rules: usize) {
    memory("before");
    let started = clock();
    let documents = Desk::read(rules);
    println!("{rules} rules read in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let desk = Desk::of(&documents);
    drop(documents);
    println!("{rules} rules built in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    memory("after");
    drop(desk);
    memory("when it is gone");
}

/// Prints the table.
pub(crate) fn print() {
    build(1_000);
    let desk = Desk::new(1_000);
    let prose = |bytes: usize| Bytes::from(prompts::chat(&(prompts::HONEST[0].1)(bytes)));
    for size in [1, 4, 16, 400] {
        println!("{size:>4} KB x 1,000 rules: {}", shown(cost(&desk, &prose(size << 10))));
    }
    println!("p99 of 1,000 different prompts of 1 KB x 1,000 rules: {}", shown(p99(&desk)));
    worst(&desk);
    memory("after all prompts");
    drop(desk);
    for rules in [0, 10, 100, 10_000] {
        let started = clock();
        let desk = Desk::new(rules);
        let built = started.elapsed().as_secs_f64() * 1e3;
        for size in [1, 16, 400] {
            println!(
                "{size:>4} KB x {rules} rules: {}, built in {built:.0} ms",
                shown(cost(&desk, &prose(size << 10)))
            );
        }
    }
    memory("with 10,000 rules");
}

fn worst(desk: &Desk) {
    let mut table: Vec<(Duration, &str)> = Vec::new();
    let made =
        prompts::HONEST.iter().chain(prompts::HOSTILE).map(|(name, text)| (*name, prompts::chat(&text(4 << 10))));
    for (name, body) in made.chain(prompts::forms(4 << 10)) {
        table.push((cost(desk, &Bytes::from(body)), name));
    }
    let median = table.iter().find(|(_, name)| *name == prompts::HONEST[0].0).unwrap().0;
    table.sort();
    for (took, name) in &table {
        println!("  4 KB {name:<18} {:>10} {:>6.1} x", shown(*took), took.as_secs_f64() / median.as_secs_f64());
    }
}

/// What a decision takes: the least of many batches, each short enough to be left alone by the scheduler now and then, so
/// that what else the machine does counts little.
fn cost(desk: &Desk, body: &Bytes) -> Duration {
    let batch = |count: u32| {
        let started = clock();
        for _ in 0..count {
            black_box(desk.decide(body.clone()));
        }
        started.elapsed() / count
    };
    let once = (0..10).map(|_| batch(1)).min().unwrap_or_default().max(Duration::from_nanos(200));
    let count = u32::try_from(Duration::from_micros(300).as_nanos() / once.as_nanos()).unwrap_or(1).max(1);
    (0..60).map(|_| batch(count)).min().unwrap_or_default()
}

/// Of as many different prompts, each the best of some decisions: a neighbour on the machine is not the gate's doing.
fn p99(desk: &Desk) -> Duration {
    let mut costs: Vec<Duration> = (0..1_000)
        .map(|seed| Bytes::from(prompts::chat(&prompts::mixed(seed, 1 << 10))))
        .map(|body| {
            let lap = || {
                let lap = clock();
                black_box(desk.decide(body.clone()));
                lap.elapsed()
            };
            (0..7).map(|_| lap()).min().unwrap_or_default()
        })
        .collect();
    costs.sort();
    quantile(&costs, 0.99)
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
