//! Which cluster the walk goes to: the practice cluster or a context of the kubeconfig.

use leptos::prelude::*;

use super::{FailureNote, Wish, content, wish, words};
use crate::api::clusters::{forget_allowance, use_cluster};
use crate::live::Live;
use crate::model::{
    Access, ClusterChoice, ClusterKind, ClusterOption, ContextName, GoingRuns, KubeconfigFile,
    PanelState, Reach, Slice,
};
use crate::ui::{Button, ButtonKind, EmptyMessage, StatusBadge, StatusIcon, TextField, Tone};

/// With more rows than this there is a field to filter them by.
const FILTER_FROM: usize = 7;

type Choose = Wish<(ClusterChoice, GoingRuns)>;

/// How the rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Practice,
    Local,
    Remote,
}

impl Group {
    const ALL: [Group; 3] = [Self::Practice, Self::Local, Self::Remote];

    fn of(option: &ClusterOption) -> Self {
        match option.kind {
            ClusterKind::Practice => Self::Practice,
            ClusterKind::Remote => Self::Remote,
            _ => Self::Local,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Practice => "Practice",
            Self::Local => "On this machine",
            Self::Remote => "Not on this machine",
        }
    }
}

#[component]
pub fn ClusterPicker() -> impl IntoView {
    let live = Live::expect();
    let choose: Choose = wish(|(choice, going)| use_cluster(choice, going));
    let filter = RwSignal::new(String::new());
    let count = live.memo(&[Slice::Clusters], |state| state.clusters.len());
    let none_fits = Memo::new(move |_| {
        let filter = filter.get();
        live.read(&[Slice::Clusters], |state| {
            !state.clusters.is_empty() && !state.clusters.iter().any(|option| fits(option, &filter))
        })
    });
    view! {
        <FailureNote failure=choose.failure() />
        <Show
            when=move || { count.get() > 0 }
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
            <Show when=move || { count.get() > FILTER_FROM }>
                <TextField id="filter-clusters" label="Filter clusters" value=filter />
            </Show>
            {Group::ALL.map(|group| view! { <Rows group filter choose /> })}
            <Show when=move || none_fits.get()>
                <EmptyMessage
                    tone=Tone::Unknown
                    title="No cluster fits"
                    text="Type a part of a context's name, kind or address."
                />
            </Show>
            <Files />
        </Show>
    }
    .into_any()
}

/// Who one is on the cluster in use, and what weakens the connection.
#[component]
pub fn ClusterStanding() -> impl IntoView {
    let live = Live::expect();
    let standing = live.memo(&[Slice::Cluster], |state| {
        let cluster = state.cluster.as_ref()?;
        Some((cluster.who.clone(), cluster.warnings.clone()))
    });
    move || {
        standing.get().map(|(who, warnings)| {
            let groups = |groups: Vec<String>| {
                let known: Vec<_> = groups
                    .into_iter()
                    .filter(|group| group != "system:authenticated")
                    .collect();
                (!known.is_empty()).then(|| format!(" ({})", known.join(", ")))
            };
            view! {
                {who
                    .map(|who| {
                        view! {
                            <p class="cluster-who">
                                "The API server takes you for "
                                <strong>{who.name}</strong>
                                {groups(who.groups)}
                            </p>
                        }
                    })}
                {warnings
                    .into_iter()
                    .map(|warning| {
                        view! {
                            <p class="cluster-warning tone-attention">
                                <StatusIcon tone=Tone::Attention />
                                <span>{warning}</span>
                            </p>
                        }
                    })
                    .collect_view()}
            }
        })
    }
}

#[component]
fn Rows(group: Group, filter: RwSignal<String>, choose: Choose) -> impl IntoView {
    let live = Live::expect();
    let options = Memo::new(move |_| {
        let filter = filter.get();
        live.read(&[Slice::Clusters], |state| {
            state
                .clusters
                .iter()
                .filter(|option| Group::of(option) == group && fits(option, &filter))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let in_use = live.memo(&[Slice::Cluster], |state| {
        state.cluster.as_ref().map(|cluster| cluster.choice.clone())
    });
    let id = format!("clusters-{group:?}").to_lowercase();
    view! {
        <Show when=move || options.with(|options| !options.is_empty())>
            <section class="cluster-group" aria-labelledby=id.clone()>
                <h3 class="side-title" id=id.clone()>
                    {group.title()}
                </h3>
                <ul class="clusters">
                    <For
                        each=move || options.get()
                        key=content
                        children=move |option| view! { <OptionRow option in_use choose /> }
                    />
                </ul>
            </section>
        </Show>
    }
    .into_any()
}

fn fits(option: &ClusterOption, filter: &str) -> bool {
    let filter = filter.trim().to_lowercase();
    [
        option.choice.label(),
        &words::cluster_kind(&option.kind),
        &option.server,
    ]
    .iter()
    .any(|text| text.to_lowercase().contains(&filter))
}

#[component]
fn OptionRow(
    option: ClusterOption,
    in_use: Memo<Option<ClusterChoice>>,
    choose: Choose,
) -> impl IntoView {
    let live = Live::expect();
    let (tone, word) = words::reach(&option.reach);
    let name = option.choice.label().to_owned();
    let choice = option.choice.clone();
    let is_used = Memo::new(move |_| in_use.with(|in_use| in_use.as_ref() == Some(&choice)));
    let choice = option.choice.clone();
    let press = move |()| choose.send((choice.clone(), GoingRuns::Refuse));
    let guarded = option.access.is_guarded();
    let act = match (&option.reach, option.access) {
        (Reach::Startable, _) => "Start and use",
        (_, Access::LookOnly) => "Look",
        _ => "Use",
    };
    let button_name = format!("{act} {name}");
    let notes = notes(&option);
    let allowed = match (&option.choice, option.access) {
        (ClusterChoice::Context(context), Access::Allowed { .. }) => Some(context.clone()),
        _ => None,
    };
    view! {
        <li class="cluster" class:cluster-used=is_used class:cluster-guarded=guarded>
            <div class="cluster-words">
                <p class="cluster-name">
                    <span class="cluster-label">{name}</span>
                    {option.current.then(|| view! { <span class="tag">"Current context"</span> })}
                </p>
                <p class="cluster-kind">
                    {words::cluster_kind(&option.kind)}
                    {option.who.map(|who| view! { <span>{format!(" · you are {who}")}</span> })}
                </p>
                {(!option.server.is_empty())
                    .then(|| view! { <p class="cluster-server">{option.server}</p> })}
                {notes
                    .into_iter()
                    .map(|note| view! { <p class="cluster-note" dir="auto">{note}</p> })
                    .collect_view()}
                {allowed.map(|context| view! { <Allowance context /> })}
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
        </li>
    }
    .into_any()
}

/// What a row adds in words.
fn notes(option: &ClusterOption) -> Vec<String> {
    let mut notes = Vec::new();
    if option.choice == ClusterChoice::Practice {
        notes.push("A rehearsal stage inside Slipway: real processes, real probes, no Docker needed. Not a substitute for Kubernetes.".to_owned());
    }
    if let Reach::Unreachable { why } = &option.reach {
        notes.push(why.clone());
    }
    if let Some(program) = &option.login_program {
        notes.push(format!(
            "Logs in with the program {program}, which is started when you choose it"
        ));
    }
    if option.access == Access::LookOnly {
        notes.push("Can be looked at; nothing is changed before its name was typed".to_owned());
    }
    notes
}

#[component]
fn Allowance(context: ContextName) -> impl IntoView {
    let live = Live::expect();
    let forget = wish(forget_allowance);
    let label = format!("Take back the allowance for {context}");
    view! {
        <div class="cluster-allowance">
            <p class="cluster-note">"Changes are allowed: its name was typed"</p>
            <Show when=move || live.is_operator()>
                {
                    let (context, label) = (context.clone(), label.clone());
                    view! {
                        <Button
                            kind=ButtonKind::Quiet
                            busy=forget.is_pending()
                            label=Some(label)
                            on_press=move |()| forget.send(context.clone())
                        >
                            "Take back"
                        </Button>
                    }
                }
            </Show>
            <FailureNote failure=forget.failure() />
        </div>
    }
    .into_any()
}

/// Where the contexts come from; a broken file is named, and the others still count.
#[component]
fn Files() -> impl IntoView {
    let live = Live::expect();
    let files = live.memo(&[Slice::Clusters], |state| state.kubeconfig_files.clone());
    let has_contexts = live.memo(&[Slice::Clusters], |state: &PanelState| {
        state.clusters.len() > 1
    });
    view! {
        <Show when=move || { !has_contexts.get() && files.with(|files| !files.is_empty()) }>
            <p class="fine-print">
                {move || {
                    let paths: Vec<_> = files.with(|files| {
                        files.iter().map(|file| file.path.clone()).collect()
                    });
                    format!("No context was found in {}. Another file is used with KUBECONFIG=FILE.", paths.join(", "))
                }}
            </p>
        </Show>
        <ul class="kubeconfig-files">
            <For
                each=move || files.with(|files| broken(files))
                key=content
                children=|file| {
                    view! {
                        <li class="kubeconfig-file tone-attention">
                            <StatusIcon tone=Tone::Attention />
                            <p>
                                <strong class="kubeconfig-path">{file.path}</strong>
                                " is left out: "
                                <span dir="auto">{file.problem}</span>
                            </p>
                        </li>
                    }
                }
            />
        </ul>
    }
    .into_any()
}

fn broken(files: &[KubeconfigFile]) -> Vec<KubeconfigFile> {
    files
        .iter()
        .filter(|file| file.problem.is_some())
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_name_kind_and_address() {
        let option = ClusterOption {
            choice: ClusterChoice::Context("dev-eu".parse().expect("a name")),
            kind: ClusterKind::Kind { name: "dev".into() },
            server: "https://127.0.0.1:40123".into(),
            reach: Reach::Unknown,
            current: false,
            access: Access::Free,
            who: None,
            login_program: None,
        };
        for filter in ["", " DEV-", "kind", ":40123"] {
            assert!(fits(&option, filter), "{filter}");
        }
        assert!(!fits(&option, "prod"));
        assert_eq!(Group::of(&option), Group::Local);
    }
}
