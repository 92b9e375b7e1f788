//! minikube's clusters: each profile with its true state and what can be done about it, and a form
//! for a new one.

use leptos::prelude::*;

use super::minikube_form::NewClusterForm;
use super::{FailureNote, FindingCard, RunPanel, Wish, content, wish, words};
use crate::api::minikube::act_on_profile;
use crate::live::Live;
use crate::model::{ProfileAct, ProfileName, ProfileView, RunKind, Slice};
use crate::ui::{
    Button, ButtonKind, Card, ConfirmDialog, DialogAct, EmptyMessage, StatusBadge, Tone,
};

type Act = Wish<(ProfileAct, ProfileName)>;

#[component]
pub fn MinikubeCard() -> impl IntoView {
    let live = Live::expect();
    let is_here = live.memo(&[Slice::Minikube], |state| state.minikube.is_some());
    let hint = "Real Kubernetes on this machine, one cluster for each profile";
    view! {
        <Card title="minikube" hint=hint>
            <Show
                when=move || is_here.get()
                fallback=|| {
                    view! {
                        <EmptyMessage
                            tone=Tone::Off
                            title="minikube is not installed"
                            text="You can go on with the practice cluster. For real Kubernetes, install Docker and minikube: the checks below say how on this machine, and this card fills itself."
                        />
                    }
                }
            >
                <Profiles />
            </Show>
        </Card>
        <LatestMinikubeRun />
    }
    .into_any()
}

#[component]
fn Profiles() -> impl IntoView {
    let live = Live::expect();
    let act: Act = wish(|(act, profile)| act_on_profile(act, profile));
    let profiles = live.memo(&[Slice::Minikube], |state| {
        state
            .minikube
            .as_ref()
            .map(|view| view.profiles.clone())
            .unwrap_or_default()
    });
    let problem = live.memo(&[Slice::Minikube], |state| {
        state
            .minikube
            .as_ref()
            .and_then(|view| view.problem.clone())
    });
    let is_empty = Memo::new(move |_| profiles.with(Vec::is_empty));
    view! {
        {move || problem.get().map(|finding| view! { <FindingCard finding /> })}
        <FailureNote failure=act.failure() />
        <Show when=move || !is_empty.get()>
            <ul class="clusters" aria-label="Profiles">
                <For
                    each=move || profiles.get()
                    key=content
                    children=move |profile| view! { <ProfileRow profile act /> }
                />
            </ul>
        </Show>
        <Show when=move || live.is_operator()>
            // Open as long as there is nothing else to do here.
            <details class="profile-new" open=move || is_empty.get()>
                <summary>
                    {move || if is_empty.get() { "Create your first cluster" } else { "Create another cluster" }}
                </summary>
                <NewClusterForm />
            </details>
        </Show>
        <Show when=move || is_empty.get() && !live.is_operator()>
            <EmptyMessage
                tone=Tone::Off
                title="No clusters yet"
                text="The operator can create one here."
            />
        </Show>
    }
    .into_any()
}

#[component]
fn ProfileRow(profile: ProfileView, act: Act) -> impl IntoView {
    let live = Live::expect();
    let (tone, word) = words::profile(&profile.state);
    let note = words::profile_note(&profile);
    let facts = words::profile_facts(&profile);
    let acts = profile.state.acts(profile.context);
    let name = profile.name.clone();
    view! {
        <li class="cluster">
            <div class="cluster-words">
                <p class="cluster-name">
                    <span class="cluster-label">{name.to_string()}</span>
                    <StatusBadge tone word quiet=true />
                </p>
                <p class="cluster-kind">{facts}</p>
                {(!note.is_empty()).then(|| view! { <p class="cluster-note" dir="auto">{note}</p> })}
            </div>
            <Show when=move || live.is_operator()>
                <div class="cluster-acts">
                    {acts
                        .clone()
                        .into_iter()
                        .enumerate()
                        .map(|(at, what)| {
                            let name = name.clone();
                            view! { <ActButton what name act is_first=at == 0 /> }
                        })
                        .collect_view()}
                </div>
            </Show>
        </li>
    }
    .into_any()
}

#[component]
fn ActButton(what: ProfileAct, name: ProfileName, act: Act, is_first: bool) -> impl IntoView {
    let busy = minikube_is_busy();
    let asking = RwSignal::new(false);
    let word = words::profile_act(what);
    let kind = match (is_first, what) {
        (true, ProfileAct::Start | ProfileAct::Unpause | ProfileAct::Repair) => ButtonKind::Primary,
        (_, ProfileAct::Delete) => ButtonKind::Quiet,
        _ => ButtonKind::Secondary,
    };
    let label = format!("{word} {name}");
    let question = words::profile_question(what);
    let send = {
        let name = name.clone();
        move |()| act.send((what, name.clone()))
    };
    let press = {
        let send = send.clone();
        move |()| match question {
            Some(_) => asking.set(true),
            None => send(()),
        }
    };
    let confirm_kind = match what {
        ProfileAct::Delete => ButtonKind::Danger,
        _ => ButtonKind::Primary,
    };
    view! {
        <Button kind busy=act.is_pending() disabled_why=busy label=Some(label) on_press=press>
            {word}
        </Button>
        {question
            .map(|question| {
                let title = format!("{word} {name}?");
                let confirm = DialogAct { word, kind: confirm_kind };
                let send = send.clone();
                match what {
                    ProfileAct::Delete => {
                        view! {
                            <ConfirmDialog
                                open=asking
                                title
                                act=confirm
                                type_to_confirm=name.to_string()
                                on_confirm=send
                            >
                                <p>{question}</p>
                            </ConfirmDialog>
                        }
                            .into_any()
                    }
                    _ => {
                        view! {
                            <ConfirmDialog open=asking title act=confirm on_confirm=send>
                                <p>{question}</p>
                            </ConfirmDialog>
                        }
                            .into_any()
                    }
                }
            })}
    }
    .into_any()
}

/// Why nothing can be done to a profile now: one thing at a time.
pub(super) fn minikube_is_busy() -> Signal<Option<String>> {
    let live = Live::expect();
    let busy = live.memo(&[Slice::Runs], |state| {
        state
            .runs
            .values()
            .find(|run| run.is_going() && RunKind::OF_MINIKUBE.contains(&run.kind))
            .map(|run| format!("\"{}\" is still going", run.kind.title()))
    });
    busy.into()
}

/// The newest run about a profile, whatever it did.
#[component]
fn LatestMinikubeRun() -> impl IntoView {
    let live = Live::expect();
    let kind = live.memo(&[Slice::Runs], |state| {
        let of_minikube = || {
            state
                .runs
                .values()
                .rev()
                .filter(|run| RunKind::OF_MINIKUBE.contains(&run.kind))
        };
        of_minikube()
            .find(|run| run.is_going())
            .or_else(|| of_minikube().next())
            .map(|run| run.kind)
    });
    move || kind.get().map(|kind| view! { <RunPanel kind /> })
}
