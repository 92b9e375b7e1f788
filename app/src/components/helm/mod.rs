//! The Helm side of the Deploy page: the chart, its values, what a deploy would do, and the release.

mod acts;
mod chart_card;
mod desk;
mod history;
mod release_plan;
mod stuck_banner;
mod value_field;
mod values_card;

use leptos::prelude::*;

pub use acts::HelmActs;
pub use chart_card::ChartCard;
pub use desk::{Desk, Planned};
pub use history::HistoryCard;
pub use release_plan::ReleasePlanCard;
pub use stuck_banner::StuckBanner;
pub use values_card::ValuesForm;

use crate::components::{Drifted, FailureNote};
use crate::live::Live;
use crate::model::Slice;

/// All of it but the main buttons; shown while the project is deployed by Helm.
#[component]
pub fn HelmMode(desk: Desk) -> impl IntoView {
    let is_planning = desk.is_planning();
    let shows_plan = Memo::new(move |_| is_planning.get() || desk.planned.with(Option::is_some));
    let live = Live::expect();
    let drift = live.memo(&[Slice::Helm], |state| state.helm.drift.clone());
    // Helm takes back the whole release or nothing.
    let on_put_back = Signal::derive(move || {
        live.is_operator()
            .then(|| Callback::new(move |_| desk.put_back()))
    });
    view! {
        <div class="column-main">
            <FailureNote failure=desk.failure() />
            <StuckBanner desk />
            <Show when=move || shows_plan.get()>
                <ReleasePlanCard desk />
            </Show>
            <Drifted drift on_put_back />
            <ChartCard />
            <ValuesForm desk />
            <HistoryCard desk />
        </div>
    }
    .into_any()
}
