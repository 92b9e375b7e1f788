//! The `log` subresource: which container is meant, whether it has a log, and the stream.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use serde_json::Value;

use super::pod_backend::{LogOptions, PodRef};
use super::request::{Query, Target};
use super::serve::ApiServer;
use super::status::StatusError;

/// Answers `GET .../pods/NAME/log`.
pub async fn answer(
    api: &ApiServer,
    target: &Target,
    query: &Query,
) -> Result<Response, StatusError> {
    let name = target.name()?;
    let pod = api
        .store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))?;
    let options = options(query)?;
    let container = choose(&pod, name, query.get("container").unwrap_or(""))?;
    let unscheduled = pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty();
    let body = if unscheduled {
        Body::empty()
    } else {
        has_log(&pod, name, &container, options.previous)?;
        let stream = api
            .backend()?
            .logs(&pod_ref(&pod), &container, options)
            .await?;
        Body::from_stream(stream)
    };
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// The identity of a pod object.
pub fn pod_ref(pod: &Value) -> PodRef {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or("").to_owned();
    PodRef {
        namespace: text("namespace"),
        name: text("name"),
        uid: text("uid"),
    }
}

fn options(query: &Query) -> Result<LogOptions, StatusError> {
    let since_time = query
        .get("sinceTime")
        .map(|text| {
            text.parse().map_err(|_| {
                StatusError::bad_request(format!("sinceTime: \"{text}\" is no RFC 3339 time"))
            })
        })
        .transpose()?;
    let options = LogOptions {
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        since_seconds: query.number("sinceSeconds")?,
        since_time,
        timestamps: query.flag("timestamps"),
        tail_lines: query.number("tailLines")?,
        limit_bytes: query.number("limitBytes")?,
    };
    let refuse = |why: &str| {
        StatusError::new(
            422,
            "Invalid",
            format!("PodLogOptions \"\" is invalid: {why}"),
        )
    };
    if options.since_seconds.is_some() && options.since_time.is_some() {
        return Err(refuse(
            "sinceSeconds: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    if options.since_seconds.is_some_and(|s| s < 1) {
        return Err(refuse(
            "sinceSeconds: Invalid value: must be greater than 0",
        ));
    }
    if options.limit_bytes == Some(0) {
        return Err(refuse("limitBytes: Invalid value: must be greater than 0"));
    }
    Ok(options)
}

fn names(pod: &Value, list: &str) -> Vec<String> {
    let containers = pod["spec"][list].as_array().into_iter().flatten();
    containers
        .filter_map(|c| c["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The container that is meant.
pub fn choose(pod: &Value, name: &str, asked: &str) -> Result<String, StatusError> {
    let (main, init) = (names(pod, "containers"), names(pod, "initContainers"));
    if asked.is_empty() {
        return match main.as_slice() {
            [only] => Ok(only.clone()),
            _ => {
                let mut message = format!(
                    "a container name must be specified for pod {name}, choose one of: [{}]",
                    main.join(" ")
                );
                if !init.is_empty() {
                    message.push_str(&format!(
                        " or one of the init containers: [{}]",
                        init.join(" ")
                    ));
                }
                Err(StatusError::bad_request(message))
            }
        };
    }
    if main.iter().chain(&init).any(|c| c == asked) {
        return Ok(asked.to_owned());
    }
    Err(StatusError::bad_request(format!(
        "container {asked} is not valid for pod {name}"
    )))
}

/// Says why there is no log, in the words of the kubelet.
fn has_log(pod: &Value, name: &str, container: &str, previous: bool) -> Result<(), StatusError> {
    let refuse = |text: String| Err(StatusError::bad_request(text));
    let about = format!("container \"{container}\" in pod \"{name}\"");
    let status = ["containerStatuses", "initContainerStatuses"]
        .iter()
        .flat_map(|list| pod["status"][list].as_array().into_iter().flatten())
        .find(|status| status["name"] == container);
    let Some(status) = status else {
        return refuse(format!("{about} is not available"));
    };
    let (state, last) = (&status["state"], &status["lastState"]["terminated"]);
    if previous {
        if last["containerID"].as_str().unwrap_or("").is_empty() {
            return refuse(format!("previous terminated {about} not found"));
        }
        return Ok(());
    }
    if state["running"].is_object() || state["terminated"].is_object() || last.is_object() {
        return Ok(());
    }
    match state["waiting"]["reason"].as_str() {
        Some("ErrImagePull") => refuse(format!(
            "{about} is waiting to start: image can't be pulled"
        )),
        Some("ImagePullBackOff") => refuse(format!(
            "{about} is waiting to start: trying and failing to pull image"
        )),
        Some(reason) => refuse(format!("{about} is waiting to start: {reason}")),
        None => refuse(format!("{about} is waiting to start - no logs yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_must_be_named_when_there_are_several() {
        let pod = json!({"spec": {"containers": [{"name": "app"}, {"name": "sidecar"}]}});
        let error = choose(&pod, "web", "").expect_err("refused");
        assert_eq!(
            error.message,
            "a container name must be specified for pod web, choose one of: [app sidecar]"
        );
        assert_eq!(choose(&pod, "web", "app").expect("chosen"), "app");
        assert!(choose(&pod, "web", "nope").is_err());
    }

    #[test]
    fn a_container_that_never_ran_has_no_log() {
        let pod = |state: Value| json!({"status": {"containerStatuses": [{"name": "app", "state": state}]}});
        let waiting = pod(json!({"waiting": {"reason": "ContainerCreating"}}));
        let error = has_log(&waiting, "web-1", "app", false).expect_err("refused");
        assert_eq!(
            error.message,
            "container \"app\" in pod \"web-1\" is waiting to start: ContainerCreating"
        );
        assert!(has_log(&pod(json!({"running": {}})), "web-1", "app", false).is_ok());
        let error =
            has_log(&pod(json!({"running": {}})), "web-1", "app", true).expect_err("refused");
        assert_eq!(
            error.message,
            "previous terminated container \"app\" in pod \"web-1\" not found"
        );
    }
}
