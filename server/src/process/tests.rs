use std::time::{Duration, Instant};

use super::*;

fn shell(script: &str) -> CommandSpec {
    CommandSpec::new("/bin/sh")
        .arg("-c")
        .arg(script)
        .deadline(Duration::from_secs(30))
}

async fn collect(spec: &CommandSpec, cancel: &CancellationToken) -> (Ending, Vec<String>) {
    let mut lines = Vec::new();
    let ending = run(spec, cancel, |_, line| lines.push(line.to_owned()))
        .await
        .expect("started");
    (ending, lines)
}

fn is_alive(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // A zombie waits for its new parent to reap it, and runs nothing.
    !stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .trim_start()
        .starts_with('Z')
}

async fn assert_dies(pid: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} was left behind");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn both_outputs_and_the_exit_code_arrive() {
    let captured = capture(
        &shell("echo out; echo err >&2; exit 3"),
        &CancellationToken::new(),
    )
    .await
    .expect("started");
    assert_eq!(captured.ending, Ending::Exited(3));
    assert_eq!(
        (captured.stdout.as_str(), captured.stderr.as_str()),
        ("out\n", "err\n")
    );
}

#[tokio::test]
async fn a_missing_program_and_a_missing_folder_are_told_apart() {
    let cancel = CancellationToken::new();
    let missing = capture(&CommandSpec::new("no-such-program-here"), &cancel).await;
    assert!(
        matches!(missing, Err(SpawnError::NotFound { program }) if program == "no-such-program-here")
    );
    let nowhere = capture(&shell("true").cwd("/no/such/folder"), &cancel).await;
    assert!(matches!(nowhere, Err(SpawnError::Io { .. })));
}

#[tokio::test]
async fn input_is_written_and_closed() {
    let big = vec![b'x'; 300_000];
    let captured = capture(&shell("wc -c").stdin(big), &CancellationToken::new())
        .await
        .expect("started");
    assert_eq!(captured.stdout.trim(), "300000");
}

#[tokio::test]
async fn a_hanging_program_is_stopped_at_its_deadline() {
    let spec = shell("echo up; sleep 1000").deadline(Duration::from_millis(300));
    let (ending, lines) = collect(&spec, &CancellationToken::new()).await;
    assert!(matches!(ending, Ending::TimedOut { after } if after >= Duration::from_millis(300)));
    assert_eq!(lines, ["up"]);
}

#[tokio::test]
async fn a_program_that_ignores_the_polite_signal_is_killed() {
    let spec = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")
        .grace(Duration::from_millis(300));
    let cancel = CancellationToken::new();
    let mut lines = Vec::new();
    let ending = run(&spec, &cancel, |_, line| {
        lines.push(line.to_owned());
        cancel.cancel();
    })
    .await
    .expect("started");
    assert_eq!(ending, Ending::Cancelled { forced: true });
}

#[tokio::test]
async fn a_polite_program_may_tidy_up() {
    let spec = shell("trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    let cancel = CancellationToken::new();
    let mut lines = Vec::new();
    let ending = run(&spec, &cancel, |pipe, line| {
        // On the other one the shell may say that its `sleep` was terminated too.
        if pipe == Pipe::Stdout {
            lines.push(line.to_owned());
        }
        cancel.cancel();
    })
    .await
    .expect("started");
    assert_eq!(ending, Ending::Cancelled { forced: false });
    assert_eq!(lines, ["ready", "tidy"]);
}

#[tokio::test]
async fn a_grandchild_that_holds_the_output_cannot_hang_us() {
    let (ending, lines) = collect(
        &shell("sleep 1000 & echo $!; exit 0"),
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(ending, Ending::Exited(0));
    assert_dies(&lines[0]).await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_whole_group() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        let spec = shell("sleep 1000 & echo $!; echo $$; wait");
        run(&spec, &CancellationToken::new(), |_, line| {
            let _ = tell.send(line.to_owned());
        })
        .await
    });
    let grandchild = told.recv().await.expect("a process id");
    let child = told.recv().await.expect("a process id");
    assert!(is_alive(&grandchild) && is_alive(&child));
    task.abort();
    assert_dies(&grandchild).await;
    assert_dies(&child).await;
}

#[tokio::test]
async fn a_flood_is_drained_and_bounded() {
    let spec = shell("head -c 10000000 /dev/zero | tr '\\0' 'x'");
    let (ending, lines) = collect(&spec, &CancellationToken::new()).await;
    assert_eq!(ending, Ending::Exited(0));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].len(), LONGEST_LINE + CUT_MARK.len());
    let captured = capture(&spec, &CancellationToken::new())
        .await
        .expect("started");
    assert!(captured.truncated);
    assert_eq!(captured.stdout.len(), Captured::MOST);
}

#[tokio::test]
async fn invalid_utf8_does_not_stop_the_stream() {
    let (_, lines) = collect(
        &shell("printf 'a\\377b\\nnext\\n'"),
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(lines, ["a\u{fffd}b", "next"]);
}

#[tokio::test]
async fn a_program_killed_by_a_signal_says_which() {
    let (ending, _) = collect(&shell("kill -KILL $$"), &CancellationToken::new()).await;
    assert_eq!(ending, Ending::Signaled(9));
}

#[test]
fn programs_are_found_on_the_path_only_when_they_can_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tool");
    std::fs::write(&file, "#!/bin/sh\n").expect("written");
    let path = folder.path().as_os_str();
    assert_eq!(find_in("tool", Some(path)), None);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("set");
    assert_eq!(find_in("tool", Some(path)), Some(file));
    assert_eq!(find_in("tool", None), None);
    assert!(find_on_path("/bin/sh").is_some());
}

#[test]
fn a_command_never_prints_its_environment_or_input() {
    let spec = CommandSpec::new("x").env("KEY", "hunter2").stdin("hunter2");
    assert!(!format!("{spec:?} {:?}", spec.stdin).contains("hunter2"));
}
