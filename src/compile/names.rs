//! Names and labels as Kubernetes allows them.

/// Whether a text is a DNS-1123 label: what rules, stages and namespaces are called.
pub(super) fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a text is a DNS-1123 subdomain: what objects are called.
pub(super) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether a text may be a label's value.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= 63 && is_qualified(value))
}

/// Whether a text may be a label's key: `app`, `app.kubernetes.io/name`.
pub(super) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && name.len() <= 63 && is_qualified(name),
        None => key.len() <= 63 && is_qualified(key),
    }
}

fn is_qualified(text: &str) -> bool {
    let ends = |c: Option<u8>| c.is_some_and(|b| b.is_ascii_alphanumeric());
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kubernetes() {
        assert!(is_label("no-secrets") && is_subdomain("a.b-c.d") && is_label_key("app.kubernetes.io/name"));
        assert!(!is_label("No") && !is_label("-a") && !is_label("") && !is_subdomain("a..b") && !is_label_key("a/b/c"));
        assert!(is_label_value("") && is_label_value("v1.2_x") && !is_label_value("_x") && !is_label_key(""));
    }
}
