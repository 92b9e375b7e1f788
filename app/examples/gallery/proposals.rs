//! Cards of proposed changes in every state.

use app::model::*;

use super::fixtures::{NOW, ago, failed};

pub fn all() -> PanelState {
    let mut state = failed();
    let waiting = card(1, ApprovalState::Waiting);
    let mut denied = card(2, ApprovalState::Waiting);
    denied.classification = Classification::Denied {
        why: "`exec` reaches into pods or opens a way to them".into(),
    };
    denied.origin = Origin::Assistant {
        name: "kubectl-ai".into(),
    };
    denied.line = "kubectl exec backend-6f7c9d8b5-x2x9q -- printenv DATABASE_URL".into();
    denied.why = "I will look at the environment of the pod".into();
    (denied.objects, denied.radius, denied.undo) = (vec![], vec![], None);
    denied.heals = None;
    let refused = Approval {
        objects: vec![],
        radius: vec![],
        undo: None,
        ..card(
            3,
            ApprovalState::Refused {
                finding: Box::new(
                    Finding::new(
                        "PROPOSAL_OBJECT_MISSING",
                        "There is no Deployment bakend",
                        "The proposal is about an object that is not in the project's namespace.",
                    )
                    .next(NextAction::advice(
                        "Look again when it is there, or decline",
                    )),
                ),
            },
        )
    };
    let ended = |number, outcome, undo| {
        card(
            number,
            ApprovalState::Ended {
                run: RunId(7),
                at: ago(60_000),
                outcome,
                undo,
            },
        )
    };
    state.approvals = vec![
        waiting,
        denied,
        refused,
        ended(4, ApprovalOutcome::Healed, UndoState::Ready),
        ended(5, ApprovalOutcome::NotHealed, UndoState::Ready),
    ];
    state
}

fn card(number: u32, state: ApprovalState) -> Approval {
    let line = "kubectl --context=practice --namespace=todo rollout undo deployment/backend";
    Approval {
        id: ApprovalId(format!("c0ffee0{number}")),
        hash: "0123456789abcdef01234567".into(),
        origin: Origin::Diagnosis {
            code: "PROBE_FAILING".into(),
        },
        why: "Revision 4 of backend does not come up; the one before it did.".into(),
        argv: line.split(' ').map(str::to_owned).collect(),
        line: line.into(),
        classification: Classification::Change {
            verb: "rollout undo".into(),
            targets: vec!["Deployment backend".into()],
            namespace: "todo".into(),
            flags: vec![],
        },
        objects: vec![ApprovalObject {
            kind: "Deployment".into(),
            name: "backend".into(),
            resource_version: "1842".into(),
            change: Change::Update,
            owner: Some("Applied by Slipway".into()),
            fields: vec![FieldChange {
                path: ".spec.template.spec.containers[name=backend].readinessProbe.httpGet.path"
                    .into(),
                before: Some("/not-there".into()),
                after: Some("/ready".into()),
                owners: vec![],
            }],
            more_fields: 0,
        }],
        radius: vec![
            "2 pods of Deployment backend are replaced by new ones, one after the other".into(),
            "Service backend sends its requests there".into(),
        ],
        undo: Some(
            "Puts the changed fields of Deployment backend back to what they are now".into(),
        ),
        no_undo: None,
        heals: Some(Heals {
            key: "PROBE_FAILING/component/backend".into(),
            code: "PROBE_FAILING".into(),
            what: "Backend is not ready".into(),
        }),
        made: ago(65_000),
        expires: UnixMillis(NOW.0 + 535_000),
        state,
    }
}
