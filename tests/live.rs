//! Everything that is tested against the live gate: the program as a process, on loopback, in front of an upstream that
//! keeps what it receives. One binary, because each one links the whole program's library again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by stopping")]

#[path = "live/accept.rs"]
mod accept;
#[path = "live/bypass.rs"]
mod bypass;
#[path = "live/desk.rs"]
mod desk;
#[path = "live/engines.rs"]
mod engines;
#[path = "support/loose.rs"]
mod loose;
#[path = "live/memory.rs"]
mod memory;
#[path = "support/naive.rs"]
mod naive;
#[path = "live/standalone.rs"]
mod standalone;
#[path = "live/support.rs"]
mod support;
#[path = "live/waiting.rs"]
mod waiting;
