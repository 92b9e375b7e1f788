//! Exec, attach and port-forward: long-lived connections into a pod, over WebSocket channels, over
//! SPDY, or over SPDY tunnelled in a WebSocket, whichever the client asks for.

mod channels;
mod pipe;
mod session;
mod spdy;
mod spdy_pod;
mod transport;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use serde_json::Value;

use super::pod_backend::{ExecEnd, ExecRequest, ExecSession, LogOptions};
use super::pod_log::{choose, pod_ref};
use super::request::{Query, Target};
use super::serve::ApiServer;
use super::status::StatusError;
use transport::{Served, Transport};

fn pod(api: &ApiServer, target: &Target) -> Result<Arc<Value>, StatusError> {
    let name = target.name()?;
    api.store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))
}

fn exec_request(query: &Query) -> ExecRequest {
    ExecRequest {
        command: query.all("command").map(str::to_owned).collect(),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
    }
}

/// Answers `.../pods/NAME/exec`.
pub async fn exec(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let pod = pod(api, target)?;
    let container = choose(&pod, target.name()?, query.get("container").unwrap_or(""))?;
    let wanted = exec_request(query);
    if wanted.command.is_empty() {
        return Err(StatusError::bad_request(
            "you must specify at least 1 command for the container",
        ));
    }
    refuse_ended(&pod, "exec into")?;
    let transport = Transport::of(request, Served::Command).await?;
    // Refusals come as plain answers, so the container is found before the upgrade.
    let backend = api.backend()?;
    let session = backend
        .exec(&pod_ref(&pod), &container, wanted.clone())
        .await?;
    Ok(session::answer(api, transport, wanted, session))
}

/// Answers `.../pods/NAME/attach`: what the container writes from now on. A process of the node
/// has no terminal, so that nothing can be typed into it.
pub async fn attach(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let pod = pod(api, target)?;
    let container = choose(&pod, target.name()?, query.get("container").unwrap_or(""))?;
    refuse_ended(&pod, "attach to")?;
    let transport = Transport::of(request, Served::Command).await?;
    let options = LogOptions {
        follow: true,
        tail_lines: Some(0),
        ..LogOptions::default()
    };
    let logs = api
        .backend()?
        .logs(&pod_ref(&pod), &container, options)
        .await?;
    Ok(session::answer(
        api,
        transport,
        exec_request(query),
        watching(logs),
    ))
}

/// A session that only shows what a log brings.
fn watching(mut logs: super::pod_backend::LogStream) -> ExecSession {
    let (stdout, stdout_bytes) = tokio::sync::mpsc::channel(16);
    let (_, stderr_bytes) = tokio::sync::mpsc::channel(1);
    let (ended, end) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        while let Some(Ok(bytes)) = futures::StreamExt::next(&mut logs).await {
            if stdout.send(bytes).await.is_err() {
                return;
            }
        }
        // The client may have gone first.
        let _ = ended.send(ExecEnd::Exited(0));
    });
    ExecSession {
        stdin: None,
        stdout: stdout_bytes,
        stderr: stderr_bytes,
        resize: None,
        end,
    }
}

fn refuse_ended(pod: &Value, what: &str) -> Result<(), StatusError> {
    match pod["status"]["phase"].as_str() {
        Some(phase @ ("Succeeded" | "Failed")) => Err(StatusError::internal(format!(
            "cannot {what} a container in a completed pod; current phase is {phase}"
        ))),
        _ => Ok(()),
    }
}

/// Answers `.../pods/NAME/portforward`.
pub async fn port_forward(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let pod = pod(api, target)?;
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    if phase != "Running" {
        return Err(StatusError::bad_request(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let ports: Vec<u16> = query
        .all("ports")
        .flat_map(|list| list.split(','))
        .map(|port| port.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| StatusError::bad_request("ports: must be numbers from 1 to 65535"))?;
    let transport = Transport::of(request, Served::Ports).await?;
    let (backend, pod, stop) = (api.backend()?, pod_ref(&pod), api.shutdown.clone());
    Ok(match transport {
        Transport::Channels(_) if ports.is_empty() || ports.len() > 100 => {
            return Err(StatusError::bad_request(
                "query parameter \"ports\" is required",
            ));
        }
        Transport::Channels(upgrade) => upgrade.on_upgrade(move |socket| async move {
            tokio::select! {
                () = channels::forward(socket, &backend, &pod, &ports) => {}
                () = stop.cancelled() => {}
            }
        }),
        Transport::Tunnel(upgrade) => upgrade.on_upgrade(move |socket| async move {
            let (io, pump) = transport::as_bytes(socket);
            tokio::select! {
                () = async { tokio::join!(spdy_pod::forward(io, &backend, &pod), pump); } => {}
                () = stop.cancelled() => {}
            }
        }),
        Transport::Spdy(upgrade) => upgrade.answer(move |io| async move {
            tokio::select! {
                () = spdy_pod::forward(io, &backend, &pod) => {}
                () = stop.cancelled() => {}
            }
        }),
    })
}
