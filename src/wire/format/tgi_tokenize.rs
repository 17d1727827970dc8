//! `POST /tokenize` of Text Generation Inference: the body of a generation, cut into tokens, not answered.
//!
//! Sources: TGI `router/src/server.rs` (`tokenize`).

use super::super::shape::{Description, Stream};
use super::tgi_generate;
use crate::query::Operation;

/// How a body is read.
pub(in crate::wire) static DESCRIPTION: Description =
    Description { operation: Operation::Tokenize, stream: Stream::Off, root: tgi_generate::BODY };
