//! Real clients with their default settings while people take minutes: four without streaming, six with. `make test-long`
//! runs it; `tests/clients.rs` has everything that takes seconds.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]
#![expect(unreachable_pub, reason = "the support files are shared between test binaries")]
#![expect(dead_code, reason = "they play more elsewhere")]

#[path = "clients/cast.rs"]
mod cast;
#[path = "clients/model.rs"]
mod model;
#[path = "clients/people.rs"]
mod people;
#[path = "clients/play.rs"]
mod play;
#[path = "clients/show.rs"]
mod show;
#[path = "clients/stage.rs"]
mod stage;
#[path = "support/upstream.rs"]
mod upstream;

use std::sync::LazyLock;
use std::time::Duration;

use cast::{Answer, Scenario, Way, cases};
use show::{Show, answered, answered_at_once, attempts, came_again, demand, one_hold};
use stage::Manner;

/// Twice the longest hold.
const PATIENCE: Duration = Duration::from_mins(12);

/// One play, as its cases wait side by side.
static SHOW: LazyLock<Show> = LazyLock::new(|| {
    let mut all = cases(&[Way::Direct, Way::Nginx], &[Scenario::Minutes]);
    all.extend(cases(&[Way::Direct], &[Scenario::Slice]));
    Show::of(&all, &[Manner::Default, Manner::Patient], PATIENCE)
});

#[test]
fn hold_of_minutes_is_answered_with_default_settings() {
    SHOW.each(Scenario::Minutes, |played| {
        one_hold(played)?;
        answered(played)?;
        if !played.case.streams() {
            return came_again(played, 200);
        }
        demand(played.kept_alive || played.case.call.answer == Answer::StreamedQuietly, "no empty delta came")?;
        answered_at_once(played)?;
        attempts(played, &[200])
    });
}

#[test]
fn slice_of_290_seconds_is_stood_by_every_client_where_no_proxy_is_on_the_way() {
    SHOW.each(Scenario::Slice, |played| {
        one_hold(played)?;
        answered_at_once(played)?;
        attempts(played, &[200])
    });
}

#[test]
fn record_is_whole_and_nobody_was_warned() {
    assert_eq!((SHOW.flaws.as_slice(), SHOW.warnings.as_slice()), ([].as_slice(), [].as_slice()));
}
