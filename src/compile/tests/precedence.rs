//! Precedence on the whole, from what is written to the verdict, against a few lines that say it: cluster policies are a floor,
//! those of a namespace tighten, exceptions loosen the rules and namespaces that they name, until their end.

use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::rules::{Caller, Context, Posture, Rates, Verdict, judge};
use crate::wire::{self, Format, Server};

/// A rule for each: `r0` looks for the first.
const WORDS: [&str; 3] = ["apple", "pear", "plum"];
const VERDICTS: [Verdict; 5] = [Verdict::Allow, Verdict::Alert, Verdict::Redact, Verdict::Hold, Verdict::Deny];
const NAMESPACES: [&str; 2] = ["models", "other"];
const APPS: [&str; 2] = ["llama", "mistral"];
const NOW: &str = "2026-11-23T10:00:00Z";
/// The cluster's policy, and one of each namespace; all are called `p`.
const SCOPES: [Option<&str>; 3] = [None, Some("models"), Some("other")];

/// What each rule of each policy wants.
type Wants = [[Verdict; WORDS.len()]; SCOPES.len()];

#[derive(Debug, Clone)]
struct Excepting {
    scope: Option<&'static str>,
    rules: Vec<usize>,
    namespaces: Vec<&'static str>,
    app: Option<&'static str>,
    ended: bool,
}

impl Excepting {
    fn lifts(&self, scope: Option<&str>, rule: usize, namespace: &str, app: &str) -> bool {
        self.scope == scope
            && self.rules.contains(&rule)
            && self.namespaces.contains(&namespace)
            && self.app.is_none_or(|wanted| wanted == app)
            && !self.ended
    }

    fn document(&self, number: usize) -> Document {
        let kind = if self.scope.is_some() { "ApprovalPolicy" } else { "ClusterApprovalPolicy" };
        let rules: Vec<_> = self.rules.iter().map(|rule| format!("r{rule}")).collect();
        let selector = self.app.map(|app| format!("  selector: {{matchLabels: {{app: {app}}}}}\n"));
        one(&format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalException\nmetadata: {{name: e{number}}}\nspec:\n  \
             policy: {{kind: {kind}, name: p}}\n  rules: [{}]\n  namespaces: [{}]\n{}  expiresAt: \"{}\"\n  \
             reason: a test\n  approver: ada\n",
            rules.join(", "),
            self.namespaces.join(", "),
            selector.unwrap_or_default(),
            if self.ended { NOW } else { "2026-11-23T10:00:00.001Z" },
        ))
    }
}

fn policy_of(scope: Option<&str>, wants: &[Verdict]) -> Document {
    let (kind, metadata) = match scope {
        Some(namespace) => ("ApprovalPolicy", format!("{{name: p, namespace: {namespace}}}")),
        None => ("ClusterApprovalPolicy", "{name: p}".to_owned()),
    };
    let rules: String = wants.iter().zip(WORDS).enumerate().fold(String::new(), |rules, (number, (verdict, word))| {
        let chain = if *verdict == Verdict::Hold { ", chain: c" } else { "" };
        rules
            + &format!("  - {{name: r{number}, match: {{keywords: [{word}]}}, action: {{type: {verdict:?}{chain}}}}}\n")
    });
    one(&format!("apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec:\n  rules:\n{rules}"))
}

fn chain_of(scope: Option<&str>) -> Document {
    let kind = if scope.is_some() { "ApprovalChain" } else { "ClusterApprovalChain" };
    let metadata = scope.map_or_else(|| "{name: c}".to_owned(), |of| format!("{{name: c, namespace: {of}}}"));
    one(&format!(
        "apiVersion: countersign.dev/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec:\n  \
         stages: [{{name: s, approvers: [{{group: g}}]}}]\n"
    ))
}

fn verdict(documents: &[Document], (namespace, app): (&str, &str), text: &str) -> Verdict {
    let labels = BTreeMap::from([("app".to_owned(), app.to_owned())]);
    let workload = Workload { namespace: namespace.to_owned(), name: "w".to_owned(), labels };
    let compiled = compile(documents, &workload).unwrap();
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string();
    let context = Context {
        format: Format::OpenaiChat,
        server: Server::Vllm,
        method: "POST",
        path: "/v1/chat/completions",
        caller: &Caller::default(),
        workload: &workload,
        posture: Posture::Enforce,
        now: NOW.parse::<Timestamp>().unwrap(),
        rates: &Rates::default(),
    };
    judge(&compiled.rule_set, wire::decode(Format::OpenaiChat, Bytes::from(body)).unwrap(), &context).verdict
}

fn wants() -> impl Strategy<Value = Wants> {
    let one = || prop::sample::select(&VERDICTS[..]);
    let rules = || [one(), one(), one()];
    [rules(), rules(), rules()]
}

fn excepting() -> impl Strategy<Value = Vec<Excepting>> {
    let scope = prop::sample::select(&SCOPES[..]);
    let rules = prop::sample::subsequence(vec![0, 1, 2], 1..=3);
    let namespaces = prop::sample::subsequence(&NAMESPACES[..], 1..=2);
    let app = prop::option::of(prop::sample::select(&APPS[..]));
    let one = (scope, rules, namespaces, app, any::<bool>()).prop_map(|(scope, rules, namespaces, app, ended)| {
        let namespaces = scope.map_or(namespaces, |of| vec![of]);
        Excepting { scope, rules, namespaces, app, ended }
    });
    prop::collection::vec(one, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_floor_stands_namespaces_tighten_and_exceptions_loosen_what_they_name(
        wants in wants(),
        excepting in excepting(),
        words in prop::sample::subsequence(vec![0, 1, 2], 0..=3),
        namespace in prop::sample::select(&NAMESPACES[..]),
        app in prop::sample::select(&APPS[..]),
    ) {
        let text: Vec<_> = words.iter().map(|word| WORDS[*word]).collect();
        let judged = |documents: &[Document]| verdict(documents, (namespace, app), &text.join(" and "));
        let chains: Vec<_> = SCOPES.iter().map(|scope| chain_of(*scope)).collect();
        let policies: Vec<_> = SCOPES.iter().zip(&wants).map(|(scope, wants)| policy_of(*scope, wants)).collect();
        let exceptions: Vec<_> = excepting.iter().enumerate().map(|(number, one)| one.document(number)).collect();

        let floor = judged(&[&chains[..], &policies[..1]].concat());
        let tightened = judged(&[&chains[..], &policies].concat());
        let loosened = judged(&[&chains[..], &policies, &exceptions].concat());
        prop_assert!(floor <= tightened && loosened <= tightened);

        let lifted = |scope, rule| excepting.iter().any(|one| one.lifts(scope, rule, namespace, app));
        let here = SCOPES.iter().zip(&wants).filter(|(scope, _)| scope.is_none_or(|of| of == namespace));
        let said = here.flat_map(|(scope, wants)| {
            words.iter().filter(|rule| !lifted(*scope, **rule)).map(|rule| wants[*rule])
        });
        prop_assert_eq!(loosened, said.max().unwrap_or(Verdict::Allow));
    }
}
