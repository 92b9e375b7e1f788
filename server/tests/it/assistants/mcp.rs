//! `slipway mcp`, by a real MCP client: through the socket, and through the program's own standard
//! input and output.

use std::process::Stdio;

use app::model::{ApprovalState, Origin};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation};
use serde_json::{Value, json};
use server::assist::mcp::{McpServer, socket};
use tokio::process::Command;

use super::Office;
use crate::deploy_world::VALUE;

fn call(name: &'static str, arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else {
        panic!("an object")
    };
    CallToolRequestParams::new(name).with_arguments(arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_assistant_looks_through_the_program_and_proposes_a_card() {
    let office = Office::open().await;
    let core = office.world.core.clone();
    McpServer::new(core.clone(), office.tools.clone(), office.approvals.clone()).spawn();
    let mode = std::fs::metadata(socket(core.state_dir.path())).expect("a socket");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o600
    );

    let mut program = Command::new(env!("CARGO_BIN_EXE_slipway"))
        .arg("mcp")
        .arg("--state-dir")
        .arg(core.state_dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let pipes = (
        program.stdout.take().expect("stdout"),
        program.stdin.take().expect("stdin"),
    );
    let client = ClientConfig::new(
        ClientCapabilities::default(),
        Implementation::new("kubectl-ai", "0.0.28"),
    );
    let client = client.serve(pipes).await.expect("a session");
    let tools = client.list_all_tools().await.expect("tools");
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "findings",
            "project",
            "pods",
            "events",
            "logs",
            "objects",
            "plan",
            "propose_change"
        ]
    );
    let reads = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).expect("there");
        tool.annotations
            .as_ref()
            .and_then(|hints| hints.read_only_hint)
    };
    assert_eq!(
        (reads("logs"), reads("propose_change")),
        (Some(true), Some(false))
    );

    let ask = async |name, arguments| {
        let result = client
            .call_tool(call(name, arguments))
            .await
            .expect("answered");
        let words = serde_json::to_string(&result.content).expect("JSON");
        assert!(!words.contains(VALUE));
        (result.is_error == Some(true), words)
    };
    let (failed, words) = ask("objects", json!({"kind": "Deployment"})).await;
    assert!(!failed && words.contains("kind: Deployment"), "{words}");
    let (failed, words) = ask("objects", json!({"kind": "Secret"})).await;
    assert!(failed && words.contains("kind has to be"), "{words}");
    let (failed, words) = ask(
        "propose_change",
        json!({"command": "kubectl delete secret t-secrets", "why": "x"}),
    )
    .await;
    assert!(failed && words.contains("Denied"), "{words}");
    let (failed, words) = ask(
        "propose_change",
        json!({"command": "kubectl rollout restart deployment/app", "why": "a fresh start"}),
    )
    .await;
    assert!(!failed && words.contains("a person decides"), "{words}");

    let cards = core.hub.read(|state| state.approvals.clone());
    assert_eq!(cards.len(), 1);
    assert_eq!(cards[0].state, ApprovalState::Waiting);
    let name = "MCP client kubectl-ai".to_owned();
    assert_eq!(cards[0].origin, Origin::Assistant { name });
    let audit = office.audit().await;
    assert!(
        audit
            .iter()
            .any(|line| line.starts_with("MCP client kubectl-ai: read objects")),
        "{audit:#?}"
    );

    client.cancel().await.expect("ended");
    let ended = tokio::time::timeout(super::PATIENCE, program.wait()).await;
    assert!(ended.expect("in time").expect("ended").success());
    office.end().await;
}

#[tokio::test]
async fn without_a_panel_it_says_so_and_ends_with_code_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_slipway"))
        .arg("mcp")
        .arg("--state-dir")
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        output.stdout.is_empty(),
        "standard output is the protocol's"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("No Slipway serves from this state folder"),
        "{said}"
    );
}
