//! Routes of Text Generation Inference (`router/src/server.rs`), its `kserve` feature included. Data only.
//!
//! The path that `AIP_PREDICT_ROUTE` names is the installation's own and not a row.

use super::table::{Row, judge, pass, protocol};
use crate::wire::Format;

pub(super) const ROWS: &[Row] = &[
    judge("/", Format::TgiGenerate),
    pass("/"),
    judge("/generate", Format::TgiGenerate),
    judge("/generate_stream", Format::TgiGenerate),
    judge("/v1/chat/completions", Format::TgiChat),
    judge("/v1/completions", Format::TgiCompletions),
    judge("/invocations", Format::TgiInvocations),
    judge("/tokenize", Format::TgiTokenize),
    judge("/chat_tokenize", Format::TgiTokenize),
    // Lists of queries of either kind: no decoder.
    protocol("/vertex"),
    judge("/v2/models/{model}/versions/{version}/infer", Format::KserveInfer),
    pass("/v2"),
    pass("/v2/health/live"),
    pass("/v2/health/ready"),
    pass("/v2/models/{model}/versions/{version}"),
    pass("/v2/models/{model}/versions/{version}/ready"),
    pass("/info"),
    pass("/health"),
    pass("/ping"),
    pass("/metrics"),
    pass("/v1/models"),
];
