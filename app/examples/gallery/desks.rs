//! The desk of the assistants: who is there, an agent to apply, and an answer with everything in it.

use std::collections::BTreeSet;

use app::components::SeedAnswer;
use app::model::*;
use leptos::prelude::provide_context;

use super::fixtures::{ago, failed};

const MANIFEST: &str = include_str!("../../../docs/kagent-agent.yaml");

pub fn scenes() -> Vec<(&'static str, PanelState, fn())> {
    let mut proposed = failed();
    proposed.approvals.clear();
    vec![
        ("desk-agent-offered", failed(), || {
            desk(OwnAgentStanding::Offered);
        }),
        ("desk-agent-applied", failed(), || {
            desk(OwnAgentStanding::Applied);
        }),
        ("desk-agent-taken", failed(), || {
            desk(OwnAgentStanding::Taken);
        }),
        ("desk-answer", proposed, answer),
    ]
}

/// kagent is the first that can be asked.
fn desk(standing: OwnAgentStanding) {
    let begin = MANIFEST.find("apiVersion:").unwrap_or_default();
    let mut kagent = assistant(AssistantId::Kagent, Standing::Ready);
    kagent.version = Some("0.9.4".into());
    kagent.fields = BTreeSet::from([ChoiceField::Agent]);
    kagent.choices.agent = Some("kagent/k8s-agent".into());
    kagent.destination = Destination::Cloud {
        to: "OpenAI".into(),
    };
    kagent.notes = vec![
        "kagent/k8s-agent changes things without asking; nothing it does can be held back here."
            .into(),
        "Anybody who reaches its controller can ask its agents: it has no password of its own."
            .into(),
    ];
    kagent.agents = vec![
        agent(
            "kagent/k8s-agent",
            "An expert of Kubernetes who helps with operations",
            &["k8s_apply_manifest", "k8s_delete_resource", "k8s_scale"],
        ),
        agent(
            "kagent/helm-agent",
            "Helps with releases of Helm",
            &["helm_upgrade"],
        ),
        agent("kagent/promql-agent", "Writes queries for Prometheus", &[]),
    ];
    kagent.own_agent = Some(OwnAgent {
        name: "kagent/slipway-looks".into(),
        manifest: MANIFEST[begin..].to_owned(),
        standing,
    });
    let mut kubectl_ai = assistant(
        AssistantId::KubectlAi,
        Standing::Missing {
            finding: Box::new(
                Finding::new(
                    "ASSISTANT_KEY_MISSING",
                    "kubectl-ai has no key",
                    "Its model is at gemini, which answers nobody without a key.",
                )
                .attention()
                .next(NextAction::advice("Enter one below; it stays in memory")),
            ),
        },
    );
    kubectl_ai.key = Some(KeyState::Unset);
    give(vec![
        kubectl_ai,
        kagent,
        assistant(AssistantId::Gordon, Standing::Unsure),
        assistant(AssistantId::Endpoint, Standing::Ready),
    ]);
}

fn answer() {
    let mut plain = assistant(AssistantId::Endpoint, Standing::Ready);
    plain.choices.model = Some("qwen3:8b".into());
    plain.choices.base_url = Some("http://127.0.0.1:11434/v1".into());
    plain.fields = BTreeSet::from([ChoiceField::Model, ChoiceField::BaseUrl]);
    give(vec![plain]);
    let tool = |id: &str, name: &str, arguments: &str, text: &str| TurnItem::Tool {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        answer: Some(ToolAnswer {
            text: text.into(),
            failed: false,
        }),
    };
    let said = "The new pod of **backend** never gets ready:\n\n1. its readiness probe asks `/healthz`,\n2. the app answers `404` there and `200` on `/health`.\n\n| probe | path | answer |\n| --- | --- | --- |\n| readiness | `/healthz` | 404 |\n| liveness | `/health` | 200 |\n\nThe old pod still serves, so nobody has noticed yet.";
    let turns = vec![Turn {
        id: TurnId(1),
        assistant: AssistantId::Endpoint,
        question: "Why is backend not ready?".into(),
        parts: vec![],
        model: Some("qwen3:8b".into()),
        asked: ago(42_000),
        items: vec![
            tool("1", "findings", "{}", "PROBE_READINESS_FAILING backend"),
            tool(
                "2",
                "logs",
                "{\"component\":\"backend\",\"tail\":50}",
                "GET /healthz 404\nGET /healthz 404",
            ),
            TurnItem::Text { text: said.into() },
            TurnItem::Refused {
                what: "kubectl exec backend-6f7c9d8b5-x2x9q -- env".into(),
                why: "`exec` reaches into pods or opens a way to them".into(),
            },
            TurnItem::Proposed {
                approval: ApprovalId("1".into()),
                line: "kubectl rollout undo deployment/backend -n todo".into(),
            },
        ],
        usage: Some(Usage {
            input: 3_412,
            output: 188,
        }),
        ending: Some(TurnEnding {
            at: ago(31_000),
            how: TurnOutcome::Answered,
        }),
    }];
    provide_context(SeedAnswer(turns));
}

fn give(assistants: Vec<AssistantView>) {
    provide_context(SeedAnswer(Desk {
        assistants,
        saved: vec![],
    }));
}

fn agent(name: &str, description: &str, unasked: &[&str]) -> AgentView {
    AgentView {
        name: name.into(),
        description: description.into(),
        is_ready: true,
        unasked: unasked.iter().map(|tool| (*tool).to_owned()).collect(),
    }
}

fn assistant(id: AssistantId, standing: Standing) -> AssistantView {
    AssistantView {
        destination: Destination::Machine,
        ..AssistantView::plain(id, standing)
    }
}
