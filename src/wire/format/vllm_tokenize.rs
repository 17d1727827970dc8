//! `POST /tokenize` and `/detokenize` of vLLM and SGLang: a text, a chat or token ids, not answered.
//!
//! Sources: vLLM `entrypoints/serve/tokenize/protocol.py`; SGLang `entrypoints/openai/protocol.py`.

use super::super::shape::Shape::{As, Bool, Gap, List, Message as Msg, Model, Object as Obj, Opaque};
use super::super::shape::{Description, Object, Stream, field};
use super::openai_chat::{MESSAGE, TOOL};
use super::sampling::TEXTS;
use super::vllm_pooling::RENDERING;
use crate::query::GapKind::{Template, TokenIds};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    RENDERING,
    &[
        field("model", Model),
        field("prompt", As(Role::User, &TEXTS)),
        field("messages", List(&Msg(&MESSAGE))),
        field("tools", List(&TOOL)),
        field("tokens", Opaque(TokenIds)),
        field("return_token_strs", Bool),
        field("skip_special_tokens", Bool),
        field("mm_processor_kwargs", Gap(Template)),
    ],
]);
