//! `slipway mcp`: connects standard input and output with the Slipway that serves from the same state
//! folder. What an assistant may do there is not decided here.

use std::path::Path;
use std::time::Duration;

use app::model::{Finding, NextAction};
use tokio::io::{AsyncWriteExt as _, copy, stdin, stdout};
use tokio::net::UnixStream;

use super::{Stop, session, signals};
use crate::assist::mcp::socket;

/// After the client has closed its side: what Slipway still has to say.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) async fn run(state_dir: Option<&Path>) -> Result<(), Stop> {
    let folder = session::state_path(state_dir)?;
    let stream = UnixStream::connect(socket(&folder))
        .await
        .map_err(|_| Stop::Preflight(Some(Box::new(not_serving(&folder)))))?;
    let interrupted = signals::watch().map_err(|_| Stop::Interrupted)?;
    let (mut from, mut to) = stream.into_split();
    let (mut stdin, mut stdout) = (stdin(), stdout());
    let out = async {
        let copied = copy(&mut from, &mut stdout).await;
        let _ = stdout.flush().await;
        copied
    };
    tokio::pin!(out);
    tokio::select! {
        _ = &mut out => {}
        () = interrupted.cancelled() => return Err(Stop::Interrupted),
        _ = copy(&mut stdin, &mut to) => {
            let _ = to.shutdown().await;
            let _ = tokio::time::timeout(LAST_WORDS, out).await;
        }
    }
    Ok(())
}

fn not_serving(folder: &Path) -> Finding {
    Finding::new(
        "MCP_NO_PANEL",
        "No Slipway serves from this state folder",
        format!(
            "An assistant looks through the panel that is open; nothing listens in {}.",
            folder.display()
        ),
    )
    .next(NextAction::Command {
        command: "slipway serve".to_owned(),
        why: "Then start the assistant again, with the same --state-dir if one was given"
            .to_owned(),
    })
}
