//! Keys of chat, mail and telephony.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::{entropy, random, varied};
use super::{Detector, KEY, assigned, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    key(
        "slack-token",
        "A token of Slack.",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-z0-9]{40,80}|xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,200}",
        &["xox", "xapp-"],
    ),
    key(
        "slack-webhook",
        "An incoming webhook of Slack.",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}",
        &["hooks.slack.com"],
    ),
    Detector::new(
        "discord-token",
        KEY,
        "A bot token of Discord.",
        r"(?-u:\b)[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}",
        discord,
    ),
    key(
        "discord-webhook",
        "A webhook of Discord.",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,72}",
        &["/api/webhooks/"],
    ),
    key("telegram-bot-token", "A bot token of Telegram.", r"(?-u:\b)[0-9]{8,10}:AA[A-Za-z0-9_-]{33}", &[":AA"]),
    key(
        "teams-webhook",
        "An incoming webhook of Microsoft Teams.",
        r"[a-z0-9-]{1,40}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{80,300}",
        &["webhook.office.com"],
    ),
    key("twilio-key", "An API key of Twilio.", r"(?-u:\b)SK[0-9a-f]{32}(?-u:\b)", &["SK"]),
    Detector::new(
        "twilio-auth-token",
        KEY,
        "The auth token of Twilio, after its name.",
        assigned!("twilio[a-z_ -]{0,12}(?:auth)?[_ -]?token|twilio", "[0-9a-f]{32}"),
        random,
    )
    .with(&["twilio"]),
    key("sendgrid-key", "An API key of SendGrid.", r"(?-u:\b)SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", &["SG."]),
    Detector::new(
        "mailgun-key",
        KEY,
        "An API key of Mailgun.",
        r"(?-u:\b)(?:key|pubkey)-[a-f0-9]{32}(?-u:\b)|(?-u:\b)[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}(?-u:\b)",
        varied,
    ),
    key("mailchimp-key", "An API key of Mailchimp.", r"(?-u:\b)[a-f0-9]{32}-us[0-9]{1,2}(?-u:\b)", &["-us"]),
    key(
        "brevo-key",
        "An API key of Brevo.",
        r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}|xsmtpsib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
        &["xkeysib-", "xsmtpsib-"],
    ),
    key("resend-key", "An API key of Resend.", r"(?-u:\b)re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{22,28}(?-u:\b)", &["re_"]),
    Detector::new(
        "intercom-token",
        KEY,
        "A token of Intercom, after its name.",
        assigned!("intercom", "[A-Za-z0-9=_-]{60}"),
        random,
    )
    .with(&["intercom"]),
    Detector::new(
        "vonage-secret",
        KEY,
        "A secret of Vonage, after its name.",
        assigned!("nexmo|vonage", "[A-Za-z0-9]{16}"),
        random,
    )
    .with(&["nexmo", "vonage"]),
    key(
        "matrix-token",
        "An access token of Matrix.",
        r"(?-u:\b)syt_[A-Za-z0-9]{4,80}_[A-Za-z]{20}_[A-Za-z0-9]{6}",
        &["syt_"],
    ),
    key("facebook-token", "An access token of Facebook.", r"(?-u:\b)EAA[A-Za-z0-9]{90,400}", &["EAA"]),
    Detector::new("twitter-token", KEY, "A bearer token of X.", r"A{20,25}[A-Za-z0-9%]{60,200}", bearer_of_x)
        .with(&["AAAAAAAAAAAAAAAAAAAA"]),
];

/// The first piece is the bot's id, a number in base64.
fn discord(candidate: &str) -> bool {
    let id = candidate.split('.').next().unwrap_or_default();
    super::generic::decodes_to(id, |said| said.len() >= 17 && said.bytes().all(|b| b.is_ascii_digit()))
}

/// The letters behind the padding vary.
fn bearer_of_x(candidate: &str) -> bool {
    entropy(candidate.trim_start_matches('A')) >= 3.5
}
