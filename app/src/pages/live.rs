//! Live: every component, pod and probe as the cluster has them now, with the age of the data.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::components::{
    ComponentCard, DeletePod, DeletePodDialog, EventList, NewestRun, NoUsage, ObjectDialog,
    OpenShell, PageFrame, PodCard, PodLogs, ResourceMapPanel, ShellDialog, ShowObject,
    TimelinePanel, query_writer, value_of,
};
use crate::live::Live;
use crate::model::{
    ComponentName, LogSource, ObjectKey, PanelState, PodRow, RunKind, Slice, StepId, humanize_ms,
};
use crate::ui::{Button, EmptyMessage, StatusBadge, TabPanel, Tabs, Tone};

const TABS: &[&str] = &["Pods", "Events", "Logs", "Timeline", "Map"];
/// Where the logs are among them.
const LOGS: usize = 2;
/// Tabs of those who may only look: a viewer's token reads no logs and asks the journal nothing.
const VIEWER_TABS: &[&str] = &["Pods", "Events"];
/// How many pods are drawn before one asks for all.
const FIRST_PODS: usize = 60;

#[component]
pub fn LivePage() -> impl IntoView {
    let live = Live::expect();
    let names = live.memo(&[Slice::Project, Slice::Components], component_names);
    let deletion = DeletePod::provide();
    let place = Place::of_page();
    provide_context(ShowObject(Callback::new(move |key| place.show(Some(key)))));
    let wants_shell = RwSignal::new(false);
    provide_context(OpenShell(Callback::new(move |source| {
        wants_shell.set(true);
        place.enter(Some(source));
    })));
    let tab = place.tab;
    let logs_of = RwSignal::new(String::new());
    let open_logs = move |source: LogSource| {
        logs_of.set(value_of(&source));
        tab.set(LOGS);
    };
    let notes = move |at: usize| match at {
        0 => live.read(&[Slice::Pods], |state| state.pods.len().to_string()),
        1 => live.read(&[Slice::Events], |state| state.events.len().to_string()),
        _ => String::new(),
    };
    view! {
        <PageFrame
            step=StepId::Live
            lede="Every component, pod and probe as the cluster reports them, and how old the news is"
            acts=|| view! { <Freshness /> }
        >
            <Show
                when=move || names.with(|names| !names.is_empty())
                fallback=|| {
                    view! {
                        <section class="card">
                            <EmptyMessage
                                title="Nothing to watch yet"
                                text="Deploy the project; its components appear here."
                            />
                        </section>
                    }
                }
            >
                <div class="tiles">
                    <For
                        each=move || names.get()
                        key=Clone::clone
                        children=|component| view! { <ComponentCard component /> }
                    />
                </div>
            </Show>
            <NewestRun kinds=&[
                RunKind::Restart,
                RunKind::Undo,
                RunKind::Scale,
                RunKind::DeletePod,
            ] />
            <DeletePodDialog asked=deletion />
            <Show when=move || live.is_operator()>
                <ObjectDialog object=place.object on_close=move |()| place.show(None) />
                <ShellDialog
                    source=place.shell
                    at_once=wants_shell
                    on_change=move |source| place.enter(source)
                />
            </Show>
            <section class="card" aria-label="Details">
                {move || {
                    let names = if live.is_operator() { TABS } else { VIEWER_TABS };
                    view! { <Tabs id="live" label="Details" names chosen=tab notes /> }
                }}
                <TabPanel id="live" at=0 chosen=tab>
                    <Pods open_logs=Callback::new(open_logs) />
                    <NoUsage />
                </TabPanel>
                <TabPanel id="live" at=1 chosen=tab>
                    <EventList />
                </TabPanel>
                <Show when=move || live.is_operator()>
                    <TabPanel id="live" at=2 chosen=tab>
                        <PodLogs of=logs_of />
                    </TabPanel>
                    <TabPanel id="live" at=3 chosen=tab>
                        <TimelinePanel />
                    </TabPanel>
                    <TabPanel id="live" at=4 chosen=tab>
                        <ResourceMapPanel />
                    </TabPanel>
                </Show>
            </section>
        </PageFrame>
    }
    .into_any()
}

/// What is open on the page, as its address has it: `?tab=logs&yaml=Deployment/backend`,
/// or `?shell=web-5d4f/app`.
#[derive(Clone, Copy)]
struct Place {
    tab: RwSignal<usize>,
    object: Memo<Option<ObjectKey>>,
    shell: Memo<Option<LogSource>>,
    write: Callback<Vec<(&'static str, String)>>,
}

impl Place {
    fn of_page() -> Self {
        let live = Live::expect();
        let query = use_query_map();
        let named = Memo::new(move |_| {
            let name = query.with(|query| query.get("tab")).unwrap_or_default();
            let tabs = if live.is_operator() {
                TABS
            } else {
                VIEWER_TABS
            };
            tabs.iter()
                .position(|tab| tab.eq_ignore_ascii_case(&name))
                .unwrap_or(0)
        });
        let this = Self {
            tab: RwSignal::new(named.get_untracked()),
            object: Memo::new(move |_| {
                let key = query.with(|query| query.get("yaml"))?;
                key.parse().ok()
            }),
            shell: Memo::new(move |_| {
                let source = query.with(|query| query.get("shell"))?;
                source.parse().ok()
            }),
            write: query_writer("/live"),
        };
        // Both ways: a link opens a tab, and a tab that was opened can be linked to.
        Effect::new(move |_| {
            let named = named.get();
            // Setting what is set already would draw the tab anew, and lose what it holds.
            if this.tab.get_untracked() != named {
                this.tab.set(named);
            }
        });
        Effect::new(move |_| {
            if this.tab.get() != named.get_untracked() {
                this.show(this.object.get_untracked());
            }
        });
        this
    }

    /// Opens the window with this object; none closes it.
    fn show(self, object: Option<ObjectKey>) {
        self.write(object.map(|key| ("yaml", key.to_string())));
    }

    /// Opens the window with a shell in this container; none closes it.
    fn enter(self, shell: Option<LogSource>) {
        self.write(shell.map(|source| ("shell", source.to_string())));
    }

    fn write(self, window: Option<(&'static str, String)>) {
        let mut parts = Vec::new();
        let tab = self.tab.get_untracked();
        if let Some(name) = TABS.get(tab).filter(|_| tab > 0) {
            parts.push(("tab", name.to_lowercase()));
        }
        parts.extend(window);
        self.write.run(parts);
    }
}

/// The project's components, then whatever else the cluster has.
pub fn component_names(state: &PanelState) -> Vec<ComponentName> {
    let mut names: Vec<ComponentName> = state.project.as_ref().map_or_else(Vec::new, |project| {
        project
            .components
            .iter()
            .map(|component| component.name.clone())
            .collect()
    });
    for name in state.components.keys() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

#[component]
fn Freshness() -> impl IntoView {
    let live = Live::expect();
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    let tone = Signal::derive(move || match watch.get() {
        watch if watch.heard.is_none() => Tone::Unknown,
        watch if live.is_fresh(&watch) => Tone::Ok,
        _ => Tone::Stale,
    });
    let word = Signal::derive(move || {
        let age = watch.get().age_ms(live.now());
        match (tone.get(), age) {
            (Tone::Ok, _) => "Fresh".to_owned(),
            (Tone::Stale, Some(age)) => format!("Stale {}", humanize_ms(age / 1000 * 1000)),
            _ => "Not watching yet".to_owned(),
        }
    });
    view! { <StatusBadge tone word /> }.into_any()
}

#[component]
fn Pods(open_logs: Callback<LogSource>) -> impl IntoView {
    let live = Live::expect();
    let all = RwSignal::new(false);
    let count = live.memo(&[Slice::Pods], |state| state.pods.len());
    let shown = live.memo(&[Slice::Pods], move |state| {
        let limit = if all.get() { usize::MAX } else { FIRST_PODS };
        first(state, limit)
    });
    view! {
        <Show
            when=move || count.get() != 0
            fallback=|| {
                view! {
                    <EmptyMessage
                        title="No pods"
                        text="Pods appear the moment the cluster creates them."
                    />
                }
            }
        >
            <ul class="pods">
                <For
                    each=move || shown.get()
                    key=String::clone
                    children=move |uid| view! { <PodCard uid open_logs /> }
                />
            </ul>
            <Show when=move || !all.get() && FIRST_PODS < count.get()>
                <Button on_press=move |()| {
                    all.set(true)
                }>{move || format!("Show all {} pods", count.get())}</Button>
            </Show>
        </Show>
    }
    .into_any()
}

/// UIDs of so many pods: what needs a look first, then by component, newest first. With every change
/// of any pod it is asked again, so the others are not put in order.
fn first(state: &PanelState, limit: usize) -> Vec<String> {
    let order = |a: &&PodRow, b: &&PodRow| {
        (a.ready, &a.component, b.created, &a.name).cmp(&(
            b.ready,
            &b.component,
            a.created,
            &b.name,
        ))
    };
    let mut pods: Vec<&PodRow> = state.pods.values().collect();
    if limit < pods.len() {
        pods.select_nth_unstable_by(limit, order);
        pods.truncate(limit);
    }
    pods.sort_unstable_by(order);
    pods.into_iter().map(|pod| pod.uid.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;

    #[test]
    fn the_first_pods_are_those_that_need_a_look_then_the_newest() {
        let row = |(name, ready, created): &(&str, bool, i64)| PodRow {
            uid: (*name).to_owned(),
            name: (*name).to_owned(),
            component: None,
            owner: None,
            phase: "Running".into(),
            ready: *ready,
            terminating: false,
            current: true,
            created: UnixMillis(*created),
            ip: None,
            node: None,
            stale_secrets: false,
            containers: vec![],
            why_not_ready: None,
        };
        let rows = [
            ("a", true, 1),
            ("b", true, 3),
            ("c", false, 2),
            ("d", true, 3),
            ("e", false, 4),
        ];
        let mut state = PanelState::default();
        for pod in rows.iter().map(row) {
            state.pods.insert(pod.uid.clone(), pod);
        }
        let all = ["e", "c", "b", "d", "a"];
        for limit in 0..=6 {
            assert_eq!(first(&state, limit), all[..limit.min(5)], "{limit}");
        }
        assert_eq!(first(&state, usize::MAX), all);
    }
}
