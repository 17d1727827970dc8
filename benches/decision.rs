//! What one decision costs: decode and judge, by size of the query, number of rules, and kind of prompt.
//!
//! `cargo bench --bench decision` runs criterion; `-- report` prints the table of the targets instead: the 99th
//! percentile, the cost of rules, the worst prompt against the median one, and what a rule set takes to build and keep.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a bench may fail, and has no readers but its own"
)]

#[path = "support/decision.rs"]
mod decision;
#[path = "support/policies.rs"]
#[expect(unreachable_pub, reason = "shared with the bench of whole requests")]
mod policies;
#[path = "support/prompts.rs"]
#[expect(unreachable_pub, reason = "shared with the bench of whole requests")]
mod prompts;
#[path = "support/report.rs"]
mod report;

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use decision::Desk;

const SIZES: [usize; 3] = [1 << 10, 16 << 10, 400 << 10];
const RULES: [usize; 5] = [0, 10, 100, 1_000, 10_000];

fn body(bytes: usize) -> Bytes {
    Bytes::from(prompts::chat(&(prompts::HONEST[0].1)(bytes)))
}

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    for rules in RULES {
        let desk = Desk::new(rules);
        for size in SIZES {
            let body = body(size);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::new(format!("{} KB", size >> 10), rules), &body, |bench, body| {
                bench.iter(|| black_box(desk.decide(body.clone())));
            });
        }
    }
}

fn kinds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prompt");
    let desk = Desk::new(1_000);
    for (name, text) in prompts::HONEST.iter().chain(prompts::HOSTILE) {
        let body = Bytes::from(prompts::chat(&text(4 << 10)));
        group.bench_function(*name, |bench| bench.iter(|| black_box(desk.decide(body.clone()))));
    }
    for (name, body) in prompts::forms(4 << 10) {
        let body = Bytes::from(body);
        group.bench_function(name, |bench| bench.iter(|| black_box(desk.decide(body.clone()))));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2));
    targets = sizes, kinds
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["report"] => return report::print(),
        ["build", rules] => return report::build(rules.parse().unwrap()),
        ["spin", rules, kind, bytes] => return report::spin(rules.parse().unwrap(), kind, bytes.parse().unwrap()),
        _ => {}
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
