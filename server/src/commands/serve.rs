//! `slipway serve`: the guided walk in the browser.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use app::model::Finding;

use super::{Stop, session, signals};
use crate::cli::ServeArgs;
use crate::engine::state_dir::ServerFile;
use crate::web::{Addresses, Listeners, Site, Tokens, port_in_use};

/// Serves until interrupted.
pub(super) async fn run(args: ServeArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let interrupted = signals::watch().map_err(|error| io_finding("signals", &error))?;
    let panel = session::open(&args.target, state_dir)?;
    let listeners = Listeners::bind(args.listen)
        .await
        .map_err(|error| port_in_use(args.listen, &error))?;
    let tokens = Arc::new(Tokens::generate().map_err(|error| io_finding("randomness", &error))?);
    let address = format!("http://127.0.0.1:{}", listeners.port());
    let core = &panel.core;
    core.state_dir
        .write_server_file(&ServerFile {
            address: address.clone(),
            pid: std::process::id(),
            viewer_link: format!("{address}/#token={}", tokens.viewer()),
        })
        .map_err(|error| io_finding("the state folder", &error))?;
    let site = Site::new(
        Addresses::loopback(listeners.port()),
        Arc::clone(&tokens),
        core.hub.clone(),
        panel.ports(),
        core.shutdown.clone(),
    );
    let serving = tokio::spawn(listeners.serve(site, core.shutdown.clone()));
    panel.spawn();
    let cluster = panel.cluster.clone();
    let starting = tokio::spawn(async move { cluster.start_default().await });

    let link = format!("{address}/#token={}", tokens.operator());
    say(&format!("Slipway is ready at {link}"));
    if !args.no_open {
        open_browser(&link);
    }
    interrupted.cancelled().await;
    starting.abort();
    session::end(&panel).await;
    let _ = serving.await;
    Ok(())
}

/// Prints a line. Nobody reading it is no reason to end.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Opens the link where that makes sense; the printed link always works.
fn open_browser(link: &str) {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if has_display {
        "xdg-open"
    } else {
        return;
    };
    let started = tokio::process::Command::new(opener)
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // Some openers stay as long as the browser does; waiting only reaps them.
        Ok(mut child) => {
            tokio::spawn(async move { child.wait().await });
        }
        Err(error) => tracing::info!(opener, %error, "no browser was opened; use the printed link"),
    }
}

fn io_finding(what: &str, error: &std::io::Error) -> Finding {
    Finding::new(
        "SYSTEM_REFUSED",
        "Slipway cannot start",
        format!("The system refused {what}: {error}."),
    )
}
