//! A program that serves on this machine for as long as a conversation lasts, and no longer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::Core;
use crate::process::{self, CommandSpec, Pipe};

/// Its last words, for a finding.
const KEPT_LINES: usize = 20;
const LONGEST_LINE: usize = 500;

/// Dropping it ends the program and its whole process group.
#[derive(Debug)]
pub struct Child {
    heard: watch::Receiver<Option<String>>,
    ended: watch::Receiver<Option<String>>,
    said: Arc<Mutex<VecDeque<String>>>,
    stop: CancellationToken,
    _ends: DropGuard,
}

impl Child {
    /// Starts the program. `read` looks for what is waited for in each line of its output; what `keep`
    /// holds is let go of after the program has ended.
    pub fn start(
        core: &Core,
        spec: CommandSpec,
        keep: impl Send + 'static,
        read: fn(&str) -> Option<String>,
    ) -> Self {
        let (heard_sender, heard) = watch::channel(None);
        let (ended_sender, ended) = watch::channel(None);
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let stop = core.shutdown.child_token();
        let (cancel, lines, redactor) = (stop.clone(), said.clone(), core.redactor.clone());
        core.tasks.spawn(async move {
            let on_line = |pipe: Pipe, line: &str| {
                if pipe == Pipe::Stdout
                    && heard_sender.borrow().is_none()
                    && let Some(found) = read(line)
                {
                    heard_sender.send_replace(Some(found));
                }
                let line = process::strip_escapes(line);
                let line: String = redactor.redact(&line).chars().take(LONGEST_LINE).collect();
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            };
            let how = match process::run(&spec, &cancel, on_line).await {
                Ok(ending) => ending.words(),
                Err(error) => error.to_string(),
            };
            ended_sender.send_replace(Some(how));
            drop(keep);
        });
        Self {
            heard,
            ended,
            said,
            stop: stop.clone(),
            _ends: stop.drop_guard(),
        }
    }

    /// Waits for what `read` looks for; else how the program ended, or that it took too long.
    pub async fn heard(&self, limit: Duration) -> Result<String, String> {
        let (mut heard, mut ended) = (self.heard.clone(), self.ended.clone());
        let waiting = async {
            tokio::select! {
                biased;
                found = heard.wait_for(Option::is_some) => match found {
                    Ok(found) => Ok(found.clone().unwrap_or_default()),
                    Err(_) => Err(how(&self.ended)),
                },
                _ = ended.wait_for(Option::is_some) => Err(how(&self.ended)),
            }
        };
        tokio::time::timeout(limit, waiting)
            .await
            .unwrap_or_else(|_| Err(format!("it was not ready within {} s", limit.as_secs())))
    }

    /// Waits until it has ended, and says how. It does not keep the program alive.
    pub fn ended(&self) -> impl Future<Output = String> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.wait_for(Option::is_some).await;
            how(&ended)
        }
    }

    pub fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.ended.borrow().is_some()
    }

    /// Ends it when cancelled; is cancelled when it is to end.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Its last lines, redacted.
    pub fn last_words(&self) -> String {
        let lines = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}

fn how(ended: &watch::Receiver<Option<String>>) -> String {
    let how = ended.borrow().clone();
    format!("it ended with {}", how.as_deref().unwrap_or("nothing said"))
}
