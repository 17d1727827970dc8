//! Authorities, the certificate that the newest of them signed, and the keys: as a Secret holds them, and how they are made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use super::der::{self, About};

/// Clocks of others may be behind ours by so much.
const BACKDATED: Duration = Duration::from_hours(1);
/// The year 9999 begins: no certificate names a later one.
const SECONDS_MAX: u64 = 253_370_764_800;
/// The names of the files, as cert-manager and Secrets of this type have them.
pub(super) const CERTIFICATE: &str = "tls.crt";
pub(super) const KEY: &str = "tls.key";
pub(super) const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";

/// Why there is nothing to serve with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Flaw {
    /// A file is not there.
    #[error("there is no `{0}`")]
    Missing(&'static str),
    /// A file is not what it should be.
    #[error("`{0}` holds no PEM of its kind")]
    Pem(&'static str),
    /// Key and certificate are not a pair, or not one that can be served with.
    #[error("`tls.crt` and `tls.key` cannot be served with")]
    Pair(#[source] rustls::Error),
    /// Making one failed.
    #[error("a certificate could not be made")]
    Making(#[from] rcgen::Error),
    /// A time that no certificate can name.
    #[error("the clock says what no certificate can")]
    Clock,
}

/// A certificate, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) about: About,
}

/// What is served with.
#[derive(Debug)]
pub(super) struct Served {
    /// The certificate first, then whoever stands between it and an authority.
    pub(super) chain: Vec<Certificate>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Who is to be trusted, as PEM; empty when that is for somebody else to say.
    pub(super) authorities: String,
}

impl Served {
    /// Reads it from files by their names.
    pub(super) fn read(file: impl Fn(&'static str) -> Option<Vec<u8>>) -> Result<Self, Flaw> {
        let need = |name| file(name).ok_or(Flaw::Missing(name));
        let chain = certificates(CERTIFICATE, &need(CERTIFICATE)?)?;
        let key = PrivateKeyDer::from_pem_slice(&need(KEY)?).map_err(|_| Flaw::Pem(KEY))?;
        let authorities = match file(AUTHORITIES) {
            Some(pem) => pem_of(&certificates(AUTHORITIES, &pem)?),
            None => String::new(),
        };
        Ok(Self { chain, key, authorities })
    }
}

/// What the leader keeps: it can sign.
#[derive(Debug)]
pub(super) struct Material {
    /// The newest last.
    pub(super) authorities: Vec<Certificate>,
    /// That of the newest.
    authority_key: Arc<KeyPair>,
    pub(super) leaf: Certificate,
    leaf_key: String,
}

impl Material {
    /// An authority and a certificate for these names.
    pub(super) fn fresh(life: &Life, names: &[String], now: Timestamp) -> Result<Self, Flaw> {
        let (authority, authority_key) = authority(life, now)?;
        let (leaf, leaf_key) = leaf(&authority_key, life, names, now)?;
        Ok(Self { authorities: vec![authority], authority_key: Arc::new(authority_key), leaf, leaf_key })
    }

    /// The same with one more authority, which has signed nothing yet.
    pub(super) fn with_authority(&self, life: &Life, now: Timestamp) -> Result<Self, Flaw> {
        let (authority, authority_key) = authority(life, now)?;
        let mut next = self.with_authorities(self.authorities.iter().cloned().chain([authority]).collect());
        next.authority_key = Arc::new(authority_key);
        Ok(next)
    }

    /// The same with a certificate that the newest authority has signed.
    pub(super) fn with_leaf(&self, life: &Life, names: &[String], now: Timestamp) -> Result<Self, Flaw> {
        let mut next = self.with_authorities(self.authorities.clone());
        (next.leaf, next.leaf_key) = leaf(&self.authority_key, life, names, now)?;
        Ok(next)
    }

    /// The same with the newest authority only.
    pub(super) fn with_newest(&self) -> Self {
        self.with_authorities(self.authorities.last().cloned().into_iter().collect())
    }

    fn with_authorities(&self, authorities: Vec<Certificate>) -> Self {
        let (leaf, leaf_key) = (self.leaf.clone(), self.leaf_key.clone());
        Self { authorities, authority_key: Arc::clone(&self.authority_key), leaf, leaf_key }
    }

    /// Who is to be trusted, as PEM.
    pub(super) fn trusted(&self) -> String {
        pem_of(&self.authorities)
    }

    /// Reads it from what a Secret holds.
    pub(super) fn read(data: &BTreeMap<String, ByteString>) -> Result<Self, Flaw> {
        let need = |name| data.get(name).map(|text| text.0.as_slice()).ok_or(Flaw::Missing(name));
        let authorities = certificates(AUTHORITIES, need(AUTHORITIES)?)?;
        let mut chain = certificates(CERTIFICATE, need(CERTIFICATE)?)?;
        let text = |name| std::str::from_utf8(need(name)?).map_err(|_| Flaw::Pem(name));
        let authority_key = Arc::new(KeyPair::from_pem(text(AUTHORITY_KEY)?)?);
        let leaf_key = text(KEY)?.to_owned();
        Ok(Self { authorities, authority_key, leaf: chain.swap_remove(0), leaf_key })
    }

    /// What a Secret is to hold.
    pub(super) fn data(&self) -> BTreeMap<String, ByteString> {
        let entry = |name: &str, text: String| (name.to_owned(), ByteString(text.into_bytes()));
        BTreeMap::from([
            entry(AUTHORITIES, self.trusted()),
            entry(AUTHORITY_KEY, self.authority_key.serialize_pem()),
            entry(CERTIFICATE, pem_of([&self.leaf])),
            entry(KEY, self.leaf_key.clone()),
        ])
    }
}

/// How long certificates hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// What an authority signs is trusted no longer than it.
    pub(super) authority: Duration,
    /// What is served with.
    pub(super) leaf: Duration,
}

/// When a certificate was made, its beginning being before that.
pub(super) fn made(certificate: &Certificate) -> Timestamp {
    certificate.about.from.checked_add(BACKDATED).unwrap_or(Timestamp::MAX)
}

fn authority(life: &Life, now: Timestamp) -> Result<(Certificate, KeyPair), Flaw> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = authority_parameters(&key)?;
    holds(&mut parameters, now, life.authority)?;
    Ok((certificate(&parameters.self_signed(&key)?)?, key))
}

/// As far as signing needs them, they follow from the key: its digest is in the name, so that no two have the same.
fn authority_parameters(key: &KeyPair) -> Result<CertificateParams, Flaw> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    let digest = Sha256::digest(key.public_key_raw());
    parameters.distinguished_name = named(&format!("countersign {}", hex::encode(digest.get(..8).unwrap_or_default())));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

fn leaf(authority: &KeyPair, life: &Life, names: &[String], now: Timestamp) -> Result<(Certificate, String), Flaw> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = named("countersign-operator");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    holds(&mut parameters, now, life.leaf)?;
    let issuer = Issuer::new(authority_parameters(authority)?, authority);
    Ok((certificate(&parameters.signed_by(&key, &issuer)?)?, key.serialize_pem()))
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// Sets from when until when a certificate holds: from a little before now.
fn holds(parameters: &mut CertificateParams, now: Timestamp, life: Duration) -> Result<(), Flaw> {
    let from = u64::try_from(now.as_second()).map_err(|_| Flaw::Clock)?;
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |seconds: u64| epoch + Duration::from_secs(seconds.min(SECONDS_MAX));
    parameters.not_before = at(from.saturating_sub(BACKDATED.as_secs()));
    parameters.not_after = at(from.saturating_add(life.as_secs()));
    Ok(())
}

fn certificate(made: &rcgen::Certificate) -> Result<Certificate, Flaw> {
    let der = made.der().clone();
    let about = der::about(&der).ok_or(Flaw::Pem(CERTIFICATE))?;
    Ok(Certificate { der, about })
}

fn certificates(name: &'static str, pem: &[u8]) -> Result<Vec<Certificate>, Flaw> {
    let mut read = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| Flaw::Pem(name))?;
        let about = der::about(&der).ok_or(Flaw::Pem(name))?;
        read.push(Certificate { der, about });
    }
    if read.is_empty() { Err(Flaw::Pem(name)) } else { Ok(read) }
}

fn pem_of<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(&certificate.der);
        for line in encoded.as_bytes().chunks(64) {
            text.extend(line.iter().map(|letter| char::from(*letter)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}
