//! Which cluster the walk goes to: the practice cluster or a context of the kubeconfig.

use leptos::prelude::*;

use super::{FailureNote, Wish, content, wish, words};
use crate::api::setup::use_cluster;
use crate::live::Live;
use crate::model::{ClusterChoice, ClusterKind, ClusterOption, Reach, Slice};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, EmptyMessage, StatusBadge, Tone};

type Choose = Wish<(ClusterChoice, Option<String>)>;

#[component]
pub fn ClusterPicker() -> impl IntoView {
    let live = Live::expect();
    let choose: Choose = wish(|(choice, typed)| use_cluster(choice, typed));
    let options = live.memo(&[Slice::Clusters], |state| state.clusters.clone());
    let in_use = live.memo(&[Slice::Cluster], |state| {
        state.cluster.as_ref().map(|cluster| cluster.choice.clone())
    });
    view! {
        <FailureNote failure=choose.failure() />
        <Show
            when=move || options.with(|options| !options.is_empty())
            fallback=|| {
                view! {
                    <EmptyMessage
                        tone=Tone::Unknown
                        title="Looking for clusters"
                        text="The practice cluster and the contexts of your kubeconfig appear here."
                    />
                }
            }
        >
            <ul class="clusters">
                <For
                    each=move || options.get()
                    key=content
                    children=move |option| view! { <OptionRow option in_use choose /> }
                />
            </ul>
        </Show>
    }
    .into_any()
}

#[component]
fn OptionRow(
    option: ClusterOption,
    in_use: Memo<Option<ClusterChoice>>,
    choose: Choose,
) -> impl IntoView {
    let live = Live::expect();
    let label = option.choice.label().to_owned();
    let (tone, word) = words::reach(&option.reach);
    let why_not = match &option.reach {
        Reach::Unreachable { why } => Some(why.clone()),
        _ => None,
    };
    let is_remote = option.kind == ClusterKind::Remote;
    let asking = RwSignal::new(false);
    let choice = option.choice.clone();
    let is_used = Memo::new(move |_| in_use.with(|in_use| in_use.as_ref() == Some(&choice)));
    let choice = option.choice.clone();
    let name = label.clone();
    let confirm = {
        let (choice, name) = (choice.clone(), name.clone());
        move |()| choose.send((choice.clone(), Some(name.clone())))
    };
    let press = move |()| {
        if is_remote {
            asking.set(true);
        } else {
            choose.send((choice.clone(), None));
        }
    };
    let starts = option.reach == Reach::Startable;
    let act = if starts { "Start and use" } else { "Use" };
    let button_name = format!("{act} {name}");
    let can_use = Signal::derive(move || {
        why_not
            .clone()
            .map(|_| "It does not answer; start it, then check again".to_owned())
    });
    let practice_note = (option.choice == ClusterChoice::Practice).then_some(
        "A rehearsal stage inside Slipway: real processes, real probes, no Docker needed. Not a substitute for Kubernetes.",
    );
    let why_text = match option.reach {
        Reach::Unreachable { why } => Some(why),
        _ => None,
    };
    view! {
        <li class="cluster" class:cluster-used=is_used>
            <div class="cluster-words">
                <p class="cluster-name">
                    {label.clone()}
                    {option.current.then(|| view! { <span class="tag">"Current context"</span> })}
                </p>
                <p class="cluster-kind">{words::cluster_kind(&option.kind)}</p>
                {(!option.server.is_empty())
                    .then(|| view! { <p class="cluster-server">{option.server}</p> })}
                {practice_note.map(|note| view! { <p class="cluster-note">{note}</p> })}
                {why_text.map(|why| view! { <p class="cluster-note" dir="auto">{why}</p> })}
            </div>
            <div class="cluster-acts">
                <StatusBadge tone word quiet=true />
                <Show
                    when=move || is_used.get()
                    fallback=move || {
                        let press = press.clone();
                        let button_name = button_name.clone();
                        view! {
                            <Show when=move || live.is_operator()>
                                <Button
                                    kind=ButtonKind::Secondary
                                    busy=choose.is_pending()
                                    disabled_why=can_use
                                    label=Some(button_name.clone())
                                    on_press=press.clone()
                                >
                                    {act}
                                </Button>
                            </Show>
                        }
                    }
                >
                    <span class="tag tag-strong">"In use"</span>
                </Show>
            </div>
            {is_remote
                .then(|| {
                    view! {
                        <ConfirmDialog
                            open=asking
                            title=format!("Use the remote cluster {name}?")
                            act=DialogAct { word: "Use this cluster", kind: ButtonKind::Primary }
                            type_to_confirm=name.clone()
                            on_confirm=confirm
                        >
                            <p>
                                "It is not on this machine. Slipway will write secrets and deploy there, so type its name once. The choice is remembered."
                            </p>
                        </ConfirmDialog>
                    }
                })}
        </li>
    }
    .into_any()
}
