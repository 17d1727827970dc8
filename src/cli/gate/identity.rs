//! How callers prove who they are, as flags.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::Uri;
use http::header::HeaderName;

use crate::sidecar::{Anonymous, ApiKeys, IdentitySettings, Jwks, JwtSettings, Network, TrustedProxy};

#[derive(Debug, clap::Args)]
pub(super) struct IdentityArguments {
    /// The issuer's JSON Web Key Set, a file or a URL; turns on signed tokens.
    #[arg(long, value_name = "FILE|URL", requires_all = ["jwt_issuer", "jwt_audience"], help_heading = "Identity")]
    jwks: Option<String>,
    /// What `iss` of a token must be.
    #[arg(long, value_name = "URL", requires = "jwks", help_heading = "Identity")]
    jwt_issuer: Option<String>,
    /// What `aud` of a token must contain.
    #[arg(long, value_name = "NAME", requires = "jwks", help_heading = "Identity")]
    jwt_audience: Option<String>,
    /// The claim with the user's name.
    #[arg(long, value_name = "CLAIM", default_value = "sub", help_heading = "Identity")]
    jwt_user_claim: String,
    /// The claim with the user's groups; dots lead into objects.
    #[arg(long, value_name = "CLAIM", default_value = "groups", help_heading = "Identity")]
    jwt_groups_claim: String,
    /// A file of hashed API keys, a line each: `user:group1,group2:sha256-of-the-key`.
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    api_keys: Option<PathBuf>,
    /// Networks of a proxy that authenticates callers and names them in a header.
    #[arg(long, value_name = "CIDR", value_delimiter = ',', requires = "user_header", help_heading = "Identity")]
    trusted_proxies: Vec<Network>,
    /// The header with the user's name; believed from trusted proxies only, dropped from everyone else.
    #[arg(long, value_name = "HEADER", requires = "trusted_proxies", help_heading = "Identity")]
    user_header: Option<HeaderName>,
    /// The header with the user's groups, separated by commas.
    #[arg(long, value_name = "HEADER", requires = "user_header", help_heading = "Identity")]
    groups_header: Option<HeaderName>,
    /// Refuse callers who prove nothing.
    #[arg(long, help_heading = "Identity")]
    require_identity: bool,
}

impl IdentityArguments {
    pub(super) fn settings(&self) -> anyhow::Result<IdentitySettings> {
        let jwt = self.jwks.as_ref().map(|source| self.jwt(source)).transpose()?;
        let trusted_proxy = self.user_header.clone().map(|user_header| TrustedProxy {
            networks: self.trusted_proxies.clone(),
            user_header,
            groups_header: self.groups_header.clone(),
        });
        let anonymous = if self.require_identity { Anonymous::Refused } else { Anonymous::Allowed };
        if self.require_identity && jwt.is_none() && self.api_keys.is_none() && trusted_proxy.is_none() {
            bail!(
                "--require-identity refuses everybody: say how callers prove who they are (--jwks, --api-keys or --trusted-proxies)"
            );
        }
        let api_keys = self.api_keys.as_ref().map(keys).transpose()?;
        Ok(IdentitySettings { jwt, api_keys, trusted_proxy, anonymous })
    }

    fn jwt(&self, source: &str) -> anyhow::Result<JwtSettings> {
        let (keys, url) = if source.starts_with("http://") || source.starts_with("https://") {
            let url: Uri = source.parse().with_context(|| format!("--jwks: `{source}` is not a URL"))?;
            (Jwks::default(), Some(url))
        } else {
            let document = std::fs::read(source).with_context(|| format!("--jwks: cannot read `{source}`"))?;
            (Jwks::parse(&document).with_context(|| format!("--jwks: `{source}` cannot be used"))?, None)
        };
        Ok(JwtSettings {
            keys: Arc::new(keys),
            url,
            issuer: self.jwt_issuer.clone().unwrap_or_default(),
            audience: self.jwt_audience.clone().unwrap_or_default(),
            user_claim: self.jwt_user_claim.clone(),
            groups_claim: self.jwt_groups_claim.clone(),
        })
    }
}

fn keys(path: &PathBuf) -> anyhow::Result<Arc<ApiKeys>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("--api-keys: cannot read `{}`", path.display()))?;
    let keys = ApiKeys::parse(&text).with_context(|| format!("--api-keys: `{}` cannot be used", path.display()))?;
    Ok(Arc::new(keys))
}
