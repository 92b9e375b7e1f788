//! kubectl-ai through its web mode, stood in for to the letter, with the real kubectl on a practice
//! cluster: what it may read, what it may not, and every way in which it falls silent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use app::model::{
    AssistantChoices, AssistantId, Classification, Destination, KeyState, Origin, Standing, Turn,
    TurnItem, TurnOutcome,
};
use app::ports::Assistants;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use server::assist::desk::DeskRoom;

use super::deploy_world::{Setting, VALUE, World, write_project};
use super::desk_world::{DeskWorld, answered, failure, short_patience, tools};
use super::standin_minikube::{Machine, standin};

const ID: AssistantId = AssistantId::KubectlAi;
const KEY: &str = "gemini-key-0123456789";

fn machine(scenario: Value) -> Machine {
    let machine = Machine::bare();
    machine.add("kubectl-ai", &standin("standin-kubectl-ai"));
    play(&machine, scenario);
    machine
}

fn play(machine: &Machine, scenario: Value) {
    fs::write(machine.at("kubectl-ai.json"), scenario.to_string()).expect("written");
}

async fn desk(scenario: Value) -> DeskWorld {
    let machine = machine(scenario);
    // What a person may have written for their own use.
    let config = machine.at("home/.config/kubectl-ai");
    fs::create_dir_all(&config).expect("made");
    fs::write(
        config.join("config.yaml"),
        "skipPermissions: true\nmcpClient: true\n",
    )
    .expect("written");
    let home = machine.at("home").display().to_string();
    let env = [
        ("HOME", home.as_str()),
        ("GEMINI_API_KEY", KEY),
        ("DATABASE_URL", "postgres://secret"),
    ];
    DeskWorld::open(machine, &env, short_patience()).await
}

fn read(desk: &DeskWorld, file: &str) -> String {
    fs::read_to_string(desk.machine.at(file)).unwrap_or_default()
}

fn posts(desk: &DeskWorld) -> Vec<String> {
    read(desk, "posts.log").lines().map(str::to_owned).collect()
}

/// The scratch folders there are.
fn scratch(desk: &DeskWorld) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(desk.world.core.state_dir.path().join("desk"));
    let all = all.into_iter().flatten().flatten();
    all.map(|entry| entry.path()).collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("there").permissions().mode() & 0o777
}

fn said(turn: &Turn) -> String {
    format!("{turn:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_what_it_may_and_what_it_wants_to_change_becomes_a_card() {
    for generation in ["old", "new"] {
        let turns = json!([
            [
                {"say": "Let me look."},
                {"run": "kubectl get deployments"},
                {"run": "kubectl get secrets -o yaml"},
                {"run": "kubectl delete deployment app"},
                {"run": "kubectl exec deploy/app -- env"},
                {"run": "kubectl get pods -n kube-system"},
                {"run": "kubectl create token default"},
                {"ask": ["kubectl scale deployment/app --replicas=2", "kubectl delete pod --all && curl evil.example"]},
                {"say": format!("It should have two replicas. {VALUE}")}
            ],
            [{"say": "As I said."}]
        ]);
        let desk = desk(json!({"generation": generation, "turns": turns})).await;
        let view = desk.view(ID).await;
        assert_eq!(view.standing, Standing::Ready, "{view:#?}");
        assert_eq!(view.version.as_deref(), Some("0.0.28"));
        assert_eq!(view.key, Some(KeyState::Environment));
        assert!(matches!(&view.destination, Destination::Cloud { to } if to.contains("google")));
        assert!(view.notes[0].contains("No Secrets"), "{view:#?}");
        assert_eq!(desk.lookers().await, (0, 0, 0), "looking makes nothing");

        let turn = desk.ask(ID, "why is it slow?").await;
        answered(&turn);
        assert!(turn.said().contains("Let me look."), "{turn:#?}");
        assert!(!turn.said().contains("Hey there"), "{turn:#?}");
        let ran = tools(&turn);
        let of = |command: &str| {
            let found = ran.iter().find(|(line, ..)| line.contains(command));
            found
                .cloned()
                .unwrap_or_else(|| panic!("{command}: {turn:#?}"))
        };
        let (_, text, failed) = of("get deployments");
        assert!(text.contains("app") && !failed, "{text}");
        for command in [
            "get secrets",
            "delete deployment",
            "exec deploy/app",
            "-n kube-system",
            "create token",
        ] {
            let (_, text, failed) = of(command);
            assert!(failed && text.contains("forbidden"), "{command}: {text}");
        }
        assert!(!said(&turn).contains(VALUE), "{turn:#?}");

        // Its approval was answered No, and each command went its own way.
        assert_eq!(posts(&desk), ["q=why is it slow?", "choice=3"]);
        let proposed = turn.items.iter().any(
            |item| matches!(item, TurnItem::Proposed { line, .. } if line.contains("--replicas=2")),
        );
        assert!(proposed, "{turn:#?}");
        let refused = turn.items.iter().any(|item| matches!(item, TurnItem::Refused { what, why } if what.contains("curl") && why.contains("more than one command")));
        assert!(refused, "{turn:#?}");
        let cards = desk.cards();
        let [card] = cards.as_slice() else {
            panic!("{cards:#?}");
        };
        assert_eq!(
            card.origin,
            Origin::Assistant {
                name: "kubectl-ai".to_owned()
            }
        );
        assert!(matches!(card.classification, Classification::Change { .. }));

        // Exactly these words, and no key among them or in what is written down.
        let calls = read(&desk, "calls.log");
        let folder = scratch(&desk).pop().expect("a scratch folder");
        let expected = format!(
            "--ui-type web --ui-listen-address 127.0.0.1:0 --quiet=false --skip-permissions=false --mcp-client=false --mcp-server=false --external-tools=false --enable-tool-use-shim=false --new-session=false --skip-verify-ssl=false --show-tool-output=false --remove-workdir=true --max-iterations 12 --llm-provider gemini --kubeconfig {0}/kubeconfig --trace-path {0}/trace\n",
            folder.display()
        );
        assert_eq!(calls, expected);
        let env = read(&desk, "env.log");
        assert!(env.contains(&format!("GEMINI_API_KEY={KEY}")), "{env}");
        assert!(!env.contains("DATABASE_URL"), "{env}");
        assert!(env.contains(&format!("HOME={}", folder.display())), "{env}");
        assert_eq!(
            (mode(&folder), mode(&folder.join("kubeconfig"))),
            (0o700, 0o600)
        );
        let trace = fs::read_to_string(folder.join("trace")).expect("a trace");
        assert!(!trace.contains(KEY) && !trace.contains(VALUE));

        // The next question goes to the same process, which knows what was said.
        let next = desk.ask(ID, "exit").await;
        answered(&next);
        assert_eq!(next.said(), "As I said.");
        assert_eq!(posts(&desk)[2], "q=Question: exit");
        assert_eq!(read(&desk, "calls.log").lines().count(), 1);
        assert_eq!(desk.lookers().await, (1, 1, 1));

        desk.desk.forget().await.expect("forgotten");
        assert_eq!(desk.lookers().await, (0, 0, 0));
        desk.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_silence_is_found_and_leaves_nothing_behind() {
    let desk = desk(json!({"turns": [[]]})).await;
    for (turn, code) in [
        (json!([{"fail": true}]), "KUBECTL_AI_SILENT"),
        (
            json!([{"run": "kubectl get pods"}, {"fail": true}]),
            "KUBECTL_AI_SILENT",
        ),
        (json!([{"say": "Hm."}, {"hang": true}]), "KUBECTL_AI_STUCK"),
        (
            json!([{"error": "no candidates in response"}]),
            "KUBECTL_AI_FAILED",
        ),
        (json!([{"exit": 7}]), "KUBECTL_AI_ENDED"),
    ] {
        play(&desk.machine, json!({"turns": [turn]}));
        let turn = desk.ask(ID, "why?").await;
        let finding = failure(&turn);
        assert_eq!(finding.code, code, "{turn:#?}");
        assert!(!format!("{finding:?}").contains(KEY), "{finding:#?}");
        desk.until_no_looker().await;
    }
    // A stream that breaks is taken up again, and nothing is missed or told twice.
    let turn = json!([{"say": "One."}, {"drop": true}, {"say": "Two."}]);
    play(&desk.machine, json!({"turns": [turn]}));
    let turn = desk.ask(ID, "why?").await;
    answered(&turn);
    assert_eq!(turn.said(), "One.\n\nTwo.");
    play(&desk.machine, json!({"starts": false}));
    desk.desk.forget().await.expect("forgotten");
    let turn = desk.ask(ID, "why?").await;
    let finding = failure(&turn);
    assert_eq!(finding.code, "KUBECTL_AI_NOT_STARTED");
    assert!(
        finding.evidence[0].text.contains("creating llm client"),
        "{finding:#?}"
    );
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_process_and_everything_it_started() {
    let turn = json!([{"run": "echo $$ > $HOME/../../../pid && exec sleep 1000"}]);
    let desk = desk(json!({"turns": [turn]})).await;
    let id = desk.begin(ID, "why?").await;
    // Its home is a scratch folder inside the state folder.
    let file = desk.world.core.state_dir.path().join("../pid");
    let read = || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        text.trim().parse::<u32>().ok()
    };
    let pid = wait_for("the command runs", read).await;
    desk.desk.stop(id).await.expect("stopped");
    let turn = desk
        .until("it is stopped", |turn| turn.ending.is_some())
        .await;
    assert_eq!(
        turn.ending.map(|ending| ending.how),
        Some(TurnOutcome::Stopped)
    );
    let is_gone = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie runs nothing.
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        (state.is_empty() || state.starts_with('Z')).then_some(())
    };
    wait_for("the command is gone", is_gone).await;
    desk.until_no_looker().await;
    wait_for("the scratch folder is gone", || {
        scratch(&desk).is_empty().then_some(())
    })
    .await;
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_at_its_port_ends_it_at_once() {
    for generation in ["old", "new"] {
        let desk = desk(json!({"generation": generation, "turns": [[{"say": "Well."}]]})).await;
        answered(&desk.ask(ID, "why?").await);
        let ports = listening_ports(&desk);
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        for port in ports {
            let base = format!("http://127.0.0.1:{port}");
            let sent = match generation {
                "old" => client
                    .post(format!("{base}/send-message"))
                    .form(&[("q", "delete everything")])
                    .send(),
                _ => client.post(format!("{base}/api/sessions")).send(),
            };
            let _ = sent.await;
        }
        desk.until_no_looker().await;
        // It is started anew for the next question.
        answered(&desk.ask(ID, "why?").await);
        assert_eq!(read(&desk, "calls.log").lines().count(), 2);
        desk.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_with_the_way_to_get_it() {
    let bare = DeskWorld::open(Machine::bare(), &[("PATH", "/nowhere")], short_patience()).await;
    assert_eq!(missing(&bare).await, "KUBECTL_AI_MISSING");
    bare.end().await;
    let desk = DeskWorld::open(machine(json!({"turns": [[]]})), &[], short_patience()).await;
    assert_eq!(missing(&desk).await, "ASSISTANT_KEY_MISSING");
    let choices = |provider: &str, model: Option<&str>, base_url: Option<&str>| AssistantChoices {
        provider: Some(provider.to_owned()),
        model: model.map(str::to_owned),
        base_url: base_url.map(str::to_owned),
        agent: None,
    };
    desk.set(ID, choices("nobody", None, None), None).await;
    assert_eq!(missing(&desk).await, "KUBECTL_AI_PROVIDER");
    desk.set(ID, choices("ollama", None, None), None).await;
    assert_eq!(missing(&desk).await, "KUBECTL_AI_NO_MODEL");
    desk.set(ID, choices("ollama", Some("qwen3"), None), None)
        .await;
    let view = desk.view(ID).await;
    assert_eq!(
        (&view.standing, &view.destination),
        (&Standing::Ready, &Destination::Machine)
    );
    let elsewhere = Some("https://llm.example/v1");
    desk.set(
        ID,
        choices("openai-compatible", Some("m"), elsewhere),
        Some(KEY),
    )
    .await;
    let view = desk.view(ID).await;
    assert_eq!(view.key, Some(KeyState::Entered));
    assert_eq!(
        view.destination,
        Destination::Cloud {
            to: "llm.example".to_owned()
        }
    );
    answered_with_key(&desk).await;
    desk.end().await;
}

/// An entered key reaches the program through its environment alone.
async fn answered_with_key(desk: &DeskWorld) {
    play(&desk.machine, json!({"turns": [[{"say": "Fine."}]]}));
    answered(&desk.ask(ID, "why?").await);
    let env = read(desk, "env.log");
    assert!(env.contains(&format!("OPENAI_API_KEY={KEY}")), "{env}");
    assert!(
        env.contains("OPENAI_ENDPOINT=https://llm.example/v1"),
        "{env}"
    );
    assert!(!read(desk, "calls.log").contains(KEY));
}

async fn missing(desk: &DeskWorld) -> String {
    match desk.view(ID).await.standing {
        Standing::Missing { finding } => finding.code,
        other => panic!("{other:?}"),
    }
}

async fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), found).await;
    found.unwrap_or_else(|_| panic!("waited for: {what}"))
}

/// The ports the stand-in served at, as it noted them.
fn listening_ports(desk: &DeskWorld) -> Vec<u16> {
    let log = read(desk, "port.log");
    log.lines().filter_map(|line| line.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_slipway_left_behind_is_removed_and_nothing_else() {
    let desk = desk(json!({"turns": [[{"say": "Well."}]]})).await;
    answered(&desk.ask(ID, "why?").await);
    assert_eq!(desk.lookers().await, (1, 1, 1));
    let accounts: Api<ServiceAccount> = Api::namespaced(desk.world.client(), &desk.world.namespace);
    let of_somebody = json!({"metadata": {
        "name": "slipway-looker-other", "labels": {"slipway.dev/looker": "another-state-folder"},
        "annotations": {"slipway.dev/looker-until": "2099-01-01T00:00:00Z"}
    }});
    let of_somebody = serde_json::from_value(of_somebody).expect("an account");
    accounts
        .create(&PostParams::default(), &of_somebody)
        .await
        .expect("made");
    // The next Slipway of the same state folder knows of none that lives.
    let next = DeskRoom::patient(desk.kit.clone(), short_patience());
    next.spawn();
    let removed = async {
        while desk.lookers().await != (1, 0, 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), removed)
        .await
        .expect("removed");
    accounts
        .get("slipway-looker-other")
        .await
        .expect("somebody else's stays");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_that_may_only_be_looked_at_nothing_is_made() {
    let practice = World::prepared().await;
    let kubeconfig = practice.cluster.current().expect("connected");
    let (path, context) = (kubeconfig.kubeconfig.clone(), kubeconfig.context.clone());
    let folder = tempfile::tempdir().expect("a folder");
    write_project(&folder.path().join("project"), &practice.namespace);
    let setting = Setting {
        root: folder.path().to_owned(),
        cluster: Some((path, context)),
    };
    let world = World::open(setting).await;
    world
        .cluster
        .current()
        .expect("connected")
        .read_only
        .set(true);
    let scenario = machine(json!({"turns": [[{"say": "Well."}]]}));
    let desk = DeskWorld::around(
        world,
        scenario,
        &[("GEMINI_API_KEY", KEY)],
        short_patience(),
    );
    assert_eq!(missing(&desk).await, "LOOKER_NOT_ALLOWED");
    let turn = desk.ask(ID, "why?").await;
    assert_eq!(failure(&turn).code, "LOOKER_NOT_ALLOWED");
    assert_eq!(read(&desk, "calls.log"), "");
    desk.end().await;
    practice.end().await;
}
