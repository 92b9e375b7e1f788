//! What is sent, what comes back, and what goes wrong in between.

use app::model::{
    AssistantId, Destination, KeyState, PackPart, PromptIdea, Standing, TurnItem, TurnOutcome,
    Usage,
};
use app::ports::{Approvals as _, Assistants as _};
use axum::http::StatusCode;
use base64::Engine as _;
use serde_json::json;

use super::model::{Model, Reply, calls, says, stop, text};
use super::{Office, code, outcome, question};
use crate::deploy_world::{VALUE, finding, succeeded};

const KEY: &str = "sk-scripted-0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_with_tools_and_a_proposal_heals_after_a_yes() {
    let office = Office::open().await;
    let model = Model::scripted(vec![
        calls(&[
            ("findings", json!({})),
            ("objects", json!({"kind": "Deployment"})),
            ("logs", json!({"of": "app"})),
        ]),
        calls(&[(
            "propose_change",
            json!({"command": "kubectl scale deployment/app --replicas=2", "why": "One is few."}),
        )]),
        Reply::Chunks(vec![text("Two "), text("are **better**."), stop()]),
        says("As I said."),
    ])
    .await;
    office.use_endpoint(&model.base_url, Some(KEY)).await;
    let desk = office.desk.desk().await.expect("a desk");
    let view = desk
        .assistants
        .iter()
        .find(|view| view.id == AssistantId::Endpoint)
        .expect("it is there");
    assert_eq!(view.standing, Standing::Ready);
    assert_eq!(view.key, Some(KeyState::Entered));
    assert_eq!(view.destination, Destination::Machine);
    assert_eq!(view.models, ["scripted"]);

    let turn = office.ask("Is one replica enough?").await;
    assert_eq!(outcome(&turn), &TurnOutcome::Answered);
    assert_eq!(turn.said(), "Two are **better**.");
    assert_eq!(
        turn.usage,
        Some(Usage {
            input: 100,
            output: 20
        })
    );
    let answered = |item: &&TurnItem| matches!(item, TurnItem::Tool { answer: Some(answer), .. } if !answer.failed);
    assert_eq!(turn.items.iter().filter(answered).count(), 4, "{turn:#?}");
    let Some(TurnItem::Proposed { approval, line }) = turn
        .items
        .iter()
        .find(|item| matches!(item, TurnItem::Proposed { .. }))
    else {
        panic!("{turn:#?}")
    };
    assert_eq!(line, "kubectl scale deployment/app --replicas=2");

    // A person says yes; until then nothing was run.
    let card = office.world.core.hub.read(|state| {
        let card = state.approvals.iter().find(|card| card.id == *approval);
        card.expect("a card").clone()
    });
    assert_eq!(card.origin.title(), "Plain assistant");
    let run = office.approvals.approve(card.id, card.hash).await;
    succeeded(office.world.core.runs.wait(run.expect("a run")).await);

    // The second question brings the first one along.
    let again = office.ask("Say it again").await;
    assert_eq!(again.said(), "As I said.");
    let asked = model.asked();
    let last = asked.last().expect("asked");
    assert_eq!(last["messages"][1]["content"], "Is one replica enough?");
    assert_eq!(last["messages"][2]["content"], "Two are **better**.");

    // Nothing secret went out, in no form, and the key only where it belongs.
    let sent = serde_json::to_string(&asked).expect("JSON");
    let encoded = base64::engine::general_purpose::STANDARD.encode(VALUE);
    for secret in [VALUE, &encoded, KEY] {
        assert!(!sent.contains(secret));
    }
    assert!(sent.contains("BEGIN DATA"));
    let bearer = format!("Bearer {KEY}");
    assert!(
        model
            .authorization()
            .iter()
            .all(|sent| sent.as_ref() == Some(&bearer))
    );

    let audit = office.audit().await;
    for part in [
        "You: 1 asked Plain assistant: Is one replica enough?",
        "Plain assistant: proposed",
        "Plain assistant: 1 answered: Two are **better**.",
    ] {
        assert!(
            audit.iter().any(|line| line.starts_with(part)),
            "{part}: {audit:#?}"
        );
    }
    assert!(
        audit
            .iter()
            .all(|line| !line.contains(KEY) && !line.contains(VALUE))
    );

    office.desk.forget().await.expect("forgotten");
    office.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_a_cloud_that_was_not_seen_and_parts_stay_here() {
    let office = Office::open().await;
    office
        .use_endpoint("https://endpoint.invalid/v1", None)
        .await;
    let refused = office.desk.ask(question("why?"), None).await;
    assert_eq!(
        finding(refused.expect_err("unseen")).code,
        "ASSISTANT_UNSEEN"
    );
    let refused = office
        .desk
        .ask(question("why?"), Some("0".repeat(64)))
        .await;
    assert_eq!(
        finding(refused.expect_err("made up")).code,
        "ASSISTANT_UNSEEN"
    );
    let mut narrow = question(&format!("Is the token {VALUE} good?"));
    narrow.left_out = PackPart::ALL.into();
    let outgoing = office.desk.preview(narrow.clone()).await.expect("shown");
    assert_eq!(outgoing.text, "Is the token ••• good?");
    assert_eq!(
        outgoing.destination,
        Destination::Cloud {
            to: "endpoint.invalid".to_owned()
        }
    );
    assert!(!outgoing.consented);
    let turn = office
        .desk
        .ask(narrow, Some(outgoing.hash))
        .await
        .expect("it was seen");
    let turn = office.ended(turn).await;
    assert_eq!(code(&turn), "ENDPOINT_UNREACHABLE");
    assert!(turn.parts.is_empty());
    // Seen once, so the next one goes without.
    let next = office
        .desk
        .preview(question("and now?"))
        .await
        .expect("shown");
    assert!(next.consented && next.text.contains("BEGIN DATA"));
    let turn = office.ask("and now?").await;
    assert_eq!(code(&turn), "ENDPOINT_UNREACHABLE");
    // Another place has not been seen.
    office.use_endpoint("https://other.invalid/v1", None).await;
    let refused = office.desk.ask(question("why?"), None).await;
    assert_eq!(
        finding(refused.expect_err("unseen")).code,
        "ASSISTANT_UNSEEN"
    );
    office.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_every_kind_has_a_name_and_the_next_question_works() {
    let office = Office::open().await;
    let error = |message: &str| json!({"error": {"message": message}});
    let whole =
        json!({"choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}]});
    let round = || calls(&[("findings", json!({}))]);
    let mut replies = vec![
        Reply::Status(StatusCode::UNAUTHORIZED, error(&format!("bad key {KEY}"))),
        Reply::Status(StatusCode::TOO_MANY_REQUESTS, error("quota")),
        Reply::Status(StatusCode::NOT_FOUND, json!({"error": "model not found"})),
        Reply::Status(StatusCode::BAD_REQUEST, error("no tools")),
        Reply::Whole(json!({"hello": "world"})),
        Reply::Breaks(vec![text("half of an ans")]),
        Reply::Chunks(vec![json!({"error": {"message": "overloaded"}})]),
        Reply::Chunks(vec![]),
        Reply::Whole(whole),
    ];
    replies.extend((0..12).map(|_| round()));
    replies.push(Reply::Hangs(vec![text("I am thinking")]));
    replies.push(says("fine"));
    let model = Model::scripted(replies).await;
    office.use_endpoint(&model.base_url, Some(KEY)).await;
    for expected in [
        "ENDPOINT_KEY_REFUSED",
        "ENDPOINT_USED_UP",
        "ENDPOINT_MODEL_MISSING",
        "ENDPOINT_REFUSED",
        "ENDPOINT_NOT_COMPATIBLE",
        "ENDPOINT_BROKE_OFF",
        "ENDPOINT_BROKE_OFF",
        "ENDPOINT_BROKE_OFF",
    ] {
        let turn = office.ask("why?").await;
        assert_eq!(code(&turn), expected);
        assert!(!format!("{turn:?}").contains(KEY));
    }
    assert_eq!(office.ask("why?").await.said(), "all at once");
    assert_eq!(code(&office.ask("why?").await), "ENDPOINT_TOO_MANY_ROUNDS");

    let hangs = office
        .desk
        .ask(question("why?"), None)
        .await
        .expect("asked");
    office.until(hangs, |turn| !turn.items.is_empty()).await;
    let busy = office.desk.ask(question("and?"), None).await;
    assert_eq!(finding(busy.expect_err("busy")).code, "ASSISTANT_BUSY");
    office.desk.stop(hangs).await.expect("stopped");
    let stopped = office.ended(hangs).await;
    assert_eq!(outcome(&stopped), &TurnOutcome::Stopped);
    assert_eq!(stopped.said(), "I am thinking");
    assert_eq!(office.ask("why?").await.said(), "fine");
    office.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_saved_for_the_project_without_what_is_secret() {
    let office = Office::open().await;
    let idea = |title: &str, prompt: &str| PromptIdea {
        title: title.to_owned(),
        prompt: prompt.to_owned(),
    };
    let saved = office
        .desk
        .save_prompt(idea(" Mine ", &format!("Explain {VALUE}")))
        .await;
    saved.expect("saved");
    for bad in [
        idea("", "x"),
        idea("a\nb", "x"),
        idea("x", " "),
        idea(&"t".repeat(81), "x"),
    ] {
        let refused = office.desk.save_prompt(bad).await.expect_err("bad");
        assert_eq!(finding(refused).code, "PROMPT_BAD");
    }
    let desk = office.desk.desk().await.expect("a desk");
    assert_eq!(desk.saved, [idea("Mine", "Explain •••")]);
    office
        .desk
        .remove_prompt("Mine".to_owned())
        .await
        .expect("gone");
    assert!(office.desk.desk().await.expect("a desk").saved.is_empty());
    office.end().await;
}
