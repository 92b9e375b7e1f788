//! Images: build, load, and find the image ID again in the cluster's own runtime.

use leptos::prelude::*;

use crate::api::images::build_images;
pub use crate::components::words::why_not;
use crate::components::{FailureNote, ImageCard, ImageReportCard, PageFrame, RunPanel, wish};
use crate::live::Live;
use crate::model::{Rebuild, RunKind, RunView, Slice, StepId};
use crate::ui::{Button, ButtonKind, EmptyMessage, Tone};

#[component]
pub fn ImagesPage() -> impl IntoView {
    let live = Live::expect();
    let build = wish(|()| build_images(Vec::new(), Rebuild::IfChanged));
    let going = live.memo(&[Slice::Runs], |state| {
        state
            .latest_run(RunKind::Build)
            .is_some_and(RunView::is_going)
    });
    let why_not = live.memo(&[Slice::Steps, Slice::Project], |state| {
        why_not(state, StepId::Images)
    });
    let names = live.memo(&[Slice::Project], |state| {
        state.project.as_ref().map_or_else(Vec::new, |project| {
            project
                .components
                .iter()
                .map(|component| component.name.clone())
                .collect()
        })
    });
    let acts = move || {
        view! {
            <Show when=move || live.is_operator()>
                <Button
                    kind=ButtonKind::Primary
                    busy=Signal::derive(move || going.get() || build.is_pending().get())
                    disabled_why=why_not
                    on_press=move |()| build.send(())
                >
                    "Build images"
                </Button>
            </Show>
        }
    };
    view! {
        <PageFrame
            step=StepId::Images
            lede="Every component becomes an image, and its ID is read back from the cluster's runtime"
            acts
        >
            <FailureNote failure=build.failure() />
            <Show
                when=move || names.with(|names| !names.is_empty())
                fallback=|| {
                    view! {
                        <section class="card">
                            <EmptyMessage
                                tone=Tone::Unknown
                                title="No components"
                                text="slipway.toml names the components to build."
                            />
                        </section>
                    }
                }
            >
                <div class="tiles">
                    <For
                        each=move || names.get()
                        key=Clone::clone
                        children=|component| view! { <ImageCard component /> }
                    />
                </div>
            </Show>
            <RunPanel kind=RunKind::Build />
            <For
                each=move || names.get()
                key=Clone::clone
                children=|component| view! { <ImageReportCard component /> }
            />
        </PageFrame>
    }
    .into_any()
}
