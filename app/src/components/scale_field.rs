//! How many pods of a component there should be, as a number to enter.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::rollouts::steer;
use crate::live::Live;
use crate::model::{ComponentName, RolloutAct, Slice};
use crate::ui::{Button, TextField};

/// Once on a page for each component.
#[component]
pub fn ScaleField(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let name = component.clone();
    let wanted = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name).map_or(1, |row| row.replicas)
    });
    let replicas = RwSignal::new(wanted.get_untracked().to_string());
    // Somebody else may scale, too; what is being typed stays.
    Effect::new(move |before: Option<u32>| {
        let wanted = wanted.get();
        if before.is_some_and(|before| before != wanted) {
            replicas.set(wanted.to_string());
        }
        wanted
    });
    let number = Memo::new(move |_| {
        replicas
            .with(|text| text.trim().parse::<u32>().ok())
            .filter(|replicas| *replicas <= RolloutAct::MOST_REPLICAS)
    });
    let why_not = Signal::derive(move || {
        number
            .get()
            .is_none()
            .then(|| format!("Enter a number from 0 to {}", RolloutAct::MOST_REPLICAS))
    });
    let id = format!("replicas-{component}");
    let label = format!("Pods of {component}");
    let button = format!("Scale {component}");
    let act = wish(move |replicas: u32| steer(component.clone(), RolloutAct::Scale { replicas }));
    let scale = move |()| {
        if let Some(replicas) = number.get_untracked() {
            act.send(replicas);
        }
    };
    view! {
        <div class="rollout-scale">
            <TextField id label value=replicas />
            <Button
                label=Some(button)
                disabled_why=why_not
                busy=act.is_pending()
                on_press=scale
            >
                "Scale"
            </Button>
        </div>
        <FailureNote failure=act.failure() />
    }
    .into_any()
}
