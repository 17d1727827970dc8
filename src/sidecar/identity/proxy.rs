//! A proxy that authenticates callers and says so in headers: believed from its own addresses only. Stand-alone only; in a
//! cluster addresses never grant an identity.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::HeaderMap;
use http::header::HeaderName;

use super::{Identity, Proof};

/// Most groups taken from a header.
const GROUPS_MAX: usize = 256;

/// A range of addresses, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or a range like `10.0.0.0/8`")]
pub struct NetworkParse(String);

impl FromStr for Network {
    type Err = NetworkParse;

    fn from_str(text: &str) -> Result<Self, NetworkParse> {
        let wrong = || NetworkParse(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Whether an address is in the range; an IPv4 address mapped into IPv6 is itself.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => same(net.to_bits().into(), one.to_bits().into(), 32, self.prefix),
            (IpAddr::V6(net), IpAddr::V6(one)) => same(net.to_bits(), one.to_bits(), 128, self.prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Whether the first `prefix` of `bits` bits agree.
fn same(a: u128, b: u128, bits: u32, prefix: u8) -> bool {
    let free = bits.saturating_sub(u32::from(prefix));
    a.checked_shr(free).unwrap_or(0) == b.checked_shr(free).unwrap_or(0)
}

/// A proxy whose headers are believed.
#[derive(Debug, Clone)]
pub struct TrustedProxy {
    /// Where it calls from.
    pub networks: Vec<Network>,
    /// The header with the user's name.
    pub user_header: HeaderName,
    /// The header with the user's groups, separated by commas.
    pub groups_header: Option<HeaderName>,
}

impl TrustedProxy {
    /// What the proxy says of the caller. Takes the headers out whoever sent them.
    pub(super) fn take(&self, peer: IpAddr, headers: &mut HeaderMap) -> Option<Identity> {
        let single = headers.get_all(&self.user_header).iter().count() == 1;
        let user = text(headers.get(&self.user_header)).filter(|user| !user.is_empty() && single);
        let groups = self.groups_header.as_ref().map(|name| {
            let values = headers.get_all(name).iter().filter_map(|value| text(Some(value)));
            let names = values.flat_map(|value| value.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>());
            names.filter(|name| !name.is_empty()).take(GROUPS_MAX).collect::<Vec<_>>()
        });
        headers.remove(&self.user_header);
        if let Some(name) = &self.groups_header {
            headers.remove(name);
        }
        let trusted = self.networks.iter().any(|network| network.holds(peer));
        user.filter(|_| trusted).map(|user| Identity {
            user: Some(user),
            groups: groups.unwrap_or_default(),
            proof: Proof::TrustedProxy,
        })
    }
}

fn text(value: Option<&http::HeaderValue>) -> Option<String> {
    value.and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned())
}
