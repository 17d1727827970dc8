//! Deadlines that are almost never reached: of heads, of bodies, of first bytes.
//!
//! A timer of the runtime costs two locks per use, and where it is the first to be due also a system call to wake a runtime
//! that is awake. Here a timer that has served one deadline serves the next: it is set once, and when it goes off too early
//! it is moved to the deadline in force. Guarantees that a deadline is never told before it is due. Knows nothing of what
//! waits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Most timers kept for another use: more requests under way at once set timers of their own.
const SPARE_MAX: usize = 256;

/// Timers that wait for their next use. Those of one collection should be for one kind of wait: what is due in an hour
/// cannot stand in for what is due in a second without being moved.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

impl Deadlines {
    /// A deadline at this moment.
    pub(super) fn at(&self, due: Instant) -> Deadline {
        let timer = self.spare().pop();
        Deadline { due, timer, home: self.clone() }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment that is waited for. Its timer goes back to where it came from.
#[derive(Debug)]
pub(super) struct Deadline {
    due: Instant,
    /// Made when something has to be waited for; when it goes off says nothing yet.
    timer: Option<Pin<Box<Sleep>>>,
    home: Deadlines,
}

impl Deadline {
    /// Another moment for what comes next.
    pub(super) const fn move_to(&mut self, due: Instant) {
        self.due = due;
    }

    /// What `work` comes to; `None` when the deadline comes first.
    pub(super) async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll(cx).map(|()| None),
        })
        .await
    }

    /// Ready once the deadline has come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let Some(timer) = self.timer.take() else { return };
        let mut spare = self.home.spare();
        if spare.len() < SPARE_MAX {
            spare.push(timer);
        }
    }
}

/// hyper's timer for the heads of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct HeadTimer(Deadlines);

/// One wait of hyper's.
struct HeadWait(Deadline);

impl hyper::rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HeadWait(self.0.at(Instant::now() + duration)))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HeadWait(self.0.at(deadline.into())))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

impl hyper::rt::Sleep for HeadWait {}

impl Future for HeadWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_serves_one_deadline_after_another_and_none_too_early() {
        let (all, start) = (Deadlines::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(all.at(start + second).limit(std::future::ready(7)).await, Some(7));
        assert!(all.spare().is_empty(), "what was ready at once needs no timer");
        let short = tokio::time::sleep(second / 2);
        assert_eq!(all.at(start + second).limit(short).await, Some(()));
        assert_eq!(all.spare().len(), 1);
        for (due, told) in [(3, 3), (5, 5), (4, 5), (9, 9)] {
            let waited = all.at(start + due * second).limit(std::future::pending::<()>()).await;
            assert_eq!(
                (waited, start.elapsed()),
                (None, told * second),
                "the timer is due before and after its deadline"
            );
        }
        assert_eq!(all.spare().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_due_later_is_moved_to_what_is_due_sooner() {
        let (all, start) = (Deadlines::default(), Instant::now());
        let mut deadline = all.at(start + Duration::from_mins(10));
        assert!(deadline.limit(tokio::time::sleep(Duration::from_millis(1))).await.is_some());
        deadline.move_to(start + Duration::from_secs(5));
        assert!(deadline.limit(std::future::pending::<()>()).await.is_none());
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}
