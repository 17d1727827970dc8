//! Policies as a company has them, in any number: made from the number alone, so that every run reads the same.
//!
//! The first rules are those of the samples (credentials, personal data, prompt injection, limits); the others are, of
//! every twenty, ten lists of phrases, four patterns, one detector, three phrases with a condition on the caller, one
//! condition on caller or model alone, one size. Used by benches and by whoever wants a gate with so many rules.

use std::fmt::Write as _;

/// Most rules in one file: a policy takes 500.
const RULES_PER_POLICY: usize = 400;
/// Most patterns made: a rule set takes 2,000, those of detectors included.
const PATTERNS_MAX: usize = 1_600;

/// The rules that are in every set but the empty one: what the samples look for.
const SAMPLES: &[&str] = &[
    "{name: no-secrets, match: {detectors: [secrets]}, action: {type: Deny}}",
    "{name: mask-contacts, match: {detectors: [email, phone]}, action: {type: Redact}}",
    "{name: mask-payments, match: {detectors: [credit-card, iban]}, action: {type: Redact}}",
    "{name: mask-national-ids, match: {detectors: [national-ids]}, action: {type: Redact}}",
    "{name: override, roles: [User, Tool, Document], match: {keywords: [ignore all previous instructions, reveal your \
     system prompt, developer mode enabled]}, action: {type: Alert}}",
    "{name: control-marks, match: {detectors: [prompt-control]}, action: {type: Deny}}",
    "{name: very-long, match: {size: {tokensOver: 200000}}, action: {type: Deny}}",
    "{name: nightingale, match: {anyOf: [{keywords: [project nightingale]}, {regex: '\\bNG-[0-9]{4,8}\\b'}]}, action: \
     {type: Hold, chain: sign-off}}",
    "{name: contracts, match: {allOf: [{keywords: [termination clause, letter of intent]}, {cel: \"!('legal' in \
     caller.groups)\"}]}, action: {type: Hold, chain: sign-off}}",
    "{name: caller, match: {cel: \"caller.user == 'mallory' && query.model.startsWith('llama')\"}, action: {type: Deny}}",
];

/// Detectors that rules of their own name once more.
const DETECTORS: &[&str] = &["email", "iban", "credit-card", "us-ssn", "jwt", "private-key", "phone", "ip-address"];

const CHAIN: &str = "---\napiVersion: countersign.dev/v1alpha1\nkind: ApprovalChain\nmetadata: {name: sign-off}\nspec:\n  \
                     stages:\n  - {name: legal, approvers: [{group: legal}], quorum: {approve: 1, deny: 1}}\n";

/// The files of a policy folder with so many rules. Zero gives one policy without rules.
#[must_use]
pub fn policies(rules: usize) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut made = 0;
    let mut patterns = 0;
    while made < rules || files.is_empty() {
        let number = files.len();
        let mut text = format!(
            "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {{name: policy-{number}}}\nspec:\n"
        );
        let here = (rules - made).min(RULES_PER_POLICY);
        text.push_str(if here == 0 { "  rules: []\n" } else { "  rules:\n" });
        for index in made..made + here {
            let _ = writeln!(text, "  - {}", rule(index, &mut patterns));
        }
        made += here;
        if number == 0 {
            text.push_str(CHAIN);
        }
        files.push((format!("policies-{number:02}.yaml"), text));
    }
    files
}

fn rule(index: usize, patterns: &mut usize) -> String {
    if let Some(sample) = SAMPLES.get(index) {
        return (*sample).to_owned();
    }
    let mut words = Words(index as u64 * 7919 + 17);
    let (kind, action) = (index % 20, ["Alert", "Deny", "Redact"][index % 3]);
    let phrases = |words: &mut Words, count: usize| (0..count).map(|_| words.phrase()).collect::<Vec<_>>().join(", ");
    let condition = match kind {
        4..=7 if *patterns < PATTERNS_MAX => {
            *patterns += 1;
            format!("{{regex: '{}'}}", words.pattern(index))
        }
        8 => format!("{{detectors: [{}]}}", DETECTORS[index / 20 % DETECTORS.len()]),
        9..=11 => {
            let caller = format!("!('{}' in caller.groups)", words.word());
            format!("{{allOf: [{{keywords: [{}]}}, {{cel: \"{caller}\"}}]}}", phrases(&mut words, 2))
        }
        12 => format!("{{cel: \"query.model == '{}' && !('{}' in caller.groups)\"}}", words.word(), words.word()),
        13 => format!("{{size: {{tokensOver: {}}}}}", 200_000 + index),
        _ => format!("{{keywords: [{}]}}", phrases(&mut words, 3)),
    };
    let action = if kind == 12 || action == "Redact" && matches!(kind, 9..=11 | 13) { "Alert" } else { action };
    format!("{{name: rule-{index}, match: {condition}, action: {{type: {action}}}}}")
}

const STARTS: &[&str] =
    &["b", "br", "c", "d", "dr", "f", "g", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "v"];
const MIDDLES: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "io", "ou"];
const ENDS: &[&str] = &["l", "n", "r", "s", "x", "nd", "rt", "ck", "m", "th"];
/// Words of offices, which prompts are full of too.
const OFFICE: &[&str] = &[
    "merger",
    "contract",
    "budget",
    "salary",
    "layoff",
    "acquisition",
    "forecast",
    "lawsuit",
    "patent",
    "supplier",
    "roadmap",
    "incident",
    "audit",
    "invoice",
    "customer",
    "price",
    "board",
    "quarter",
    "release",
    "prototype",
];

/// A fixed sequence of words (xorshift).
struct Words(u64);

impl Words {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        for _ in 0..2 {
            word.push_str(self.pick(STARTS));
            word.push_str(self.pick(MIDDLES));
        }
        word + self.pick(ENDS)
    }

    fn phrase(&mut self) -> String {
        match self.below(4) {
            0 => self.word(),
            1 => format!("project {}", self.word()),
            2 => format!("{} {}", self.word(), self.pick(OFFICE)),
            _ => format!("{} {} {}", self.pick(OFFICE), self.word(), self.word()),
        }
    }

    fn pattern(&mut self, index: usize) -> String {
        let name = self.word();
        match index % 4 {
            0 => format!(r"\b{}-[0-9]{{4,8}}\b", name.to_uppercase()),
            1 => format!(r"(?i)\b{name}[ _-]?(?:id|key|no)[:=]? ?[A-Z0-9]{{6,12}}"),
            2 => format!(r"{name}(?:-prod|-staging)?\.internal\.example\.com"),
            _ => format!(r"\b{name}_[a-f0-9]{{16}}\b"),
        }
    }
}
