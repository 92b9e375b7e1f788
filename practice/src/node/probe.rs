//! Probes: asks a container by HTTP, TCP or a command, and publishes a result only after as many
//! equal answers in a row as the threshold says, worded as the kubelet words them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, ExecAction, HTTPGetAction, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::process::{Output, ProcessContext, Spawner};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// Succeeded, with something to say (a redirect to elsewhere).
    Warning(String),
    Failure(String),
    /// The probe itself could not run: counts for nothing.
    Errored(String),
}

/// What a probe needs to know about its container.
#[derive(Clone, Debug)]
pub struct Target {
    pub pod_ip: Ipv4Addr,
    pub container: Container,
    pub spawner: Spawner,
    pub context: Arc<ProcessContext>,
}

/// What a prober reports.
#[derive(Clone, Debug)]
pub enum Report {
    /// One failure or oddity, for an event.
    Single(Outcome),
    /// The thresholded result.
    Decided(bool),
}

/// Counts equal answers in a row.
#[derive(Debug)]
pub struct Threshold {
    success: i32,
    failure: i32,
    last: Option<bool>,
    run: i32,
}

impl Threshold {
    pub fn new(probe: &Probe) -> Self {
        Self {
            success: probe.success_threshold.unwrap_or(1).max(1),
            failure: probe.failure_threshold.unwrap_or(3).max(1),
            last: None,
            run: 0,
        }
    }

    /// The result to publish, if this answer completes a run.
    pub fn count(&mut self, success: bool) -> Option<bool> {
        if self.last == Some(success) {
            self.run = self.run.saturating_add(1);
        } else {
            self.last = Some(success);
            self.run = 1;
        }
        let needed = if success { self.success } else { self.failure };
        (self.run >= needed).then_some(success)
    }
}

/// Probes until the task is aborted, or, for startup and liveness, until a decision that ends
/// their job for this container.
pub async fn run(
    kind: ProbeKind,
    probe: Probe,
    target: Target,
    started_at: Instant,
    report: mpsc::Sender<Report>,
) {
    let period = seconds(probe.period_seconds, 10);
    let delay = Duration::from_secs(probe.initial_delay_seconds.unwrap_or(0).max(0) as u64);
    tokio::time::sleep_until((started_at + delay).into()).await;
    let mut threshold = Threshold::new(&probe);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = once(&probe, &target).await;
        let success = matches!(outcome, Outcome::Success | Outcome::Warning(_));
        let errored = matches!(outcome, Outcome::Errored(_));
        if outcome != Outcome::Success && report.send(Report::Single(outcome)).await.is_err() {
            return;
        }
        if errored {
            continue;
        }
        if let Some(decided) = threshold.count(success) {
            if report.send(Report::Decided(decided)).await.is_err() {
                return;
            }
            let over = match kind {
                ProbeKind::Startup => true,
                ProbeKind::Liveness => !decided,
                ProbeKind::Readiness => false,
            };
            if over {
                return;
            }
        }
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    let value = value.and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    Duration::from_secs(value.unwrap_or(default))
}

/// Asks once.
pub async fn once(probe: &Probe, target: &Target) -> Outcome {
    let timeout = seconds(probe.timeout_seconds, 1);
    if let Some(http) = &probe.http_get {
        return http_get(http, target, timeout).await;
    }
    if let Some(tcp) = &probe.tcp_socket {
        return tcp_socket(tcp, target, timeout).await;
    }
    if let Some(exec) = &probe.exec {
        return exec_command(exec, target, timeout).await;
    }
    Outcome::Errored("missing probe handler for the container".into())
}

async fn tcp_socket(tcp: &TCPSocketAction, target: &Target, timeout: Duration) -> Outcome {
    let Some(port) = port_number(&tcp.port, &target.container) else {
        return Outcome::Errored(format!("couldn't find port: {:?}", tcp.port));
    };
    let host = tcp
        .host
        .clone()
        .unwrap_or_else(|| target.pod_ip.to_string());
    match tokio::time::timeout(timeout, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Outcome::Success,
        Ok(Err(error)) => Outcome::Failure(dial_error(&host, port, &error)),
        Err(_) => Outcome::Failure(format!("dial tcp {host}:{port}: i/o timeout")),
    }
}

async fn exec_command(exec: &ExecAction, target: &Target, timeout: Duration) -> Outcome {
    let command = exec.command.clone().unwrap_or_default();
    match run_command(&target.spawner, &target.context, &command, timeout).await {
        Ok((Some(0), _)) => Outcome::Success,
        Ok((Some(_), output)) => Outcome::Failure(output),
        Ok((None, _)) => Outcome::Failure(format!(
            "command timed out: {command:?} timed out after {}s",
            timeout.as_secs()
        )),
        Err(error) => Outcome::Errored(format!("failed to exec in container: {error}")),
    }
}

/// Runs a command in a container: its exit code (`None` when it took too long) and its output.
pub async fn run_command(
    spawner: &Spawner,
    context: &ProcessContext,
    command: &[String],
    timeout: Duration,
) -> std::io::Result<(Option<i32>, String)> {
    const MAX_OUTPUT: usize = 10 * 1024;
    let (stdout, mut lines) = mpsc::channel(16);
    let output = Output::Channels {
        stdout: stdout.clone(),
        stderr: stdout,
    };
    let process = spawner
        .start_process(&context.for_command(), command, output, None)
        .await?;
    let mut text = Vec::new();
    let collect = async {
        while let Some(bytes) = lines.recv().await {
            if text.len() < MAX_OUTPUT {
                text.extend_from_slice(&bytes);
            }
        }
        process.wait().await
    };
    let ended = tokio::time::timeout(timeout, collect).await;
    text.truncate(MAX_OUTPUT);
    let output = String::from_utf8_lossy(&text).into_owned();
    if let Ok(exit) = ended {
        return Ok((Some(exit.shown_code()), output));
    }
    tokio::task::spawn_blocking(move || process.kill());
    Ok((None, output))
}

async fn http_get(http: &HTTPGetAction, target: &Target, timeout: Duration) -> Outcome {
    let Some(port) = port_number(&http.port, &target.container) else {
        return Outcome::Errored(format!("couldn't find port: {:?}", http.port));
    };
    let scheme = http.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
    if scheme != "http" {
        return Outcome::Errored("HTTPS probes are not available on the practice node".into());
    }
    let host = http
        .host
        .clone()
        .unwrap_or_else(|| target.pod_ip.to_string());
    let path = http.path.clone().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("{scheme}://{host}:{port}{slash}{path}");
    match tokio::time::timeout(timeout, get(http, &host, port, &url)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Failure(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

/// Sends the request and follows redirects on the same host.
async fn get(action: &HTTPGetAction, host: &str, port: u16, url: &str) -> Outcome {
    let mut here = url.to_owned();
    for _ in 0..10 {
        let (status, location, body) = match request(action, host, port, &here).await {
            Ok(answer) => answer,
            Err(text) => return Outcome::Failure(format!("Get \"{here}\": {text}")),
        };
        if (300..400).contains(&status)
            && let Some(location) = location
        {
            let root = format!("http://{host}:{port}");
            if location.starts_with('/') {
                here = format!("{root}{location}");
            } else if location.starts_with(&format!("{root}/")) {
                here = location;
            } else {
                return Outcome::Warning(format!(
                    "Probe terminated redirects, Response body: {body}"
                ));
            }
            continue;
        }
        return if (200..400).contains(&status) {
            Outcome::Success
        } else {
            Outcome::Failure(format!("HTTP probe failed with statuscode: {status}"))
        };
    }
    Outcome::Failure(format!("Get \"{here}\": stopped after 10 redirects"))
}

async fn request(
    action: &HTTPGetAction,
    host: &str,
    port: u16,
    url: &str,
) -> Result<(u16, Option<String>, String), String> {
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|e| dial_error(host, port, &e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    // Ends when the sender is dropped at the end of this function.
    let driver = tokio::spawn(connection);
    let uri: http::Uri = url.parse().map_err(|_| format!("invalid URL {url:?}"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let headers = action.http_headers.iter().flatten();
    let named = |name: &str| {
        headers
            .clone()
            .any(|header| header.name.eq_ignore_ascii_case(name))
    };
    let mut request = http::Request::get(path);
    if !named("host") {
        request = request.header("Host", format!("{host}:{port}"));
    }
    if !named("user-agent") {
        request = request.header("User-Agent", "kube-probe/1.36");
    }
    if !named("accept") {
        request = request.header("Accept", "*/*");
    }
    for header in headers.clone() {
        request = request.header(&header.name, &header.value);
    }
    let request = request
        .header("Connection", "close")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| {
        if error.is_incomplete_message() {
            "EOF".to_owned()
        } else if error.to_string().contains("reset") {
            format!("read tcp {host}:{port}: read: connection reset by peer")
        } else {
            format!("net/http: HTTP/1.x transport connection broken: {error}")
        }
    })?;
    let status = response.status().as_u16();
    let location = response
        .headers()
        .get(http::header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = if (300..400).contains(&status) {
        let limited = http_body_util::Limited::new(response.into_body(), 10 * 1024);
        let collected = limited
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        String::from_utf8_lossy(&collected.unwrap_or_default()).into_owned()
    } else {
        String::new()
    };
    driver.abort();
    Ok((status, location, body))
}

/// A failed connection in Go's words.
fn dial_error(host: &str, port: u16, error: &std::io::Error) -> String {
    let why = match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => "connect: connection refused".to_owned(),
        Some(libc::EHOSTUNREACH) => "connect: no route to host".to_owned(),
        Some(libc::ENETUNREACH) => "connect: network is unreachable".to_owned(),
        Some(libc::ETIMEDOUT) => "connect: connection timed out".to_owned(),
        Some(libc::ECONNRESET) => "connect: connection reset by peer".to_owned(),
        _ => error.to_string(),
    };
    format!("dial tcp {host}:{port}: {why}")
}

/// A port by number or by the name the container declares it under.
pub fn port_number(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok().filter(|port| *port > 0),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|declared| declared.name.as_deref() == Some(name))
            .and_then(|declared| u16::try_from(declared.container_port).ok())
            .or_else(|| name.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Probe;

    use super::{Threshold, dial_error};

    #[test]
    fn only_as_many_equal_answers_in_a_row_count() {
        let probe = Probe {
            failure_threshold: Some(3),
            success_threshold: Some(2),
            ..Probe::default()
        };
        let mut threshold = Threshold::new(&probe);
        let answers = [false, false, true, false, false, false, true, true];
        let results: Vec<_> = answers.map(|answer| threshold.count(answer)).into();
        let (bad, good) = (Some(false), Some(true));
        assert_eq!(results, [None, None, None, None, None, bad, None, good]);
    }

    #[test]
    fn without_thresholds_three_failures_or_one_success_decide() {
        let mut threshold = Threshold::new(&Probe::default());
        assert_eq!(threshold.count(true), Some(true));
        assert_eq!(threshold.count(false), None);
        assert_eq!(threshold.count(false), None);
        assert_eq!(threshold.count(false), Some(false));
    }

    #[test]
    fn a_refused_connection_is_worded_as_go_does() {
        let error = std::io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(
            dial_error("127.77.0.9", 8080, &error),
            "dial tcp 127.77.0.9:8080: connect: connection refused"
        );
    }
}
