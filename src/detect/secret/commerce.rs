//! Keys of payments, shops and logistics.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::random;
use super::{Detector, KEY, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    key(
        "stripe-key",
        "A secret or restricted key of Stripe.",
        r"(?-u:\b)(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,250}",
        &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"],
    ),
    key(
        "stripe-webhook-secret",
        "A signing secret of a webhook, in the form of Stripe and Standard Webhooks.",
        r"whsec_[A-Za-z0-9+/]{24,88}={0,2}",
        &["whsec_"],
    ),
    key(
        "square-token",
        "A token of Square.",
        r"(?-u:\b)EAAA[A-Za-z0-9_-]{60}(?-u:\b)|sq0[a-z]{3}-[A-Za-z0-9_-]{22,43}",
        &["EAAA", "sq0"],
    ),
    key(
        "shopify-token",
        "A token of Shopify.",
        r"shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{32}",
        &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_"],
    ),
    key(
        "paypal-braintree-token",
        "An access token of Braintree.",
        r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        &["access_token$"],
    ),
    key(
        "adyen-key",
        "An API key of Adyen.",
        r"(?-u:\b)AQE[a-z][A-Za-z0-9+/=]{60,200}-[A-Za-z0-9+/=]{30,60}-[A-Za-z0-9]{10,40}",
        &["AQE"],
    ),
    key(
        "plaid-token",
        "An access token of Plaid.",
        r"access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["access-sandbox-", "access-development-", "access-production-"],
    ),
    key("razorpay-key", "A key of Razorpay.", r"rzp_(?:live|test)_[A-Za-z0-9]{14}", &["rzp_"]),
    key("flutterwave-key", "A secret key of Flutterwave.", r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,40}-X", &["FLWSECK"]),
    Detector::new(
        "gocardless-token",
        KEY,
        "A token of GoCardless.",
        r"(?-u:\b)(?:live|sandbox)_[A-Za-z0-9_=-]{40}(?-u:\b)",
        random_mixed,
    )
    .with(&["live_", "sandbox_"]),
    key("easypost-key", "An API key of EasyPost.", r"(?-u:\b)EZ[AT]K[A-Za-z0-9]{54}", &["EZAK", "EZTK"]),
    key("shippo-token", "A token of Shippo.", r"shippo_(?:live|test)_[a-f0-9]{40}", &["shippo_"]),
    key("duffel-token", "A token of Duffel.", r"duffel_(?:live|test)_[A-Za-z0-9_=-]{43}", &["duffel_"]),
    key("lob-key", "An API key of Lob.", r"(?-u:\b)(?:live|test)_(?:pub_)?[a-f0-9]{35}(?-u:\b)", &["live_", "test_"]),
    key(
        "coinbase-key",
        "An API key of Coinbase.",
        r"organizations/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/apiKeys/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["/apiKeys/"],
    ),
];

/// A prefix as common as `live_` needs a value of all kinds of characters behind.
fn random_mixed(candidate: &str) -> bool {
    random(candidate)
        && candidate.bytes().any(|b| b.is_ascii_uppercase())
        && candidate.bytes().filter(u8::is_ascii_digit).count() > 2
}
