//! Credentials of no one issuer: private keys, JSON Web Tokens, passwords, connection strings, assignments.
//!
//! Weak patterns here are confirmed by what the value decodes to or by its entropy.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::Detector;
use super::super::check::{always, entropy, is_placeholder, last_token, random, varied};
use super::{KEY, assigned};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    Detector::new(
        "private-key",
        "PRIVATE_KEY",
        "A private key in PEM, of any kind: RSA, EC, DSA, OpenSSH, PKCS#8, encrypted too.",
        concat!(
            r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY-----",
            r"(?:[\r\n]{1,4}(?:Proc-Type|DEK-Info|Comment): [ -~]{1,80}){0,4}",
            r"[\t- +/-9=A-\\a-z]{0,5600}(?:-----END (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY-----)?"
        ),
        |candidate| has_key_body(candidate, 40),
    )
    .with(&["PRIVATE KEY-----"]),
    Detector::new(
        "pgp-private-key",
        "PRIVATE_KEY",
        "An OpenPGP private key block.",
        concat!(
            r"-----BEGIN PGP PRIVATE KEY BLOCK-----(?:[\r\n]{1,4}[A-Z][A-Za-z]{1,12}: [ -~]{1,80}){0,4}",
            r"[\t- +/-9=A-\\a-z]{0,5600}(?:-----END PGP PRIVATE KEY BLOCK-----)?"
        ),
        |candidate| has_key_body(candidate, 40),
    )
    .with(&["PGP PRIVATE KEY BLOCK"]),
    Detector::new(
        "putty-private-key",
        "PRIVATE_KEY",
        "A private key file of PuTTY.",
        r"PuTTY-User-Key-File-[0-9]: [ -~]{1,40}\r?\n(?:[ -~]{0,100}\r?\n){1,20}Private-Lines: [0-9]{1,3}(?:\r?\n[A-Za-z0-9+/=]{1,80}){1,40}",
        always,
    )
    .with(&["PuTTY-User-Key-File-"]),
    Detector::new(
        "jwk-private-key",
        "PRIVATE_KEY",
        "The private part of a JSON Web Key.",
        r#""d"[ ]?:[ ]?"(?<secret>[A-Za-z0-9_-]{42,700})""#,
        varied,
    )
    .near(&["\"kty\""], 3000),
    Detector::new(
        "wireguard-private-key",
        "PRIVATE_KEY",
        "A private or preshared key of WireGuard.",
        r"(?:PrivateKey|PresharedKey)[ ]?=[ ]?(?<secret>[A-Za-z0-9+/]{43}=)",
        varied,
    )
    .with(&["PrivateKey", "PresharedKey"]),
    Detector::new(
        "jwt",
        "JWT",
        "A JSON Web Token: its header decodes to JSON with an algorithm.",
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,500}\.[A-Za-z0-9_-]{2,2700}\.[A-Za-z0-9_-]{0,700}",
        jwt,
    )
    .with(&["eyJ"]),
    Detector::new(
        "kubernetes-service-account-token",
        "JWT",
        "A token of a Kubernetes service account.",
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,500}\.eyJ[A-Za-z0-9_-]{20,2700}\.[A-Za-z0-9_-]{20,700}",
        |candidate| {
            let claims = candidate.split('.').nth(1).unwrap_or_default();
            jwt(candidate) && decodes_to(claims, |said| said.contains("kubernetes") || said.contains("serviceaccount"))
        },
    )
    .with(&["eyJ"]),
    Detector::new(
        "basic-auth-url",
        "PASSWORD",
        "A password inside a URL.",
        r"(?-u:\b)(?:https?|ftps?|sftp|ssh|git|svn|smtps?|imaps?|ldaps?|wss?)://[A-Za-z0-9._~%!$&*+,;=-]{0,100}:(?<secret>[A-Za-z0-9._~%!$&*+,;=#^-]{3,200})@[A-Za-z0-9.\[-]",
        url_password,
    )
    .with(&["://"]),
    Detector::new(
        "connection-string",
        "PASSWORD",
        "A connection string of a database or queue with a password.",
        concat!(
            r"(?-u:\b)(?i-u:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|clickhouse|cassandra|couchdb|influxdb|nats|kafka|cockroachdb|oracle|jdbc:[a-z]{2,12})",
            r"(?:\+[a-z0-9]{1,20})?://[A-Za-z0-9._~%!$&*,;=-]{0,100}:(?<secret>[A-Za-z0-9._~%!$&*+,;=#^/?-]{1,200})@[A-Za-z0-9.\[-]"
        ),
        url_password,
    )
    .with(&["://"]),
    Detector::new(
        "database-password",
        "PASSWORD",
        "A password in a semicolon-separated connection string.",
        r"(?i-u:(?:server|host|data source|addr|user id|uid|username|user)[ ]?=[ !%-:<-~]{1,120};(?:[a-z _]{1,40}=[!-:<-~ ]{0,120};){0,8}[ ]?(?:password|pwd)[ ]?=[ ]?)(?<secret>[!-:<-~]{3,128})",
        |candidate| !is_placeholder(last_token(candidate)),
    )
    .with(&["password", "pwd"]),
    Detector::new(
        "authorization-header",
        KEY,
        "Credentials in an Authorization header.",
        r"(?i-u:authorization)[\x22']{0,2}[ ]?[:=][ ]?[\x22']?(?i-u:bearer|basic|token|apikey) {1,2}(?<secret>[A-Za-z0-9._~+/=-]{12,3000})",
        |candidate| !is_placeholder(last_token(candidate)) && entropy(last_token(candidate)) > 2.5,
    )
    .with(&["authorization"]),
    Detector::new(
        "bearer-token",
        KEY,
        "A bearer token.",
        r"(?-u:\b)(?i-u:bearer) {1,2}(?<secret>[A-Za-z0-9._~+/=-]{20,3000})",
        random,
    )
    .with(&["bearer"]),
    Detector::new(
        "curl-user",
        "PASSWORD",
        "A password on the command line of curl.",
        r#"(?-u:\b)curl [ -~]{0,200}?(?:-u|--user)[ =]["']?[A-Za-z0-9._@%+-]{1,64}:(?<secret>[!#-&(-~]{3,128})"#,
        |candidate| !is_placeholder(last_token(candidate)),
    )
    .with(&["curl "]),
    Detector::new(
        "password-hash",
        "PASSWORD_HASH",
        "A hashed password: crypt, bcrypt, Argon2, PBKDF2, scrypt.",
        concat!(
            r"\$2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}|\$(?:1|5|6|y|7|gy)\$[A-Za-z0-9./$=]{1,100}\$[A-Za-z0-9./]{22,86}",
            r"|\$argon2(?:id|i|d)\$v=[0-9]{1,3}\$m=[0-9]{1,9},t=[0-9]{1,4},p=[0-9]{1,4}\$[A-Za-z0-9+/]{8,90}\$[A-Za-z0-9+/]{16,180}",
            r"|(?-u:\b)pbkdf2_sha256\$[0-9]{3,8}\$[A-Za-z0-9./+=]{4,64}\$[A-Za-z0-9+/]{43}=",
            r"|\$scrypt\$ln=[0-9]{1,2},r=[0-9]{1,3},p=[0-9]{1,3}\$[A-Za-z0-9+/]{8,90}\$[A-Za-z0-9+/]{16,180}"
        ),
        varied,
    )
    .with(&["$2", "$1$", "$5$", "$6$", "$y$", "$7$", "$gy$", "$argon2", "pbkdf2_sha256$", "$scrypt$"]),
    Detector::new(
        "bitcoin-private-key",
        "PRIVATE_KEY",
        "An extended private key of a wallet (BIP 32).",
        r"(?-u:\b)[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{100,112}(?-u:\b)",
        varied,
    )
    .with(&["prv"]),
    Detector::new(
        "generic-api-key",
        KEY,
        "A value that looks random, assigned to a name such as `api_key`, `token` or `secret`.",
        assigned!(
            "api[_ -]?key|apikey|access[_ -]?key|secret[_ -]?key|client[_ -]?secret|auth[_ -]?token|access[_ -]?token|refresh[_ -]?token|api[_ -]?token|private[_ -]?token|app[_ -]?secret|signing[_ -]?key|encryption[_ -]?key|master[_ -]?key|secret|token|credentials?",
            r"[A-Za-z0-9_.~+/=-]{16,400}"
        ),
        random,
    )
    .with(&["key", "secret", "token", "credential"]),
    Detector::new(
        "generic-password",
        "PASSWORD",
        "A value assigned to a name such as `password`.",
        concat!(
            r"(?i-u:password|passwd|passphrase|pass[_ ]?word|passwort|kennwort|mot de passe|contrasena|senha|(?-u:\b)pwd|(?-u:\b)pass(?:code)?)",
            r#"["'`]?[ \t]{0,8}(?:=>?|:=?| is)[ \t]{0,8}(?:\\?["'`])?(?<secret>[!#-&(-+\-->@-_a-~]{6,128})"#
        ),
        generic_password,
    )
    .with(&["pass", "pwd", "kennwort", "mot de passe", "contrase", "senha"]),
];

/// Whether enough of a candidate's longest line of base64 stands there: a header alone is prose about keys.
fn has_key_body(candidate: &str, bytes_min: usize) -> bool {
    let body = candidate.splitn(3, "-----").nth(2).unwrap_or_default();
    let body = body.split("-----").next().unwrap_or_default();
    body.bytes().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count() >= bytes_min
}

/// Whether a text is base64, of either alphabet, padded or not, of something that `holds`.
pub(super) fn decodes_to(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let decoded = GeneralPurpose::new(alphabet, config).decode(text);
    decoded.is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok_and(holds))
}

fn jwt(candidate: &str) -> bool {
    let header = candidate.split('.').next().unwrap_or_default();
    decodes_to(header, |said| {
        let json = serde_json::from_str::<serde_json::Value>(said);
        json.is_ok_and(|json| json.get("alg").is_some_and(serde_json::Value::is_string))
    })
}

/// The password between `:` and `@` is not a variable or a mask.
fn url_password(candidate: &str) -> bool {
    let Some((_, authority)) = candidate.split_once("://") else { return false };
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    let password = user.split_once(':').map_or("", |(_, password)| password);
    !password.is_empty() && !is_placeholder(password)
}

/// Something of a password's variety: not a plain word, not code.
fn generic_password(candidate: &str) -> bool {
    let value = last_token(candidate);
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
    let kinds = kinds.iter().filter(|kind| value.bytes().any(|b| kind(&b))).count();
    value.len() >= 6 && kinds >= 2 && entropy(value) >= 2.2 && !is_placeholder(value) && !is_code(value)
}

/// Calls, member accesses and types stand where a password would in code.
fn is_code(value: &str) -> bool {
    let word = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | ':');
    value.contains("()") || value.contains("::") || value.ends_with('(') || value.chars().all(word)
}
