//! Whether a claim is believed: by the key that the Pod is pinned to, or by a token and a pin that is made of it.
//!
//! Guarantees: nobody is let in whose key is not pinned to the Pod; a token counts for its own Pod only.

use tonic::Status;

use super::accept::Server;
use super::ports::{Denied, PodIdentity};
use crate::base::Digest;
use crate::distribution::key::PublicKey;
use crate::distribution::protocol::Claim;
use crate::distribution::statement::Nonce;

/// The Pod that the gate proves to stand in.
pub(super) async fn admit(
    server: &Server,
    claim: &Claim,
    nonce: &Nonce,
    certificate: &Digest,
) -> Result<PodIdentity, Status> {
    let key = claim.key.as_slice().try_into().map(PublicKey::from_bytes);
    let key = key.map_err(|_| Status::invalid_argument("the key of the claim is not one of 32 bytes"))?;
    if !key.claimed(nonce, certificate, &claim.pod_uid, &claim.signature) {
        return Err(Status::unauthenticated("the claim is not signed with its key for this connection"));
    }
    match server.registry.pinned(&claim.pod_uid) {
        Some((pod, pinned)) if pinned == key && pod.uid == claim.pod_uid => return Ok(pod),
        // Who holds a token of the Pod and another key is told so by the registry, and so are people.
        Some(_) | None => {}
    }
    let pod = identify(server, &claim.token).await?;
    if pod.uid != claim.pod_uid {
        return Err(Status::permission_denied("the token is one of another Pod than the claim"));
    }
    server.registry.pin(&pod, key).await.map_err(|denied| status(&denied))?;
    Ok(pod)
}

/// The Pod of a token, once it is its turn. It ends with the answer: pins are written together, and the more wait for it, the
/// fewer writes they are.
async fn identify(server: &Server, token: &str) -> Result<PodIdentity, Status> {
    // The semaphore is never closed; were it, nobody would be let in.
    let _turn = server.admissions.acquire().await.map_err(|_| Status::unavailable("this replica stops"))?;
    server.registry.identify(token).await.map_err(|denied| status(&denied))
}

/// What the gate is told.
pub(super) fn status(denied: &Denied) -> Status {
    let message = denied.to_string();
    match denied {
        Denied::Token(_) => Status::unauthenticated(message),
        Denied::NotEnrolled | Denied::OtherKey => Status::permission_denied(message),
        Denied::Unavailable(_) => Status::unavailable(message),
    }
}
