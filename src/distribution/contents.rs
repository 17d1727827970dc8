//! What a bundle holds -> what a gate judges by, and the proof that it can be judged by.

use bytes::Bytes;
use jiff::Timestamp;

use super::bundle::Bundle;
use super::refusal::Refusal;
use crate::base::{apart, discard};
use crate::compile::{self, Compilation, Diagnostic, Document, Severity};
use crate::rules::{self, Caller, Context, Posture, Rates, Workload};
use crate::wire::{self, Format, Server};

/// A query like any other. What becomes of it is for the policies to say; that something does is what is tested.
const TEST_QUERY: &[u8] = br#"{"model":"self-test","messages":[{"role":"user","content":"Is anybody there?"}]}"#;

/// Compiles what a bundle holds, and sees that it is what it says it is and that it judges.
pub(super) fn load(bundle: &Bundle) -> Result<Compilation, Refusal> {
    let documents = apart(|| documents(bundle))?;
    let compilation = compile::compile(&documents, &bundle.workload).map_err(|found| uncompilable(&found));
    discard(documents);
    let compilation = compilation?;
    let found = compilation.rule_set.revision();
    if found != bundle.revision {
        return Err(Refusal::OtherRevision { said: bundle.revision, found });
    }
    self_test(&compilation, &bundle.workload)?;
    Ok(compilation)
}

/// The objects as they are written.
fn documents(bundle: &Bundle) -> Result<Vec<Document>, Refusal> {
    let one = |(number, text): (usize, &String)| {
        let mut read = compile::read(&format!("document {number}"), text).map_err(|found| uncompilable(&found))?;
        match (read.pop(), read.is_empty()) {
            (Some(document), true) => Ok(document),
            _ => Err(Refusal::Uncompilable(format!("document {number} is not one object"))),
        }
    };
    bundle.documents.iter().enumerate().map(one).collect()
}

/// The first problem: the others are for those who write policies, who have the compiler.
fn uncompilable(found: &[Diagnostic]) -> Refusal {
    let first = found.iter().find(|one| one.severity == Severity::Error);
    Refusal::Uncompilable(first.map_or_else(|| "no reason was given".to_owned(), ToString::to_string))
}

/// Judges a query as the gate will.
fn self_test(compilation: &Compilation, workload: &Workload) -> Result<(), Refusal> {
    let set = &compilation.rule_set;
    if !set.chains().into_iter().all(|chain| compilation.chains.contains_key(chain)) {
        return Err(Refusal::SelfTest("a rule names a chain that is not there"));
    }
    let format = Format::OpenaiChat;
    let query = wire::decode(format, Bytes::from_static(TEST_QUERY))
        .map_err(|_| Refusal::SelfTest("the test query cannot be read"))?;
    let context = Context {
        format,
        server: Server::Vllm,
        method: "POST",
        path: "/v1/chat/completions",
        caller: &Caller::default(),
        workload,
        posture: Posture::Enforce,
        now: Timestamp::UNIX_EPOCH,
        // Counters of its own: a test is nobody's query.
        rates: &Rates::default(),
    };
    if rules::judge(set, query, &context).revision == set.revision() {
        Ok(())
    } else {
        Err(Refusal::SelfTest("the judgement names another revision"))
    }
}
