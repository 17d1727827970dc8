//! Events for people who look at a ModelGate: that something has turned, never that it is still so.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::gates::{GateKey, Seen};
use super::run::MANAGER;
use crate::api::API_VERSION;

/// Longest note of an Event, in bytes, as API servers have it.
const NOTE_BYTES_MAX: usize = 1_000;

/// What has turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Another key was claimed for a Pod.
    SecondClaimant {
        /// The Pod.
        pod: String,
    },
    /// A gate refused what it was given.
    Rejected {
        /// Why.
        message: String,
    },
}

/// Writes Events.
#[derive(Clone)]
pub(super) struct Bulletin {
    recorder: Recorder,
}

impl Bulletin {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tells of a ModelGate that something has turned, in its own time. That it could not be told is no reason for anything.
    pub(super) fn tell(&self, key: &GateKey, seen: &Seen, turn: &Turn) {
        let (recorder, event) = (self.recorder.clone(), event(turn));
        let reference = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some("ModelGate".to_owned()),
            namespace: Some(key.0.clone()),
            name: Some(key.1.clone()),
            uid: Some(seen.uid.clone()),
            ..ObjectReference::default()
        };
        tokio::spawn(async move {
            if let Err(error) = recorder.publish(&event, &reference).await {
                tracing::warn!(%error, reason = event.reason, "an Event could not be written");
            }
        });
    }
}

fn event(turn: &Turn) -> Event {
    let (reason, note) = match turn {
        Turn::SecondClaimant { pod } => {
            let note = format!(
                "somebody with a token of Pod `{pod}` claimed it with another key than its gate has, and was refused; delete \
                 the Pod when its gate has lost its data folder, and look into it when not"
            );
            ("SecondClaimant", note)
        }
        Turn::Rejected { message } => ("Rejected", message.clone()),
    };
    let end = note.floor_char_boundary(NOTE_BYTES_MAX);
    let note = note.get(..end).unwrap_or_default().to_owned();
    let type_ = EventType::Warning;
    Event { type_, reason: reason.to_owned(), note: Some(note), action: "Distribute".to_owned(), secondary: None }
}
