//! The small questions: does it answer, which version is it, which cluster is it, and who are we there.

use std::time::Duration;

use app::model::Who;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, PostParams};

use super::{KubeError, within};

/// What one heartbeat says.
#[derive(Debug)]
pub enum Beat {
    /// It answers. That it does not let us ask (403) is an answer, too.
    Alive,
    /// It answers, and does not know us (any more).
    Unauthorized,
    /// It answers that it is not ready; the text says what is not.
    NotReady(String),
    /// No answer within the limit: slow, frozen, or the packets get lost.
    Silent(Duration),
    /// The connection cannot be made, or broke.
    Broken(KubeError),
}

/// Asks `/readyz`.
pub async fn beat(client: &Client, limit: Duration) -> Beat {
    let request = match http::Request::get("/readyz").body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return Beat::Broken(kube::Error::HttpError(error).into()),
    };
    match within(limit, client.request_text(request)).await {
        Ok(_) => Beat::Alive,
        Err(KubeError::Silent(limit)) => Beat::Silent(limit),
        Err(error) => match error.code() {
            Some(401) => Beat::Unauthorized,
            Some(code) if code >= 500 => Beat::NotReady(error.to_string()),
            Some(_) => Beat::Alive,
            None => Beat::Broken(error),
        },
    }
}

/// The server's version, such as `v1.35.1`.
pub async fn version(client: &Client, limit: Duration) -> Result<String, KubeError> {
    Ok(within(limit, client.apiserver_version()).await?.git_version)
}

/// What tells this cluster from another of the same name: the UID of the namespace `kube-system`.
/// None where we may not look at it.
pub async fn cluster_id(client: &Client, limit: Duration) -> Result<Option<String>, KubeError> {
    let api: Api<Namespace> = Api::all(client.clone());
    match within(limit, api.get_opt("kube-system")).await {
        Ok(namespace) => Ok(namespace.and_then(|namespace| namespace.metadata.uid)),
        Err(error) if error.code() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who the API server takes us for. None where it does not tell: the question exists since
/// Kubernetes 1.28, and some clusters forbid it.
pub async fn who_am_i(client: &Client, limit: Duration) -> Option<Who> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let asked = api.create(&params, &review);
    let user = within(limit, asked).await.ok()?.status?.user_info?;
    let name = user.username.filter(|name| !name.is_empty())?;
    Some(Who {
        name,
        groups: user.groups.unwrap_or_default(),
    })
}
