//! What may be a label's value: the variants of these enums, by these names, and nothing else.
//!
//! The names are a contract with dashboards. A room whose enum is not known here (the gate's refusal codes) implements
//! [`Label`] itself.

use crate::approvals::Phase;
use crate::audit::Outcome;
use crate::query::{GapKind, Operation};
use crate::rules::{DenialCode, Verdict};
use crate::wire::Format;

/// A closed set of label values.
pub trait Label: Copy {
    /// The value as dashboards see it.
    fn label(self) -> &'static str;
}

/// What a request line turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// A query.
    Judge,
    /// Health or listing.
    Pass,
    /// Not let through.
    Refuse,
}

/// How loading another rule set ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reload {
    /// It is in force.
    Loaded,
    /// It is wrong; the last good one stays in force.
    Failed,
}

/// What became of a webhook message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Webhook {
    /// The receiver took it.
    Delivered,
    /// The receiver refused it, or every attempt failed.
    Failed,
    /// The queue was full, or the route's rate was used up.
    Dropped,
}

/// What the webhook said of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Review {
    /// Nothing is wrong with it.
    Allowed,
    /// Something is odd.
    Warned,
    /// It does not compile.
    Refused,
}

macro_rules! labels {
    ($($type:ty { $($variant:ident => $name:literal),+ $(,)? })+) => {
        $(impl Label for $type {
            fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        })+
    };
}

labels! {
    Outcome {
        Allowed => "allowed", Redacted => "redacted", AllowedByFailure => "allowed-by-failure",
        WouldRefuse => "would-refuse", Carried => "carried", Passed => "passed", Held => "held",
        Released => "released", Denied => "denied", Expired => "expired", Cancelled => "cancelled",
        Rejected => "rejected",
    }
    Verdict { Allow => "allow", Alert => "alert", Redact => "redact", Hold => "hold", Deny => "deny" }
    Phase {
        Pending => "pending", Approved => "approved", Denied => "denied", Expired => "expired",
        Cancelled => "cancelled",
    }
    RouteClass { Judge => "judge", Pass => "pass", Refuse => "refuse" }
    Reload { Loaded => "loaded", Failed => "failed" }
    Review { Allowed => "allowed", Warned => "warned", Refused => "refused" }
    Webhook { Delivered => "delivered", Failed => "failed", Dropped => "dropped" }
    Format {
        OpenaiChat => "openai-chat", OpenaiCompletions => "openai-completions",
        OpenaiResponses => "openai-responses", OpenaiEmbeddings => "openai-embeddings",
        OpenaiModerations => "openai-moderations", AnthropicMessages => "anthropic-messages",
        AnthropicCountTokens => "anthropic-count-tokens", OllamaChat => "ollama-chat",
        OllamaGenerate => "ollama-generate", OllamaEmbed => "ollama-embed",
        LlamacppCompletion => "llamacpp-completion", LlamacppInfill => "llamacpp-infill",
        LlamacppEmbedding => "llamacpp-embedding", LlamacppTokenize => "llamacpp-tokenize",
        LlamacppTemplate => "llamacpp-template", TgiGenerate => "tgi-generate", TgiTokenize => "tgi-tokenize",
        TgiChat => "tgi-chat", TgiCompletions => "tgi-completions", TgiInvocations => "tgi-invocations",
        SglangGenerate => "sglang-generate", SglangEncode => "sglang-encode", KserveInfer => "kserve-infer",
        KservePredict => "kserve-predict", TritonGenerate => "triton-generate", VllmPooling => "vllm-pooling",
        VllmScore => "vllm-score", VllmRerank => "vllm-rerank", VllmTokenize => "vllm-tokenize",
        VllmGenerate => "vllm-generate", Invocations => "invocations",
    }
}

impl Label for DenialCode {
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Label for GapKind {
    fn label(self) -> &'static str {
        self.name()
    }
}

impl Label for Operation {
    fn label(self) -> &'static str {
        self.name()
    }
}

impl<L: Label> Label for Option<L> {
    fn label(self) -> &'static str {
        self.map_or("none", L::label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: serde::Serialize + Label>(value: T) {
        assert_eq!(serde_json::to_value(value).unwrap(), value.label());
    }

    #[test]
    fn labels_are_spelled_as_in_the_record() {
        check(Outcome::AllowedByFailure);
        check(Outcome::WouldRefuse);
        check(DenialCode::RedactionFailed);
        check(Format::OpenaiChat);
        check(Format::VllmGenerate);
    }
}
