//! What a person can do about one component's image: build it, stop that build, choose the builder.

use leptos::prelude::*;

use super::image_card::{DOING, doing_of};
use super::words::why_not;
use super::{FailureNote, wish};
use crate::api::images::{build_images, cancel_build, choose_builder};
use crate::live::Live;
use crate::model::{BuildDoing, Builder, ComponentName, Rebuild, RunKind, RunView, Slice, StepId};
use crate::ui::{Button, ButtonKind};

/// For operators; viewers get nothing to press.
#[component]
pub fn ImageActs(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    move || {
        live.is_operator()
            .then(|| view! { <Acts component=component.clone() /> })
    }
}

#[component]
fn Acts(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let doing = {
        let component = component.clone();
        live.memo(DOING, move |state| doing_of(state, &component))
    };
    let is_going = Memo::new(move |_| matches!(doing.get(), BuildDoing::Going { .. }));
    let is_unchanged = Memo::new(move |_| matches!(doing.get(), BuildDoing::Unchanged { .. }));
    let disabled_why = live.memo(&[Slice::Steps, Slice::Project, Slice::Runs], |state| {
        let other = state
            .latest_run(RunKind::Build)
            .is_some_and(RunView::is_going);
        match other {
            true => Some("Another build is going".to_owned()),
            false => why_not(state, StepId::Images),
        }
    });
    let build = {
        let component = component.clone();
        wish(move |rebuild: Rebuild| build_images(vec![component.clone()], rebuild))
    };
    let cancel = {
        let component = component.clone();
        wish(move |()| cancel_build(component.clone()))
    };
    let name = component.to_string();
    let labels = (
        format!("Build {name}"),
        format!("Cancel the build of {name}"),
        format!("Build anyway: {name}"),
    );
    view! {
        <div class="image-acts">
            <BuilderSwitch component is_going />
            {move || match is_going.get() {
                true => {
                    view! {
                        <Button
                            busy=cancel.is_pending()
                            label=Some(labels.1.clone())
                            on_press=move |()| cancel.send(())
                        >
                            "Cancel"
                        </Button>
                    }
                        .into_any()
                }
                false => {
                    let rebuild = match is_unchanged.get() {
                        true => Rebuild::Anyway,
                        false => Rebuild::IfChanged,
                    };
                    let (word, label) = match rebuild {
                        Rebuild::IfChanged => ("Build", labels.0.clone()),
                        Rebuild::Anyway => ("Build anyway", labels.2.clone()),
                    };
                    view! {
                        <Button
                            kind=ButtonKind::Secondary
                            busy=build.is_pending()
                            disabled_why
                            label=Some(label)
                            on_press=move |()| build.send(rebuild)
                        >
                            {word}
                        </Button>
                    }
                        .into_any()
                }
            }}
        </div>
        <FailureNote failure=build.failure() />
        <FailureNote failure=cancel.failure() />
    }
    .into_any()
}

/// Where `slipway.toml` describes both builders, one of them is chosen here.
#[component]
fn BuilderSwitch(component: ComponentName, is_going: Memo<bool>) -> impl IntoView {
    let live = Live::expect();
    let choice = {
        let component = component.clone();
        live.memo(&[Slice::Images], move |state| {
            state
                .images
                .iter()
                .find(|view| view.component == component)
                .map(|view| (view.builder, view.builders.len()))
        })
    };
    let choose = {
        let component = component.clone();
        wish(move |builder: Builder| choose_builder(component.clone(), builder))
    };
    let group = format!("Builder of {component}");
    view! {
        <Show when=move || choice.get().is_some_and(|(_, count)| count > 1)>
            <div class="switch" role="group" aria-label=group.clone()>
                {[(Builder::Docker, "Docker"), (Builder::Pack, "Pack")]
                    .map(|(builder, word)| {
                        let is_chosen = move || choice.get().is_some_and(|(chosen, _)| chosen == builder);
                        view! {
                            <button
                                type="button"
                                class="switch-choice"
                                aria-pressed=move || is_chosen().to_string()
                                aria-disabled=move || is_going.get().then_some("true")
                                on:click=move |_| {
                                    if !is_going.get_untracked() && !is_chosen() {
                                        choose.send(builder);
                                    }
                                }
                            >
                                {word}
                            </button>
                        }
                    })}
            </div>
        </Show>
        <FailureNote failure=choose.failure() />
    }
    .into_any()
}
