//! Deleting a pod: a question that says what happens next. One window for all pods of the page,
//! because a pod's own card is drawn anew with all its news.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::live::delete_pod;
use crate::live::Live;
use crate::model::{PodOwner, PodRow, Slice};
use crate::ui::{ButtonKind, ConfirmDialog, DialogAct};

/// Which pod is asked about; copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct DeletePod {
    pod: RwSignal<Option<PodRow>>,
    open: RwSignal<bool>,
}

impl DeletePod {
    /// Puts it into the context of everything below.
    pub fn provide() -> Self {
        let this = Self {
            pod: RwSignal::new(None),
            open: RwSignal::new(false),
        };
        provide_context(this);
        this
    }

    /// Asks whether to delete this pod.
    pub fn ask(self, pod: PodRow) {
        self.pod.set(Some(pod));
        self.open.set(true);
    }
}

#[component]
pub fn DeletePodDialog(asked: DeletePod) -> impl IntoView {
    let live = Live::expect();
    let delete = wish(delete_pod);
    let title = Signal::derive(move || {
        asked.pod.with(|pod| {
            let name = pod.as_ref().map_or("", |pod| pod.name.as_str());
            format!("Delete pod {name}?")
        })
    });
    let is_the_only = live.memo(&[Slice::Pods], move |state| {
        asked.pod.with(|asked| {
            asked.as_ref().is_some_and(|asked| {
                let others = state.pods.values().filter(|pod| {
                    pod.component == asked.component && pod.uid != asked.uid && pod.ready
                });
                asked.ready && asked.component.is_some() && others.count() == 0
            })
        })
    });
    let confirm = move |()| {
        if let Some(uid) = asked
            .pod
            .with_untracked(|pod| Some(pod.as_ref()?.uid.clone()))
        {
            delete.send(uid);
        }
    };
    view! {
        <FailureNote failure=delete.failure() />
        <ConfirmDialog
            open=asked.open
            title
            act=DialogAct { word: "Delete", kind: ButtonKind::Danger }
            on_confirm=confirm
        >
            <p>{move || asked.pod.with(|pod| pod.as_ref().map(|pod| what_happens_next(pod.owner.as_ref())))}</p>
            <Show when=move || is_the_only.get()>
                <p>"It is the only ready pod: until the next one is ready, nobody answers."</p>
            </Show>
        </ConfirmDialog>
    }
    .into_any()
}

fn what_happens_next(owner: Option<&PodOwner>) -> String {
    match owner {
        None => "Nothing made it, so nothing makes another: it is gone for good.".to_owned(),
        Some(owner) if owner.kind == "StatefulSet" => format!(
            "Its containers are told to end. Once it is gone, StatefulSet {} makes a pod of the same name.",
            owner.name
        ),
        Some(owner) => format!(
            "Its containers are told to end, and {} {} makes a new pod at once.",
            owner.kind, owner.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_who_makes_the_next_pod() {
        let said = |kind: &str| {
            what_happens_next(Some(&PodOwner {
                kind: kind.into(),
                name: "x".into(),
            }))
        };
        assert!(what_happens_next(None).contains("gone for good"));
        assert!(said("ReplicaSet").contains("ReplicaSet x makes a new pod"));
        assert!(said("StatefulSet").contains("same name"));
    }
}
