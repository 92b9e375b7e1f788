//! `slipway serve`: the guided walk in the browser.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use app::model::{Failure, Finding};
use tokio::task::JoinHandle;

use super::{Stop, session, signals};
use crate::adopt::AdoptRoom;
use crate::cli::ServeArgs;
use crate::engine::state_dir::ServerFile;
use crate::panel::Panel;
use crate::web::{Addresses, Listeners, PortsSlot, ShareAt, Site, Tokens, port_in_use};

/// Serves until interrupted.
pub(super) async fn run(args: ServeArgs, state_dir: Option<&Path>) -> Result<(), Stop> {
    let interrupted = signals::watch().map_err(|error| io_finding("signals", &error))?;
    let opened = session::begin(&args.target, state_dir)?;
    let unadopted = opened.unadopted();
    let mut panel = match opened.project() {
        Ok(project) => Ok(opened.panel(project)?),
        // The page proposes what it could become.
        Err(finding) if unadopted.is_some() => Err(finding),
        // One that is not there was mistyped. One that is broken is best mended with its problem on
        // the screen.
        Err(finding) if finding.code == "PROJECT_NOT_FOUND" => return Err(finding.into()),
        Err(finding) => Err(finding),
    };
    let listeners = Listeners::bind(args.listen)
        .await
        .map_err(|error| port_in_use(args.listen, &error))?;
    let tokens = Arc::new(Tokens::generate().map_err(|error| io_finding("randomness", &error))?);
    let address = format!("http://127.0.0.1:{}", listeners.port());
    let core = &opened.core;
    core.state_dir
        .write_server_file(&ServerFile {
            address: address.clone(),
            pid: std::process::id(),
            viewer_link: format!("{address}/#token={}", tokens.viewer()),
        })
        .map_err(|error| io_finding("the state folder", &error))?;
    let ports = PortsSlot::default();
    let site = Site::new(
        Addresses::loopback(listeners.port()),
        Arc::clone(&tokens),
        core.hub.clone(),
        ports.clone(),
        core.shutdown.clone(),
    );
    let serving = tokio::spawn(listeners.serve(site, core.shutdown.clone()));
    let room = unadopted.map(|folder| AdoptRoom::new(folder, core.hub.clone()));
    if let Some(room) = &room {
        ports.fill_adopter(room.clone());
    }
    let mut starting = None;
    if let Ok(panel) = &panel {
        starting = Some(start(panel, &ports));
        share(panel, args.share).await?;
    }

    let link = format!("{address}/#token={}", tokens.operator());
    say(&format!("Slipway is ready at {link}"));
    if !args.no_open {
        open_browser(&link);
    }
    if let Err(problem) = panel {
        let project = async {
            match &room {
                Some(room) => {
                    room.look_at_it().await;
                    opened.project_once_adopted(room).await
                }
                None => opened.project_once_mended(problem.clone()).await,
            }
        };
        panel = tokio::select! {
            project = project => {
                let panel = opened.panel(project)?;
                starting = Some(start(&panel, &ports));
                share(&panel, args.share).await?;
                Ok(panel)
            }
            () = interrupted.cancelled() => Err(problem),
        };
    }
    interrupted.cancelled().await;
    if let Some(starting) = starting {
        starting.abort();
    }
    session::end_with(core, panel.as_ref().ok()).await;
    let _ = serving.await;
    Ok(())
}

/// Begins to work with the rooms.
fn start(panel: &Panel, ports: &PortsSlot) -> JoinHandle<()> {
    ports.fill(panel.ports());
    panel.spawn();
    panel.mcp.spawn();
    let cluster = panel.cluster.clone();
    tokio::spawn(async move { cluster.start_default().await })
}

/// Opens the link for viewers if it was asked for.
async fn share(panel: &Panel, at: Option<ShareAt>) -> Result<(), Stop> {
    let Some(at) = at else {
        return Ok(());
    };
    panel.sharing.prefer(at).await;
    match panel.sharing.open().await {
        Ok(link) => say(&format!("Viewers can watch at {}", link.url)),
        Err(Failure::Finding(finding)) => return Err((*finding).into()),
        Err(Failure::Transport(why)) => tracing::warn!(why, "the link for viewers was not opened"),
    }
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
