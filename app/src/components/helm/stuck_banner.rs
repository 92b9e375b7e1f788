//! A release that is stuck: who holds it, and the ways out, each with a preview.

use leptos::prelude::*;

use super::Desk;
use crate::components::FindingCard;
use crate::live::Live;
use crate::model::{ReleaseWish, Slice};
use crate::ui::{Button, ButtonKind};

#[component]
pub fn StuckBanner(desk: Desk) -> impl IntoView {
    let live = Live::expect();
    let stuck = live.memo(&[Slice::Helm], |state| {
        state
            .helm
            .release
            .as_ref()
            .and_then(|release| release.stuck.clone())
    });
    move || {
        stuck.get().map(|stuck| {
            let (revision, good) = (stuck.revision, stuck.last_good);
            let is_pending = stuck.status.is_pending();
            let free = !stuck.holder.is_someone();
            view! {
                <div class="helm-stuck">
                    <FindingCard finding=stuck.finding.clone() />
                    <Show when=move || free && live.is_operator()>
                        <div class="helm-acts">
                            {good
                                .map(|good| {
                                    view! {
                                        <Button
                                            kind=ButtonKind::Primary
                                            on_press=move |()| desk.plan(ReleaseWish::Rollback { to: good, force: false })
                                        >
                                            {format!("Roll back to revision {good}")}
                                        </Button>
                                    }
                                })}
                            {is_pending
                                .then(|| {
                                    view! {
                                        <Button on_press=move |()| {
                                            desk.plan(ReleaseWish::Unlock { revision });
                                        }>"Unlock"</Button>
                                    }
                                })}
                            {good
                                .is_none()
                                .then(|| {
                                    view! {
                                        <Button
                                            kind=ButtonKind::Danger
                                            on_press=move |()| {
                                                desk.plan(ReleaseWish::Uninstall { keep_history: false });
                                            }
                                        >
                                            "Uninstall"
                                        </Button>
                                    }
                                })}
                        </div>
                    </Show>
                </div>
            }
        })
    }
}
