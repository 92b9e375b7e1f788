//! What reaches into a running pod.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::cluster::{KUBECTLS, Place};
use crate::run;

async fn ready(place: &Place, pod: &str) {
    let object = format!("pod/{pod}");
    place
        .kubectl(&["wait", "--for=condition=Ready", &object, "--timeout=30s"])
        .await
        .ok();
}

pub async fn logs_can_be_read_in_every_way(place: Place) {
    let mut two = place.pod(
        "two",
        &place.shell("echo one; echo two; echo three; sleep 60"),
    );
    let mut side = place.shell("echo side; sleep 60");
    side["name"] = "side".into();
    if let Some(containers) = two["spec"]["containers"].as_array_mut() {
        containers.push(side);
    }
    let crash = place.pod("crash", &place.shell("echo run; exit 1"));
    let mut crash = crash;
    crash["spec"]["restartPolicy"] = "Always".into();
    let waiting =
        json!({"name": "app", "image": "there-is-no.invalid/such:v1", "imagePullPolicy": "Never"});
    place
        .apply(&[two, crash, place.pod("waiting", &waiting)])
        .await;
    ready(&place, "two").await;
    for version in KUBECTLS {
        let logs = async |args: &[&str]| {
            let mut all = vec!["logs"];
            all.extend(args);
            place.kubectl_of(version, &all).await
        };
        let app = ["two", "-c", "app"];
        place
            .until("the lines", async || {
                logs(&app).await.ok().lines().count() == 3
            })
            .await;
        assert_eq!(logs(&["two", "-c", "app", "--tail=1"]).await.ok(), "three");
        let stamped = logs(&["two", "-c", "app", "--timestamps", "--tail=1"])
            .await
            .ok();
        let (time, line) = stamped.split_once(' ').expect("a time and a line");
        assert!(
            time.parse::<jiff::Timestamp>().is_ok() && line == "three",
            "{stamped}"
        );
        logs(&["two", "--all-containers"])
            .await
            .says("side")
            .says("three");
        logs(&["-l", "app=two", "--all-containers", "--prefix"])
            .await
            .says("[pod/two/side] side");
        logs(&["two", "-c", "app", "--since=1h"]).await.says("one");
        logs(&["two", "-c", "app", "--limit-bytes=3"])
            .await
            .says("one")
            .code(0);
        logs(&["two", "-c", "nothing"])
            .await
            .refused("container nothing is not valid for pod two");
        logs(&["waiting"])
            .await
            .refused("container \"app\" in pod \"waiting\" is waiting to start");
        logs(&["two", "-c", "app", "--previous"])
            .await
            .refused("previous terminated container \"app\" in pod \"two\" not found");
    }
    place
        .until("a restart", async || {
            let said = place.kubectl(&["logs", "crash", "--previous"]).await;
            said.code == Some(0) && said.out.trim() == "run"
        })
        .await;
    let (_, body) = place.get(&place.path("api/v1", "pods/two/log")).await;
    assert_eq!(
        body["message"],
        "a container name must be specified for pod two, choose one of: [app side]"
    );
    let mut follow = place.kubectl_command("1.35", &["logs", "-f", "two", "-c", "app"]);
    let mut child = follow.spawn().expect("kubectl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let last = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "three" {
                return;
            }
        }
        panic!("the log ended");
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(20), last)
            .await
            .is_ok()
    );
}

pub async fn commands_run_with_their_exit_codes(place: Place) {
    place
        .apply(&[place.pod("box", &place.shell("sleep 120"))])
        .await;
    ready(&place, "box").await;
    for version in KUBECTLS {
        for web_sockets in ["true", "false"] {
            let exec = async |args: &[&str], input: Option<&str>| {
                let mut all = vec!["exec", "box"];
                all.extend(args);
                let mut command = place.kubectl_command(version, &all);
                command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", web_sockets);
                run::finish(command, input).await
            };
            let said = exec(
                &["--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3"],
                None,
            )
            .await;
            assert_eq!((said.code, said.out.as_str()), (Some(3), "out\n"), "{said}");
            said.says("err\n")
                .says("command terminated with exit code 3");
            let echoed = exec(&["-i", "--", "/bin/cat"], Some("through\n")).await;
            assert_eq!(echoed.ok(), "through");
            exec(&["-i", "-t", "--", "/bin/sh", "-c", "echo tty"], Some(""))
                .await
                .says("tty");
            exec(&["--", "/bin/not-there"], None)
                .await
                .refused("not-there");
        }
    }
    place
        .kubectl(&["exec", "box", "-c", "nothing", "--", "/bin/cat"])
        .await
        .refused("container nothing is not valid for pod box");
}

/// kubectl in a terminal of its own, which `script` gives it.
pub async fn a_shell_has_a_terminal_of_the_size_of_the_callers(place: Place) {
    place
        .apply(&[place.pod("box", &place.shell("sleep 120"))])
        .await;
    ready(&place, "box").await;
    for version in KUBECTLS {
        for web_sockets in ["true", "false"] {
            // The size comes on a channel of its own, so that it may come after the first line.
            let inside = "until [ \"$(stty size)\" = '33 101' ]; do sleep 0.05; done; \
                          tty; stty size; test -t 0 && test -t 1 && test -t 2; exit $((3 + $?))";
            let mut kubectl =
                place.kubectl_command(version, &["exec", "-it", "box", "--", "/bin/sh", "-c"]);
            kubectl.arg(inside);
            let quoted: Vec<String> = std::iter::once(kubectl.as_std().get_program())
                .chain(kubectl.as_std().get_args())
                .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
                .collect();
            let line = format!("stty cols 101 rows 33; {}", quoted.join(" "));
            let args = ["--quiet", "--return", "--command", &line, "/dev/null"];
            let mut command = run::command(
                std::path::Path::new("/usr/bin/script"),
                place.folder.path(),
                &args,
            );
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", web_sockets);
            let said = run::finish(command, Some("")).await;
            said.says("/dev/pts/").says("33 101\r\n").code(3);
        }
    }
}

pub async fn ports_are_forwarded_both_ways(place: Place) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    });
    place
        .apply(&[place.deployment("web", 1, &place.server()), service])
        .await;
    place
        .kubectl(&["rollout", "status", "deploy/web", "--timeout=30s"])
        .await
        .ok();
    let pod = place
        .kubectl(&["get", "pods", "-l", "app=web", "-o", "name"])
        .await
        .ok();
    for version in KUBECTLS {
        for (target, port) in [
            (pod.as_str(), ":8000"),
            ("deploy/web", ":http"),
            ("svc/web", ":80"),
        ] {
            for web_sockets in ["true", "false"] {
                let mut command = place.kubectl_command(version, &["port-forward", target, port]);
                command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", web_sockets);
                command.stdout(Stdio::piped());
                let mut child = command.spawn().expect("kubectl starts");
                let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
                let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line())
                    .await
                    .expect("kubectl speaks in time")
                    .expect("readable")
                    .expect("a line");
                let local = line
                    .strip_prefix("Forwarding from 127.0.0.1:")
                    .and_then(|rest| rest.split(' ').next())
                    .unwrap_or_else(|| panic!("{line}"))
                    .to_owned();
                let answers = futures::future::join_all((0..4).map(|_| whoami(&local))).await;
                for answer in answers {
                    assert!(answer.contains("200 OK"), "{target} {version}: {answer}");
                    assert!(answer.ends_with(pod.trim_start_matches("pod/")), "{answer}");
                }
            }
        }
    }
}

async fn whoami(port: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))
        .await
        .expect("connects");
    let request = b"GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    answer
}

pub async fn files_are_copied_and_output_attached_to(place: Place) {
    place
        .apply(&[place.pod("box", &place.shell("sleep 120"))])
        .await;
    ready(&place, "box").await;
    let file = place.folder.path().join("there.txt");
    let back = place.folder.path().join("back.txt");
    std::fs::write(&file, "carried\n").expect("written");
    let (file, back_text) = (file.display().to_string(), back.display().to_string());
    for version in KUBECTLS {
        place
            .kubectl_of(version, &["cp", &file, "box:/tmp/there.txt"])
            .await
            .ok();
        place
            .kubectl_of(version, &["cp", "box:/tmp/there.txt", &back_text])
            .await
            .ok();
        assert_eq!(std::fs::read_to_string(&back).expect("copied"), "carried\n");
    }
    let image = format!("--image={}", place.image);
    let args = [
        "run",
        "once",
        &image,
        "--restart=Never",
        "--rm",
        "-i",
        "--command",
        "--",
        "/bin/sh",
        "-c",
        "sleep 1; echo seen; exit 0",
    ];
    place.kubectl(&args).await.says("seen").code(0);
}

pub async fn what_pods_use_is_measured_as_metrics_server_does(place: Place) {
    let busy = place
        .shell("while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; done");
    let idle = place.shell("sleep 300");
    place
        .apply(&[place.pod("busy", &busy), place.pod("idle", &idle)])
        .await;
    ready(&place, "busy").await;
    ready(&place, "idle").await;
    let path = place.path("apis/metrics.k8s.io/v1beta1", "pods/busy");
    let nanocores = async || {
        let (_, metrics) = place.get(&path).await;
        let cpu = metrics["containers"][0]["usage"]["cpu"]
            .as_str()?
            .to_owned();
        cpu.strip_suffix('n')?.parse::<u64>().ok()
    };
    // As much of a processor as this machine leaves it.
    place
        .until("the busy pod's use", async || {
            nanocores().await.is_some_and(|used| used > 20_000_000)
        })
        .await;
    for version in KUBECTLS {
        let top = place.kubectl_of(version, &["top", "pods"]).await.ok();
        let row = |pod: &str| {
            let row = top.lines().find(|line| line.starts_with(pod));
            row.map(|row| row.split_whitespace().collect::<Vec<_>>())
        };
        let (busy, idle) = (row("busy").expect("busy"), row("idle").expect("idle"));
        assert!(busy[1].ends_with('m') && busy[2].ends_with("Mi"), "{top}");
        assert!(matches!(idle[1], "0m" | "1m"), "{top}");
        place
            .kubectl_of(version, &["top", "pod", "busy", "--containers"])
            .await
            .says("app");
        place
            .kubectl_of(version, &["top", "pods", "-l", "app=idle"])
            .await
            .says("idle");
    }
    let (code, _) = place
        .get(&place.path("apis/metrics.k8s.io/v1beta1", "pods/nobody"))
        .await;
    assert_eq!(code, 404);
}
