//! `POST /tokenize` and `/detokenize` of vLLM and SGLang: a text, a chat or token ids, not answered.
//!
//! Sources: vLLM `entrypoints/serve/tokenize/protocol.py`; SGLang `entrypoints/openai/protocol.py`.

use super::super::shape::Shape::{As, Bool, Gap, List, Message as Msg, Model, Object as Obj, Opaque};
use super::super::shape::{Description, Object, Stream, field};
use super::openai_message::MESSAGE;
use super::openai_tools::TOOL;
use super::sampling::TEXTS;
use crate::query::GapKind::{Template, TokenIds};
use crate::query::{Operation, Role};

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: Obj(&ROOT) };

static ROOT: Object = Object::new(&[
    &[
        field("add_special_tokens", Bool),
        field("add_generation_prompt", Bool),
        field("continue_final_message", Bool),
        field("chat_template", As(Role::Template, &Gap(Template))),
        field("chat_template_kwargs", As(Role::Template, &Gap(Template))),
        field("media_io_kwargs", Gap(Template)),
    ],
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
