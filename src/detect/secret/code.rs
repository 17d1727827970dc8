//! Keys of code hosts, registries, builds and vaults.
//!
//! Facts from the issuers' documentation. Rows only.

use super::super::check::{last_token, random};
use super::{Detector, KEY, assigned, key};

/// The detectors of this theme.
pub(in super::super) static TABLE: &[Detector] = &[
    key(
        "github-token",
        "A token of GitHub: personal, OAuth, user, server or refresh.",
        r"gh[pousr]_[A-Za-z0-9]{36,255}",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
    ),
    key(
        "github-fine-grained-token",
        "A fine-grained personal token of GitHub.",
        r"github_pat_[A-Za-z0-9_]{50,255}",
        &["github_pat_"],
    ),
    key(
        "gitlab-token",
        "A token of GitLab: personal, deploy, runner, job, trigger, feed and the others.",
        r"(?-u:\b)gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct|wt)-[A-Za-z0-9_=.-]{20,300}|GR1348941[A-Za-z0-9_-]{20}",
        &[
            "glpat-",
            "gldt-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glagent-",
            "gloas-",
            "glsoat-",
            "glffct-",
            "glwt-",
            "GR1348941",
        ],
    ),
    key(
        "bitbucket-token",
        "An app password or token of Bitbucket.",
        r"(?-u:\b)ATBB[A-Za-z0-9]{24,40}[A-F0-9]{8}|(?-u:\b)BBDC-[A-Za-z0-9+/@_-]{40,50}",
        &["ATBB", "BBDC-"],
    ),
    key(
        "atlassian-token",
        "An API token of Atlassian.",
        r"ATATT3[A-Za-z0-9_=-]{100,250}|ATCTT3[A-Za-z0-9_=-]{100,250}|ATSTT3[A-Za-z0-9_=-]{100,250}",
        &["ATATT3", "ATCTT3", "ATSTT3"],
    ),
    key(
        "npm-token",
        "A token of npm.",
        r"npm_[A-Za-z0-9]{36}|//registry\.npmjs\.org/:_authToken=[A-Za-z0-9_-]{36,64}",
        &["npm_", "_authToken"],
    ),
    key("pypi-token", "An upload token of PyPI.", r"pypi-AgE[A-Za-z0-9_-]{50,1000}", &["pypi-AgE"]),
    key("crates-io-token", "A token of crates.io.", r"(?-u:\b)cio[A-Za-z0-9]{32}(?-u:\b)", &["cio"]),
    key("docker-hub-token", "A token of Docker Hub.", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,40}", &["dckr_"]),
    Detector::new(
        "docker-auth",
        KEY,
        "Credentials in a Docker configuration.",
        r"\x22auth\x22[ \t]{0,4}:[ \t\r\n]{0,8}\x22(?<secret>[A-Za-z0-9+/]{16,400}={0,2})\x22",
        docker_auth,
    )
    .with(&["auth"]),
    key("rubygems-token", "A key of RubyGems.", r"rubygems_[a-f0-9]{48}", &["rubygems_"]),
    key("nuget-key", "A key of NuGet.", r"(?-u:\b)oy2[a-z0-9]{43}(?-u:\b)", &["oy2"]),
    key("clojars-token", "A token of Clojars.", r"(?i-u:CLOJARS_)[a-z0-9]{60}", &["CLOJARS_"]),
    key(
        "artifactory-token",
        "A key or token of Artifactory.",
        r"(?-u:\b)AKCp[A-Za-z0-9]{69}(?-u:\b)|(?-u:\b)cmVmdGtu[A-Za-z0-9]{56}(?-u:\b)",
        &["AKCp", "cmVmdGtu"],
    ),
    Detector::new(
        "jfrog-token",
        KEY,
        "A token of JFrog, after its name.",
        assigned!("jfrog|artifactory|xray", "[A-Za-z0-9]{64,73}"),
        random,
    )
    .with(&["jfrog", "artifactory", "xray"]),
    key(
        "circleci-token",
        "A token of CircleCI.",
        r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}",
        &["CCIPAT_", "CCIPRJ_"],
    ),
    key(
        "buildkite-token",
        "A token of Buildkite.",
        r"(?-u:\b)bk(?:ua|at|pt)_[a-z0-9]{40}",
        &["bkua_", "bkat_", "bkpt_"],
    ),
    key("sonar-token", "A token of SonarQube.", r"(?-u:\b)sq[pau]_[a-f0-9]{40}", &["sqp_", "sqa_", "squ_"]),
    key(
        "snyk-token",
        "A token of Snyk, after its name.",
        assigned!("snyk", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        &["snyk"],
    ),
    key("sourcegraph-token", "A token of Sourcegraph.", r"sgp_(?:(?:local|[a-f0-9]{16})_)?[a-f0-9]{40}", &["sgp_"]),
    key("postman-key", "An API key of Postman.", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", &["PMAK-"]),
    key(
        "hashicorp-vault-token",
        "A token of HashiCorp Vault.",
        r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_-]{24,300}",
        &["hvs.", "hvb.", "hvr."],
    ),
    key(
        "terraform-cloud-token",
        "A token of HCP Terraform.",
        r"(?-u:\b)[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",
        &[".atlasv1."],
    ),
    key(
        "doppler-token",
        "A token of Doppler.",
        r"(?-u:\b)dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[A-Za-z0-9_-]{2,40}\.)?[A-Za-z0-9]{40,44}",
        &["dp."],
    ),
    key(
        "infisical-token",
        "A token of Infisical.",
        r"(?-u:\b)st\.[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}\.[a-f0-9]{32}\.[a-f0-9]{32}",
        &["st."],
    ),
    key("pulumi-token", "A token of Pulumi.", r"(?-u:\b)pul-[a-f0-9]{40}", &["pul-"]),
    key(
        "onepassword-token",
        "A service account token or secret key of 1Password.",
        r"ops_eyJ[A-Za-z0-9+/]{100,2000}={0,3}|(?-u:\b)A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
        &["ops_eyJ", "A3-"],
    ),
    key(
        "bitwarden-token",
        "A machine token of Bitwarden.",
        r"(?-u:\b)0\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.[A-Za-z0-9]{30}:[A-Za-z0-9+/]{22}==",
        &["0."],
    ),
    key(
        "age-secret-key",
        "A secret key of age.",
        r"AGE-SECRET-KEY-(?:PQ-)?1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        &["AGE-SECRET-KEY-"],
    ),
    key("prefect-token", "An API key of Prefect.", r"(?-u:\b)pn[ub]_[A-Za-z0-9]{36}", &["pnu_", "pnb_"]),
    key(
        "kubernetes-bootstrap-token",
        "A bootstrap token of Kubernetes.",
        r"(?i-u:token[ =:\x22'-]{1,6})(?<secret>[a-z0-9]{6}\.[a-z0-9]{16})(?-u:\b)",
        &["token"],
    ),
    key("openshift-token", "An access token of OpenShift.", r"sha256~[A-Za-z0-9_-]{43}", &["sha256~"]),
];

/// Whether the value is base64 of `user:password`.
fn docker_auth(candidate: &str) -> bool {
    super::generic::decodes_to(last_token(candidate), |said| said.contains(':'))
}
