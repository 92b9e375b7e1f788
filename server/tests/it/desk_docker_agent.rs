//! Docker Agent through its API server, stood in for to the letter, as a program and as a plugin that the
//! real docker starts; and Gordon, which is only pointed to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use app::model::{
    ApprovalState, AssistantChoices, AssistantId, Destination, KeyState, NextAction, Origin,
    Standing, TurnItem, Usage,
};
use app::ports::Assistants;
use serde_json::{Value, json};
use server::assist::mcp::McpServer;

use super::deploy_world::VALUE;
use super::desk_world::{DeskWorld, answered, failure, short_patience, tools};
use super::standin_minikube::{Machine, standin};

const ID: AssistantId = AssistantId::DockerAgent;
const KEY: &str = "openai-key-0123456789";

fn play(machine: &Machine, folder: &str, turns: Value) {
    let scenario = json!({"turns": turns});
    fs::write(
        machine.at(folder).join("docker-agent.json"),
        scenario.to_string(),
    )
    .expect("written");
}

async fn desk(turns: Value) -> DeskWorld {
    let machine = Machine::bare();
    machine.add("docker-agent", &standin("standin-docker-agent"));
    play(&machine, ".", turns);
    let config = machine.at("config").display().to_string();
    let home = machine.at("home").display().to_string();
    let env = [
        ("OPENAI_API_KEY", KEY),
        ("DOCKER_CONFIG", config.as_str()),
        ("HOME", home.as_str()),
    ];
    let desk = DeskWorld::open(machine, &env, short_patience()).await;
    choose(&desk).await;
    desk
}

async fn choose(desk: &DeskWorld) {
    let choices = AssistantChoices {
        model: Some("gpt-5-mini".to_owned()),
        ..AssistantChoices::default()
    };
    desk.set(ID, choices, None).await;
}

fn read(desk: &DeskWorld, file: &str) -> String {
    fs::read_to_string(desk.machine.at(file)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_slipways_tools_alone_and_everything_else_it_asks_for_is_refused() {
    let turns = json!([
        [
            {"say": "Let me look."},
            {"ask": {"name": "slipway_findings", "arguments": {}, "response": "Nothing is wrong."}},
            {"tool": {"name": "pods", "arguments": {}, "response": "app-1: Running"}},
            {"ask": {"name": "shell", "arguments": {"cmd": "kubectl scale deployment/app --replicas=2"}, "response": "DONE"}},
            {"ask": {"name": "shell", "arguments": {"cmd": "rm -rf /"}, "response": "DONE"}},
            {"elicit": true},
            {"limit": true},
            {"event": {"type": "hook_blocked", "x": 1}},
            {"say": " It has one pod."}
        ],
        [{"say": "As I said."}]
    ]);
    let desk = desk(turns).await;
    let view = desk.view(ID).await;
    assert_eq!(view.standing, Standing::Ready, "{view:#?}");
    assert_eq!(view.version.as_deref(), Some("v1.32.3"));
    assert_eq!(view.key, Some(KeyState::Environment));
    assert_eq!(
        view.destination,
        Destination::Cloud {
            to: "api.openai.com".to_owned()
        }
    );

    let turn = desk.ask(ID, "why is it slow?").await;
    answered(&turn);
    assert!(turn.said().contains("It has one pod."), "{turn:#?}");
    assert_eq!(
        turn.usage,
        Some(Usage {
            input: 100,
            output: 10
        })
    );
    let ran = tools(&turn);
    let answers: Vec<(&str, bool)> = ran
        .iter()
        .map(|(_, text, failed)| (text.as_str(), *failed))
        .collect();
    assert_eq!(
        answers[..2],
        [("Nothing is wrong.", false), ("app-1: Running", false)]
    );
    assert!(
        answers[2..]
            .iter()
            .all(|(text, failed)| *failed && text.contains("rejected")),
        "{turn:#?}"
    );
    assert!(!format!("{turn:?}").contains("DONE"), "{turn:#?}");
    assert!(
        turn.items.iter().any(
            |item| matches!(item, TurnItem::Proposed { line, .. } if line.contains("--replicas=2"))
        ),
        "{turn:#?}"
    );
    assert!(
        turn.items
            .iter()
            .any(|item| matches!(item, TurnItem::Refused { what, .. } if what == "shell")),
        "{turn:#?}"
    );
    let posts: Vec<Value> = read(&desk, "posts.log")
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let answers: Vec<&str> = posts
        .iter()
        .filter_map(|post| post["confirmation"].as_str().or(post["action"].as_str()))
        .collect();
    assert_eq!(
        answers,
        ["approve", "reject", "reject", "decline", "reject"]
    );

    let file: Value = serde_yaml::from_str(&read(&desk, "agent.yaml")).expect("YAML");
    let toolsets = file["agents"]["root"]["toolsets"]
        .as_array()
        .expect("toolsets");
    assert_eq!(toolsets.len(), 1);
    assert_eq!(
        (&toolsets[0]["type"], &toolsets[0]["args"][0]),
        (&json!("mcp"), &json!("mcp"))
    );
    let (calls, env) = (read(&desk, "calls.log"), read(&desk, "env.log"));
    assert!(
        calls.starts_with("serve api ") && calls.contains(" -l unix://"),
        "{calls}"
    );
    assert!(!calls.contains(KEY) && !file.to_string().contains(KEY));
    assert!(
        env.contains(&format!("OPENAI_API_KEY={KEY}")) && env.contains("TELEMETRY_ENABLED=false"),
        "{env}"
    );

    let next = desk.ask(ID, "and?").await;
    assert_eq!(next.said(), "As I said.");
    assert_eq!(
        next.usage,
        Some(Usage {
            input: 100,
            output: 10
        }),
        "the session's sum is taken apart"
    );
    assert_eq!(
        read(&desk, "calls.log").lines().count(),
        1,
        "the same process"
    );
    desk.desk.forget().await.expect("forgotten");
    answered(&desk.ask(ID, "again").await);
    assert_eq!(read(&desk, "calls.log").lines().count(), 2);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_toolset_it_is_given_is_slipway_itself_which_reads_hides_and_only_proposes() {
    let turns = json!([[
        {"use": {"name": "objects", "arguments": {"kind": "Deployment"}}},
        {"use": {"name": "objects", "arguments": {"kind": "Secret"}}},
        {"use": {"name": "propose_change", "arguments": {
            "command": "kubectl rollout restart deployment/app", "why": "a fresh start"}}},
        {"use": {"name": "propose_change", "arguments": {
            "command": "kubectl delete secret t-secrets", "why": "x"}}},
        {"say": "I have proposed it."}
    ]]);
    let desk = desk(turns).await;
    let kit = desk.kit.clone();
    McpServer::new(kit.core, kit.tools, kit.approvals).spawn();
    let turn = desk.ask(ID, "restart it").await;
    answered(&turn);
    assert_eq!(turn.said(), "I have proposed it.");
    let ran = tools(&turn);
    let answers: Vec<(&str, bool)> = ran
        .iter()
        .map(|(_, text, failed)| (text.as_str(), *failed))
        .collect();
    let expected = [
        ("kind: Deployment", false),
        ("kind has to be", true),
        ("a person decides", false),
        ("Denied", true),
    ];
    assert_eq!(answers.len(), expected.len(), "{turn:#?}");
    for ((text, failed), (words, fails)) in answers.into_iter().zip(expected) {
        assert!(
            text.contains(words) && failed == fails,
            "{words}: {turn:#?}"
        );
        assert!(!text.contains(VALUE));
    }
    // The card waits, and names who made it; nothing was restarted.
    let cards = desk.cards();
    assert_eq!(cards.len(), 1, "{cards:#?}");
    assert_eq!(cards[0].state, ApprovalState::Waiting);
    let name = "MCP client docker-agent".to_owned();
    assert_eq!(cards[0].origin, Origin::Assistant { name });
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_without_an_answer_is_named() {
    let desk = desk(json!([[]])).await;
    for (steps, code) in [
        (json!([]), "DOCKER_AGENT_SILENT"),
        (
            json!([{"say": "Hm."}, {"hang": true}]),
            "DOCKER_AGENT_STUCK",
        ),
        (json!([{"say": "Hm."}, {"cut": true}]), "DOCKER_AGENT_LOST"),
        (json!([{"exit": 3}]), "DOCKER_AGENT_ENDED"),
        (
            json!([{"error": format!("401 for {KEY}")}]),
            "DOCKER_AGENT_FAILED",
        ),
    ] {
        play(&desk.machine, ".", json!([steps]));
        let turn = desk.ask(ID, "why?").await;
        let finding = failure(&turn);
        let codes = [code, "DOCKER_AGENT_LOST"];
        // A process that ends takes its stream with it; which is noticed first is open.
        assert!(
            finding.code == code
                || (code == "DOCKER_AGENT_ENDED" && codes.contains(&finding.code.as_str())),
            "{turn:#?}"
        );
        assert!(!format!("{finding:?}").contains(KEY), "{finding:#?}");
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_plugin_it_is_started_by_docker_and_gordon_is_only_pointed_to() {
    let machine = Machine::bare();
    let plugins = machine.at("config/cli-plugins");
    fs::create_dir_all(&plugins).expect("made");
    symlink(
        standin("standin-docker-agent"),
        plugins.join("docker-agent"),
    )
    .expect("linked");
    play(&machine, "config", json!([[{"say": "From the plugin."}]]));
    // Gordon answers its handshake and nothing else; whatever it is asked is noted.
    let gordon = plugins.join("docker-ai");
    let script = "#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/../gordon.log\"\n[ \"$1\" = docker-cli-plugin-metadata ] && echo '{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"Docker Inc.\",\"Version\":\"v1.9.11\",\"ShortDescription\":\"Docker AI Agent - Ask Gordon\"}'\n";
    fs::write(&gordon, script).expect("written");
    fs::set_permissions(&gordon, fs::Permissions::from_mode(0o755)).expect("set");
    let config = machine.at("config").display().to_string();
    let env = [("OPENAI_API_KEY", KEY), ("DOCKER_CONFIG", config.as_str())];
    let desk = DeskWorld::open(machine, &env, short_patience()).await;
    choose(&desk).await;
    let view = desk.view(ID).await;
    assert_eq!(
        (view.standing, view.version.as_deref()),
        (Standing::Ready, Some("v1.32.3"))
    );
    let turn = desk.ask(ID, "why?").await;
    answered(&turn);
    assert_eq!(turn.said(), "From the plugin.");
    assert!(read(&desk, "config/calls.log").contains("serve api "));

    let view = desk.view(AssistantId::Gordon).await;
    assert_eq!(
        (view.standing, view.version.as_deref()),
        (Standing::Unsure, Some("v1.9.11"))
    );
    assert!(
        view.notes.iter().any(|note| note.contains("docker ai -C ")),
        "{:#?}",
        view.notes
    );
    let turn = desk.ask(AssistantId::Gordon, "why isn't it ready?").await;
    let finding = failure(&turn);
    assert_eq!(finding.code, "GORDON_IN_A_TERMINAL");
    assert!(
        matches!(&finding.next[..], [NextAction::Command { command, .. }] if command.contains(r"'why isn'\''t it ready?'")),
        "{finding:#?}"
    );
    let asked = read(&desk, "config/gordon.log");
    assert!(
        asked
            .lines()
            .all(|line| line == "docker-cli-plugin-metadata"),
        "{asked}"
    );
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said() {
    let machine = Machine::bare();
    let config = machine.at("config").display().to_string();
    let env = [("PATH", "/nowhere"), ("DOCKER_CONFIG", config.as_str())];
    let desk = DeskWorld::open(machine, &env, short_patience()).await;
    assert_eq!(missing(&desk, ID).await, "DOCKER_AGENT_MISSING");
    assert_eq!(missing(&desk, AssistantId::Gordon).await, "GORDON_MISSING");
    desk.end().await;
    // Under its former name.
    let machine = Machine::bare();
    machine.add("cagent", &standin("standin-docker-agent"));
    let config = machine.at("config").display().to_string();
    let desk = DeskWorld::open(
        machine,
        &[("DOCKER_CONFIG", config.as_str())],
        short_patience(),
    )
    .await;
    assert_eq!(missing(&desk, ID).await, "DOCKER_AGENT_NO_MODEL");
    choose(&desk).await;
    assert_eq!(missing(&desk, ID).await, "ASSISTANT_KEY_MISSING");
    desk.end().await;
}

async fn missing(desk: &DeskWorld, id: AssistantId) -> String {
    match desk.view(id).await.standing {
        Standing::Missing { finding } => finding.code,
        other => panic!("{other:?}"),
    }
}
