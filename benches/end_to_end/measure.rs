//! The plan of a run: what is measured, in which order, and the rounds.
//!
//! Within a round every figure is taken from all subjects one right after the other, the order turning from round to
//! round, and ratios and differences are made within the round: what else the machine does falls on all of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::load::{self, Closed};
use crate::options::Options;
use crate::process::{clock, cpu, cpu_of_living};
use crate::subjects::{Folder, Running, gate, nginx};
use crate::{memory, prompts, upstream};

/// Connections of the closed runs that CPU per request is taken from.
const CLOSED_CONNECTIONS: usize = 8;
/// Requests a second of the open runs.
pub(crate) const PER_SECOND: f64 = 500.0;
/// Streams a second: 20 chunks each, so that the chunks are about as many as the requests.
pub(crate) const STREAMS_PER_SECOND: f64 = 50.0;
/// Turns that each proxy has in a round, one after the other.
const TURNS: u32 = 6;
/// What runs before anything is counted.
const WARM_UP: Duration = Duration::from_millis(100);
/// What passes before idling is measured.
const QUIET_AFTER: Duration = Duration::from_secs(3);

/// The two proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Gate,
}

/// A pair of a figure of one round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair {
    pub(crate) nginx: Vec<f64>,
    pub(crate) gate: Vec<f64>,
}

impl Pair {
    fn push(&mut self, proxy: Proxy, figure: f64) {
        match proxy {
            Proxy::Nginx => self.nginx.push(figure),
            Proxy::Gate => self.gate.push(figure),
        }
    }

    /// The gate's over nginx's, round by round.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        self.gate.iter().zip(&self.nginx).map(|(gate, nginx)| gate / nginx).collect()
    }

    /// The gate's less nginx's, round by round.
    pub(crate) fn differences(&self) -> Vec<f64> {
        self.gate.iter().zip(&self.nginx).map(|(gate, nginx)| gate - nginx).collect()
    }
}

/// Figures of one size of body, a value a round; microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfSize {
    pub(crate) name: &'static str,
    /// CPU per request, as fast as eight connections can.
    pub(crate) cpu: Pair,
    /// CPU per request at the constant rate.
    pub(crate) cpu_at_rate: Pair,
    pub(crate) direct_p50: Vec<f64>,
    pub(crate) direct_p99: Vec<f64>,
    /// Over the direct one of the same round.
    pub(crate) added_p50: Pair,
    pub(crate) added_p99: Pair,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) sizes: Vec<OfSize>,
    pub(crate) stream_direct_p50: Vec<f64>,
    pub(crate) stream_added_p50: Pair,
    pub(crate) stream_cpu: Pair,
    pub(crate) memory: memory::Figures,
    /// Share of a core that an idle proxy uses, in thousandths.
    pub(crate) idle_cpu: Pair,
}

/// Requests of one kind, ready to be sent.
type Requests = Arc<Vec<Vec<u8>>>;

/// Measures everything.
pub(crate) fn run(options: &Options) -> Result<Figures, Failure> {
    // The generator's threads are to wake when they are due; threads inherit this from the one that starts them.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let folder = Folder::make()?;
    let upstream = upstream::start()?;
    let mut figures = Figures::default();
    let sizes: Vec<(&str, Requests)> =
        [("1 KB", 1 << 10), ("16 KB", 16 << 10)].map(|(name, bytes)| (name, chats(bytes, false))).into();
    figures.sizes = sizes.iter().map(|(name, _)| OfSize { name, ..OfSize::default() }).collect();
    eprintln!("memory and start-up");
    figures.memory = memory::measure(options, folder.path(), upstream, &chats(400 << 10, false))?;
    let nginx = nginx(options, folder.path(), upstream)?;
    let gate = gate(options, folder.path(), upstream)?;
    idle(options, &nginx, &gate, &mut figures)?;
    let streams = chats(1 << 10, true);
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        let mut proxies = [(Proxy::Nginx, &nginx), (Proxy::Gate, &gate)];
        if round % 2 == 1 {
            proxies.reverse();
        }
        for ((_, requests), of_size) in sizes.iter().zip(&mut figures.sizes) {
            closed(options, &proxies, requests, &mut of_size.cpu)?;
            latencies(options, upstream, &proxies, requests, of_size)?;
        }
        streaming(options, upstream, &proxies, &streams, &mut figures)?;
    }
    Ok(figures)
}

/// Puts both proxies under one size of bodies, in turn, and says what a request costs: for a profiler, and for whoever
/// changes the gate.
pub(crate) fn load(options: &Options, bytes: usize) -> Result<(), Failure> {
    let folder = Folder::make()?;
    let upstream = upstream::start()?;
    let (nginx, gate) = (nginx(options, folder.path(), upstream)?, gate(options, folder.path(), upstream)?);
    println!("nginx is process {}, the gate is process {}", nginx.pid(), gate.pid());
    let requests = chats(bytes, false);
    let mut pair = Pair::default();
    let proxies = [(Proxy::Nginx, &nginx), (Proxy::Gate, &gate)];
    for _ in 0..options.rounds {
        match options.rate {
            Some(rate) => at_rate(options, &proxies, &requests, rate, &mut pair)?,
            None => closed(options, &proxies, &requests, &mut pair)?,
        }
        let [nginx, gate] = [&pair.nginx, &pair.gate].map(|all| all.last().copied().unwrap_or_default());
        println!("nginx {nginx:.1} us, gate {gate:.1} us, {:.2} x", gate / nginx);
    }
    println!("median {:.2} x", crate::report::median(&pair.ratios()));
    Ok(())
}

/// CPU per request in microseconds at a constant rate, and on the way how long a request takes.
fn at_rate(
    options: &Options,
    proxies: &[(Proxy, &Running)],
    requests: &Requests,
    rate: f64,
    pair: &mut Pair,
) -> Result<(), Failure> {
    for (proxy, running) in proxies {
        let before = cpu(running.pid())?;
        let took = load::open(running.address, requests, rate, Duration::from_secs_f64(options.seconds))?.last;
        pair.push(*proxy, per(cpu(running.pid())?.saturating_sub(before), took.count()));
        println!("{proxy:?}: p50 {:.0} us, p99 {:.0} us", took.quantile(0.5), took.quantile(0.99));
    }
    Ok(())
}

/// CPU per request in microseconds, as fast as the connections can: short turns one after the other, so that whatever
/// else the machine does meets both.
fn closed(
    options: &Options,
    proxies: &[(Proxy, &Running)],
    requests: &Requests,
    pair: &mut Pair,
) -> Result<(), Failure> {
    let mut sums = vec![(Duration::ZERO, 0); proxies.len()];
    for _ in 0..TURNS {
        for ((_, running), (took, answers)) in proxies.iter().zip(&mut sums) {
            let load = Closed::start(running.address, requests, CLOSED_CONNECTIONS);
            thread::sleep(WARM_UP);
            let (before, done_before) = (cpu(running.pid())?, load.done());
            thread::sleep(Duration::from_secs_f64(options.seconds / f64::from(TURNS)));
            let (after, done_after) = (cpu(running.pid())?, load.done());
            load.finish()?;
            *took += after.saturating_sub(before);
            *answers += done_after - done_before;
        }
    }
    for ((proxy, _), (took, answers)) in proxies.iter().zip(sums) {
        pair.push(*proxy, per(took, answers));
    }
    Ok(())
}

fn latencies(
    options: &Options,
    upstream: SocketAddr,
    proxies: &[(Proxy, &Running)],
    requests: &Requests,
    figures: &mut OfSize,
) -> Result<(), Failure> {
    let time = Duration::from_secs_f64(options.seconds);
    let direct = load::open(upstream, requests, PER_SECOND, time)?.last;
    let (p50, p99) = (direct.quantile(0.5), direct.quantile(0.99));
    figures.direct_p50.push(p50);
    figures.direct_p99.push(p99);
    for (proxy, running) in proxies {
        let before = cpu(running.pid())?;
        let took = load::open(running.address, requests, PER_SECOND, time)?.last;
        figures.cpu_at_rate.push(*proxy, per(cpu(running.pid())?.saturating_sub(before), took.count()));
        figures.added_p50.push(*proxy, took.quantile(0.5) - p50);
        figures.added_p99.push(*proxy, took.quantile(0.99) - p99);
    }
    Ok(())
}

fn streaming(
    options: &Options,
    upstream: SocketAddr,
    proxies: &[(Proxy, &Running)],
    requests: &Requests,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let time = Duration::from_secs_f64(options.seconds);
    let direct = load::open(upstream, requests, STREAMS_PER_SECOND, time)?.first.quantile(0.5);
    figures.stream_direct_p50.push(direct);
    for (proxy, running) in proxies {
        let before = cpu(running.pid())?;
        let took = load::open(running.address, requests, STREAMS_PER_SECOND, time)?.first;
        figures.stream_cpu.push(*proxy, per(cpu(running.pid())?.saturating_sub(before), took.count()));
        figures.stream_added_p50.push(*proxy, took.quantile(0.5) - direct);
    }
    Ok(())
}

/// What the proxies use while nobody asks anything.
fn idle(options: &Options, nginx: &Running, gate: &Running, figures: &mut Figures) -> Result<(), Failure> {
    // The gate believes the file system that nothing changes only after a few seconds of looking for itself.
    thread::sleep(QUIET_AFTER);
    let start = clock();
    let before = (cpu_of_living(nginx.pid())?, cpu_of_living(gate.pid())?);
    thread::sleep(Duration::from_secs_f64(options.seconds.max(2.0)));
    let after = (cpu_of_living(nginx.pid())?, cpu_of_living(gate.pid())?);
    let seconds = start.elapsed().as_secs_f64();
    figures.idle_cpu.push(Proxy::Nginx, after.0.saturating_sub(before.0).as_secs_f64() / seconds * 1e3);
    figures.idle_cpu.push(Proxy::Gate, after.1.saturating_sub(before.1).as_secs_f64() / seconds * 1e3);
    Ok(())
}

fn per(took: Duration, requests: u64) -> f64 {
    took.as_secs_f64() * 1e6 / requests.max(1) as f64
}

/// Chat requests of about so many bytes, as SDKs send them: three of four in English, one in German, which is not ASCII.
fn chats(bytes: usize, stream: bool) -> Requests {
    let kinds = [0, 0, 0, 2];
    let requests = kinds.iter().enumerate().map(|(number, kind)| {
        let text = (prompts::HONEST[*kind].1)(bytes + number * 7);
        let body = prompts::chat(&text).replace("\"stream\":false", &format!("\"stream\":{stream}"));
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: model.example.com\r\naccept: application/json\r\n\
             accept-encoding: gzip, deflate\r\ncontent-type: application/json\r\nuser-agent: OpenAI/Python 2.8.1\r\n\
             x-stainless-lang: python\r\nx-stainless-package-version: 2.8.1\r\nx-stainless-os: Linux\r\n\
             x-stainless-arch: x64\r\nx-stainless-runtime: CPython\r\nx-stainless-runtime-version: 3.12.4\r\n\
             authorization: Bearer sk-none\r\nx-stainless-async: false\r\nx-stainless-retry-count: 0\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        (head + &body).into_bytes()
    });
    Arc::new(requests.collect())
}
