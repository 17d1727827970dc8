//! API keys, kept as SHA-256 only: `name:group1,group2:<64 hex digits>` a line.
//!
//! Guarantees that a look-up takes the same time whether and where a key is found. Knows nothing of HTTP.

use subtle::ConstantTimeEq as _;

use super::{Identity, Proof};
use crate::base::Digest;

/// Most keys of a file: a look-up compares all of them.
const KEYS_MAX: usize = 10_000;

/// The keys of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct ApiKey {
    user: String,
    groups: Vec<String>,
    digest: Digest,
}

/// A file of keys that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeysParse {
    /// A line has another form.
    #[error("line {line}: expected `name:group1,group2:` and the SHA-256 of the key in 64 hex digits")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// Too many.
    #[error("more than {KEYS_MAX} keys")]
    TooMany,
}

impl ApiKeys {
    /// Reads a file's text. Empty lines and lines that begin with `#` are left out.
    pub fn parse(text: &str) -> Result<Self, ApiKeysParse> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            keys.push(key(line).ok_or(ApiKeysParse::Line { line: index + 1 })?);
        }
        if keys.len() > KEYS_MAX { Err(ApiKeysParse::TooMany) } else { Ok(Self(keys)) }
    }

    /// Whose key it is.
    pub(super) fn find(&self, key: &[u8]) -> Option<Identity> {
        let digest = Digest::of(key);
        let mut found = None;
        for candidate in &self.0 {
            if bool::from(candidate.digest.as_bytes().ct_eq(digest.as_bytes())) {
                found = Some(candidate);
            }
        }
        found.map(|key| Identity { user: Some(key.user.clone()), groups: key.groups.clone(), proof: Proof::ApiKey })
    }
}

fn key(line: &str) -> Option<ApiKey> {
    let (rest, digest) = line.rsplit_once(':')?;
    let (user, groups) = rest.split_once(':')?;
    let digest = digest.trim();
    let digest = if digest.len() == 64 { format!("sha256:{digest}").parse().ok()? } else { return None };
    let user = user.trim();
    if user.is_empty() {
        return None;
    }
    let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect();
    Some(ApiKey { user: user.to_owned(), groups, digest })
}
