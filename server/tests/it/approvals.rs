//! Proposals on a real practice cluster, carried out by the real kubectl: seen, approved, healed, undone;
//! and what must not happen.

use std::sync::Arc;

use app::model::{
    Approval, ApprovalId, ApprovalOutcome, ApprovalState, AuditQuestion, ChangeProposal,
    Classification, NextAction, Origin, Outcome, PlanChoices, Remedy, UndoState,
};
use app::ports::{Approvals, Deploys};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use server::assist::AssistRoom;
use server::assist::approvals::ApprovalsRoom;
use server::project::Project;

use super::deploy_world::{VALUE, World, app, finding, succeeded};
use crate::real_tools;

struct Desk {
    world: World,
    assist: Arc<AssistRoom>,
    room: ApprovalsRoom,
}

impl Desk {
    /// A deployed project, a diagnosis that runs, and the approvals.
    async fn open() -> Self {
        let world = World::prepared().await;
        succeeded(world.deploy().await);
        let project = Arc::new(Project::load(&world.project_folder()).expect("a project"));
        world
            .core
            .hub
            .voice()
            .publish(app::model::PanelEvent::Project(Box::new(project.view())));
        let assist = Arc::new(AssistRoom::new(
            world.core.clone(),
            project.clone(),
            world.cluster.clone(),
        ));
        let room = ApprovalsRoom::new(
            world.core.clone(),
            project,
            world.cluster.clone(),
            assist.clone(),
            real_tools::kubectl().into_os_string(),
        );
        assist.spawn();
        room.spawn();
        Self {
            world,
            assist,
            room,
        }
    }

    async fn propose(&self, line: &str) -> Approval {
        let proposal = ChangeProposal {
            argv: line.split(' ').map(str::to_owned).collect(),
            why: "for a test".to_owned(),
            heals: None,
        };
        let id = self.room.propose(proposal).await.expect("a card");
        self.card(&id)
    }

    fn card(&self, id: &ApprovalId) -> Approval {
        let cards = self.world.core.hub.read(|state| state.approvals.clone());
        let found = cards.into_iter().find(|card| card.id == *id);
        found.expect("the card is shown")
    }

    async fn approve(&self, card: &Approval) -> Outcome {
        let run = self
            .room
            .approve(card.id.clone(), card.hash.clone())
            .await
            .expect("a run");
        self.world.core.runs.wait(run).await
    }

    async fn refused(&self, card: &Approval) -> String {
        let refused = self.room.approve(card.id.clone(), card.hash.clone()).await;
        finding(refused.expect_err("refused")).code
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.world.client(), &self.world.namespace)
    }

    async fn replicas(&self) -> i32 {
        let deployment = self.deployments().get("app").await.expect("there");
        deployment.spec.replicas.unwrap_or(1)
    }

    async fn audit(&self, text: &str) -> Vec<String> {
        let question = AuditQuestion {
            text: text.to_owned(),
            before: None,
        };
        let page = self.room.audit(question).await.expect("a page");
        page.entries.into_iter().map(|entry| entry.what).collect()
    }

    async fn end(self) {
        drop(self.assist);
        self.world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_diagnosis_proposes_is_seen_approved_heals_and_is_undone() {
    let desk = Desk::open().await;
    let scale = |replicas: u32| json!({"spec": {"replicas": replicas}});
    let by_hand = PatchParams {
        field_manager: Some("somebody".to_owned()),
        ..PatchParams::default()
    };
    desk.deployments()
        .patch("app", &by_hand, &Patch::Merge(scale(0)))
        .await
        .expect("scaled");
    desk.world
        .until("it is found, with a proposal", |state| {
            state
                .findings
                .iter()
                .any(|finding| finding.code == "SCALED_TO_ZERO")
        })
        .await;
    let found = desk.world.core.hub.read(|state| state.findings.clone());
    let found = found
        .iter()
        .find(|finding| finding.code == "SCALED_TO_ZERO")
        .expect("found");
    let Some(NextAction::Do {
        action: Remedy::Propose { argv, heals, why },
        ..
    }) = found.next.last()
    else {
        panic!("{found:#?}");
    };
    let proposal = ChangeProposal {
        argv: argv.clone(),
        why: why.clone(),
        heals: Some(heals.clone()),
    };
    let id = desk.room.propose(proposal.clone()).await.expect("a card");
    let same = desk.room.propose(proposal).await.expect("the same card");
    assert_eq!(id, same, "a second press makes no second card");
    let card = desk.card(&id);
    assert_eq!(
        card.origin,
        Origin::Diagnosis {
            code: "SCALED_TO_ZERO".into()
        }
    );
    assert!(
        card.line.ends_with("scale deployment/app --replicas=1"),
        "{}",
        card.line
    );
    assert!(
        card.line
            .contains(&format!("--namespace={}", desk.world.namespace))
    );
    let [object] = card.objects.as_slice() else {
        panic!("{card:#?}");
    };
    assert_eq!(object.fields.len(), 1, "{object:#?}");
    assert_eq!(object.fields[0].path, ".spec.replicas");
    assert_eq!(object.fields[0].after.as_deref(), Some("1"));
    assert!(
        card.radius
            .iter()
            .any(|line| line.contains("from 0 to 1 pods")),
        "{card:#?}"
    );
    assert!(
        card.radius.iter().any(|line| line.contains("Service app")),
        "{card:#?}"
    );
    assert!(card.undo.is_some());
    assert_eq!(desk.replicas().await, 0, "a card changes nothing");

    succeeded(desk.approve(&card).await);
    assert_eq!(desk.replicas().await, 1);
    let ended = desk.card(&id);
    assert!(
        matches!(
            &ended.state,
            ApprovalState::Ended {
                outcome: ApprovalOutcome::Healed,
                undo: UndoState::Ready,
                ..
            }
        ),
        "{ended:#?}"
    );
    assert_eq!(
        desk.refused(&card).await,
        "APPROVAL_SPENT",
        "a yes is for one time"
    );

    let run = desk.room.undo(id.clone()).await.expect("a run");
    succeeded(desk.world.core.runs.wait(run).await);
    assert_eq!(desk.replicas().await, 0);
    let again = desk
        .room
        .undo(id.clone())
        .await
        .expect_err("undone already");
    assert_eq!(finding(again).code, "NOTHING_TO_UNDO");
    let book = desk.audit(&id.0).await;
    for word in ["proposed", "approved", "ended", "undo"] {
        assert!(
            book.iter().any(|line| line.starts_with(word)),
            "{word}: {book:#?}"
        );
    }
    // What kubectl and the undo wrote is ours: the next deploy goes by the manifests.
    let plan = desk
        .world
        .deploys
        .plan(PlanChoices::default())
        .await
        .expect("a plan");
    let ours = |object: &app::model::PlannedObject| {
        object
            .conflicts
            .iter()
            .all(|conflict| conflict.owner.manager == "somebody")
    };
    assert!(plan.objects.iter().all(ours), "{plan:#?}");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_were_carried_out_the_next_has_a_card_and_what_waits_keeps_its_own() {
    let desk = Desk::open().await;
    let waiting = desk
        .propose("kubectl scale deployment/app --replicas=2")
        .await;
    for round in 0..31 {
        let line = format!("kubectl annotate deployment/app round-{round}=yes");
        let card = desk.propose(&line).await;
        succeeded(desk.approve(&card).await);
    }
    let next = desk.propose("kubectl label deployment/app next=yes").await;
    assert_eq!(next.state, ApprovalState::Waiting);
    assert_eq!(desk.card(&waiting.id).state, ApprovalState::Waiting);
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_bound_to_what_was_shown() {
    let desk = Desk::open().await;
    let card = desk
        .propose("kubectl scale deployment/app --replicas=2")
        .await;
    let other = Approval {
        hash: "another".into(),
        ..card.clone()
    };
    assert_eq!(desk.refused(&other).await, "APPROVAL_OUTDATED");
    // News of the status do not count, a changed field does.
    let changed = json!({"spec": {"replicas": 3}});
    desk.deployments()
        .patch("app", &PatchParams::default(), &Patch::Merge(&changed))
        .await
        .expect("changed");
    assert_eq!(desk.refused(&card).await, "APPROVAL_OUTDATED");
    assert_eq!(desk.replicas().await, 3, "nothing was run");
    let renewed = desk.card(&card.id);
    assert_ne!(
        renewed.hash, card.hash,
        "the card shows the world as it is now"
    );
    assert_eq!(renewed.objects[0].fields[0].before.as_deref(), Some("3"));
    // Of many that say yes at once, one is heard.
    let yeses = (0..4).map(|_| desk.room.approve(renewed.id.clone(), renewed.hash.clone()));
    let runs: Vec<_> = futures::future::join_all(yeses)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(runs.len(), 1);
    succeeded(desk.world.core.runs.wait(runs[0]).await);
    assert_eq!(desk.replicas().await, 2);
    // An undo puts back only what the change itself left.
    desk.deployments()
        .patch(
            "app",
            &PatchParams::default(),
            &Patch::Merge(&json!({"spec": {"replicas": 1}})),
        )
        .await
        .expect("changed");
    let run = desk.room.undo(renewed.id.clone()).await.expect("a run");
    let outcome = desk.world.core.runs.wait(run).await;
    assert!(matches!(outcome, Outcome::Failed { finding } if finding.code == "UNDO_OUTDATED"));
    assert_eq!(desk.replicas().await, 1);

    let declined = desk.propose("kubectl rollout restart deployment/app").await;
    assert!(declined.undo.is_none() && declined.no_undo.is_some());
    desk.room
        .decline(declined.id.clone())
        .await
        .expect("declined");
    assert_eq!(desk.refused(&declined).await, "APPROVAL_SPENT");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_cannot_have_a_yes_and_leaks_nothing() {
    let desk = Desk::open().await;
    let secret = format!("kubectl set env deployment/app NOTE={VALUE}");
    for line in [
        "kubectl exec app -- env",
        "kubectl delete pod app -n kube-system",
        "kubectl get secret t-secrets",
        "bash -c id",
        "kubectl delete deployment/app --dry-run=none",
        "kubectl set env deployment/app API_TOKEN=abcdef0123456789",
        r#"kubectl patch deployment/app --type=json -p [{"op":"add","path":"/spec/template/spec/hostNetwork","value":true}]"#,
        r#"kubectl patch deployment/app -p {"spec":{"template":{"spec":{"containers":[{"name":"app","command":["sh","-c","env"]}]}}}}"#,
        &secret,
    ] {
        let card = desk.propose(line).await;
        assert!(
            matches!(card.classification, Classification::Denied { .. }),
            "{line}: {card:#?}"
        );
        let text = serde_json::to_string(&card).expect("JSON");
        assert!(!text.contains(VALUE), "{text}");
        assert_eq!(desk.refused(&card).await, "APPROVAL_SPENT", "{line}");
    }
    assert!(desk.audit(VALUE).await.is_empty());
    assert!(
        desk.world
            .core
            .hub
            .read(|state| state.latest_run(app::model::RunKind::Approved).is_none())
    );
    let missing = desk
        .propose("kubectl rollout restart deployment/nobody")
        .await;
    assert!(
        matches!(&missing.state, ApprovalState::Refused { finding } if finding.code == "PROPOSAL_OBJECT_MISSING")
    );
    assert_eq!(desk.refused(&missing).await, "APPROVAL_SPENT");
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_assistant_is_told_has_no_secret_value_in_any_form() {
    use app::model::PackPart;
    let desk = Desk::open().await;
    let maps: Api<ConfigMap> = Api::namespaced(desk.world.client(), &desk.world.namespace);
    let leak =
        json!({"data": {"note": format!("Bearer {VALUE}"), "password": "never-entered-0815"}});
    maps.patch("extra", &PatchParams::default(), &Patch::Merge(&leak))
        .await
        .expect("patched");
    desk.deployments()
        .patch(
            "app",
            &PatchParams::default(),
            &Patch::Merge(&json!({"spec": {"replicas": 0}})),
        )
        .await
        .expect("scaled");
    desk.world
        .until("it is found", |state| {
            state
                .findings
                .iter()
                .any(|finding| finding.code == "SCALED_TO_ZERO")
        })
        .await;
    let pack = desk.assist.pack().await.expect("a pack");
    let of = |part| {
        pack.sections
            .iter()
            .find(|section| section.part == part)
            .expect("there")
    };
    assert!(of(PackPart::Findings).text.contains("SCALED_TO_ZERO"));
    assert!(of(PackPart::Objects).text.contains("kind: Deployment"));
    assert!(
        of(PackPart::Objects).hidden >= 2,
        "{:#?}",
        of(PackPart::Objects)
    );
    assert!(pack.ideas[0].prompt.contains("SCALED_TO_ZERO"));
    let text = pack.text("why?", &std::collections::BTreeSet::new());
    for value in [VALUE, "never-entered-0815"] {
        assert!(!text.contains(value), "{text}");
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_object_is_made_again_and_a_bad_image_is_taken_back() {
    let desk = Desk::open().await;
    let card = desk.propose("kubectl delete configmap/extra").await;
    succeeded(desk.approve(&card).await);
    let maps: Api<ConfigMap> = Api::namespaced(desk.world.client(), &desk.world.namespace);
    assert!(maps.get_opt("extra").await.expect("asked").is_none());
    let run = desk.room.undo(card.id.clone()).await.expect("a run");
    succeeded(desk.world.core.runs.wait(run).await);
    let extra = maps.get("extra").await.expect("there again");
    assert_eq!(extra.data.expect("data")["a"], "1");

    let before = desk.deployments().get("app").await.expect("there");
    let image = |deployment: &Deployment| {
        deployment
            .spec
            .template
            .spec
            .as_ref()
            .and_then(|spec| spec.containers[0].image.clone())
    };
    let card = desk
        .propose("kubectl set image deployment/app app=t-app:nowhere")
        .await;
    assert!(
        card.radius
            .iter()
            .any(|line| line.contains("another image: t-app:nowhere")),
        "{card:#?}"
    );
    let outcome = desk.approve(&card).await;
    assert!(
        matches!(outcome, Outcome::Failed { .. }),
        "the rollout cannot end: {outcome:#?}"
    );
    assert!(
        desk.card(&card.id).can_be_undone(),
        "what failed can be taken back"
    );
    // The diagnosis proposes the way back by itself.
    desk.world
        .until("taking it back is proposed", |state| {
            state.findings.iter().flat_map(|finding| &finding.next).any(|next| {
                matches!(next, NextAction::Do { action: Remedy::Propose { argv, .. }, .. } if argv.contains(&"undo".to_owned()))
            })
        })
        .await;
    let undo = desk.propose("kubectl rollout undo deployment/app").await;
    assert!(
        undo.objects[0]
            .fields
            .iter()
            .any(|field| field.path.ends_with(".image")),
        "{undo:#?}"
    );
    succeeded(desk.approve(&undo).await);
    let now = desk.deployments().get("app").await.expect("there");
    assert_eq!(image(&now), image(&before));
    desk.world
        .until("it is well again", |state| {
            state
                .components
                .get(&app())
                .is_some_and(|row| row.ready == 1)
                && state.findings.is_empty()
        })
        .await;
    desk.end().await;
}
