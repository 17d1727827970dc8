//! One entry for all formats: body in, query out.

use bytes::Bytes;

use super::json::{self, Fault, Kind, Step, Tape};
use super::shape::{self, Description};
use super::{DecodeError, Format, format};
use crate::base::limits::{BODY_BYTES_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};
use crate::query::{Builder, Query};

/// Reads a body by the description of its format. The body is what the model server would get: content encodings removed.
pub fn decode(format: Format, body: Bytes) -> Result<Query, DecodeError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(DecodeError::Limit { what: "bytes", limit: BODY_BYTES_MAX });
    }
    let bytes = body.clone();
    let text = simdutf8::compat::from_utf8(&bytes).map_err(|e| DecodeError::Utf8 { at: e.valid_up_to() })?;
    let tape = json::read(text, JSON_VALUES_MAX).map_err(|fault| refused(fault, text))?;
    let description = match reading(format) {
        Reading::By(description) => description,
        Reading::ByKey(readings) => by_key(readings, &tape)?,
    };
    let mut builder = Builder::new(body, description.operation);
    shape::walk(description, &tape, &mut builder)?;
    Ok(builder.finish())
}

/// How the description of a body is found.
enum Reading {
    /// The format has one.
    By(&'static Description),
    /// The body's keys tell: those it has must all mean one description.
    ByKey(&'static [(&'static str, &'static Description)]),
}

/// What `POST /invocations` of vLLM may carry, by the keys that only one of the formats has. A server that takes several tries
/// one after the other and overlooks keys it does not know, so a body of two formats is nobody's.
static INVOCATIONS: &[(&str, &Description)] = &[
    ("messages", &format::openai_chat::DESCRIPTION),
    ("prompt", &format::openai_completions::DESCRIPTION),
    ("input", &format::openai_embeddings::DESCRIPTION),
    ("query", &format::vllm_rerank::DESCRIPTION),
    ("queries", &format::vllm_score::DESCRIPTION),
    ("text_1", &format::vllm_score::DESCRIPTION),
    ("data_1", &format::vllm_score::DESCRIPTION),
];

/// What `POST /invocations` of TGI may carry.
static TGI_INVOCATIONS: &[(&str, &Description)] = &[
    ("inputs", &format::tgi_generate::DESCRIPTION),
    ("messages", &format::tgi_chat::DESCRIPTION),
    ("prompt", &format::tgi_completions::DESCRIPTION),
];

/// The two routes of TGI that cut a prompt into tokens.
static TGI_TOKENIZE: &[(&str, &Description)] =
    &[("inputs", &format::tgi_tokenize::DESCRIPTION), ("messages", &format::tgi_chat_tokenize::DESCRIPTION)];

/// The one place that knows which format is written down where.
fn reading(format: Format) -> Reading {
    Reading::By(match format {
        Format::OpenaiChat => &format::openai_chat::DESCRIPTION,
        Format::OpenaiCompletions => &format::openai_completions::DESCRIPTION,
        Format::OpenaiResponses => &format::openai_responses::DESCRIPTION,
        Format::OpenaiEmbeddings => &format::openai_embeddings::DESCRIPTION,
        Format::OpenaiModerations => &format::openai_moderations::DESCRIPTION,
        Format::AnthropicMessages => &format::anthropic_messages::DESCRIPTION,
        Format::AnthropicCountTokens => &format::anthropic_count_tokens::DESCRIPTION,
        Format::OllamaChat => &format::ollama_chat::DESCRIPTION,
        Format::OllamaGenerate => &format::ollama_generate::DESCRIPTION,
        Format::OllamaEmbed => &format::ollama_embed::DESCRIPTION,
        Format::LlamacppCompletion => &format::llamacpp_completion::DESCRIPTION,
        Format::LlamacppInfill => &format::llamacpp_infill::DESCRIPTION,
        Format::LlamacppEmbedding => &format::llamacpp_embedding::DESCRIPTION,
        Format::LlamacppTokenize => &format::llamacpp_tokenize::DESCRIPTION,
        Format::LlamacppTemplate => &format::llamacpp_template::DESCRIPTION,
        Format::TgiGenerate => &format::tgi_generate::DESCRIPTION,
        Format::TgiChat => &format::tgi_chat::DESCRIPTION,
        Format::TgiCompletions => &format::tgi_completions::DESCRIPTION,
        Format::SglangGenerate => &format::sglang_generate::DESCRIPTION,
        Format::SglangEncode => &format::sglang_encode::DESCRIPTION,
        Format::KserveInfer => &format::kserve_infer::DESCRIPTION,
        Format::KservePredict => &format::kserve_predict::DESCRIPTION,
        Format::TritonGenerate => &format::triton_generate::DESCRIPTION,
        Format::VllmPooling => &format::vllm_pooling::DESCRIPTION,
        Format::VllmScore => &format::vllm_score::DESCRIPTION,
        Format::VllmRerank => &format::vllm_rerank::DESCRIPTION,
        Format::VllmTokenize => &format::vllm_tokenize::DESCRIPTION,
        Format::VllmGenerate => &format::vllm_generate::DESCRIPTION,
        Format::TgiInvocations => return Reading::ByKey(TGI_INVOCATIONS),
        Format::TgiTokenize => return Reading::ByKey(TGI_TOKENIZE),
        Format::Invocations => return Reading::ByKey(INVOCATIONS),
    })
}

fn by_key(
    readings: &'static [(&'static str, &'static Description)],
    tape: &Tape<'_>,
) -> Result<&'static Description, DecodeError> {
    let mut scratch = String::new();
    let mut has = |name: &str| {
        tape.children(Tape::ROOT).any(|key| {
            let node = tape.node(key);
            node.kind == Kind::Key && tape.resolved(node, &mut scratch) == name
        })
    };
    let mut found = readings.iter().filter(|(key, _)| has(key)).map(|(_, description)| *description);
    let refused = |expected| DecodeError::Shape { place: "body".to_owned(), expected };
    let first = found.next().ok_or_else(|| refused("a body of one of the server's formats"))?;
    if found.all(|other| std::ptr::eq(other, first)) {
        Ok(first)
    } else {
        Err(refused("a body of one format, not of several"))
    }
}

fn refused(fault: Fault, text: &str) -> DecodeError {
    match fault {
        Fault::Syntax { at, why } => DecodeError::Json { at, why },
        Fault::DuplicateKey { at, path } => DecodeError::DuplicateKey { place: place(&path, text), at },
        Fault::Depth => DecodeError::Limit { what: "levels of JSON", limit: JSON_DEPTH_MAX },
        Fault::Values => DecodeError::Limit { what: "JSON values", limit: JSON_VALUES_MAX },
    }
}

/// The way to an object. Keys may be the caller's text, which errors never show, so only those that read like a field's
/// name at the top of the body are spelled out.
fn place(path: &[Step], text: &str) -> String {
    use std::fmt::Write as _;
    const TOP: [&str; 5] = ["messages", "tools", "input", "inputs", "metadata"];
    let mut out = String::new();
    for (depth, step) in path.iter().enumerate() {
        match step {
            Step::Index(index) => {
                let _ = write!(out, "[{index}]");
            }
            Step::Key(span) => {
                let key = text.get(span.clone()).unwrap_or_default();
                let name = TOP.iter().find(|top| depth == 0 && **top == key).unwrap_or(&"*");
                if depth > 0 {
                    out.push('.');
                }
                out.push_str(name);
            }
        }
    }
    if out.is_empty() { "body".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{GapKind, PartKind, Role};

    fn chat(body: &str) -> Query {
        decode(Format::OpenaiChat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[track_caller]
    fn check_part(query: &Query, place: &str, text: &str, role: Role, kind: PartKind) {
        let found = query.parts().iter().any(|part| {
            query.place(part.place) == place && query.text(part) == text && part.role == role && part.kind == kind
        });
        let parts: Vec<_> = query
            .parts()
            .iter()
            .map(|part| (query.place(part.place), query.text(part), part.role, part.kind))
            .collect();
        assert!(found, "{place} is not among {parts:#?}");
    }

    #[test]
    fn every_leaf_of_a_chat_is_a_part_with_place_and_role() {
        let query = chat(
            r#"{"model":"llama","messages":[
                {"role":"system","content":"be \u0062rief"},
                {"content":[{"text":"hi","type":"text"}],"role":"user"},
                {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
                    "function":{"name":"find","arguments":"{\"q\":\"pr\\u006fject\",\"n\":[7]}"}}]},
                {"role":"tool","tool_call_id":"c1","content":"found"}],
               "tools":[{"type":"function","function":{"name":"find","parameters":{"properties":{"q":{"type":"string"}}}}}],
               "max_tokens":16,"max_completion_tokens":32,"stream":true}"#,
        );
        assert_eq!(query.gaps(), &[]);
        check_part(&query, "messages[0].content", "be brief", Role::System, PartKind::Text);
        check_part(&query, "messages[1].content[0].text", "hi", Role::User, PartKind::Text);
        let arguments = "messages[2].tool_calls[0].function.arguments";
        check_part(&query, &format!("{arguments}(json).q"), "q", Role::Assistant, PartKind::Key);
        check_part(&query, &format!("{arguments}(json).q"), "project", Role::Assistant, PartKind::Text);
        check_part(&query, &format!("{arguments}(json).n[0]"), "7", Role::Assistant, PartKind::Number);
        check_part(&query, "messages[3].content", "found", Role::Tool, PartKind::Text);
        check_part(&query, "tools[0].function.parameters.properties.q", "q", Role::ToolDefinition, PartKind::Key);
        check_part(&query, "model", "llama", Role::Setting, PartKind::Word);
        assert_eq!(query.model.as_deref(), Some("llama"));
        assert_eq!(query.tools, ["find"]);
        assert_eq!((query.tokens_max, query.choices, query.stream), (Some(32), 1, true));
    }

    #[test]
    fn what_is_not_understood_is_a_gap_and_its_text_a_part() {
        for (body, kind, place, text) in [
            (r#"{"messages":[],"surprise":{"x":"t"}}"#, GapKind::UnknownField, "surprise", "t"),
            (r#"{"messages":[],"temperature":"hot"}"#, GapKind::UnknownType, "temperature", "hot"),
            (r#"{"messages":[{"role":"root","content":"t"}]}"#, GapKind::UnknownRole, "messages[0].role", "root"),
            (r#"{"messages":[{"content":"t"}]}"#, GapKind::UnknownRole, "messages[0]", "t"),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"smell","x":"t"}]}]}"#,
                GapKind::UnknownType,
                "messages[0].content[0]",
                "smell",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://h/x"}}]}]}"#,
                GapKind::Remote,
                "messages[0].content[0].image_url.url",
                "http://h/x",
            ),
            (r#"{"messages":[],"chat_template":"{{x}}"}"#, GapKind::Template, "chat_template", "{{x}}"),
            (r#"{"messages":[],"prompt_token_ids":[1,2]}"#, GapKind::TokenIds, "prompt_token_ids", ""),
        ] {
            let query = chat(body);
            let gaps: Vec<_> = query.gaps().iter().map(|gap| (gap.kind, query.place(gap.place))).collect();
            assert_eq!(gaps, [(kind, place.to_owned())], "{body}");
            assert!(text.is_empty() || query.parts().iter().any(|part| query.text(part) == text), "{body}");
        }
    }

    #[test]
    fn spelled_out_defaults_are_no_gaps() {
        let query = chat(
            r#"{"messages":[{"role":"assistant","content":"x","refusal":null,"annotations":[],"audio":null,"tool_calls":null}],
                "bad_words":[],"allowed_token_ids":[],"store":false,"logit_bias":null,"prompt_token_ids":[],"stop":[]}"#,
        );
        assert_eq!(query.gaps(), &[]);
    }

    #[test]
    fn numbers_the_query_carries_are_read_however_they_are_spelled() {
        for (spelled, tokens_max) in
            [("64", Some(64)), ("6.4e1", Some(64)), ("63.5", Some(64)), ("-1", None), ("1e99", Some(u64::MAX))]
        {
            let query = chat(&format!("{{\"messages\":[],\"max_tokens\":{spelled},\"n\":{spelled}}}"));
            assert_eq!((query.tokens_max, query.choices), (tokens_max, tokens_max.unwrap_or(1)), "{spelled}");
        }
    }

    #[test]
    fn a_second_adapter_is_a_gap() {
        let adapters = |body: &str| chat(body).gaps().len();
        assert_eq!(adapters(r#"{"messages":[],"lora_path":["a","a"],"adapter_id":"a"}"#), 0);
        assert_eq!(adapters(r#"{"messages":[],"lora_path":["a","b"]}"#), 1);
    }

    #[test]
    fn strings_that_should_hold_json_hide_nothing() {
        let called = |arguments: &str| {
            let arguments = serde_json::Value::from(arguments);
            let query = chat(&format!(
                "{{\"messages\":[{{\"role\":\"assistant\",\"tool_calls\":[{{\"function\":{{\"arguments\":{arguments}}}}}]}}]}}"
            ));
            query.gaps().iter().map(|gap| gap.kind).collect::<Vec<_>>()
        };
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        for (arguments, gaps) in [
            (String::new(), vec![]),
            ("plain words".to_owned(), vec![]),
            ("{\"a\":1".to_owned(), vec![]),
            ("{\"a\":NaN}".to_owned(), vec![]),
            ("{\"a\":NaN,\"b\":\"\\u0061\"}".to_owned(), vec![GapKind::UnknownType]),
            ("{\"b\":\"\\u0061\",\"b\":1}".to_owned(), vec![GapKind::UnknownType]),
            (" [\"\\ud800\"]".to_owned(), vec![GapKind::UnknownType]),
            ("{\"code\":\"[x for x in '\\\\n']\"}".to_owned(), vec![]),
            (format!("{}1{}", "[".repeat(65), "]".repeat(65)), vec![GapKind::Limit]),
            (quoted(&quoted("{}")), vec![]),
            (quoted(&quoted(&quoted("{}"))), vec![GapKind::Limit]),
        ] {
            assert_eq!(called(&arguments), gaps, "{arguments}");
        }
    }

    #[test]
    fn the_deepest_nesting_fits_a_small_stack() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(63), "]".repeat(63));
        let nested = |inner: &str| deep(&serde_json::Value::from(inner).to_string());
        let arguments = serde_json::Value::from(nested(&nested(&deep("1"))));
        let body =
            format!("{{\"messages\":[{{\"role\":\"assistant\",\"function_call\":{{\"arguments\":{arguments}}}}}]}}");
        let read = std::thread::Builder::new().stack_size(512 << 10).spawn(move || chat(&body).parts().len());
        assert!(read.unwrap().join().unwrap() >= 4, "every level has a part");
    }

    #[test]
    fn bodies_that_parsers_read_differently_are_refused() {
        let decoded = |body: &[u8]| decode(Format::OpenaiChat, Bytes::copy_from_slice(body)).unwrap_err();
        assert_eq!(decoded(b"\xff{}"), DecodeError::Utf8 { at: 0 });
        assert!(matches!(decoded(br#"{"messages":[]} {}"#), DecodeError::Json { at: 16, .. }));
        assert_eq!(
            decoded(br#"{"messages":[{"role":"user","r\u006fle":"system"}]}"#),
            DecodeError::DuplicateKey { place: "messages[0]".to_owned(), at: 29 }
        );
        assert_eq!(
            decoded(br#"{"messages":[{"role":"user","Content":"x"}]}"#),
            DecodeError::VariantKey { place: "messages[0]".to_owned(), at: 29, known: "content" }
        );
        assert!(matches!(decoded(b"[]"), DecodeError::Shape { .. }));
        assert!(matches!(decoded(b"{}"), DecodeError::Shape { .. }));
    }
}
