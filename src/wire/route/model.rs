//! What a model name means. The name is the caller's text; each server reads it in its own way, so two names are
//! compared only after they were brought to one form here.
//!
//! Knows nothing of which models a workload offers. Guarantees that two names which a server takes for the same model
//! have the same form, and that an adapter named inside a model name is told apart.

use super::Server;

/// Longest model name: `host/namespace/model:tag` of the longest registries stays below.
const MODEL_BYTES_MAX: usize = 256;

/// A model name in its one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// The model.
    pub model: String,
    /// The adapter that the name chooses.
    pub adapter: Option<String>,
}

impl ModelName {
    fn of(model: &str) -> Self {
        Self { model: model.to_owned(), adapter: None }
    }
}

/// The one form of a model name on `server`; `None` for what is no model name there, which is to be refused.
#[must_use]
pub fn canonical_model(server: Server, name: &str) -> Option<ModelName> {
    if name.is_empty() || name.len() > MODEL_BYTES_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    match server {
        Server::Ollama => ollama(name),
        Server::Sglang => sglang(name),
        // Any name but `tgi` is looked up among the adapters; the base model answers when none has it.
        Server::Tgi => Some(ModelName { model: name.to_owned(), adapter: (name != "tgi").then(|| name.to_owned()) }),
        Server::Vllm | Server::Llamacpp | Server::Kserve | Server::Openai => Some(ModelName::of(name)),
    }
}

/// `base:adapter`, cut at the first colon.
fn sglang(name: &str) -> Option<ModelName> {
    let Some((model, adapter)) = name.split_once(':') else { return Some(ModelName::of(name)) };
    if model.is_empty() || adapter.is_empty() {
        return None;
    }
    Some(ModelName { model: model.to_owned(), adapter: Some(adapter.to_owned()) })
}

const OLLAMA_HOST: &str = "registry.ollama.ai/";
const OLLAMA_NAMESPACE: &str = "library/";
const OLLAMA_TAG: &str = "latest";

/// `[host/][namespace/]model[:tag][:local|:cloud]`: case does not matter, the defaults may be left out, and the word
/// `local` changes nothing. Names that run on somebody else's machines end in `cloud`, and keep it.
fn ollama(name: &str) -> Option<ModelName> {
    let lower = name.to_ascii_lowercase();
    let lower = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let bare = lower.strip_suffix(":local").unwrap_or(lower);
    let path = match bare.strip_prefix(OLLAMA_HOST) {
        Some(rest) if rest.contains('/') => rest,
        _ => bare,
    };
    let path = match path.strip_prefix(OLLAMA_NAMESPACE) {
        Some(rest) if !rest.contains('/') => rest,
        _ => path,
    };
    if path.split(['/', ':']).any(str::is_empty) {
        return None;
    }
    let tag = path.rfind(':') > path.rfind('/');
    Some(ModelName::of(&if tag { path.to_owned() } else { format!("{path}:{OLLAMA_TAG}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(server: Server, name: &str, expected: Option<(&str, Option<&str>)>) {
        let got = canonical_model(server, name);
        let got = got.as_ref().map(|name| (name.model.as_str(), name.adapter.as_deref()));
        assert_eq!(got, expected, "{name}");
    }

    #[test]
    fn ollama_names_have_one_form() {
        for name in [
            "llama3",
            "LLama3",
            "llama3:latest",
            "llama3:LATEST",
            "library/llama3",
            "registry.ollama.ai/library/llama3:latest",
            "https://registry.ollama.ai/library/llama3",
            "llama3:local",
            "llama3:latest:local",
        ] {
            check(Server::Ollama, name, Some(("llama3:latest", None)));
        }
        check(Server::Ollama, "me/llama3", Some(("me/llama3:latest", None)));
        check(Server::Ollama, "host:5000/me/llama3", Some(("host:5000/me/llama3:latest", None)));
        check(Server::Ollama, "gpt-oss:120b-cloud", Some(("gpt-oss:120b-cloud", None)));
        check(Server::Ollama, "gpt-oss:120b:Cloud", Some(("gpt-oss:120b:cloud", None)));
        check(Server::Ollama, "registry.ollama.ai/m", Some(("registry.ollama.ai/m:latest", None)));
        check(Server::Ollama, "library/library/m", Some(("library/library/m:latest", None)));
        check(Server::Ollama, "llama3:", None);
        check(Server::Ollama, "/llama3", None);
    }

    #[test]
    fn adapters_inside_model_names_are_told_apart() {
        check(Server::Sglang, "base:adapter", Some(("base", Some("adapter"))));
        check(Server::Sglang, "base:a:b", Some(("base", Some("a:b"))));
        check(Server::Sglang, "base", Some(("base", None)));
        check(Server::Sglang, "base:", None);
        check(Server::Sglang, ":adapter", None);
        check(Server::Tgi, "tgi", Some(("tgi", None)));
        check(Server::Tgi, "mine", Some(("mine", Some("mine"))));
        check(Server::Vllm, "Org/Model", Some(("Org/Model", None)));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for server in Server::ALL {
            for name in ["", " ", "a b", "a\n", "modèle", "a\u{200b}", &"x".repeat(MODEL_BYTES_MAX + 1)] {
                check(server, name, None);
            }
        }
    }
}
