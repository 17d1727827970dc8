//! A compiled rule set and everything around one decision: decode, then judge.

use std::sync::Arc;

use bytes::Bytes;
use countersign::compile::{self, Document};
use countersign::rules::{self, Caller, Context, Judgement, Posture, Rates, RuleSet, Workload};
use countersign::wire::{self, Format, Server};

use super::policies::policies;

/// What a gate has at hand.
pub(crate) struct Desk {
    pub(crate) set: Arc<RuleSet>,
    caller: Caller,
    workload: Workload,
    rates: Rates,
    now: jiff::Timestamp,
}

impl Desk {
    /// A gate with so many rules.
    #[must_use]
    pub(crate) fn new(rules: usize) -> Self {
        Self::of(&Self::read(rules))
    }

    /// The policies of a gate with so many rules.
    #[must_use]
    pub(crate) fn read(rules: usize) -> Vec<Document> {
        let files = policies(rules);
        files.iter().flat_map(|(name, text)| compile::read(name, text).expect("is policies")).collect()
    }

    /// A gate with these policies.
    #[must_use]
    pub(crate) fn of(documents: &[Document]) -> Self {
        let workload = Workload { namespace: "default".into(), name: "model".into(), ..Workload::default() };
        let compiled = compile::compile(documents, &workload).unwrap_or_else(|found| {
            let shown: Vec<_> = found.iter().take(3).map(|d| compile::render(d, None)).collect();
            panic!("{}", shown.join("\n"))
        });
        Self {
            set: compiled.rule_set,
            caller: Caller { user: Some("ada".into()), groups: vec!["research".into()], rate_key: "ada".into() },
            workload,
            rates: Rates::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    /// One decision: bytes in, judgement out.
    #[must_use]
    pub(crate) fn decide(&self, body: Bytes) -> Judgement {
        let query = wire::decode(Format::OpenaiChat, body).expect("is a chat query");
        rules::judge(&self.set, query, &self.context())
    }

    #[must_use]
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            format: Format::OpenaiChat,
            server: Server::Vllm,
            method: "POST",
            path: "/v1/chat/completions",
            caller: &self.caller,
            workload: &self.workload,
            posture: Posture::Enforce,
            now: self.now,
            rates: &self.rates,
        }
    }
}
