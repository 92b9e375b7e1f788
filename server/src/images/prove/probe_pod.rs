//! The last resort: a pod that names the image and must not start anything. Its status shows the ID
//! the runtime found for that name, or why it found none. The pod is removed again.

use std::time::Duration;

use app::model::Finding;
use k8s_openapi::api::core::v1::{ContainerStatus, Namespace, Pod};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Question, same_id};
use crate::images::destination::Destination;
use crate::images::findings;

/// Pulling from a registry takes as long as it takes.
const PULLED_WITHIN: Duration = Duration::from_secs(300);
const FOUND_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Asks the cluster by such a pod; the answer is the proof.
pub async fn ask(question: &Question<'_>, cancel: &CancellationToken) -> Result<String, Finding> {
    let client = &question.connected.client;
    let namespace = namespace(client, question.namespace.as_str()).await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let pulls = matches!(question.destination, Destination::Registry { .. });
    let unusable = |why: String| findings::no_probe_pod(question.component, question.image, &why);
    let pod = pod(question, pulls);
    let made = pods
        .create(&PostParams::default(), &pod)
        .await
        .map_err(|error| unusable(error.to_string()))?;
    let name = made.metadata.name.unwrap_or_default();
    let within = if pulls { PULLED_WITHIN } else { FOUND_WITHIN };
    let seen = watch(&pods, &name, Instant::now() + within, cancel).await;
    // Also on cancel: nothing of ours stays. What cannot be removed ends by its own deadline.
    let at_once = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    let removed = tokio::time::timeout(Duration::from_secs(10), pods.delete(&name, &at_once)).await;
    if !matches!(removed, Ok(Ok(_))) {
        tracing::warn!(pod = %name, %namespace, "a probe pod could not be removed");
    }
    match seen {
        Seen::Id(id) if same_id(&id, question.image) => {
            Ok("a pod found it on its node and showed its ID".to_owned())
        }
        Seen::Id(id) => Err(findings::not_in_cluster(
            question.component,
            question.image,
            &format!("Under that name the cluster has another image, {id}"),
        )),
        Seen::Missing(why) => Err(findings::not_in_cluster(
            question.component,
            question.image,
            &why,
        )),
        Seen::Nothing(why) => Err(unusable(why)),
    }
}

/// The project's, where it exists already; a probe makes none.
async fn namespace(client: &Client, wanted: &str) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.get_opt(wanted).await {
        Ok(Some(_)) => wanted.to_owned(),
        _ => "default".to_owned(),
    }
}

/// Its command does not exist in any image, so that nothing of the app is ever run; the runtime has
/// to find the image before it finds that out.
fn pod(question: &Question<'_>, pulls: bool) -> Pod {
    let pod = serde_json::json!({
        "metadata": {
            "generateName": format!("slipway-probe-{}-", question.component),
            "labels": {"app.kubernetes.io/managed-by": "slipway", "app.kubernetes.io/component": "image-probe"},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": PULLED_WITHIN.as_secs(),
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "probe",
                "image": question.image.reference,
                "imagePullPolicy": if pulls { "IfNotPresent" } else { "Never" },
                "command": ["/slipway-probe-runs-nothing"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}},
            }],
        },
    });
    serde_json::from_value(pod).expect("it is a pod")
}

enum Seen {
    Id(String),
    /// The runtime has no such image, in its own words.
    Missing(String),
    /// The pod told nothing in time.
    Nothing(String),
}

async fn watch(pods: &Api<Pod>, name: &str, deadline: Instant, cancel: &CancellationToken) -> Seen {
    let mut last = "it was not started on any node".to_owned();
    while Instant::now() < deadline && !cancel.is_cancelled() {
        match pods.get_status(name).await {
            Ok(pod) => {
                let status = pod.status.unwrap_or_default();
                if let Some(unscheduled) = status.conditions.iter().flatten().find(|condition| {
                    condition.type_ == "PodScheduled" && condition.status == "False"
                }) {
                    last = unscheduled.message.clone().unwrap_or_default();
                }
                let container = status.container_statuses.iter().flatten().next();
                if let Some(seen) = container.and_then(told) {
                    return seen;
                }
            }
            Err(error) => last = error.to_string(),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = cancel.cancelled() => {}
        }
    }
    Seen::Nothing(last)
}

/// What a container's status says about its image; nothing while it is being looked for.
fn told(status: &ContainerStatus) -> Option<Seen> {
    if !status.image_id.is_empty() {
        return Some(Seen::Id(status.image_id.clone()));
    }
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    matches!(
        reason,
        "ErrImageNeverPull" | "ImagePullBackOff" | "InvalidImageName" | "ImageInspectError"
    )
    .then(|| {
        let message = waiting.message.as_deref().unwrap_or_default();
        Seen::Missing(format!("{reason}: {message}"))
    })
}
