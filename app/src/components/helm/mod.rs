//! The Helm side of the Deploy page: the chart, its values, what a deploy would do, and the release.

mod ask;
mod chart_card;
mod history;
mod release_plan;
mod stuck_banner;
mod value_field;
mod values_card;

use leptos::prelude::*;

pub use chart_card::ChartCard;
pub use history::HistoryCard;
pub use release_plan::ReleasePlanCard;
pub use stuck_banner::StuckBanner;
pub use values_card::ValuesForm;

use crate::api::releases::{carry_out, plan_release};
use crate::components::{FailureNote, wish};
use crate::live::Live;
use crate::model::{Failure, ReleasePlan, ReleaseWish, RunKind, RunView, Slice, ValueEdit};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, Icon, IconShape};
use ask::{Ask, ask};

/// What the parts of the Helm side share; copy it freely.
#[derive(Clone, Copy)]
pub struct Desk {
    /// Edits of the form that are in no file yet.
    pub edits: RwSignal<Vec<ValueEdit>>,
    /// The wish that is planned, with its plan once that is made.
    pub planned: RwSignal<Option<(ReleaseWish, Option<ReleasePlan>)>>,
    asking: Ask<ReleaseWish, (ReleaseWish, ReleasePlan)>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    fn new() -> Self {
        let planned = RwSignal::new(None);
        let asking = ask(|wish: ReleaseWish| async move {
            let plan = plan_release(wish.clone()).await?;
            Ok::<_, Failure>((wish, plan))
        });
        Effect::new(move |_| {
            if let Some((wish, plan)) = asking.answer().get() {
                planned.set(Some((wish, Some(plan))));
            }
        });
        Self {
            edits: RwSignal::new(Vec::new()),
            planned,
            asking,
        }
    }

    /// Makes a plan for this wish, in place of any other.
    pub fn plan(self, wish: ReleaseWish) {
        self.planned.set(Some((wish.clone(), None)));
        self.asking.send(wish);
    }

    /// A deploy with the edits as they are.
    pub fn deploy_wish(self, adopt: bool) -> ReleaseWish {
        ReleaseWish::Deploy {
            edits: self.edits.get_untracked(),
            adopt,
        }
    }
}

/// All of it; shown while the project is deployed by Helm. `blocked` says why nothing can be
/// deployed now, if so.
#[component]
pub fn HelmMode(#[prop(into)] blocked: Signal<Option<String>>) -> impl IntoView {
    let live = Live::expect();
    let desk = Desk::new();
    let start = wish(|(wish, hash): (ReleaseWish, String)| carry_out(wish, hash));
    let going = live.memo(&[Slice::Runs], |state| {
        [RunKind::Deploy, RunKind::Down]
            .into_iter()
            .any(|kind| state.latest_run(kind).is_some_and(RunView::is_going))
    });
    // What was planned has happened.
    Effect::new(move |_| {
        if start.was_granted().get() {
            desk.planned.set(None);
        }
    });
    view! {
        <StuckBanner desk />
        <ChartCard />
        <Acts desk going blocked />
        <FailureNote failure=desk.asking.failure() />
        <FailureNote failure=start.failure() />
        {move || {
            desk.planned
                .get()
                .map(|(wish, plan)| {
                    view! {
                        <ReleasePlanCard
                            desk
                            wish
                            plan
                            waiting=desk.asking.is_pending()
                            busy=Signal::derive(move || going.get() || start.is_pending().get())
                            on_yes=move |yes| start.send(yes)
                        />
                    }
                })
        }}
        <ValuesForm desk />
        <HistoryCard desk />
    }
    .into_any()
}

#[component]
fn Acts(
    desk: Desk,
    #[prop(into)] going: Signal<bool>,
    blocked: Signal<Option<String>>,
) -> impl IntoView {
    let live = Live::expect();
    let is_there = live.memo(&[Slice::Helm], |state| {
        state
            .helm
            .release
            .as_ref()
            .is_some_and(|release| release.is_there())
    });
    let asking = RwSignal::new(false);
    let keep_history = RwSignal::new(false);
    view! {
        <Show when=move || live.is_operator()>
            <div class="helm-acts">
                <Button
                    kind=ButtonKind::Primary
                    busy=Signal::derive(move || desk.asking.is_pending().get() || going.get())
                    disabled_why=blocked
                    on_press=move |()| desk.plan(desk.deploy_wish(false))
                >
                    <Icon shape=IconShape::Eye />
                    "Preview release"
                </Button>
                <Show when=move || is_there.get()>
                    <Button
                        kind=ButtonKind::Quiet
                        disabled_why=Signal::derive(move || {
                            going.get().then(|| "A run is going".to_owned())
                        })
                        on_press=move |()| asking.set(true)
                    >
                        "Uninstall…"
                    </Button>
                </Show>
            </div>
        </Show>
        <ConfirmDialog
            open=asking
            title="Uninstall the release?"
            act=DialogAct { word: "Show what goes", kind: ButtonKind::Danger }
            on_confirm=move |()| {
                desk.plan(ReleaseWish::Uninstall { keep_history: keep_history.get_untracked() });
            }
        >
            <p>"You will see every object that goes before anything is removed."</p>
            <label class="check-line">
                <input
                    type="checkbox"
                    prop:checked=keep_history
                    on:change:target=move |event| keep_history.set(event.target().checked())
                />
                "Keep the history, so that it can be rolled back to"
            </label>
        </ConfirmDialog>
    }
    .into_any()
}
