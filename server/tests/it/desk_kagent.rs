//! kagent on a practice cluster: its kinds and agents are custom resources, its controller a stand-in in a
//! pod, reached through the API server's proxy as on any cluster.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use app::model::{
    AssistantChoices, AssistantId, AssistantView, OwnAgentStanding, Standing, Turn, TurnId,
    TurnItem, TurnOutcome, Usage,
};
use app::ports::Assistants;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::deploy_world::{Setting, VALUE, World, finding, succeeded, write_project};
use super::desk_world::{DeskWorld, answered, failure, short_patience, tools};
use super::standin_minikube::{Machine, standin};
use crate::real_tools;

const ID: AssistantId = AssistantId::Kagent;

/// A deployed project whose only pod is kagent's controller, with an agent of its own.
async fn world() -> (World, tempfile::TempDir) {
    world_with("[\"8000\"]").await
}

/// Its controller is started with these arguments.
async fn world_with(args: &str) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    write_project(&project, "t");
    fs::copy(standin("standin-kagent"), project.join("app/program")).expect("it was built");
    let toml = fs::read_to_string(project.join("slipway.toml")).expect("read");
    let toml = toml
        .replace("\"sh\", \"-c\", \"cp /bin/sleep program\"", "\"true\"")
        .replace("args = [\"3600\"]", &format!("args = {args}"));
    fs::write(project.join("slipway.toml"), toml).expect("written");
    let manifest = project.join("k8s/app.yaml");
    let text = fs::read_to_string(&manifest).expect("read");
    let probe = "          ports: [{containerPort: 8000}]\n          readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1}\n";
    let text = text.replace("          ports: [{containerPort: 8000}]\n", probe);
    fs::write(&manifest, text).expect("written");
    let world = World::open(Setting {
        root: folder.path().to_owned(),
        cluster: None,
    })
    .await;
    world.build().await;
    world.set(VALUE).await.expect("stored");
    succeeded(world.deploy().await);
    (world, folder)
}

fn kind(name: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk("kagent.dev", "v1alpha2", name);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

async fn define(world: &World, name: &str, plural: &str) {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": format!("{plural}.kagent.dev")},
        "spec": {
            "group": "kagent.dev", "scope": "Namespaced",
            "names": {"kind": name, "plural": plural, "singular": name.to_lowercase()},
            "versions": [{"name": "v1alpha2", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}}}]
        }
    });
    let definition: CustomResourceDefinition =
        serde_json::from_value(definition).expect("a definition");
    let all: Api<CustomResourceDefinition> = Api::all(world.client());
    all.create(&PostParams::default(), &definition)
        .await
        .expect("defined");
    let served: Api<DynamicObject> = Api::all_with(world.client(), &kind(name, plural));
    let serves = async {
        while served.list(&Default::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), serves)
        .await
        .expect("served");
}

async fn agent(world: &World, name: &str, tools: Value, ready: &str) {
    let agents: Api<DynamicObject> =
        Api::namespaced_with(world.client(), "t", &kind("Agent", "agents"));
    let agent = json!({
        "apiVersion": "kagent.dev/v1alpha2", "kind": "Agent", "metadata": {"name": name},
        "spec": {"type": "Declarative", "description": "Knows Kubernetes",
            "declarative": {"modelConfig": "default-model-config", "tools": tools}}
    });
    let agent = serde_json::from_value(agent).expect("an agent");
    agents
        .create(&PostParams::default(), &agent)
        .await
        .expect("made");
    let status = json!({"status": {"conditions": [
        {"type": "Accepted", "status": "True"},
        {"type": "Ready", "status": ready, "reason": "DeploymentReady"}
    ]}});
    agents
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .expect("set");
}

fn tool_server(names: &[&str], asks: &[&str]) -> Value {
    json!([{"type": "McpServer", "mcpServer": {
        "apiGroup": "kagent.dev", "kind": "RemoteMCPServer", "name": "kagent-tool-server",
        "toolNames": names, "requireApproval": asks
    }}])
}

async fn model(world: &World, provider: &str) {
    let configs: Api<DynamicObject> =
        Api::namespaced_with(world.client(), "t", &kind("ModelConfig", "modelconfigs"));
    let config = json!({
        "apiVersion": "kagent.dev/v1alpha2", "kind": "ModelConfig",
        "metadata": {"name": "default-model-config"}, "spec": {"provider": provider, "model": "gpt-4.1-mini"}
    });
    let config = serde_json::from_value(config).expect("a config");
    configs
        .create(&PostParams::default(), &config)
        .await
        .expect("made");
}

async fn service(world: &World) {
    let services: Api<Service> = Api::namespaced(world.client(), "t");
    let service = json!({
        "metadata": {"name": "kagent-controller"},
        "spec": {"selector": {"app": "app"}, "ports": [{"port": 8083, "targetPort": 8000}]}
    });
    let service = serde_json::from_value(service).expect("a service");
    services
        .create(&PostParams::default(), &service)
        .await
        .expect("made");
}

fn code(view: &AssistantView) -> &str {
    match &view.standing {
        Standing::Missing { finding } => &finding.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_agents_are_asked_and_what_they_want_to_change_is_refused_by_name() {
    let (world, folder) = world().await;
    let desk = DeskWorld::around(world, Machine::bare(), &[], short_patience());
    assert_eq!(code(&desk.view(ID).await), "KAGENT_MISSING");
    define(&desk.world, "Agent", "agents").await;
    define(&desk.world, "ModelConfig", "modelconfigs").await;
    assert_eq!(code(&desk.view(ID).await), "KAGENT_NO_CONTROLLER");
    service(&desk.world).await;
    assert_eq!(code(&desk.view(ID).await), "KAGENT_NO_READY_AGENT");
    let writes = ["k8s_get_resources", "k8s_delete_resource"];
    agent(&desk.world, "k8s-agent", tool_server(&writes, &[]), "True").await;
    agent(
        &desk.world,
        "not-yet",
        tool_server(&writes, &writes[1..]),
        "False",
    )
    .await;
    model(&desk.world, "OpenAI").await;
    let view = until_ready(&desk).await;
    assert_eq!(view.version.as_deref(), Some("0.9.12"));
    assert_eq!(view.agents.len(), 2);
    let of = |name: &str| {
        view.agents
            .iter()
            .find(|agent| agent.name == name)
            .expect("listed")
    };
    assert_eq!(of("t/k8s-agent").unasked, ["k8s_delete_resource"]);
    assert!(!of("t/not-yet").is_ready && of("t/not-yet").unasked.is_empty());
    assert!(
        view.notes
            .iter()
            .any(|note| note.contains("without asking anybody")),
        "{view:#?}"
    );
    assert_eq!(
        view.destination,
        app::model::Destination::Cloud {
            to: "OpenAI".to_owned()
        }
    );

    // A tool, its answer, and the text once: not in pieces, and not from the artifact again.
    let turn = desk.ask(ID, "look at the logs").await;
    answered(&turn);
    assert_eq!(turn.said(), "The pod has no route.", "{turn:#?}");
    assert!(
        matches!(&tools(&turn)[..], [(arguments, answer, false)] if arguments.contains("web-0") && answer.contains("no route to host")),
        "{turn:#?}"
    );
    assert_eq!(
        turn.usage,
        Some(Usage {
            input: 120,
            output: 7
        })
    );
    assert!(turn.items.iter().any(
        |item| matches!(item, TurnItem::Notice { text } if text.contains("k8s_delete_resource"))
    ));
    let turn = desk.ask(ID, "in the artifact").await;
    assert_eq!(turn.said(), "Only in the artifact.");

    // Both calls are refused by name, and the plain one becomes a card.
    let turn = desk.ask(ID, "delete it all").await;
    answered(&turn);
    assert_eq!(turn.said(), "I left everything as it is.", "{turn:#?}");
    assert!(
        turn.items.iter().any(
            |item| matches!(item, TurnItem::Refused { what, .. } if what.contains("helm_uninstall"))
        ),
        "{turn:#?}"
    );
    let cards = desk.cards();
    let card = cards.last().expect("a card");
    assert!(card.line.contains("delete configmap/extra"), "{card:#?}");

    // One context as long as the conversation lasts.
    let which = async || desk.ask(ID, "which context?").await.said();
    assert_eq!(which().await, "context 1, question 4");
    desk.desk.forget().await.expect("forgotten");
    assert_eq!(which().await, "context 2, question 1");
    assert_eq!(which().await, "context 2, question 2");

    let turn = desk.ask(ID, "fail").await;
    let finding = failure(&turn);
    assert_eq!(finding.code, "KAGENT_FAILED");
    assert!(
        finding.evidence[0].text.contains("invalid api key"),
        "{finding:#?}"
    );
    desk.end().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_hangs_or_is_stopped_is_told_and_its_task_ends() {
    let (world, folder) = world().await;
    let desk = DeskWorld::around(world, Machine::bare(), &[], short_patience());
    define(&desk.world, "Agent", "agents").await;
    define(&desk.world, "ModelConfig", "modelconfigs").await;
    service(&desk.world).await;
    let looks = tool_server(&["k8s_get_resources"], &[]);
    agent(&desk.world, "k8s-agent", looks.clone(), "True").await;
    agent(&desk.world, "not-yet", looks.clone(), "False").await;
    until_ready(&desk).await;

    // Its stream ends before its task does.
    let turn = desk.ask(ID, "cut").await;
    assert_eq!(failure(&turn).code, "KAGENT_BROKE_OFF");
    // Who stops an answer ends its task in the cluster.
    let id = desk.begin(ID, "hang").await;
    desk.until("it has begun", |turn| turn.id == id && turn.said() == "Hm.")
        .await;
    let turn = stopped(&desk, id).await;
    assert_eq!(
        turn.ending.map(|ending| ending.how),
        Some(TurnOutcome::Stopped)
    );
    // Also one that has begun and has not yet said under which name.
    let id = desk.begin(ID, "dawdle").await;
    desk.until("it is asked", |turn| turn.id == id && turn.model.is_some())
        .await;
    stopped(&desk, id).await;
    // Nothing is heard of it for longer than anybody waits.
    let turn = desk.ask(ID, "hang").await;
    assert_eq!(failure(&turn).code, "KAGENT_STUCK");
    assert_eq!(turn.said(), "Hm.");
    let all_four = |said: &str| said.matches("task-").count() == 4;
    until_told(&desk, "which are cancelled?", all_four).await;

    // One that is missing, or not ready, is not silently another one.
    for (agent, code_of_it) in [
        ("t/nobody", "KAGENT_NO_SUCH_AGENT"),
        ("t/not-yet", "KAGENT_NOT_READY"),
    ] {
        let chosen = AssistantChoices {
            agent: Some(agent.to_owned()),
            ..AssistantChoices::default()
        };
        desk.set(ID, chosen, None).await;
        assert_eq!(code(&desk.view(ID).await), code_of_it);
        let turn = desk.ask(ID, "well?").await;
        assert_eq!(failure(&turn).code, code_of_it);
    }
    // Its object is there, and the controller does not know it.
    agent(&desk.world, "unknown", looks, "True").await;
    let chosen = AssistantChoices {
        agent: Some("t/unknown".to_owned()),
        ..AssistantChoices::default()
    };
    desk.set(ID, chosen, None).await;
    let turn = desk.ask(ID, "well?").await;
    assert_eq!(failure(&turn).code, "KAGENT_NO_SUCH_AGENT");
    desk.end().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn slipways_own_agent_is_shown_applied_removed_and_never_taken_from_others() {
    let (world, folder) = world().await;
    let desk = DeskWorld::around(world, Machine::bare(), &[], short_patience());
    assert_eq!(desk.view(ID).await.own_agent, None, "there is no kagent");
    let refused = desk.desk.remove_agent().await;
    assert_eq!(
        finding(refused.expect_err("no kagent")).code,
        "KAGENT_MISSING"
    );
    define(&desk.world, "Agent", "agents").await;
    define(&desk.world, "ModelConfig", "modelconfigs").await;
    service(&desk.world).await;
    let writes = tool_server(&["k8s_delete_resource"], &[]);
    agent(&desk.world, "k8s-agent", writes, "True").await;
    until_ready(&desk).await;
    let own = async || desk.view(ID).await.own_agent.expect("it is offered");
    let offered = own().await;
    assert_eq!(offered.name, "t/slipway-looks");
    assert_eq!(offered.standing, OwnAgentStanding::Offered);

    let other = offered
        .manifest
        .replace("k8s_get_events", "k8s_delete_resource");
    let refused = desk.desk.apply_agent(other).await;
    assert_eq!(
        finding(refused.expect_err("not what was shown")).code,
        "KAGENT_AGENT_UNSEEN"
    );
    assert_eq!(own().await.standing, OwnAgentStanding::Offered);

    desk.desk
        .apply_agent(offered.manifest.clone())
        .await
        .expect("applied");
    assert_eq!(own().await.standing, OwnAgentStanding::Applied);
    let agents: Api<DynamicObject> =
        Api::namespaced_with(desk.world.client(), "t", &kind("Agent", "agents"));
    let there = agents.get("slipway-looks").await.expect("there");
    let managers = there.metadata.managed_fields.iter().flatten();
    let applied = managers.filter(|entry| entry.operation.as_deref() == Some("Apply"));
    let by: Vec<_> = applied.map(|entry| entry.manager.as_deref()).collect();
    assert_eq!(by, [Some("slipway")]);
    let view = desk.view(ID).await;
    let listed = view.agents.iter().find(|agent| agent.name == offered.name);
    assert!(
        listed.is_some_and(|agent| agent.unasked.is_empty()),
        "{view:#?}"
    );
    // Once its pod runs it goes before those that write unasked.
    let ready = json!({"status": {"conditions": [
        {"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "True"}]}});
    agents
        .patch_status(
            "slipway-looks",
            &PatchParams::default(),
            &Patch::Merge(ready),
        )
        .await
        .expect("set");
    assert_eq!(
        desk.view(ID).await.choices.agent,
        Some(offered.name.clone())
    );
    // Somebody arms it: it is not called an agent that only looks any more.
    let mut armed = there.data["spec"]["declarative"]["tools"].clone();
    armed[0]["mcpServer"]["toolNames"] = json!(["k8s_delete_resource"]);
    let by_hand = PatchParams {
        field_manager: Some("somebody".to_owned()),
        ..PatchParams::default()
    };
    let armed = json!({"spec": {"declarative": {"tools": armed}}});
    agents
        .patch("slipway-looks", &by_hand, &Patch::Merge(armed))
        .await
        .expect("armed");
    assert_eq!(own().await.standing, OwnAgentStanding::Changed);
    // Applying it takes that back, and twice is as good as once.
    desk.desk
        .apply_agent(offered.manifest.clone())
        .await
        .expect("applied over it");
    assert_eq!(own().await.standing, OwnAgentStanding::Applied);
    desk.desk
        .apply_agent(offered.manifest.clone())
        .await
        .expect("applied again");
    desk.desk.remove_agent().await.expect("removed");
    assert_eq!(own().await.standing, OwnAgentStanding::Offered);
    desk.desk
        .remove_agent()
        .await
        .expect("nothing is left to remove");

    agent(&desk.world, "slipway-looks", json!([]), "True").await;
    assert_eq!(own().await.standing, OwnAgentStanding::Taken);
    for refused in [
        desk.desk.apply_agent(offered.manifest).await,
        desk.desk.remove_agent().await,
    ] {
        assert_eq!(
            finding(refused.expect_err("not ours")).code,
            "KAGENT_AGENT_TAKEN"
        );
    }
    assert!(
        agents
            .get_opt("slipway-looks")
            .await
            .expect("asked")
            .is_some()
    );
    desk.end().await;
    drop(folder);
}

/// An agent on the official SDK, as kagent's own are; it ends with this value.
struct Peer {
    _process: Child,
    address: String,
}

impl Peer {
    async fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/a2a/agent.py");
        let mut process = Command::new(real_tools::a2a_python())
            // Nothing is left beside the sources.
            .arg("-B")
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout")).lines();
        let port = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let port = port.expect("in time").expect("read").expect("a port");
        Self {
            _process: process,
            address: format!("http://127.0.0.1:{port}/"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_on_the_official_sdk_is_understood_refused_and_cancelled() {
    let peer = Peer::start().await;
    let (world, folder) = world_with(&format!("[\"8000\", \"{}\"]", peer.address)).await;
    let desk = DeskWorld::around(world, Machine::bare(), &[], short_patience());
    define(&desk.world, "Agent", "agents").await;
    define(&desk.world, "ModelConfig", "modelconfigs").await;
    service(&desk.world).await;
    let looks = tool_server(&["k8s_get_resources"], &[]);
    agent(&desk.world, "k8s-agent", looks, "True").await;
    until_ready(&desk).await;

    let turn = desk.ask(ID, "look at the logs").await;
    answered(&turn);
    assert_eq!(turn.said(), "The pod has no route.", "{turn:#?}");
    assert!(
        matches!(&tools(&turn)[..], [(arguments, answer, false)] if arguments.contains("web-0") && answer == "no route to host"),
        "{turn:#?}"
    );
    assert_eq!(
        turn.usage,
        Some(Usage {
            input: 120,
            output: 7
        })
    );
    // The SDK goes on with the very task that was paused, and hears every call refused by name.
    let turn = desk.ask(ID, "delete it all").await;
    answered(&turn);
    assert_eq!(
        turn.said(),
        "Decided fc1: reject, fc2: reject.",
        "{turn:#?}"
    );
    let cards = desk.cards();
    assert!(
        cards
            .last()
            .is_some_and(|card| card.line.contains("delete configmap/extra")),
        "{cards:#?}"
    );
    let turn = desk.ask(ID, "fail").await;
    let finding = failure(&turn);
    assert_eq!(finding.code, "KAGENT_FAILED");
    assert!(finding.evidence[0].text.contains("invalid api key"));

    let id = desk.begin(ID, "hang").await;
    desk.until("it has begun", |turn| turn.id == id && turn.said() == "Hm.")
        .await;
    stopped(&desk, id).await;
    let turn = desk.ask(ID, "hang").await;
    assert_eq!(failure(&turn).code, "KAGENT_STUCK");
    until_told(&desk, "how many are cancelled?", |said| {
        said == "2 cancelled"
    })
    .await;
    desk.end().await;
    drop((peer, folder));
}

/// Stops an answer; the turn as it ended.
async fn stopped(desk: &DeskWorld, id: TurnId) -> Turn {
    desk.desk.stop(id).await.expect("stopped");
    desk.until("it is stopped", |turn| {
        turn.id == id && turn.ending.is_some()
    })
    .await
}

/// Asks the agent itself, until it says so: tasks end a moment after their answer.
async fn until_told(desk: &DeskWorld, question: &str, wanted: impl Fn(&str) -> bool) {
    let asking = async {
        loop {
            let turn = desk.ask(ID, question).await;
            answered(&turn);
            if wanted(&turn.said()) {
                return;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(60), asking).await;
    assert!(told.is_ok(), "{question}");
}

/// The Service needs a moment until it has endpoints.
async fn until_ready(desk: &DeskWorld) -> AssistantView {
    let ready = async {
        loop {
            let view = desk.view(ID).await;
            if view.standing == Standing::Ready {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ready = tokio::time::timeout(Duration::from_secs(30), ready).await;
    match ready {
        Ok(view) => view,
        Err(_) => panic!("{:#?}", desk.view(ID).await),
    }
}
