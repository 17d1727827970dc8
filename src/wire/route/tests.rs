//! Every route that the servers have, with what it must mean; and every trick with a path that must not work.

use super::*;
use Format as F;
use RouteRefusal as R;

const READS: &[&str] = &["GET", "HEAD"];
const ALL: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "post", ""];

/// `paths` answer `methods` with `meaning`, and every other method with the refusal `otherwise`.
#[track_caller]
fn check(server: Server, methods: &[&str], paths: &str, meaning: Route, otherwise: RouteRefusal) {
    for path in paths.split_whitespace() {
        for method in ALL {
            let expected = if methods.contains(method) { meaning } else { Route::Refuse(otherwise) };
            assert_eq!(route(server, method, path, None), expected, "{} {method} {path}", server.name());
        }
    }
}

#[track_caller]
fn judged(server: Server, format: Format, paths: &str) {
    check(server, &["POST"], paths, Route::Judge(format), R::Method);
}

#[track_caller]
fn passed(server: Server, paths: &str) {
    check(server, READS, paths, Route::Pass, R::Method);
}

#[track_caller]
fn refused(server: Server, why: RouteRefusal, paths: &str) {
    check(server, ALL, paths, Route::Refuse(why), why);
}

#[test]
fn vllm_routes_mean_what_they_do() {
    let s = Server::Vllm;
    judged(s, F::OpenaiChat, "/v1/chat/completions /v1/chat/completions/render");
    judged(s, F::OpenaiCompletions, "/v1/completions /v1/completions/render");
    judged(s, F::OpenaiResponses, "/v1/responses");
    judged(s, F::AnthropicMessages, "/v1/messages");
    judged(s, F::AnthropicCountTokens, "/v1/messages/count_tokens");
    judged(s, F::OpenaiEmbeddings, "/v1/embeddings");
    judged(s, F::VllmPooling, "/pooling /classify /v2/embed");
    judged(s, F::VllmScore, "/score /v1/score /generative_scoring");
    judged(s, F::VllmRerank, "/rerank /v1/rerank /v2/rerank");
    judged(s, F::VllmTokenize, "/tokenize /detokenize");
    judged(s, F::VllmGenerate, "/inference/v1/generate");
    judged(s, F::Invocations, "/invocations");
    refused(s, R::Protocol, "/v1/realtime /v1/audio/transcriptions /v1/audio/translations /v1/chat/completions/batch");
    refused(s, R::Protocol, "/vllm.grpc.engine.VllmEngine/Generate");
    refused(s, R::State, "/v1/responses/resp_1 /v1/responses/resp_1/cancel");
    passed(s, "/health /ping /load /version /metrics /v1/models /v1/models/m /v1/models/org/m /tokenizer_info");
    refused(s, R::Administration, "/v1/load_lora_adapter /v1/unload_lora_adapter /pause /resume /scale_elastic_ep");
    refused(s, R::Administration, "/init_weight_transfer_engine /update_weights /abort_requests /sleep /wake_up");
    refused(s, R::Administration, "/collective_rpc /reset_prefix_cache /reset_mm_cache /reset_encoder_cache");
    refused(s, R::Administration, "/server_info /start_profile /stop_profile");
    refused(s, R::Unknown, "/v1/files /v1/batches /api/chat /generate /v3/rerank /docs / /v1 /v1/chat");
}

#[test]
fn ollama_routes_mean_what_they_do() {
    let s = Server::Ollama;
    judged(s, F::OllamaChat, "/api/chat");
    judged(s, F::OllamaGenerate, "/api/generate");
    judged(s, F::OllamaEmbed, "/api/embed /api/embeddings");
    judged(s, F::OpenaiChat, "/v1/chat/completions");
    judged(s, F::OpenaiCompletions, "/v1/completions");
    judged(s, F::OpenaiEmbeddings, "/v1/embeddings");
    judged(s, F::OpenaiResponses, "/v1/responses");
    judged(s, F::AnthropicMessages, "/v1/messages");
    refused(s, R::Protocol, "/v1/audio/transcriptions");
    passed(s, "/ /api/version /api/status /api/tags /api/ps /v1/models /v1/models/llama3:8b");
    refused(s, R::Administration, "/api/pull /api/push /api/create /api/copy /api/delete /api/show /api/me");
    refused(s, R::Administration, "/api/blobs/sha256:aa /api/signout /api/user/keys/abc");
    refused(s, R::Administration, "/api/experimental/web_search /api/experimental/web_fetch /api/experimental/x/y");
    refused(s, R::Unknown, "/api /api/chats /api/blobs /v1/messages/count_tokens /metrics");
}

#[test]
fn llamacpp_routes_mean_what_they_do() {
    let s = Server::Llamacpp;
    judged(s, F::LlamacppCompletion, "/completion /completions");
    judged(s, F::OpenaiCompletions, "/v1/completions");
    judged(s, F::OpenaiChat, "/chat/completions /v1/chat/completions");
    judged(s, F::OpenaiChat, "/chat/completions/input_tokens /v1/chat/completions/input_tokens");
    judged(s, F::OpenaiResponses, "/responses /v1/responses /responses/input_tokens /v1/responses/input_tokens");
    judged(s, F::AnthropicMessages, "/v1/messages");
    judged(s, F::AnthropicCountTokens, "/v1/messages/count_tokens");
    judged(s, F::LlamacppInfill, "/infill");
    judged(s, F::LlamacppEmbedding, "/embedding /embeddings");
    judged(s, F::OpenaiEmbeddings, "/v1/embeddings");
    judged(s, F::VllmRerank, "/rerank /reranking /v1/rerank /v1/reranking");
    judged(s, F::LlamacppTokenize, "/tokenize /detokenize");
    judged(s, F::LlamacppTemplate, "/apply-template");
    refused(s, R::Protocol, "/audio/transcriptions /v1/audio/transcriptions");
    refused(s, R::State, "/v1/stream/conv /v1/streams /slots /slots/0 /v1/chat/completions/control");
    passed(s, "/ /health /v1/health /metrics /v1/models");
    check(s, READS, "/props /models", Route::Pass, R::Administration);
    refused(s, R::Administration, "/lora-adapters /models/load /models/unload /cors-proxy /tools");
    refused(s, R::Unknown, "/v1/stream /slots/0/x /chat /api/tags");
}

#[test]
fn tgi_routes_mean_what_they_do() {
    let s = Server::Tgi;
    judged(s, F::TgiGenerate, "/generate /generate_stream");
    judged(s, F::TgiChat, "/v1/chat/completions");
    judged(s, F::TgiCompletions, "/v1/completions");
    judged(s, F::TgiInvocations, "/invocations");
    judged(s, F::TgiTokenize, "/tokenize /chat_tokenize");
    judged(s, F::KserveInfer, "/v2/models/m/versions/1/infer");
    refused(s, R::Protocol, "/vertex");
    passed(s, "/info /health /ping /metrics /v1/models /v2 /v2/health/live /v2/health/ready");
    passed(s, "/v2/models/m/versions/1 /v2/models/m/versions/1/ready");
    assert_eq!(route(s, "POST", "/", None), Route::Judge(F::TgiGenerate));
    assert_eq!(route(s, "GET", "/", None), Route::Pass);
    assert_eq!(route(s, "PUT", "/", None), Route::Refuse(R::Method));
    refused(s, R::Unknown, "/v2/models/m/infer /predict /v1/embeddings");
}

#[test]
fn sglang_routes_mean_what_they_do() {
    let s = Server::Sglang;
    check(s, &["POST", "PUT"], "/generate", Route::Judge(F::SglangGenerate), R::Method);
    check(s, &["POST", "PUT"], "/encode /classify", Route::Judge(F::SglangEncode), R::Method);
    check(s, &["POST", "PUT"], "/v1/rerank", Route::Judge(F::VllmRerank), R::Method);
    judged(s, F::OpenaiChat, "/v1/chat/completions /invocations");
    judged(s, F::OpenaiCompletions, "/v1/completions");
    judged(s, F::OpenaiEmbeddings, "/v1/embeddings");
    judged(s, F::OpenaiResponses, "/v1/responses");
    judged(s, F::AnthropicMessages, "/v1/messages");
    judged(s, F::VllmPooling, "/v1/classify");
    judged(s, F::VllmScore, "/v1/score");
    judged(s, F::VllmTokenize, "/tokenize /detokenize /v1/tokenize /v1/detokenize");
    judged(s, F::OllamaChat, "/api/chat");
    judged(s, F::OllamaGenerate, "/api/generate");
    refused(s, R::Protocol, "/generate_from_file /vertex_generate /parse_function_call /separate_reasoning");
    refused(s, R::State, "/open_session /close_session /v1/responses/resp_1 /v1/responses/resp_1/cancel");
    passed(s, "/health /health_generate /ping /metrics /get_model_info /get_weight_version /get_load /v1/models");
    passed(s, "/v1/models/org/m");
    refused(
        s,
        R::Administration,
        "/flush_cache /set_internal_state /update_weights_from_disk /update_weights_from_ipc",
    );
    refused(
        s,
        R::Administration,
        "/update_weights_from_tensor /update_weights_from_distributed /update_weight_version",
    );
    refused(s, R::Administration, "/init_weights_update_group /get_weights_by_name /send_weights_to_remote_instance");
    refused(s, R::Administration, "/load_lora_adapter /unload_lora_adapter /configure_logging /abort_request");
    refused(s, R::Administration, "/pause_generation /continue_generation /release_memory_occupation /slow_down");
    refused(s, R::Administration, "/resume_memory_occupation /start_profile /stop_profile /freeze_gc");
    refused(s, R::Administration, "/get_server_info /server_info /hicache/storage-backend/attach");
    refused(s, R::Unknown, "/dump /v1/embed /generate/x");
}

#[test]
fn kserve_and_triton_routes_mean_what_they_do() {
    let s = Server::Kserve;
    judged(s, F::KserveInfer, "/v2/models/m/infer /v2/models/m/versions/1/infer");
    judged(s, F::TritonGenerate, "/v2/models/m/generate /v2/models/m/generate_stream");
    judged(s, F::TritonGenerate, "/v2/models/m/versions/1/generate /v2/models/m/versions/1/generate_stream");
    judged(s, F::KservePredict, "/v1/models/m:predict /v1/models/m:explain");
    judged(s, F::OpenaiChat, "/openai/v1/chat/completions");
    judged(s, F::OpenaiCompletions, "/openai/v1/completions");
    judged(s, F::OpenaiEmbeddings, "/openai/v1/embeddings");
    judged(s, F::VllmRerank, "/openai/v1/rerank");
    refused(s, R::Protocol, "/inference.GRPCInferenceService/ModelInfer /v1/timeseries/forecast");
    refused(s, R::Administration, "/v2/repository/models/m/load /v2/repository/models/m/unload /v2/repository/index");
    refused(s, R::Administration, "/v2/systemsharedmemory/region/r/register /v2/cudasharedmemory/status /v2/logging");
    passed(s, "/ /metrics /v2 /v2/health/live /v2/health/ready /v2/models /v2/models/m /v2/models/m/ready");
    passed(s, "/v2/models/m/config /v2/models/m/versions/1 /v1/models /v1/models/m /openai/v1/models");
    refused(s, R::Unknown, "/v2/models/m/infers /v2/repository /v1/chat/completions /openai/v1");
}

#[test]
fn generic_routes_mean_what_they_do() {
    let s = Server::Openai;
    judged(s, F::OpenaiChat, "/v1/chat/completions");
    judged(s, F::OpenaiCompletions, "/v1/completions");
    judged(s, F::OpenaiResponses, "/v1/responses /v1/responses/input_tokens");
    judged(s, F::OpenaiEmbeddings, "/v1/embeddings");
    judged(s, F::OpenaiModerations, "/v1/moderations");
    judged(s, F::AnthropicMessages, "/v1/messages");
    judged(s, F::AnthropicCountTokens, "/v1/messages/count_tokens");
    refused(s, R::Protocol, "/v1/realtime /v1/audio/speech /v1/images/generations /v1/complete");
    refused(s, R::State, "/v1/responses/resp_1 /v1/responses/compact /v1/files /v1/files/f/content /v1/batches");
    refused(s, R::State, "/v1/conversations /v1/conversations/c/items /v1/messages/batches /v1/threads/t/runs");
    refused(s, R::State, "/v1/chat/completions/chatcmpl-1 /v1/vector_stores /v1/assistants /v1/containers");
    refused(s, R::Administration, "/v1/fine_tuning/jobs /v1/organization/users");
    passed(s, "/health /metrics /v1/models /v1/models/m /v1/models/org/m");
    refused(s, R::Unknown, "/ /v1 /api/chat /chat/completions /v1/chat/completions/x/y");
}

#[test]
fn a_path_with_another_spelling_is_refused() {
    for server in Server::ALL {
        for path in [
            "",
            "v1/models",
            "*",
            "//",
            "//v1/models",
            "/v1//models",
            "/v1/models/",
            "/v1/models/.",
            "/v1/./models",
            "/v1/../v1/models",
            "/v1/models/..",
            "/v1%2fmodels",
            "/v1/model%73",
            "/v1/models%00",
            "/v1/models;x",
            "/v1/models;",
            "/v1\\models",
            "/v1/models#x",
            "/v1/models?x",
            "/v1/models\0",
            "/v1/models\t",
            "/v1/models ",
            " /v1/models",
            "/v1/modelſ",
            "/v1/models+",
            "/v1/models/a,b",
            "/v1/models/{model}",
            "http://x/v1/models",
            "/http://x/v1/models",
        ] {
            assert_eq!(route(server, "GET", path, None), Route::Refuse(R::Path), "{path:?}");
        }
        let long = format!("/v1/models/{}", "m".repeat(PATH_BYTES_MAX));
        assert_eq!(route(server, "GET", &long, None), Route::Refuse(R::Path));
    }
}

#[test]
fn case_matters_in_paths() {
    for (server, path) in [(Server::Vllm, "/V1/chat/completions"), (Server::Ollama, "/API/chat")] {
        assert_eq!(route(server, "POST", path, None), Route::Refuse(R::Unknown));
    }
}

#[test]
fn only_named_parameters_in_one_spelling_pass() {
    let messages = Route::Judge(F::AnthropicMessages);
    for (query, expected) in [
        (None, messages),
        (Some("beta=true"), messages),
        (Some("beta"), messages),
        (Some(""), Route::Refuse(R::Parameter)),
        (Some("beta=true&beta=false"), Route::Refuse(R::Parameter)),
        (Some("beta=true&"), Route::Refuse(R::Parameter)),
        (Some("&beta=true"), Route::Refuse(R::Parameter)),
        (Some("beta=true;x=1"), Route::Refuse(R::Parameter)),
        (Some("Beta=true"), Route::Refuse(R::Parameter)),
        (Some("beta=%74rue"), Route::Refuse(R::Parameter)),
        (Some("b%65ta=true"), Route::Refuse(R::Parameter)),
        (Some("beta=a+b"), Route::Refuse(R::Parameter)),
        (Some("beta==true"), Route::Refuse(R::Parameter)),
        (Some("beta=true&x=1"), Route::Refuse(R::Parameter)),
        (Some("prompt=hello"), Route::Refuse(R::Parameter)),
    ] {
        assert_eq!(route(Server::Openai, "POST", "/v1/messages", query), expected, "{query:?}");
    }
    let chat = route(Server::Openai, "POST", "/v1/chat/completions", Some("beta=true"));
    assert_eq!(chat, Route::Refuse(R::Parameter));
    let long = format!("beta={}", "x".repeat(PARAMETERS_BYTES_MAX));
    assert_eq!(route(Server::Openai, "POST", "/v1/messages", Some(&long)), Route::Refuse(R::Parameter));
    // What is refused anyway keeps its reason.
    assert_eq!(route(Server::Vllm, "POST", "/sleep", Some("level=1")), Route::Refuse(R::Administration));
    assert_eq!(route(Server::Vllm, "GET", "/v1/responses/r", Some("stream=true")), Route::Refuse(R::State));
}

#[test]
fn the_model_in_a_path_is_found() {
    for (server, path, model) in [
        (Server::Kserve, "/v2/models/llama-3.1/infer", Some("llama-3.1")),
        (Server::Kserve, "/v2/models/m/versions/2/generate", Some("m")),
        (Server::Kserve, "/v1/models/m:predict", Some("m")),
        (Server::Kserve, "/openai/v1/chat/completions", None),
        (Server::Kserve, "/v2/models/../infer", None),
        (Server::Vllm, "/v1/chat/completions", None),
    ] {
        assert_eq!(path_model(server, path), model, "{path}");
    }
}

#[test]
fn no_row_is_hidden_by_an_earlier_one() {
    for server in Server::ALL {
        let rows = routes_named(server);
        for row in rows {
            let path = row.pattern.replace("{*}", "x").replace(['{', '}'], "");
            let first = rows.iter().find(|other| other.matches(&path)).map(|other| other.pattern);
            assert_eq!(first, Some(row.pattern), "{}", server.name());
            let twin = |other: &&Row| other.pattern == row.pattern && other.methods == row.methods;
            assert_eq!(rows.iter().filter(twin).count(), 1, "{} {}", server.name(), row.pattern);
        }
    }
}

#[test]
fn no_method_but_read_ever_passes_unjudged() {
    for server in Server::ALL {
        for row in routes_named(server) {
            match row.meaning {
                Route::Pass => assert_eq!(row.methods, Methods::Read, "{}", row.pattern),
                Route::Judge(_) => assert_ne!(row.methods, Methods::Read, "{}", row.pattern),
                Route::Refuse(_) => assert_eq!(row.methods, Methods::Any, "{}", row.pattern),
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn routing_never_panics_and_never_passes_a_strange_path(path in "\\PC{0,40}", query in proptest::option::of("\\PC{0,20}")) {
        for server in Server::ALL {
            let meaning = route(server, "GET", &path, query.as_deref());
            if !path.starts_with('/') || path.contains(['%', ';', '\\']) {
                proptest::prop_assert_eq!(meaning, Route::Refuse(R::Path));
            }
        }
    }
}
