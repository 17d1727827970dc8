//! Whose token it is: the API server is asked, and remembered for a moment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::base::{Clock, Digest, SystemClock};
use crate::distribution::serve::{Denied, PodIdentity};

/// The audience of gates' tokens. A token for anybody else is not looked at.
const AUDIENCE: &str = "countersign.dev/gate";
/// How long an answer counts: as long as a Pod that is deleted meanwhile may be taken for a live one, were it not also looked
/// up among the live ones.
const REMEMBERED: Duration = Duration::from_mins(1);
/// So many answers are remembered.
const ANSWERS_MAX: usize = 10_000;
/// Longest wait for the API server.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How the user name of an account begins.
const ACCOUNT: &str = "system:serviceaccount:";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// Asks whose tokens are.
pub(super) struct Reviewer {
    client: Client,
    clock: SystemClock,
    answers: Mutex<HashMap<Digest, (Duration, PodIdentity)>>,
}

impl Reviewer {
    pub(super) fn new(client: Client, clock: SystemClock) -> Self {
        Self { client, clock, answers: Mutex::default() }
    }

    /// The Pod that a token was made for.
    pub(super) async fn review(&self, token: &str) -> Result<PodIdentity, Denied> {
        let digest = Digest::of(token.as_bytes());
        if let Some(known) = self.known(&digest) {
            return Ok(known);
        }
        let asked = TokenReview {
            spec: TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: Some(token.to_owned()) },
            ..TokenReview::default()
        };
        let (api, parameters) = (Api::<TokenReview>::all(self.client.clone()), PostParams::default());
        let answer = tokio::time::timeout(ANSWER_WITHIN, api.create(&parameters, &asked)).await;
        let answer = answer.map_err(|_| Denied::Unavailable("the API server does not answer in time".to_owned()))?;
        let answer = answer.map_err(|error| Denied::Unavailable(format!("the API server says: {error}")))?;
        let pod = read(answer.status.as_ref())?;
        self.remember(digest, pod.clone());
        Ok(pod)
    }

    fn known(&self, digest: &Digest) -> Option<PodIdentity> {
        let now = self.clock.monotonic();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(digest).filter(|(until, _)| now < *until).map(|(_, pod)| pod.clone())
    }

    fn remember(&self, digest: Digest, pod: PodIdentity) {
        let now = self.clock.monotonic();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, (until, _)| now < *until);
        }
        if answers.len() < ANSWERS_MAX {
            answers.insert(digest, (now + REMEMBERED, pod));
        }
    }
}

fn read(status: Option<&TokenReviewStatus>) -> Result<PodIdentity, Denied> {
    let token = |why: &str| Denied::Token(why.to_owned());
    let status = status.ok_or_else(|| token("the API server says nothing of it"))?;
    if status.authenticated != Some(true) {
        return Err(token(status.error.as_deref().unwrap_or("it is not valid")));
    }
    // An API server that knows nothing of audiences would take a token for any of them.
    if !status.audiences.iter().flatten().any(|audience| audience == AUDIENCE) {
        return Err(token("it is for another audience"));
    }
    let user = status.user.as_ref().ok_or_else(|| token("it has no user"))?;
    let account = user.username.as_deref().and_then(|name| name.strip_prefix(ACCOUNT));
    let (namespace, _) =
        account.and_then(|account| account.split_once(':')).ok_or_else(|| token("it is no account's"))?;
    let extra = |key: &str| {
        let values = user.extra.as_ref()?.get(key)?;
        if let [value] = values.as_slice() { Some(value.clone()) } else { None }
    };
    let (Some(name), Some(uid)) = (extra(POD_NAME), extra(POD_UID)) else {
        return Err(token("it is bound to no Pod"));
    };
    Ok(PodIdentity { namespace: namespace.to_owned(), name, uid })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(change: impl FnOnce(&mut serde_json::Value)) -> Result<PodIdentity, Denied> {
        let mut status = serde_json::json!({
            "authenticated": true,
            "audiences": [AUDIENCE],
            "user": {
                "username": "system:serviceaccount:models:default",
                "extra": {POD_NAME: ["llama-0"], POD_UID: ["uid-1"]},
            },
        });
        change(&mut status);
        read(Some(&serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn a_token_is_one_of_a_pod_for_our_audience_or_none() {
        let pod = PodIdentity { namespace: "models".to_owned(), name: "llama-0".to_owned(), uid: "uid-1".to_owned() };
        assert_eq!(answer(|_| {}), Ok(pod));
        assert!(read(None).is_err());
        for wrong in [
            ("authenticated", serde_json::json!(false)),
            ("authenticated", serde_json::Value::Null),
            ("audiences", serde_json::json!(["https://kubernetes.default.svc"])),
            ("audiences", serde_json::Value::Null),
            ("user", serde_json::json!({"username": "alice", "extra": {POD_NAME: ["a"], POD_UID: ["b"]}})),
            ("user", serde_json::json!({"username": "system:serviceaccount:models:default"})),
        ] {
            assert!(matches!(answer(|status| status[wrong.0] = wrong.1.clone()), Err(Denied::Token(_))), "{wrong:?}");
        }
        assert!(answer(|status| status["user"]["extra"][POD_UID] = serde_json::json!(["a", "b"])).is_err());
    }
}
