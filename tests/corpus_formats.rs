//! The corpus of bodies against the decoders: what is accepted, with which gaps; what is refused, and why; who speaks where.
//!
//! `accept/<format>/NAME.json` decodes; `NAME.gaps` beside it lists the gaps, one `Kind place` a line, none without the
//! file. `reject/<format>/NAME.json` does not decode; `NAME.error` holds the message.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign::query::{PartKind, Query};
use countersign::wire::{Format, decode};

fn format_named(name: &str) -> Format {
    serde_json::from_value(name.into()).unwrap_or_else(|_| panic!("`{name}` is no format"))
}

/// Every body below `tests/corpus/<kind>`, with its format.
fn bodies(kind: &str) -> Vec<(Format, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut found = Vec::new();
    for dir in entries(&root) {
        let format = format_named(dir.file_name().unwrap().to_str().unwrap());
        let of_kind = entries(&dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
        found.extend(of_kind.map(|path| (format, path)));
    }
    assert!(!found.is_empty());
    found
}

fn sidecar(path: &Path, extension: &str) -> String {
    fs::read_to_string(path.with_extension(extension)).unwrap_or_default()
}

fn gaps(query: &Query) -> String {
    let mut lines: Vec<String> =
        query.gaps().iter().map(|gap| format!("{} {}\n", gap.kind.name(), query.place(gap.place))).collect();
    lines.sort();
    lines.concat()
}

/// Collects the differences, so that one run shows them all.
fn report(differences: &[String]) {
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn accepted_bodies_have_exactly_the_gaps_listed() {
    let mut differences = Vec::new();
    for (format, path) in bodies("accept") {
        let body = Bytes::from(fs::read(&path).unwrap());
        let found = match decode(format, body.clone()) {
            Ok(query) => {
                assert_eq!(query.body(), &body, "{}", path.display());
                gaps(&query)
            }
            Err(error) => format!("refused: {error}"),
        };
        let expected = sidecar(&path, "gaps");
        if found != expected {
            differences.push(format!("== {}\n{found}-- instead of\n{expected}", path.display()));
        }
    }
    report(&differences);
}

#[test]
fn refused_bodies_give_the_error_listed() {
    let mut differences = Vec::new();
    for (format, path) in bodies("reject") {
        let found = match decode(format, Bytes::from(fs::read(&path).unwrap())) {
            Ok(query) => format!("accepted with\n{}", gaps(&query)),
            Err(error) => format!("{error}\n"),
        };
        let expected = sidecar(&path, "error");
        if found != expected {
            differences.push(format!("== {}\n{found}-- instead of\n{expected}", path.display()));
        }
    }
    report(&differences);
}

#[test]
fn every_format_has_accepted_bodies() {
    let found = bodies("accept");
    for format in ALL {
        assert!(found.iter().any(|(of, _)| of == format), "{format:?}");
    }
}

const ALL: &[Format] = &[
    Format::AnthropicMessages,
    Format::AnthropicCountTokens,
    Format::OllamaChat,
    Format::OllamaGenerate,
    Format::OllamaEmbed,
    Format::LlamacppCompletion,
    Format::LlamacppInfill,
    Format::LlamacppEmbedding,
    Format::LlamacppTokenize,
    Format::LlamacppTemplate,
    Format::TgiGenerate,
    Format::TgiChat,
    Format::TgiCompletions,
    Format::TgiInvocations,
    Format::TgiTokenize,
    Format::SglangGenerate,
    Format::SglangEncode,
    Format::KserveInfer,
    Format::KservePredict,
    Format::TritonGenerate,
    Format::VllmPooling,
    Format::VllmScore,
    Format::VllmRerank,
    Format::VllmTokenize,
    Format::VllmGenerate,
    Format::Invocations,
];

/// Roles by fixture and place: `format/fixture place role kind`.
const SPEAKERS: &str = "
anthropic-messages/streaming system System Text
anthropic-messages/streaming messages[1].content Assistant Text
anthropic-messages/streaming messages[2].content[0].text User Text
anthropic-messages/streaming stop_sequences[0] Setting Text
anthropic-messages/tools tools[0].description ToolDefinition Text
anthropic-messages/tools tools[0].input_schema.properties.location ToolDefinition Key
anthropic-messages/tools messages[1].content[1].input.location Assistant Text
anthropic-messages/tools messages[1].content[1].input.days Assistant Number
anthropic-messages/tools messages[2].content[0].content Tool Text
anthropic-messages/tools messages[2].content[1].content[0].text Tool Text
anthropic-messages/tools messages[2].content[2].text User Text
anthropic-messages/full system[0].text System Text
anthropic-messages/full system[0].cache_control.ttl Setting Word
anthropic-messages/full messages[0].content[0].source.data Document Text
anthropic-messages/full messages[0].content[2].content[0].text Document Text
anthropic-messages/full messages[1].content[0].thinking Assistant Text
anthropic-messages/claude-code-roles messages[0].content User Text
ollama-chat/full messages[0].content System Text
ollama-chat/full messages[2].thinking Assistant Text
ollama-chat/full format.properties.age ToolDefinition Key
ollama-chat/tools messages[1].tool_calls[0].function.arguments.location Assistant Text
ollama-chat/tools messages[2].content Tool Text
ollama-generate/full system System Text
ollama-generate/full prompt User Text
ollama-generate/suffix suffix User Text
ollama-generate/opaque template Template Text
ollama-embed/full input[1] Document Text
llamacpp-completion/full prompt[1] User Text
llamacpp-completion/full grammar Setting Text
llamacpp-completion/opaque prompt[2] User Text
llamacpp-completion/mixed prompt[0][2] User Text
llamacpp-completion/mixed prompt[3].prompt_string User Text
llamacpp-infill/full input_extra[0].text Document Text
llamacpp-infill/full input_prefix User Text
llamacpp-tokenize/minimal content User Text
llamacpp-template/minimal messages[0].content System Text
tgi-generate/full inputs User Text
tgi-generate/full parameters.adapter_id Setting Word
tgi-generate/full parameters.grammar.value.properties.location ToolDefinition Key
tgi-generate/images inputs User Text
tgi-tokenize/chat messages[0].content User Text
sglang-generate/full text[1] User Text
sglang-generate/full sampling_params[0].json_schema(json).properties.name ToolDefinition Key
sglang-generate/opaque image_data[2] User Text
sglang-encode/pairs text[1][1] Document Text
kserve-infer/full inputs[0].data[1][0] User Text
kserve-infer/full parameters.temperature Setting Number
kserve-predict/full instances[0].context.source User Text
kserve-predict/full instances[0].context User Key
triton-generate/full text_input User Text
triton-generate/opaque my_tensor Setting Text
vllm-pooling/cohere texts[1] Document Text
vllm-pooling/cohere-mixed inputs[0].content[0].text Document Text
vllm-score/full queries[0] User Text
vllm-score/full documents[1] Document Text
vllm-rerank/full documents[0].title Document Text
vllm-rerank/sglang instruct System Text
vllm-tokenize/chat tools[0].function.description ToolDefinition Text
tgi-invocations/generate inputs User Text
tgi-chat/tools tool_prompt Template Text
";

#[test]
fn parts_have_the_role_of_their_speaker() {
    for line in SPEAKERS.trim().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [fixture, place, role, kind] = words[..] else { panic!("{line}") };
        let (format, _) = fixture.split_once('/').unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/accept").join(format!("{fixture}.json"));
        let query = decode(format_named(format), Bytes::from(fs::read(path).unwrap())).unwrap();
        let found = query.parts().iter().any(|part| {
            query.place(part.place) == place && part.role.name() == role && format!("{:?}", part.kind) == kind
        });
        let there: Vec<_> = query.parts().iter().filter(|part| query.place(part.place) == place).collect();
        assert!(found, "{line}: {there:?}");
    }
}

/// The plain fields of a query: model, adapter, streaming, tools, most tokens, answers.
#[test]
fn plain_fields_are_read() {
    let plain = |fixture: &str| {
        let (format, _) = fixture.split_once('/').unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/accept").join(format!("{fixture}.json"));
        let q = decode(format_named(format), Bytes::from(fs::read(path).unwrap())).unwrap();
        let model = q.model.as_deref().unwrap_or("-").to_owned();
        let adapter = q.adapter.as_deref().unwrap_or("-").to_owned();
        let tokens = q.tokens_max.map_or("-".to_owned(), |n| n.to_string());
        format!("{model} {adapter} {} {} {tokens} {}", q.stream, q.tools.join(","), q.choices)
    };
    for (fixture, expected) in [
        (
            "anthropic-messages/tools",
            "Qwen/Qwen3-8B - false get_weather,lookup,bash,str_replace_based_edit_tool 4096 1",
        ),
        ("anthropic-messages/streaming", "meta-llama/Llama-3.1-8B-Instruct - true  256 1"),
        ("ollama-chat/minimal", "llama3.2 - true  - 1"),
        ("ollama-chat/full", "llama3.2:3b - false  100 1"),
        ("ollama-generate/minimal", "llama3.2 - true  - 1"),
        ("ollama-embed/minimal", "all-minilm - false  - 1"),
        ("llamacpp-completion/full", "- - true  64 1"),
        ("tgi-generate/full", "- predibase/customer_support true  100 1"),
        ("sglang-generate/full", "- adapter-0 true  64 2"),
        ("triton-generate/full", "- alpaca false  32 1"),
        ("vllm-generate/minimal", "m - false  5 1"),
    ] {
        assert_eq!(plain(fixture), expected, "{fixture}");
    }
}

#[test]
fn numbers_and_words_are_never_redactable_text() {
    for (format, path) in bodies("accept") {
        let query = decode(format, Bytes::from(fs::read(&path).unwrap())).unwrap();
        for part in query.parts().iter().filter(|part| part.kind == PartKind::Number) {
            assert!(query.text(part).parse::<f64>().is_ok(), "{} {}", path.display(), query.place(part.place));
        }
    }
}
