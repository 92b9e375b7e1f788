//! Reads what a minikube call prints while it works: its steps become the stages of the run.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use app::model::Stage;
use app::model::StageState;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::download::Download;
use crate::adapters::minikube::START_STEPS;
use crate::adapters::minikube::events::{self, Event, Fatal};
use crate::engine::{RunHandle, StageHandle};
use crate::process::Pipe;

const LOOK_AT_DOWNLOAD: Duration = Duration::from_millis(500);
const LINES_KEPT: usize = 12;

/// Which stages a run has for minikube's steps.
#[derive(Clone, Debug)]
pub(super) enum Steps {
    /// Those of a start with this driver.
    Start { driver: String },
    /// All its steps are one stage.
    One { id: &'static str, title: String },
}

impl Steps {
    pub fn stages(&self) -> Vec<Stage> {
        let stage = |id: String, title: String| Stage {
            id,
            title,
            component: None,
            state: StageState::Pending,
        };
        match self {
            Self::One { id, title } => vec![stage((*id).to_owned(), title.clone())],
            Self::Start { driver } => START_STEPS
                .iter()
                .enumerate()
                .filter(|(at, _)| can_happen(*at, driver))
                .map(|(at, name)| stage(step_id(at), (*name).to_owned()))
                .collect(),
        }
    }

    fn id(&self, at: Option<usize>) -> Option<String> {
        match self {
            Self::One { id, .. } => Some((*id).to_owned()),
            Self::Start { driver } => at
                .filter(|at| *at < START_STEPS.len() && can_happen(*at, driver))
                .map(step_id),
        }
    }
}

/// `Creating Container` is the stage `creating-container`: it stands beside every line of the log.
fn step_id(at: usize) -> String {
    let name = START_STEPS.get(at).copied().unwrap_or_default();
    name.to_lowercase().replace(' ', "-")
}

/// Steps whose name says that they are for another driver are not announced.
fn can_happen(at: usize, driver: &str) -> bool {
    let in_container = matches!(driver, "docker" | "podman");
    let in_machine = !in_container && !matches!(driver, "" | "none" | "ssh");
    match START_STEPS.get(at).copied().unwrap_or_default() {
        "Updating Driver" | "Creating VM" | "Running Remotely" => !in_container,
        "Running on Localhost" | "Local OS Release" | "Configuring Localhost Environment" => {
            !in_container && !in_machine
        }
        "Creating Container" | "Pulling Base Image" => !in_machine,
        _ => true,
    }
}

/// What a call said until its end.
#[derive(Debug)]
pub(super) struct Follower {
    run: RunHandle,
    steps: Steps,
    cache: PathBuf,
    current: Option<StageHandle>,
    current_id: String,
    seen: Vec<String>,
    /// The current stage's last message.
    note: String,
    download: Option<Download>,
    last: VecDeque<String>,
    /// Why it is about to end: the last one counts.
    pub fatal: Option<Fatal>,
}

impl Follower {
    pub fn new(run: RunHandle, steps: Steps, cache: PathBuf) -> Self {
        Self {
            run,
            steps,
            cache,
            current: None,
            current_id: String::new(),
            seen: Vec::new(),
            note: String::new(),
            download: None,
            last: VecDeque::new(),
            fatal: None,
        }
    }

    /// Reads until the sender is gone.
    pub async fn follow(mut self, mut lines: mpsc::UnboundedReceiver<(Pipe, String)>) -> Self {
        let mut ticks = interval(LOOK_AT_DOWNLOAD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some((pipe, line)) => self.take(pipe, &line).await,
                    None => return self,
                },
                _ = ticks.tick(), if self.download.is_some() => self.look_at_download().await,
            }
        }
    }

    pub fn last_lines(&self) -> String {
        Vec::from(self.last.clone()).join("\n")
    }

    /// The stage that is going, or the first one when none began.
    pub fn stage(&self) -> Option<StageHandle> {
        self.current.clone()
    }

    /// Ends the current stage well.
    pub fn succeed(&mut self) {
        self.download = None;
        if let Some(stage) = self.current.take() {
            stage.succeed(std::mem::take(&mut self.note));
        }
    }

    async fn take(&mut self, pipe: Pipe, line: &str) {
        let event = match pipe {
            Pipe::Stdout => events::parse(line),
            Pipe::Stderr => Event::Line(line.to_owned()),
        };
        match event {
            Event::Step { at, message, .. } => {
                self.step(at);
                self.log(&message);
                self.note = message;
            }
            Event::Info(text) | Event::Line(text) => self.log(&text),
            Event::Warning(text) => self.log(&format!("Warning: {text}")),
            Event::Complaint(text) => self.log(&format!("Error: {text}")),
            Event::Fatal(fatal) => {
                self.log(&format!("Error: {} ({})", fatal.message, fatal.id));
                self.fatal = Some(fatal);
            }
            Event::Download { artifact } => self.begin_download(artifact).await,
            Event::Downloaded { artifact, share } => {
                let is_known = |download: &Download| download.is_of(&artifact);
                if !self.download.as_ref().is_some_and(is_known) {
                    self.begin_download(artifact).await;
                }
                if let Some(download) = &mut self.download {
                    download.heard(share);
                }
            }
        }
    }

    /// The number is a hint: it may repeat, and go back.
    fn step(&mut self, at: Option<usize>) {
        let Some(id) = self.steps.id(at) else {
            return;
        };
        if id == self.current_id || self.seen.contains(&id) {
            return;
        }
        self.succeed();
        let stage = self.run.stage(&id);
        stage.start();
        self.seen.push(id.clone());
        self.current_id = id;
        self.current = Some(stage);
    }

    fn log(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(text.chars().take(400).collect());
        // Before the first step there is nowhere better.
        if self.current.is_none() {
            self.step(Some(0));
        }
        if let Some(stage) = &self.current {
            stage.log(text);
        }
    }

    async fn begin_download(&mut self, artifact: String) {
        self.log(&format!("Downloading {artifact}"));
        let cache = self.cache.clone();
        let begun = tokio::task::spawn_blocking(move || Download::begin(artifact, cache)).await;
        self.download = begun.ok();
    }

    async fn look_at_download(&mut self) {
        let Some(download) = self.download.take() else {
            return;
        };
        let looked = tokio::task::spawn_blocking(move || {
            let progress = download.progress();
            (download, progress)
        })
        .await;
        if let Ok((download, progress)) = looked {
            self.download = Some(download);
            if let Some(stage) = &self.current {
                stage.progress(progress);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_has_its_own_steps() {
        let titles = |driver: &str| -> Vec<String> {
            let driver = driver.to_owned();
            Steps::Start { driver }
                .stages()
                .into_iter()
                .map(|stage| stage.title)
                .collect()
        };
        let docker = titles("docker");
        assert!(docker.contains(&"Creating Container".to_owned()));
        assert!(!docker.contains(&"Creating VM".to_owned()));
        let kvm = titles("kvm2");
        assert!(kvm.contains(&"Creating VM".to_owned()));
        assert!(!kvm.contains(&"Creating Container".to_owned()));
        assert_eq!(titles("").len(), START_STEPS.len());
    }
}
