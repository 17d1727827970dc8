//! Keys of monitoring, data, documents and other services.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::random;
use super::{Detector, KEY, assigned, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    Detector::new(
        "datadog-key",
        KEY,
        "An API or application key of Datadog, after its name.",
        assigned!("datadog|dd[_-]api|dd[_-]app", "[a-f0-9]{40}|[a-f0-9]{32}"),
        random,
    )
    .with(&["datadog", "dd_api", "dd-api", "dd_app", "dd-app"]),
    key(
        "newrelic-key",
        "A key of New Relic.",
        r"(?-u:\b)NR(?:AK|II|IQ|JS|AL)-[A-Za-z0-9_-]{19,42}|(?-u:\b)[a-f0-9]{36}NRAL(?-u:\b)|(?-u:\b)(?:eu|us)[0-9]{2}xx[a-f0-9]{30}NRAL(?-u:\b)",
        &["NRAK-", "NRII-", "NRIQ-", "NRJS-", "NRAL"],
    ),
    key(
        "sentry-token",
        "A token of Sentry.",
        r"sntry[sua]_[A-Za-z0-9+/=_]{43,400}",
        &["sntrys_", "sntryu_", "sntrya_"],
    ),
    key(
        "grafana-token",
        "A token of Grafana.",
        r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|(?-u:\b)glc_[A-Za-z0-9+/]{32,400}={0,2}|(?-u:\b)eyJrIjoi[A-Za-z0-9]{60,400}={0,2}",
        &["glsa_", "glc_", "eyJrIjoi"],
    ),
    key("dynatrace-token", "A token of Dynatrace.", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", &["dt0"]),
    key("posthog-key", "A personal key of PostHog.", r"(?-u:\b)ph[xs]_[A-Za-z0-9]{40,50}", &["phx_", "phs_"]),
    key(
        "launchdarkly-key",
        "A key of LaunchDarkly.",
        r"(?-u:\b)(?:sdk|api)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["sdk-", "api-"],
    ),
    Detector::new(
        "pagerduty-key",
        KEY,
        "A key of PagerDuty, after its name.",
        assigned!("pagerduty|pd[_-]api", "[A-Za-z0-9+_-]{20}"),
        random,
    )
    .with(&["pagerduty", "pd_api", "pd-api"]),
    key(
        "linear-key",
        "A key of Linear.",
        r"lin_(?:api|oauth|wh)_[A-Za-z0-9]{32,64}",
        &["lin_api_", "lin_oauth_", "lin_wh_"],
    ),
    key(
        "notion-token",
        "A token of Notion.",
        r"(?-u:\b)ntn_[A-Za-z0-9]{40,50}|(?-u:\b)secret_[A-Za-z0-9]{43}(?-u:\b)",
        &["ntn_", "secret_"],
    ),
    key("airtable-token", "A personal token of Airtable.", r"(?-u:\b)pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", &["pat"]),
    key("asana-token", "A token of Asana.", r"(?-u:\b)[0-9]/[0-9]{13,16}(?:/[0-9]{13,16})?:[A-Za-z0-9]{32}", &["/"]),
    key(
        "figma-token",
        "A token of Figma.",
        r"(?-u:\b)fig[dorpu]h?_[A-Za-z0-9_-]{38,60}",
        &[
            "figd_", "figo_", "figr_", "figoh_", "figor", "figp_", "figu_", "figh_", "figdh_", "figrh_", "figph_",
            "figuh_",
        ],
    ),
    key("dropbox-token", "A token of Dropbox.", r"(?-u:\b)sl\.(?:u\.)?[A-Za-z0-9_-]{130,1300}", &["sl."]),
    Detector::new(
        "box-token",
        KEY,
        "A token of Box, after its name.",
        assigned!("box[_ -]?(?:api|client|developer|access)", "[A-Za-z0-9]{32}"),
        random,
    )
    .with(&["box"]),
    Detector::new(
        "algolia-key",
        KEY,
        "A key of Algolia, after its name.",
        assigned!("algolia", "[a-z0-9]{32}"),
        random,
    )
    .with(&["algolia"]),
    key("contentful-token", "A token of Contentful.", r"CFPAT-[A-Za-z0-9_-]{43}", &["CFPAT-"]),
    key("typeform-token", "A token of Typeform.", r"tfp_[A-Za-z0-9_.=-]{44,60}", &["tfp_"]),
    key(
        "mapbox-token",
        "A secret token of Mapbox.",
        r"(?-u:\b)sk\.eyJ[A-Za-z0-9_-]{50,150}\.[A-Za-z0-9_-]{22}",
        &["sk.eyJ"],
    ),
    key(
        "hubspot-token",
        "A private app token of HubSpot.",
        r"(?-u:\b)pat-(?:na|eu|ap)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["pat-"],
    ),
    key(
        "salesforce-token",
        "A session token of Salesforce.",
        r"(?-u:\b)00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{80,260}",
        &["00D"],
    ),
    Detector::new(
        "zendesk-token",
        KEY,
        "A token of Zendesk, after its name.",
        assigned!("zendesk", "[A-Za-z0-9]{40}"),
        random,
    )
    .with(&["zendesk"]),
    key(
        "okta-token",
        "An API token of Okta.",
        r"(?i-u:SSWS |okta[A-Za-z0-9_.\- ]{0,20}[\x22']?[ ]?[=:][ ]?[\x22']?)(?<secret>00[A-Za-z0-9_-]{40})(?-u:\b)",
        &["SSWS", "okta"],
    ),
    key("segment-token", "A token of Segment.", r"(?-u:\b)sgp_[A-Za-z0-9]{64}(?-u:\b)", &["sgp_"]),
    key(
        "planetscale-token",
        "A token or password of PlanetScale.",
        r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}",
        &["pscale_"],
    ),
    key(
        "supabase-key",
        "A secret key of Supabase.",
        r"(?-u:\b)sbp_(?:oauth_)?[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,60}",
        &["sbp_", "sb_secret_"],
    ),
    key("neon-key", "An API key of Neon.", r"(?-u:\b)napi_[a-z0-9]{60,70}", &["napi_"]),
    key(
        "mongodb-atlas-secret",
        "A service account secret of MongoDB Atlas.",
        r"mdb_sa_sk_[A-Za-z0-9_-]{38,44}",
        &["mdb_sa_sk_"],
    ),
    key("clickhouse-key", "A secret key of ClickHouse Cloud.", r"(?-u:\b)4b1d[A-Za-z0-9]{38}(?-u:\b)", &["4b1d"]),
    Detector::new(
        "elastic-key",
        KEY,
        "An API key of Elastic, after its name.",
        r"(?i-u:ApiKey) (?<secret>[A-Za-z0-9+/]{40,120}={0,2})",
        random,
    )
    .with(&["ApiKey "]),
    key(
        "rapidapi-key",
        "A key of RapidAPI.",
        r"(?-u:\b)[a-z0-9]{10}msh[a-z0-9]{15}p1[a-z0-9]{5}jsn[a-z0-9]{12}(?-u:\b)",
        &["msh"],
    ),
    key("readme-key", "An API key of ReadMe.", r"rdme_[a-z0-9]{70}", &["rdme_"]),
];
