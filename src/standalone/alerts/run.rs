//! The queue in front of each route and the task behind it.
//!
//! Must not know wire details. Guarantees that raising never blocks, that one slow receiver delays no other route, and
//! that at the end what was counted is sent once more before the tasks stop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::group::{Added, Alert, Batch, Groups};
use super::message;
use super::send::{Patience, Receivers, SendFailure, Sender};
use super::settings::{Route, Settings, SettingsFailure};
use crate::base::{Clock, QueryId};
use crate::rules::Finding;
use crate::sidecar::Alerts;
use crate::telemetry::{Metrics, Webhook};

/// Alerts waiting to be grouped, per route: grouping takes microseconds, so only a burst fills it.
const QUEUE_MAX: usize = 1_024;

struct Queue {
    name: String,
    alerts: mpsc::Sender<Alert>,
    /// Alerts that found the queue full, until the task tells them.
    missed: Arc<AtomicU64>,
}

/// Raises alerts: to the log, and to the webhooks of the settings.
pub struct Webhooks {
    settings: Settings,
    queues: Vec<Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// The tasks that send; dropped, they stop at once.
pub struct Sending(JoinSet<()>);

impl Sending {
    /// Waits until everything raised has been sent or given up, at most `within`; drop all [`Webhooks`] first.
    pub async fn finish(mut self, within: Duration) {
        let all = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("alerts were still being sent at the end and are lost");
        }
    }
}

/// Starts a task per route on the current runtime.
pub fn start(
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
) -> Result<(Webhooks, Sending), SettingsFailure> {
    start_with(settings, clock, metrics, Patience::default())
}

fn start_with(
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    patience: Patience,
) -> Result<(Webhooks, Sending), SettingsFailure> {
    let tls = settings.routes.iter().any(|route| route.url.scheme_str() == Some("https"));
    let receivers = if tls { Receivers::SomeTls } else { Receivers::PlainOnly };
    let sender = Sender::new(receivers, Arc::clone(&clock), patience)?;
    let (mut tasks, mut queues) = (JoinSet::new(), Vec::new());
    for route in &settings.routes {
        let (alerts, receiver) = mpsc::channel(QUEUE_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        queues.push(Queue { name: route.name.clone(), alerts, missed: Arc::clone(&missed) });
        let groups = Groups::new(route.group_by.clone(), route.group_for, route.rate_per_minute, clock.monotonic());
        let courier = Courier {
            route: Arc::new(route.clone()),
            groups,
            missed,
            sender: sender.clone(),
            clock: Arc::clone(&clock),
            metrics: metrics.clone(),
            on_the_way: None,
        };
        tasks.spawn(courier.run(receiver));
    }
    Ok((Webhooks { settings, queues, clock, metrics }, Sending(tasks)))
}

impl Alerts for Webhooks {
    fn raise(&self, query: QueryId, caller: &str, route: Option<&str>, finding: &Finding) {
        let policy = finding.policy.to_string();
        tracing::warn!(%query, policy, rule = &*finding.rule, matcher = &*finding.matcher, "alert raised");
        let Some(queue) = self.settings.find(route).and_then(|at| self.queues.get(at)) else { return };
        if let Some(wanted) = route.filter(|wanted| *wanted != queue.name) {
            tracing::warn!(%query, wanted, used = queue.name, "alert route is not configured");
        }
        let alert = Alert {
            query,
            caller: caller.to_owned(),
            policy,
            rule: finding.rule.to_string(),
            matcher: finding.matcher.to_string(),
            place: finding.place.as_ref().to_owned(),
            verdict: finding.verdict,
            audit_only: finding.audit_only,
            at: self.clock.now(),
        };
        if queue.alerts.try_send(alert).is_err() {
            queue.missed.fetch_add(1, Ordering::Relaxed);
            self.metrics.webhook(Webhook::Dropped);
            tracing::error!(%query, route = queue.name, "alert dropped: the route's queue is full");
        }
    }
}

type OnTheWay = Pin<Box<dyn Future<Output = Result<(), SendFailure>> + Send>>;

/// One route's task: takes alerts, groups them, has at most one message on the way.
struct Courier {
    route: Arc<Route>,
    groups: Groups,
    missed: Arc<AtomicU64>,
    sender: Sender,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    on_the_way: Option<OnTheWay>,
}

impl Courier {
    async fn run(mut self, mut alerts: mpsc::Receiver<Alert>) {
        loop {
            self.dispatch(Groups::take);
            let wait = self.pause();
            tokio::select! {
                alert = alerts.recv() => match alert {
                    Some(alert) => self.add(alert),
                    None => break,
                },
                result = sent(&mut self.on_the_way) => self.settle(result),
                () = tokio::time::sleep(wait), if self.on_the_way.is_none() => {}
            }
        }
        loop {
            self.dispatch(Groups::take_any);
            if self.on_the_way.is_none() {
                return;
            }
            let result = sent(&mut self.on_the_way).await;
            self.settle(result);
        }
    }

    fn add(&mut self, alert: Alert) {
        match self.groups.add(alert, self.clock.monotonic()) {
            Added::Taken => {}
            Added::Suppressed => {
                self.metrics.webhook(Webhook::Dropped);
                tracing::error!(route = self.route.name, "alert dropped: too many groups");
            }
        }
    }

    fn dispatch(&mut self, take: impl FnOnce(&mut Groups, Duration) -> Option<Batch>) {
        if self.on_the_way.is_some() {
            return;
        }
        self.groups.missed(self.missed.swap(0, Ordering::Relaxed));
        let Some(batch) = take(&mut self.groups, self.clock.monotonic()) else { return };
        let body = Bytes::from(message::body(&self.route.name, &batch));
        let (sender, route) = (self.sender.clone(), Arc::clone(&self.route));
        self.on_the_way = Some(Box::pin(async move { sender.deliver(&route, body).await }));
    }

    fn settle(&mut self, result: Result<(), SendFailure>) {
        self.on_the_way = None;
        match result {
            Ok(()) => self.metrics.webhook(Webhook::Delivered),
            Err(failure) => {
                self.metrics.webhook(Webhook::Failed);
                tracing::error!(route = self.route.name, error = %failure, "alert not delivered");
            }
        }
    }

    /// How long nothing is due; new alerts wake the task anyway.
    fn pause(&self) -> Duration {
        const IDLE: Duration = Duration::from_hours(1);
        self.groups.next_due().map_or(IDLE, |due| due.saturating_sub(self.clock.monotonic()))
    }
}

async fn sent(on_the_way: &mut Option<OnTheWay>) -> Result<(), SendFailure> {
    match on_the_way {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::send::tests::{EAGER, clock, receiver};
    use super::*;
    use crate::rules::{PolicyRef, Verdict};

    fn finding() -> Finding {
        Finding {
            policy: Arc::new(PolicyRef { namespace: Some("models".to_owned()), name: "customer-data".to_owned() }),
            rule: "watch".into(),
            verdict: Verdict::Alert,
            audit_only: false,
            matcher: "email".into(),
            at: smallvec::SmallVec::new(),
            place: "messages[0].content".into(),
        }
    }

    fn query(n: u8) -> QueryId {
        QueryId::of(clock().now(), [n; 10])
    }

    #[tokio::test]
    async fn an_alert_reaches_its_receiver_and_the_rest_of_its_group_follows_in_one_message() {
        let (route, mut queue) = receiver(vec![]).await;
        let metrics = Metrics::new();
        let settings = Settings { routes: vec![route] };
        let (webhooks, sending) = start_with(settings, clock(), metrics.clone(), EAGER).unwrap();
        webhooks.raise(query(0), "alice", None, &finding());
        let first = queue.recv().await.unwrap();
        for n in 1..4 {
            webhooks.raise(query(n), "bob", Some("missing"), &finding());
        }
        drop(webhooks);
        sending.finish(Duration::from_secs(5)).await;
        let rest = queue.recv().await.unwrap();
        assert_eq!(first["query"], query(0).to_string());
        assert_eq!(first["policy"], "models/customer-data");
        assert_eq!((&first["count"], &first["caller"]), (&1.into(), &"alice".into()));
        assert_eq!((&rest["count"], &rest["query"]), (&3.into(), &query(3).to_string().into()));
        assert_ne!(first["id"], rest["id"]);
        assert!(metrics.encode().contains(r#"countersign_alert_messages_total{result="delivered"} 2"#));
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let (route, _queue) = receiver(vec![]).await;
        let metrics = Metrics::new();
        let (webhooks, _sending) =
            start_with(Settings { routes: vec![route] }, clock(), metrics.clone(), EAGER).unwrap();
        // The task does not run in between: this test's runtime has one thread, and nothing here waits.
        (0..QUEUE_MAX + 5).for_each(|_| webhooks.raise(query(0), "alice", None, &finding()));
        assert!(metrics.encode().contains(r#"countersign_alert_messages_total{result="dropped"} 5"#));
    }

    #[tokio::test]
    async fn without_routes_alerts_go_to_the_log_only() {
        let (webhooks, sending) = start(Settings::default(), clock(), Metrics::new()).unwrap();
        webhooks.raise(query(0), "alice", None, &finding());
        drop(webhooks);
        sending.finish(Duration::from_secs(5)).await;
    }
}
