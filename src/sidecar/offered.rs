//! Which models and adapters a query may name.
//!
//! The name is the caller's text: it is brought to the server's own form before it is compared. Guarantees that an adapter,
//! named in a field of its own or inside a model name, counts only when it is listed: it changes what the model is.

use super::settings::GateSettings;
use crate::wire::{ModelName, Server, canonical_model};

/// What a query names that the workload does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotOffered {
    /// The model.
    Model,
    /// The adapter.
    Adapter,
}

/// The names of one query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    /// The model, in the body or in the path.
    pub(super) model: Option<&'a str>,
    /// The adapter, in a field of its own.
    pub(super) adapter: Option<&'a str>,
}

/// Whether everything named is offered.
pub(super) fn check(settings: &GateSettings, named: Named<'_>) -> Result<(), NotOffered> {
    let server = settings.server;
    let listed = |name: &str| settings.models.iter().any(|offered| same(server, offered, name));
    let adapter = |name: &str| settings.adapters.iter().any(|offered| offered == name) || listed(name);
    if !named.adapter.is_none_or(adapter) {
        return Err(NotOffered::Adapter);
    }
    let Some(name) = named.model else {
        // Without a name the server takes its only model.
        return if settings.models.len() < 2 { Ok(()) } else { Err(NotOffered::Model) };
    };
    if listed(name) {
        return Ok(());
    }
    match canonical_model(server, name) {
        Some(ModelName { model, adapter: Some(inside) }) => {
            // TGI takes the whole name for an adapter of its one model.
            let base = inside == model || settings.models.is_empty() || listed(&model);
            match (base, settings.adapters.contains(&inside)) {
                (false, _) => Err(NotOffered::Model),
                (true, false) => Err(NotOffered::Adapter),
                (true, true) => Ok(()),
            }
        }
        Some(ModelName { adapter: None, .. }) if settings.models.is_empty() => Ok(()),
        Some(ModelName { adapter: None, .. }) | None => Err(NotOffered::Model),
    }
}

fn same(server: Server, offered: &str, name: &str) -> bool {
    let offered = canonical_model(server, offered);
    offered.is_some() && offered == canonical_model(server, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(
        server: Server,
        offer: (&[&str], &[&str]),
        names: (Option<&str>, Option<&str>),
        expected: Result<(), NotOffered>,
    ) {
        let mut settings =
            GateSettings::new(([127, 0, 0, 1], 0).into(), http::Uri::from_static("http://model"), server);
        settings.models = offer.0.iter().map(ToString::to_string).collect();
        settings.adapters = offer.1.iter().map(ToString::to_string).collect();
        assert_eq!(
            check(&settings, Named { model: names.0, adapter: names.1 }),
            expected,
            "{server:?} {offer:?} {names:?}"
        );
    }

    #[test]
    fn only_listed_models_and_adapters_are_offered() {
        use NotOffered::{Adapter, Model};
        use Server::{Ollama, Openai, Sglang, Tgi, Vllm};
        let any = (&[][..], &[][..]);
        let demo = (&["demo"][..], &[][..]);
        let lora = (&["demo"][..], &["lora"][..]);
        named(Openai, any, (Some("whatever"), None), Ok(()));
        named(Openai, any, (None, None), Ok(()));
        named(Openai, demo, (Some("demo"), None), Ok(()));
        named(Openai, demo, (None, None), Ok(()));
        named(Openai, demo, (Some("other"), None), Err(Model));
        named(Openai, (&["a", "b"], &[]), (None, None), Err(Model));
        named(Openai, any, (Some("no spaces please"), None), Err(Model));
        named(Ollama, demo, (Some("Demo:LATEST"), None), Ok(()));
        named(Ollama, demo, (Some("demo:8b"), None), Err(Model));
        named(Vllm, demo, (Some("lora"), None), Err(Model));
        named(Vllm, (&["demo", "lora"], &[]), (Some("lora"), None), Ok(()));
        named(Sglang, any, (None, Some("lora")), Err(Adapter));
        named(Sglang, lora, (Some("demo"), Some("lora")), Ok(()));
        named(Sglang, any, (Some("demo:lora"), None), Err(Adapter));
        named(Sglang, demo, (Some("demo:lora"), None), Err(Adapter));
        named(Sglang, lora, (Some("demo:lora"), None), Ok(()));
        named(Sglang, lora, (Some("other:lora"), None), Err(Model));
        named(Sglang, (&["demo:lora"], &[]), (Some("demo:lora"), None), Ok(()));
        named(Tgi, any, (Some("tgi"), None), Ok(()));
        named(Tgi, any, (Some("lora"), None), Err(Adapter));
        named(Tgi, (&["tgi"], &["lora"]), (Some("lora"), None), Ok(()));
        named(Tgi, any, (Some("tgi"), Some("lora")), Err(Adapter));
    }
}
