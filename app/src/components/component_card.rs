//! A component as the cluster runs it: rollout, replicas, version, and the way to open it.

use leptos::prelude::*;

use super::{
    DataAge, OpenButton, Reach, RestartButton, RollBackButton, ScaleField, YamlButton, words,
};
use crate::live::Live;
use crate::model::{
    ComponentLive, ComponentName, LoadBalancer, ObjectKind, Rollout, ServiceRow, Slice,
};
use crate::ui::{EmptyMessage, StatusBadge, Tone};

/// Follows the component of this name.
#[component]
pub fn ComponentCard(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let name = component.clone();
    let row = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name).cloned()
    });
    let watch = live.memo(&[Slice::Watch], |state| state.watch);
    let is_fresh = Memo::new(move |_| live.is_fresh(&watch.get()));
    let is_absent = Memo::new(move |_| {
        row.with(|row| {
            row.as_ref()
                .is_none_or(|row| row.rollout == Rollout::Absent)
        })
    });
    let label = format!("Component {component}");
    let restarted = component.clone();
    let yaml_of = component.clone();
    let service_name =
        Memo::new(move |_| row.with(|row| Some(row.as_ref()?.service.as_ref()?.name.clone())));
    view! {
        <article class="card component" aria-label=label>
            {move || match row.get() {
                Some(row) if row.rollout != Rollout::Absent => view! { <Running row is_fresh /> }.into_any(),
                absent => {
                    let (tone, title) = words::component(absent.as_ref());
                    let text = match absent {
                        Some(_) => "Nothing of this name runs in the cluster. Deploy it to see it live.",
                        None => "The cluster has not been asked about it yet.",
                    };
                    view! {
                        <h2 class="card-title">{component.to_string()}</h2>
                        <EmptyMessage tone title text />
                    }
                        .into_any()
                }
            }}
            <p class="card-hint" hidden=move || row.with(Option::is_none)>
                <DataAge watch />
            </p>
            <div class="component-reach" hidden=move || is_absent.get()>
                <Reach row />
            </div>
            <div class="component-acts" hidden=move || is_absent.get()>
                <OpenButton row />
                // Outside of what is drawn anew with every change, or its question would vanish.
                <Show when=move || live.is_operator() && !is_absent.get()>
                    <RestartButton component=restarted.clone() />
                    <RollBackButton component=restarted.clone() />
                    <ScaleField component=restarted.clone() />
                </Show>
            </div>
            <Show when=move || !is_absent.get()>
                <p class="component-links">
                    <YamlButton kind=ObjectKind::Deployment name=yaml_of.to_string() with_kind=true />
                    {move || {
                        service_name
                            .get()
                            .map(|name| view! { <YamlButton kind=ObjectKind::Service name with_kind=true /> })
                    }}
                </p>
            </Show>
        </article>
    }
    .into_any()
}

#[component]
fn Running(row: ComponentLive, is_fresh: Memo<bool>) -> impl IntoView {
    let said = words::component(Some(&row));
    let shown = Memo::new(move |_| words::last_known(said.clone(), is_fresh.get()));
    let note = match &row.rollout {
        Rollout::Progressing { note } => Some(note.clone()),
        Rollout::Stuck { why } => Some(why.clone()),
        Rollout::Absent | Rollout::Complete => None,
    };
    let tag = row
        .image
        .rsplit_once(':')
        .map_or("", |(_, tag)| tag)
        .to_owned();
    let proof = row.image_proved.map(|is_proved| {
        Memo::new(move |_| match (is_proved, is_fresh.get()) {
            (true, true) => (Tone::Ok, "Runs the proven image"),
            (false, true) => (Tone::Attention, "Runs another image than the proven one"),
            (true, false) => (Tone::Stale, "Ran the proven image"),
            (false, false) => (Tone::Stale, "Ran another image than the proven one"),
        })
    });
    let name = row.component.to_string();
    view! {
        <div class="card-head">
            <div>
                <h2 class="card-title">{name.clone()}</h2>
                <p class="card-hint mono" title=row.image.clone()>
                    {tag}
                </p>
            </div>
            <StatusBadge
                tone=Signal::derive(move || shown.get().0)
                word=Signal::derive(move || shown.get().1)
            />
        </div>
        <p class="replicas">
            <span class="replicas-ready">{row.ready}</span>
            <span class="replicas-of">{format!("of {} pods ready", row.replicas)}</span>
        </p>
        {note.map(|note| view! { <p class="component-note" dir="auto">{note}</p> })}
        <dl class="facts">
            <div class="fact">
                <dt>"Up to date"</dt>
                <dd>{format!("{} of {}", row.updated, row.replicas)}</dd>
            </div>
            <div class="fact">
                <dt>"Available"</dt>
                <dd>{format!("{} of {}", row.available, row.replicas)}</dd>
            </div>
            <div class="fact">
                <dt>"Restarts"</dt>
                <dd>{row.restarts}</dd>
            </div>
            <div class="fact">
                <dt>"Revision"</dt>
                <dd>{row.revision}</dd>
            </div>
            {row.service.map(service)}
        </dl>
        {proof
            .map(|proof| {
                view! {
                    <StatusBadge
                        tone=Signal::derive(move || proof.get().0)
                        word=Signal::derive(move || proof.get().1.to_owned())
                        quiet=true
                    />
                }
            })}
    }
    .into_any()
}

fn service(service: ServiceRow) -> impl IntoView {
    let ports = service
        .ports
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let address = match service.load_balancer {
        LoadBalancer::No => None,
        LoadBalancer::Pending => Some("Address pending".to_owned()),
        LoadBalancer::Assigned { address } => Some(address),
    };
    view! {
        <div class="fact">
            <dt>"Service"</dt>
            <dd>{format!("{} :{ports}", service.kind)}</dd>
        </div>
        <div class="fact">
            <dt>"Endpoints"</dt>
            <dd>{format!("{} ready", service.ready_endpoints)}</dd>
        </div>
        {address
            .map(|address| {
                view! {
                    <div class="fact">
                        <dt>"Address"</dt>
                        <dd class="mono">{address}</dd>
                    </div>
                }
            })}
    }
    .into_any()
}
