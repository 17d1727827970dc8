//! Keys of clouds and hosts.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::random;
use super::{Detector, KEY, assigned, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    key(
        "aws-access-key",
        "An access key id of Amazon Web Services.",
        r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}(?-u:\b)",
        &["AKIA", "ASIA", "ABIA", "ACCA", "AROA", "AIDA"],
    ),
    Detector::new(
        "aws-secret-key",
        KEY,
        "A secret access key of Amazon Web Services, after its name.",
        assigned!(
            "aws[a-z_ ]{0,10}secret|secret[_ -]?access[_ -]?key|secret[_ -]?key|secretaccesskey",
            "[A-Za-z0-9/+]{40}"
        ),
        random,
    )
    .with(&["secret"]),
    Detector::new(
        "aws-session-token",
        KEY,
        "A session token of Amazon Web Services, after its name.",
        assigned!("session[_ -]?token|security[_ -]?token", "[A-Za-z0-9/+]{100,2000}={0,2}"),
        random,
    )
    .with(&["session", "security"]),
    key(
        "aws-bedrock-key",
        "An API key of Amazon Bedrock.",
        r"ABSK[A-Za-z0-9+/]{109,269}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{40,3000}={0,2}",
        &["ABSK", "bedrock-api-key-"],
    ),
    key(
        "aws-mws-token",
        "A token of Amazon Marketplace Web Service.",
        r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        &["amzn.mws."],
    ),
    key("gcp-api-key", "An API key of Google.", r"AIza[0-9A-Za-z_-]{35}", &["AIza"]),
    key(
        "gcp-service-account",
        "The key of a service account of Google Cloud.",
        r#""private_key_id"[ \t]{0,4}:[ \t\r\n]{0,8}"[0-9a-f]{40}""#,
        &["private_key_id"],
    ),
    key("google-oauth-secret", "A client secret of Google OAuth.", r"GOCSPX-[A-Za-z0-9_-]{28}", &["GOCSPX-"]),
    key(
        "google-oauth-token",
        "An access or refresh token of Google OAuth.",
        r"ya29\.[0-9A-Za-z_-]{20,2000}|(?-u:\b)1//0[0-9A-Za-z_-]{38,200}",
        &["ya29.", "1//0"],
    ),
    key(
        "azure-storage-key",
        "A key of an Azure storage, Cosmos or Batch account.",
        r"(?i-u:AccountKey|PrimaryKey|SharedKey|storage[_ -]?(?:account[_ -]?)?key)[\x22' ]{0,3}[=:][\x22' ]{0,3}(?<secret>[A-Za-z0-9+/]{86}==)",
        &["key"],
    ),
    key(
        "azure-client-secret",
        "A client secret of Microsoft Entra.",
        r"[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",
        &["Q~"],
    ),
    key(
        "azure-shared-access-key",
        "A shared access key of Azure Service Bus, Event Hubs or IoT Hub.",
        r"(?i-u:SharedAccessKey)[ ]?=[ ]?(?<secret>[A-Za-z0-9+/]{43}=)",
        &["SharedAccessKey"],
    ),
    key(
        "azure-sas-token",
        "The signature of a shared access link of Azure.",
        r"(?:[?&;]|(?-u:\b))sig=(?<secret>[A-Za-z0-9%+/]{43,64}(?:%3[Dd]|=))",
        &["sig="],
    ),
    key(
        "azure-function-key",
        "A key of Azure Functions or Azure Search.",
        r"(?-u:\b)[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]==|(?-u:\b)[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}(?-u:\b)",
        &["AzFu", "AzSe"],
    ),
    key(
        "azure-devops-token",
        "A personal access token of Azure DevOps.",
        r"(?-u:\b)[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?-u:\b)",
        &["AZDO"],
    ),
    key(
        "alibaba-access-key",
        "An access key id of Alibaba Cloud.",
        r"(?-u:\b)LTAI[A-Za-z0-9]{12,24}(?-u:\b)",
        &["LTAI"],
    ),
    key("tencent-access-key", "A secret id of Tencent Cloud.", r"(?-u:\b)AKID[A-Za-z0-9]{32}(?-u:\b)", &["AKID"]),
    key(
        "yandex-cloud-key",
        "A key or token of Yandex Cloud.",
        r"(?-u:\b)AQVN[A-Za-z0-9_-]{35,38}|(?-u:\b)YC[A-Za-z0-9_-]{38}(?-u:\b)",
        &["AQVN", "YC"],
    ),
    Detector::new(
        "ibm-cloud-key",
        KEY,
        "An API key of IBM Cloud, after its name.",
        assigned!("ibm[a-z_ -]{0,12}(?:api)?[_ -]?key|bluemix[a-z_ -]{0,12}key", "[A-Za-z0-9_-]{44}"),
        random,
    )
    .with(&["ibm", "bluemix"]),
    key("digitalocean-token", "A token of DigitalOcean.", r"do[opr]_v1_[a-f0-9]{64}", &["_v1_"]),
    key(
        "heroku-api-key",
        "An API key of Heroku.",
        r"HRKU-[A-Za-z0-9_-]{36,64}|(?i-u:heroku)[A-Za-z0-9_.\x22'=: -]{0,30}(?i-u:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
        &["HRKU-", "heroku"],
    ),
    key(
        "cloudflare-token",
        "A token or key of Cloudflare.",
        r"(?-u:\b)v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|(?-u:\b)cf(?:k|ut|at)_[A-Za-z0-9]{40}[a-f0-9]{8}|(?i-u:cloudflare|cf_api)[A-Za-z0-9_.\- ]{0,20}[\x22']?[ ]?[=:][ ]?[\x22']?(?<secret>[A-Za-z0-9_-]{37,40})(?-u:\b)",
        &["v1.0-", "cfk_", "cfut_", "cfat_", "cloudflare", "cf_api"],
    ),
    Detector::new(
        "fastly-token",
        KEY,
        "A token of Fastly, after its name.",
        assigned!("fastly", "[A-Za-z0-9_-]{32}"),
        random,
    )
    .with(&["fastly"]),
    key(
        "fly-token",
        "A token of Fly.io.",
        r"(?-u:\b)fo1_[A-Za-z0-9_-]{43}|(?-u:\b)fm[12][ar]?_[A-Za-z0-9+/]{100,2000}={0,3}",
        &["fo1_", "fm1", "fm2"],
    ),
    key(
        "vercel-token",
        "A token of Vercel.",
        r"(?-u:\b)vc[pikar]_[A-Za-z0-9]{24,64}|vercel_blob_rw_[A-Za-z0-9_]{30,80}",
        &["vcp_", "vci_", "vck_", "vca_", "vcr_", "vercel_blob_rw_"],
    ),
    key("netlify-token", "A token of Netlify.", r"(?-u:\b)nf[pco]_[A-Za-z0-9_-]{36,60}", &["nfp_", "nfc_", "nfo_"]),
    key("render-token", "An API key of Render.", r"(?-u:\b)rnd_[A-Za-z0-9]{28,40}", &["rnd_"]),
    key("scaleway-key", "An access key of Scaleway.", r"(?-u:\b)SCW[A-Z0-9]{17}(?-u:\b)", &["SCW"]),
    Detector::new(
        "hetzner-token",
        KEY,
        "A token of Hetzner Cloud, after its name.",
        assigned!("hcloud|hetzner", "[A-Za-z0-9]{64}"),
        random,
    )
    .with(&["hcloud", "hetzner"]),
    Detector::new(
        "linode-token",
        KEY,
        "A token of Linode, after its name.",
        assigned!("linode", "[a-f0-9]{64}"),
        random,
    )
    .with(&["linode"]),
    key(
        "tailscale-key",
        "A key of Tailscale.",
        r"tskey-(?:api|auth|client|scim|webhook)-[A-Za-z0-9]{5,30}-[A-Za-z0-9]{20,60}",
        &["tskey-"],
    ),
];
