//! A command's streams on whatever transport the client chose.

use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::pod_backend::{ExecEnd, ExecRequest, ExecSession};
use super::super::serve::ApiServer;
use super::super::status::StatusError;
use super::transport::{self, Transport};
use super::{channels, spdy_pod};

/// Accepts the upgrade and connects the session with the client.
pub fn answer(
    api: &ApiServer,
    transport: Transport,
    wanted: ExecRequest,
    session: ExecSession,
) -> Response {
    let stop = api.shutdown.clone();
    match transport {
        Transport::Channels(upgrade) => upgrade.on_upgrade(move |socket| async move {
            tokio::select! {
                () = channels::run(session, socket) => {}
                () = stop.cancelled() => {}
            }
        }),
        Transport::Tunnel(upgrade) => upgrade.on_upgrade(move |socket| async move {
            let (io, pump) = transport::as_bytes(socket);
            tokio::select! {
                () = async { tokio::join!(spdy_pod::run(io, wanted, session), pump); } => {}
                () = stop.cancelled() => {}
            }
        }),
        Transport::Spdy(upgrade) => upgrade.answer(move |io| async move {
            tokio::select! {
                () = spdy_pod::run(io, wanted, session) => {}
                () = stop.cancelled() => {}
            }
        }),
    }
}

/// The status that is the last message on the error stream.
pub async fn last_word(end: oneshot::Receiver<ExecEnd>) -> Value {
    match end.await {
        Ok(ExecEnd::Exited(0)) => json!({"metadata": {}, "status": "Success"}),
        Ok(ExecEnd::Exited(code)) => failure(code),
        // A shell shows a signal as 128 and its number.
        Ok(ExecEnd::Signaled(signal)) => failure(128 + signal),
        Ok(ExecEnd::NotStarted(why)) => {
            let text = format!("error executing command in container: {why}");
            StatusError::internal(text).to_value()
        }
        Err(_) => StatusError::internal("the command was lost").to_value(),
    }
}

fn failure(code: i32) -> Value {
    json!({
        "metadata": {}, "status": "Failure",
        "message": format!("command terminated with exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}
    })
}
