//! What happens in a run, in this order; each phase is waited for to its end, and what it took is noted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::base::SystemClock;
use countersign::distribution::Compilations;
use countersign::distribution::follow::Tls;

use crate::Failure;
use crate::board::{Board, Times};
use crate::cluster::Cluster as ControlPlane;
use crate::gate::{Common, Gate};
use crate::objects::{self, Cluster};
use crate::operator::{Operator, Place};
use crate::options::Options;
use crate::process::clock;
use crate::usage::{Moment, Usage};

/// Longest wait for all gates.
const WITHIN: Duration = Duration::from_mins(5);
/// Statuses that nobody waits for are written after five seconds: whoever has written nothing for so long has written all,
const CALM: Duration = Duration::from_secs(6);
/// unless it never ends.
const CALM_LOOKS_MAX: u32 = 30;
/// How long it takes until another operator leads in the place of one that was killed, and a little longer.
const LEASE: Duration = Duration::from_secs(20);
/// Between rounds.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a policy is changed once there are many.
const ROUNDS_AMONG_MANY: usize = 3;
/// Compilations that gates share: all workloads have their own, of this round and the one before.
const SHARED_PER_WORKLOAD: usize = 2;

/// What was measured.
pub(crate) struct Figures {
    pub(crate) workloads: usize,
    pub(crate) phases: Vec<Phase>,
    /// Why connections ended, over all of it.
    pub(crate) lost: Vec<(String, String, u64)>,
    /// Lines of the operator's log above `info`.
    pub(crate) warnings: usize,
    pub(crate) load: [String; 2],
}

/// What one phase took.
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Seconds of the median gate, of the 99th of a hundred, and of the last; medians over rounds where there are several.
    pub(crate) gates: Option<[f64; 3]>,
    /// Seconds until the policy's status says so.
    pub(crate) propagated: Option<f64>,
    /// The slowest 99th of a hundred of all rounds.
    pub(crate) worst: Option<f64>,
    pub(crate) rounds: usize,
    pub(crate) usage: Usage,
}

/// What takes part.
struct Bed<'a> {
    options: &'a Options,
    cluster: Arc<Cluster>,
    place: Place<'a>,
    operator: Operator,
    common: Common,
    gates: Vec<Gate>,
    round: u64,
    policies: usize,
    figures: Figures,
}

pub(crate) fn run(options: &Options) -> Result<Figures, Failure> {
    let control_plane = ControlPlane::start();
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    for arguments in [
        &["apply", "--server-side", "-f", crds][..],
        &["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"],
    ] {
        let output = control_plane.kubectl(arguments, "");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("countersign-scale-").tempdir_in(quick_folder())?;
    runtime.block_on(all(options, &control_plane, folder.path()))
}

/// Where gates keep what they have: in memory where that is possible, since thousands of machines have thousands of disks.
fn quick_folder() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

async fn all(options: &Options, control_plane: &ControlPlane, folder: &Path) -> Result<Figures, Failure> {
    let mut bed = Bed::make(options, control_plane, folder).await?;
    bed.first_contact().await?;
    bed.rounds("a policy changes", options.rounds).await?;
    bed.idle().await?;
    bed.reconnect(options.reconnecting).await?;
    bed.restart().await?;
    if options.policies > 1 {
        bed.many_policies().await?;
        bed.rounds(&format!("a policy changes among {}", options.policies), ROUNDS_AMONG_MANY.min(options.rounds))
            .await?;
    }
    bed.figures.warnings += bed.operator.warnings()?;
    bed.figures.load[1] = load();
    Ok(bed.figures)
}

impl<'a> Bed<'a> {
    async fn make(options: &'a Options, control_plane: &ControlPlane, folder: &Path) -> Result<Bed<'a>, Failure> {
        let workloads = options.gates.div_ceil(options.per_workload);
        let mut figures =
            Figures { workloads, phases: Vec::new(), lost: Vec::new(), warnings: 0, load: [load(), String::new()] };
        let kubeconfig: &'static Path = Box::leak(control_plane.admin().into_boxed_path());
        let cluster = objects::client(kubeconfig).await?;
        cluster.prepare().await?;
        say(&format!("{} Pods of {workloads} workloads are made, each with a token", options.gates));
        let pods = cluster.populate(options.gates, options.per_workload).await?;
        cluster.change(1).await?;
        let log = folder.join("operator.log");
        let place = Place { program: &options.operator, kubeconfig, group: control_plane.group(), log };
        let mut operator = Operator::start(&place, "127.0.0.1:0")?;
        let start = Moment::now(operator.pid(), &cluster).await?;
        let address = operator.address()?.to_string();
        let anchor = cluster.anchor().await?.parse()?;
        cluster.given(workloads).await?;
        tokio::time::sleep(PAUSE).await;
        let usage = start.until_now(operator.pid(), &cluster).await?;
        figures.note("the operator starts, without gates", None, None, usage);
        let common = Common {
            operator: address,
            anchor,
            board: Arc::new(Board::of(options.gates)),
            compilations: Arc::new(Compilations::keeping(SHARED_PER_WORKLOAD * workloads)),
            clock: SystemClock::default(),
            tls: Tls::new(),
            folder: folder.to_owned(),
        };
        let gates = pods.into_iter().enumerate().map(|(number, pod)| Gate::of(number, pod, &common));
        let gates = gates.collect::<Result<_, _>>()?;
        Ok(Self { options, cluster, place, operator, common, gates, round: 1, policies: 1, figures })
    }

    async fn begin(&self) -> Result<Moment, Failure> {
        Moment::now(self.operator.pid(), &self.cluster).await
    }

    async fn end(
        &mut self,
        name: &str,
        begun: &Moment,
        times: Option<Times>,
        told: Option<f64>,
    ) -> Result<(), Failure> {
        let usage = begun.until_now(self.operator.pid(), &self.cluster).await?;
        let lost = self.common.board.losses().into_iter().map(|(why, count)| (name.to_owned(), why, count));
        self.figures.lost.extend(lost);
        self.figures.note(name, times, told, usage);
        Ok(())
    }

    /// Waits until nothing is left to be written.
    async fn calm(&self) -> Result<(), Failure> {
        for _ in 0..CALM_LOOKS_MAX {
            let begun = self.begin().await?;
            tokio::time::sleep(CALM).await;
            if begun.until_now(self.operator.pid(), &self.cluster).await?.writes.is_empty() {
                return Ok(());
            }
        }
        say("there is no end of writes");
        Ok(())
    }

    /// All gates come at once, for the first time.
    async fn first_contact(&mut self) -> Result<(), Failure> {
        self.common.board.aim(self.round, self.policies);
        self.common.board.expect_admissions();
        let begun = self.begin().await?;
        let since = clock();
        for gate in &mut self.gates {
            gate.start(&self.common)?;
        }
        self.common.board.admissions(since, self.gates.len(), WITHIN).await?;
        let times = self.common.board.acknowledgements(since, WITHIN).await?;
        self.end("first contact of all", &begun, Some(times), None).await
    }

    /// The policy changes, again and again.
    async fn rounds(&mut self, name: &str, rounds: usize) -> Result<(), Failure> {
        self.calm().await?;
        let (mut all, mut told) = (Vec::new(), Vec::new());
        let begun = self.begin().await?;
        for _ in 0..rounds {
            self.round += 1;
            self.common.board.aim(self.round, self.policies);
            let since = clock();
            let generation = self.cluster.change(self.round).await?;
            let (times, propagated) = tokio::join!(self.common.board.acknowledgements(since, WITHIN), async {
                self.cluster.propagated(generation).await?;
                Ok::<_, Failure>(since.elapsed().as_secs_f64())
            });
            all.push(times?);
            told.push(propagated?);
            tokio::time::sleep(PAUSE).await;
        }
        let usage = begun.until_now(self.operator.pid(), &self.cluster).await?;
        let of = |percent: usize| all.iter().map(|times| times.within(percent)).collect::<Vec<_>>();
        self.figures.phases.push(Phase {
            name: name.to_owned(),
            gates: Some([50, 99, 100].map(|percent| median(&of(percent)))),
            propagated: Some(median(&told)),
            worst: of(99).into_iter().reduce(f64::max),
            rounds,
            usage,
        });
        self.figures.tell();
        Ok(())
    }

    /// Nothing happens.
    async fn idle(&mut self) -> Result<(), Failure> {
        self.calm().await?;
        let begun = self.begin().await?;
        tokio::time::sleep(self.options.idle).await;
        self.end("nothing happens", &begun, None, None).await
    }

    /// So many gates end, and come back at once with what they keep.
    async fn reconnect(&mut self, gates: usize) -> Result<(), Failure> {
        self.common.board.expect_admissions();
        let begun = self.begin().await?;
        let since = clock();
        for gate in self.gates.iter_mut().take(gates) {
            gate.stop();
            gate.start(&self.common)?;
        }
        let times = self.common.board.admissions(since, gates, WITHIN).await?;
        self.end(&format!("{gates} gates come back at once"), &begun, Some(times), None).await
    }

    /// The operator is killed and another takes its place.
    async fn restart(&mut self) -> Result<(), Failure> {
        self.common.board.expect_admissions();
        let since = clock();
        self.figures.warnings += self.operator.warnings()?;
        self.operator.kill()?;
        self.operator = Operator::start(&self.place, &self.common.operator)?;
        let begun = self.begin().await?;
        let times = self.common.board.admissions(since, self.gates.len(), WITHIN).await?;
        self.end("the operator is killed and replaced", &begun, Some(times), None).await?;
        tokio::time::sleep(LEASE).await;
        Ok(())
    }

    /// One policy becomes many.
    async fn many_policies(&mut self) -> Result<(), Failure> {
        self.calm().await?;
        self.common.board.aim(self.round, self.options.policies);
        let begun = self.begin().await?;
        let since = clock();
        self.cluster.add(self.policies..self.options.policies).await?;
        say(&format!("the last policy was made after {:.1} s", since.elapsed().as_secs_f64()));
        let times = self.common.board.acknowledgements(since, WITHIN).await?;
        self.cluster.all_propagated().await?;
        self.policies = self.options.policies;
        let told = since.elapsed().as_secs_f64();
        self.end(&format!("1 policy becomes {}", self.policies), &begun, Some(times), Some(told)).await
    }
}

impl Figures {
    fn note(&mut self, name: &str, times: Option<Times>, propagated: Option<f64>, usage: Usage) {
        let gates = times.map(|times| [50, 99, 100].map(|percent| times.within(percent)));
        self.phases.push(Phase { name: name.to_owned(), gates, propagated, worst: None, rounds: 1, usage });
        self.tell();
    }

    fn tell(&self) {
        if let Some(phase) = self.phases.last() {
            say(&crate::report::line(phase));
        }
    }
}

/// The median; 0 of nothing.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn say(what: &str) {
    eprintln!("{what}");
}

/// What else the machine does.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
