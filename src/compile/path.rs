//! Field paths: `spec.rules[2].match`, `metadata.labels["app.kubernetes.io/name"]`.

/// The path of a field within an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldPath(String);

/// One step down.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Into a field or key.
    Field(&'a str),
    /// Into a list.
    Index(usize),
}

impl FieldPath {
    /// The path of a top-level field.
    pub(super) fn of(name: &str) -> Self {
        Self::default().field(name)
    }

    /// The path as people write it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// A field of this one.
    pub(super) fn field(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match (plain, self.0.is_empty()) {
            (true, true) => Self(name.to_owned()),
            (true, false) => Self(format!("{}.{name}", self.0)),
            (false, _) => Self(format!("{}[\"{}\"]", self.0, name.escape_debug())),
        }
    }

    /// An element of this list.
    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

/// The steps of a written path. Keys with escapes are taken as they are written, which only costs precision.
pub(super) fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = next(rest);
        steps.push(step);
        rest = after;
    }
    steps
}

fn next(rest: &str) -> (Step<'_>, &str) {
    if let Some((key, after)) = rest.strip_prefix("[\"").and_then(|inner| inner.split_once("\"]")) {
        return (Step::Field(key), after);
    }
    if let Some((digits, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'))
        && let Ok(index) = digits.parse()
    {
        return (Step::Index(index), after);
    }
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    // A stray bracket is part of the name, so that every call consumes something.
    let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map_or(rest.len(), |(at, _)| at);
    (Step::Field(&rest[..end]), &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_its_steps() {
        let path = FieldPath::of("spec").field("rules").index(2).field("a.b/c").field("x");
        assert_eq!(path.as_str(), "spec.rules[2][\"a.b/c\"].x");
        let expected =
            [Step::Field("spec"), Step::Field("rules"), Step::Index(2), Step::Field("a.b/c"), Step::Field("x")];
        assert_eq!(steps(path.as_str()), expected);
    }

    #[test]
    fn any_text_ends() {
        for text in ["[", "]", "..", "[x]", "[\"", ".[", "a[1"] {
            assert!(!steps(text).is_empty(), "{text}");
        }
    }
}
