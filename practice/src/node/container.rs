//! One container of a pod: starting it, hearing its probes, stopping it, and what remains of it
//! when it ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, LifecycleHandler, Pod, Probe};
use kube::ResourceExt;
use nix::sys::signal::Signal;
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::core::ContainerRun;
use super::events::EventType;
use super::logs::{self, LogWriter};
use super::prepare::{PodParts, PrepareError, Prepared, prepare};
use super::probe::{self, Outcome, ProbeKind, Report, Target};
use super::process::{Exit, Output, Process, ProcessContext};
use super::quantity;
use super::status::{ContainerView, Role, State, Termination, restart_policy, seconds};
use super::worker::{Message, Worker};
use crate::images::ImageRecord;

/// A container's place in its pod.
#[derive(Debug)]
pub struct Slot {
    pub spec: Container,
    pub role: Role,
    pub state: State,
    pub last: Option<Termination>,
    /// The run that ended and will be followed by another.
    pub exited: Option<Termination>,
    pub restarts: i32,
    pub started: bool,
    pub ready: bool,
    /// Counts starts, so that messages about an earlier run are recognized.
    pub run: u64,
    pub process: Option<Arc<Process>>,
    /// Not before this moment, unless an image arrives.
    pub next_try: Option<Instant>,
    /// Ended by a probe: restart even what ended well.
    pub force_restart: bool,
    context: Option<Arc<ProcessContext>>,
    image_id: String,
    container_id: String,
    termination_message: std::path::PathBuf,
    log_path: std::path::PathBuf,
    tasks: Vec<JoinHandle<()>>,
    stopping: bool,
    out_of_memory: Option<Arc<AtomicBool>>,
    backoff: Backoff,
    ended_at: Option<Instant>,
    announced: Option<Instant>,
    pull_delay: Option<Duration>,
}

impl Slot {
    /// All containers in starting order, with what an earlier node left in the pod's status.
    pub fn all(pod: &Pod) -> Vec<Self> {
        let Some(spec) = &pod.spec else {
            return Vec::new();
        };
        let waits_for_init = spec
            .init_containers
            .as_ref()
            .is_some_and(|init| !init.is_empty());
        let status = pod.status.as_ref();
        let find = |statuses: Option<&Vec<ContainerStatus>>, name: &str| {
            statuses
                .and_then(|all| all.iter().find(|s| s.name == name))
                .cloned()
        };
        let init = spec.init_containers.iter().flatten().map(|container| {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let role = if sidecar { Role::Sidecar } else { Role::Init };
            let known = find(
                status.and_then(|s| s.init_container_statuses.as_ref()),
                &container.name,
            );
            Self::new(container, role, "PodInitializing", known)
        });
        let apps = spec.containers.iter().map(|container| {
            let reason = if waits_for_init {
                "PodInitializing"
            } else {
                "ContainerCreating"
            };
            let known = find(
                status.and_then(|s| s.container_statuses.as_ref()),
                &container.name,
            );
            Self::new(container, Role::App, reason, known)
        });
        let mut slots: Vec<Self> = init.chain(apps).collect();
        let phase = status.and_then(|s| s.phase.as_deref()).unwrap_or_default();
        if !matches!(phase, "Succeeded" | "Failed") && restart_policy(pod) == "Always" {
            // A new sandbox runs the init containers again, like after a reboot.
            for slot in slots.iter_mut().filter(|slot| slot.role == Role::Init) {
                if let State::Terminated(end) = &slot.state {
                    slot.exited = Some(end.clone());
                    slot.state = waiting("PodInitializing", "");
                }
            }
        }
        slots
    }

    fn new(spec: &Container, role: Role, reason: &str, known: Option<ContainerStatus>) -> Self {
        let mut slot = Self {
            spec: spec.clone(),
            role,
            state: waiting(reason, ""),
            last: None,
            exited: None,
            restarts: 0,
            started: false,
            ready: false,
            run: 0,
            process: None,
            next_try: None,
            force_restart: false,
            context: None,
            image_id: String::new(),
            container_id: String::new(),
            termination_message: std::path::PathBuf::new(),
            log_path: std::path::PathBuf::new(),
            tasks: Vec::new(),
            stopping: false,
            out_of_memory: None,
            backoff: Backoff::default(),
            ended_at: None,
            announced: None,
            pull_delay: None,
        };
        if let Some(known) = known {
            slot.remember(known);
        }
        slot
    }

    fn remember(&mut self, known: ContainerStatus) {
        self.restarts = known.restart_count;
        self.image_id = known.image_id;
        self.container_id = known.container_id.unwrap_or_default();
        let end = |end: k8s_openapi::api::core::v1::ContainerStateTerminated| Termination {
            exit_code: end.exit_code,
            signal: end.signal,
            reason: end.reason.unwrap_or_default(),
            message: end.message.unwrap_or_default(),
            started: end.started_at.map(|time| time.0),
            finished: end.finished_at.map(|time| time.0),
            container_id: end.container_id.unwrap_or_default(),
        };
        self.last = known.last_state.and_then(|state| state.terminated).map(end);
        let Some(state) = known.state else { return };
        if let Some(ended) = state.terminated {
            self.state = State::Terminated(end(ended));
        } else if let Some(running) = state.running {
            // Nobody saw how it ended.
            self.state = State::Terminated(Termination {
                exit_code: 137,
                signal: None,
                reason: "ContainerStatusUnknown".into(),
                message: "The container could not be located when the pod was terminated".into(),
                started: running.started_at.map(|time| time.0),
                finished: None,
                container_id: self.container_id.clone(),
            });
        } else if state
            .waiting
            .is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"))
        {
            self.exited = self.last.clone();
        }
    }

    pub fn view(&self) -> ContainerView {
        let waiting = matches!(self.state, State::Waiting { .. });
        let last = if waiting && self.exited.is_some() {
            &self.exited
        } else {
            &self.last
        };
        let completed_init = self.role == Role::Init
            && matches!(&self.state, State::Terminated(end) if end.exit_code == 0);
        ContainerView {
            name: self.spec.name.clone(),
            role: self.role,
            image: self.spec.image.clone().unwrap_or_default(),
            image_id: self.image_id.clone(),
            container_id: self.container_id.clone(),
            state: self.state.clone(),
            last: last.clone(),
            restarts: self.restarts,
            started: self.started,
            ready: self.ready || completed_init,
        }
    }
}

fn waiting(reason: &str, message: &str) -> State {
    State::Waiting {
        reason: reason.into(),
        message: message.into(),
    }
}

const CONFIG_RETRY: Duration = Duration::from_secs(3);
const FIRST_PULL_DELAY: Duration = Duration::from_secs(10);
const MAX_PULL_DELAY: Duration = Duration::from_secs(300);

impl Worker {
    /// Starts a container that is due; returns when to try again otherwise.
    pub(super) async fn try_start(&mut self, slot: usize) -> Option<Instant> {
        let now = Instant::now();
        if let Some(wake) = self.in_crash_backoff(slot, now) {
            return Some(wake);
        }
        if let Some(next) = self.slots[slot].next_try.filter(|next| *next > now) {
            return Some(next);
        }
        let image = match self.image(slot, now).await {
            Ok(image) => image,
            Err(wake) => return Some(wake),
        };
        let container_id =
            uuid::Uuid::new_v4().simple().to_string() + &uuid::Uuid::new_v4().simple().to_string();
        let volumes = self.volumes.clone().unwrap_or_default();
        let parts = PodParts {
            pod: &self.pod,
            facts: &self.facts,
            folders: &self.folders,
            volumes: &volumes,
            net: &self.shared.net,
            display: &self.display,
        };
        let spec = self.slots[slot].spec.clone();
        match prepare(&self.core, &parts, &spec, &image, &container_id).await {
            Ok(prepared) => self.launch(slot, prepared, &image, container_id).await,
            Err(error) => {
                let (reason, message) = match error {
                    PrepareError::Config(message) => ("CreateContainerConfigError", message),
                    PrepareError::Create(message) => ("CreateContainerError", message),
                };
                let state = waiting(reason, &message);
                if self.slots[slot].state != state {
                    self.event(
                        slot,
                        EventType::Warning,
                        "Failed",
                        &format!("Error: {message}"),
                    );
                }
                self.slots[slot].state = state;
                let next = Instant::now() + CONFIG_RETRY;
                self.slots[slot].next_try = Some(next);
                Some(next)
            }
        }
    }

    fn in_crash_backoff(&mut self, slot: usize, now: Instant) -> Option<Instant> {
        let ended = self.slots[slot].ended_at?;
        self.slots[slot].exited.as_ref()?;
        let (left, delay) = self.slots[slot].backoff.remaining(ended, now)?;
        let name = self.slots[slot].spec.name.clone();
        let message = format!(
            "back-off {} restarting failed container={name} pod={}",
            go_duration(delay),
            self.display
        );
        self.slots[slot].state = waiting("CrashLoopBackOff", &message);
        let repeat = self.slots[slot]
            .announced
            .is_none_or(|at| now - at >= Duration::from_secs(15));
        if repeat {
            self.slots[slot].announced = Some(now);
            let text = format!(
                "Back-off restarting failed container {name} in pod {}",
                self.display
            );
            self.event(slot, EventType::Warning, "BackOff", &text);
        }
        Some(now + left.min(Duration::from_secs(15)))
    }

    /// The container's image under its pull policy, or when to look again.
    async fn image(&mut self, slot: usize, now: Instant) -> Result<ImageRecord, Instant> {
        let name = self.slots[slot].spec.image.clone().unwrap_or_default();
        let policy = pull_policy(&self.slots[slot].spec);
        let (store, wanted) = (self.core.images.clone(), name.clone());
        let found = tokio::task::spawn_blocking(move || store.resolve(&wanted)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                self.slots[slot].state = waiting("ImageInspectError", &error.to_string());
                return Err(now + CONFIG_RETRY);
            }
            Err(_) => return Err(now + CONFIG_RETRY),
        };
        if let Some(image) = found
            && policy != "Always"
        {
            self.slots[slot].pull_delay = None;
            if matches!(&self.slots[slot].state, State::Waiting { reason, .. }
                if reason != "CreateContainerConfigError" && reason != "CreateContainerError")
            {
                let text = format!(
                    "Container image \"{name}\" already present on machine and can be accessed by the pod"
                );
                self.event(slot, EventType::Normal, "Pulled", &text);
            }
            return Ok(image);
        }
        if policy == "Never" {
            let message =
                format!("Container image \"{name}\" is not present with pull policy of Never");
            let state = waiting("ErrImageNeverPull", &message);
            if self.slots[slot].state != state {
                self.event(slot, EventType::Warning, "ErrImageNeverPull", &message);
                self.event(
                    slot,
                    EventType::Warning,
                    "Failed",
                    "Error: ErrImageNeverPull",
                );
            }
            self.slots[slot].state = state;
            return Err(now + FIRST_PULL_DELAY);
        }
        Err(self.cannot_pull(slot, &name, now))
    }

    /// No registry can be reached from here; says so with the kubelet's states and delays.
    fn cannot_pull(&mut self, slot: usize, name: &str, now: Instant) -> Instant {
        let why = format!(
            "failed to pull image \"{name}\": the practice cluster pulls from no registry; build or import the image, and use the pull policy IfNotPresent or Never"
        );
        let already_failed = matches!(&self.slots[slot].state,
            State::Waiting { reason, .. } if reason == "ErrImagePull");
        if already_failed {
            let message = format!("Back-off pulling image \"{name}\": ErrImagePull: {why}");
            self.slots[slot].state = waiting("ImagePullBackOff", &message);
            let text = format!("Back-off pulling image \"{name}\"");
            self.event(slot, EventType::Normal, "BackOff", &text);
            self.event(
                slot,
                EventType::Warning,
                "Failed",
                "Error: ImagePullBackOff",
            );
            let delay = self.slots[slot].pull_delay.unwrap_or(FIRST_PULL_DELAY);
            self.slots[slot].pull_delay = Some((delay * 2).min(MAX_PULL_DELAY));
            let next = now + delay;
            self.slots[slot].next_try = Some(next);
            return next;
        }
        self.event(
            slot,
            EventType::Normal,
            "Pulling",
            &format!("Pulling image \"{name}\""),
        );
        let text = format!("Failed to pull image \"{name}\": {why}");
        self.event(slot, EventType::Warning, "Failed", &text);
        self.event(slot, EventType::Warning, "Failed", "Error: ErrImagePull");
        self.slots[slot].state = waiting("ErrImagePull", &why);
        let next = now + Duration::from_secs(2);
        self.slots[slot].next_try = Some(next);
        next
    }

    async fn launch(
        &mut self,
        slot: usize,
        prepared: Prepared,
        image: &ImageRecord,
        container_id: String,
    ) -> Option<Instant> {
        let shown_id = format!("slipway-practice://{container_id}");
        let current = &mut self.slots[slot];
        if let Some(exited) = current.exited.take() {
            if let Some(ended) = current.ended_at.take() {
                current.backoff.next(ended, Instant::now());
            }
            current.last = Some(exited);
            current.restarts += 1;
        }
        current.run += 1;
        current.next_try = None;
        current.announced = None;
        current.force_restart = false;
        current.stopping = false;
        current.image_id = image.id.clone();
        current.container_id = shown_id.clone();
        current.termination_message = prepared.termination_message.clone();
        let (run, restarts, name) = (current.run, current.restarts, current.spec.name.clone());
        self.event(slot, EventType::Normal, "Created", "Container created");

        let (context, argv) = (Arc::new(prepared.context), prepared.argv);
        let log = match self.open_log(&name, restarts).await {
            Ok((log, path)) => {
                self.slots[slot].log_path = path;
                log
            }
            Err(error) => return Some(self.start_failed(slot, &argv, &error)),
        };
        let started = Timestamp::now();
        let output = Output::Log(log.clone());
        let process = match self
            .core
            .spawner
            .start_process(&context, &argv, output, None)
            .await
        {
            Ok(process) => Arc::new(process),
            Err(error) => {
                log.close();
                return Some(self.start_failed(slot, &argv, &error));
            }
        };
        self.event(slot, EventType::Normal, "Started", "Container started");
        self.core.survivors_note(
            &container_id,
            process.pid,
            &self.pod.uid().unwrap_or_default(),
        );
        let entry = ContainerRun {
            number: restarts,
            pid: process.pid,
            log,
            context: Some(context.clone()),
        };
        let runs = &self.shared.runs;
        runs.write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, entry);

        let limit = memory_limit(&self.slots[slot].spec);
        let watched = limit.map(|limit| self.core.memory.watch(process.pid, limit));
        let current = &mut self.slots[slot];
        current.out_of_memory = watched;
        current.state = State::Running { since: started };
        current.context = Some(context);
        current.process = Some(process.clone());
        current.started = false;
        current.ready = false;
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let exit = process.wait().await;
            let _ = sender.send(Message::Exited { slot, run, exit }).await;
        });
        self.post_start(slot);
        match self.slots[slot].spec.startup_probe.clone() {
            Some(startup) => self.probe(slot, ProbeKind::Startup, startup),
            None => self.startup_done(slot),
        }
        None
    }

    async fn open_log(
        &self,
        container: &str,
        number: i32,
    ) -> std::io::Result<(Arc<LogWriter>, std::path::PathBuf)> {
        let folder = self
            .core
            .log_folder(
                &self.pod.namespace().unwrap_or_default(),
                &self.pod.name_any(),
                &self.pod.uid().unwrap_or_default(),
            )
            .join(container);
        let open = move || {
            // The previous run's log is kept, older ones go.
            let old = folder.join(format!("{}.log", number - 2));
            let _ = std::fs::remove_file(old.with_extension("log.1"));
            let _ = std::fs::remove_file(old);
            let path = folder.join(format!("{number}.log"));
            LogWriter::create(&path).map(|log| (Arc::new(log), path))
        };
        tokio::task::spawn_blocking(open)
            .await
            .map_err(std::io::Error::other)?
    }

    /// A command that cannot be started ends with code 128, like a runtime reports it.
    fn start_failed(&mut self, slot: usize, argv: &[String], error: &std::io::Error) -> Instant {
        let program = argv.first().map_or("", String::as_str);
        let why = match error.kind() {
            std::io::ErrorKind::NotFound if program.contains('/') => {
                format!("exec: \"{program}\": stat {program}: no such file or directory")
            }
            std::io::ErrorKind::NotFound => {
                format!("exec: \"{program}\": executable file not found in $PATH")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("exec: \"{program}\": permission denied")
            }
            _ => format!("exec: \"{program}\": {error}"),
        };
        let message = format!("failed to start container: {why}");
        self.event(
            slot,
            EventType::Warning,
            "Failed",
            &format!("Error: {message}"),
        );
        let now = Timestamp::now();
        let current = &mut self.slots[slot];
        current.state = State::Terminated(Termination {
            exit_code: 128,
            signal: None,
            reason: "StartError".into(),
            message,
            started: Some(Timestamp::UNIX_EPOCH),
            finished: Some(now),
            container_id: current.container_id.clone(),
        });
        current.ended_at = Some(Instant::now());
        Instant::now()
    }

    fn startup_done(&mut self, slot: usize) {
        self.slots[slot].started = true;
        if let Some(liveness) = self.slots[slot].spec.liveness_probe.clone() {
            self.probe(slot, ProbeKind::Liveness, liveness);
        }
        match self.slots[slot].spec.readiness_probe.clone() {
            Some(readiness) => self.probe(slot, ProbeKind::Readiness, readiness),
            None => self.slots[slot].ready = true,
        }
    }

    fn target(&self, slot: usize) -> Option<Target> {
        Some(Target {
            pod_ip: self.shared.net.pod_ip,
            container: self.slots[slot].spec.clone(),
            spawner: self.core.spawner.clone(),
            context: self.slots[slot].context.clone()?,
        })
    }

    fn probe(&mut self, slot: usize, kind: ProbeKind, spec: Probe) {
        let Some(target) = self.target(slot) else {
            return;
        };
        let (reports, mut heard) = tokio::sync::mpsc::channel(4);
        let (sender, run) = (self.sender.clone(), self.slots[slot].run);
        let started_at = Instant::now();
        let prober = tokio::spawn(probe::run(kind, spec, target, started_at, reports));
        let carrier = tokio::spawn(async move {
            while let Some(report) = heard.recv().await {
                let message = Message::Probe {
                    slot,
                    run,
                    kind,
                    report,
                };
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        });
        self.slots[slot].tasks.extend([prober, carrier]);
    }

    pub(super) fn probed(&mut self, slot: usize, run: u64, kind: ProbeKind, report: Report) {
        let current = &self.slots[slot];
        if current.run != run || current.process.is_none() || current.stopping {
            return;
        }
        match report {
            Report::Single(outcome) => {
                let (reason, text) = match outcome {
                    Outcome::Success => return,
                    Outcome::Warning(text) => {
                        ("ProbeWarning", format!("{kind:?} probe warning: {text}"))
                    }
                    Outcome::Failure(text) => {
                        ("Unhealthy", format!("{kind:?} probe failed: {text}"))
                    }
                    Outcome::Errored(text) => (
                        "Unhealthy",
                        format!("{kind:?} probe errored and resulted in unknown state: {text}"),
                    ),
                };
                self.event(slot, EventType::Warning, reason, &text);
            }
            Report::Decided(success) => match kind {
                ProbeKind::Startup if success => self.startup_done(slot),
                ProbeKind::Readiness => self.slots[slot].ready = success,
                ProbeKind::Startup | ProbeKind::Liveness if !success => {
                    self.kill_for(slot, kind);
                }
                _ => {}
            },
        }
    }

    fn kill_for(&mut self, slot: usize, kind: ProbeKind) {
        let spec = &self.slots[slot].spec;
        let name = spec.name.clone();
        let (probe, word) = match kind {
            ProbeKind::Startup => (&spec.startup_probe, "startup"),
            _ => (&spec.liveness_probe, "liveness"),
        };
        let own = probe
            .as_ref()
            .and_then(|p| p.termination_grace_period_seconds);
        let grace = own
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or_else(|| self.grace(), Duration::from_secs);
        let restarts = restart_policy(&self.pod) != "Never";
        self.slots[slot].force_restart = restarts;
        let text = if restarts {
            format!("Container {name} failed {word} probe, will be restarted")
        } else {
            format!("Stopping container {name}")
        };
        self.stop(slot, grace, &text);
    }

    /// Asks a running container to end, and makes it end after the grace.
    pub(super) fn stop(&mut self, slot: usize, grace: Duration, text: &str) {
        let Some(process) = self.slots[slot].process.clone() else {
            return;
        };
        let again = std::mem::replace(&mut self.slots[slot].stopping, true);
        if again && !grace.is_zero() {
            return;
        }
        if !text.is_empty() && !again {
            self.event(slot, EventType::Normal, "Killing", text);
        }
        let target = self.target(slot);
        let hook = self.slots[slot]
            .spec
            .lifecycle
            .as_ref()
            .and_then(|l| l.pre_stop.clone());
        let current = &mut self.slots[slot];
        current.ready = false;
        current.tasks.drain(..).for_each(|task| task.abort());
        let recorder = self.core.recorder.clone();
        let about = self.reference_of(slot);
        tokio::spawn(async move {
            let deadline = tokio::time::Instant::now() + grace;
            if let (Some(hook), Some(target), false) = (hook, target, grace.is_zero())
                && let Err(error) = run_hook(&hook, &target, grace).await
            {
                let text = format!("PreStopHook failed: {error}");
                recorder.record(about, EventType::Warning, "FailedPreStopHook", text);
            }
            if !grace.is_zero() {
                process.signal(Signal::SIGTERM);
                // Even a hook that used up the grace leaves the process a moment.
                let least = tokio::time::Instant::now() + Duration::from_secs(2).min(grace);
                if tokio::time::timeout_at(deadline.max(least), process.wait())
                    .await
                    .is_ok()
                {
                    return;
                }
            }
            let _ = tokio::task::spawn_blocking(move || process.kill()).await;
        });
    }

    fn post_start(&self, slot: usize) {
        let spec = &self.slots[slot].spec;
        let hook = spec
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.post_start.clone());
        let (Some(hook), Some(target)) = (hook, self.target(slot)) else {
            return;
        };
        let (sender, run) = (self.sender.clone(), self.slots[slot].run);
        tokio::spawn(async move {
            if let Err(error) = run_hook(&hook, &target, Duration::from_secs(120)).await {
                let message = format!("PostStartHook failed: {error}");
                let _ = sender
                    .send(Message::PostStartFailed { slot, run, message })
                    .await;
            }
        });
    }

    pub(super) async fn exited(&mut self, slot: usize, run: u64, exit: Exit) {
        if self.slots[slot].run != run {
            return;
        }
        let current = &mut self.slots[slot];
        current.tasks.drain(..).for_each(|task| task.abort());
        let started = match current.state {
            State::Running { since } => Some(since),
            _ => None,
        };
        let killed = current
            .out_of_memory
            .take()
            .is_some_and(|flag| flag.load(Ordering::SeqCst));
        if let Some(process) = current.process.take() {
            self.core.memory.forget(process.pid);
        }
        let code = exit.shown_code();
        let reason = match (killed, code) {
            (true, _) => "OOMKilled",
            (false, 0) => "Completed",
            (false, _) => "Error",
        };
        let (message_path, log_path) = (
            current.termination_message.clone(),
            current.log_path.clone(),
        );
        let fall_back = code != 0
            && current.spec.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        let container_id = current.container_id.clone();
        current.started = false;
        current.ready = false;
        current.context = None;
        let name = current.spec.name.clone();
        if let Some(entry) = self
            .shared
            .runs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(&name)
        {
            entry.context = None;
        }
        let core = self.core.clone();
        let id = container_id.clone();
        let message = tokio::task::spawn_blocking(move || {
            let message = termination_message(&message_path, &log_path, fall_back);
            if let Some(folder) = message_path.parent() {
                let _ = std::fs::remove_dir_all(folder);
            }
            core.survivors_forget(id.trim_start_matches("slipway-practice://"));
            message
        })
        .await
        .unwrap_or_default();
        let current = &mut self.slots[slot];
        current.ended_at = Some(Instant::now());
        current.state = State::Terminated(Termination {
            exit_code: code,
            signal: exit.signal.filter(|_| exit.code.is_none()),
            reason: reason.into(),
            message,
            started: started.map(seconds),
            finished: Some(seconds(exit.at)),
            container_id,
        });
    }

    fn reference_of(&self, slot: usize) -> k8s_openapi::api::core::v1::ObjectReference {
        let slot = &self.slots[slot];
        let list = if slot.role == Role::App {
            "containers"
        } else {
            "initContainers"
        };
        self.reference(Some(format!("spec.{list}{{{}}}", slot.spec.name)))
    }
}

async fn run_hook(hook: &LifecycleHandler, target: &Target, limit: Duration) -> Result<(), String> {
    if let Some(sleep) = &hook.sleep {
        let wanted = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
        tokio::time::sleep(wanted.min(limit)).await;
        return Ok(());
    }
    if let Some(exec) = &hook.exec {
        let command = exec.command.clone().unwrap_or_default();
        let ran = probe::run_command(&target.spawner, &target.context, &command, limit).await;
        return match ran {
            Ok((Some(0), _)) => Ok(()),
            Ok((Some(code), output)) => {
                Err(format!("command {command:?} exited with {code}: {output}"))
            }
            Ok((None, _)) => Err(format!("command {command:?} did not end in time")),
            Err(error) => Err(error.to_string()),
        };
    }
    let as_probe = Probe {
        http_get: hook.http_get.clone(),
        tcp_socket: hook.tcp_socket.clone(),
        timeout_seconds: i32::try_from(limit.as_secs().max(1)).ok(),
        ..Probe::default()
    };
    match probe::once(&as_probe, target).await {
        Outcome::Success | Outcome::Warning(_) => Ok(()),
        Outcome::Failure(text) | Outcome::Errored(text) => Err(text),
    }
}

fn termination_message(path: &std::path::Path, log: &std::path::Path, fall_back: bool) -> String {
    const MAX_BYTES: usize = 4096;
    let mut text = std::fs::read(path).unwrap_or_default();
    text.truncate(MAX_BYTES);
    if text.is_empty() && fall_back {
        return logs::last_text(log, 80, 2048);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The stored policy; the same default as the API applies where it is missing.
fn pull_policy(container: &Container) -> String {
    container.image_pull_policy.clone().unwrap_or_else(|| {
        let image = container.image.as_deref().unwrap_or_default();
        let latest = crate::images::normalize(image).ends_with(":latest");
        if latest {
            "Always".into()
        } else {
            "IfNotPresent".into()
        }
    })
}

fn memory_limit(container: &Container) -> Option<u64> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    quantity::parse(limits.get("memory")?)
        .map(|bytes| bytes as u64)
        .filter(|bytes| *bytes > 0)
}

/// Whole seconds the way Go prints a duration: `10s`, `1m20s`, `5m0s`.
fn go_duration(duration: Duration) -> String {
    let all = duration.as_secs();
    if all < 60 {
        format!("{all}s")
    } else {
        format!("{}m{}s", all / 60, all % 60)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::go_duration;

    #[test]
    fn delays_read_as_go_prints_them() {
        let printed: Vec<String> = [10, 40, 80, 300]
            .map(|s| go_duration(Duration::from_secs(s)))
            .into();
        assert_eq!(printed, ["10s", "40s", "1m20s", "5m0s"]);
    }
}
