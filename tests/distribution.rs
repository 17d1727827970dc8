//! The distribution protocol: a real server and real gates over TLS on loopback, with a cluster in memory behind the server.
//! What each may not do is tried by peers that do it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests may fail the test")]

#[path = "distribution/bed.rs"]
mod bed;
#[path = "distribution/following.rs"]
mod following;
#[path = "distribution/program.rs"]
mod program;
#[path = "distribution/proving.rs"]
mod proving;
#[path = "distribution/raw.rs"]
mod raw;
#[path = "distribution/standing.rs"]
mod standing;
