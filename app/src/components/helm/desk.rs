//! What the parts of the Helm side share: the edits, the wish that is planned, and its plan.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

use crate::api::releases::{carry_out, plan_release};
use crate::components::{Ask, Wish, ask, wish};
use crate::live::Live;
use crate::model::{Failure, ReleasePlan, ReleaseWish, RunKind, RunView, Slice, ValueEdit};

/// A wish with what it would do.
pub type Planned = (ReleaseWish, ReleasePlan);

/// Copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// Edits of the form that are in no file yet.
    pub edits: RwSignal<Vec<ValueEdit>>,
    /// What was planned last and is neither carried out nor put away.
    pub planned: RwSignal<Option<Planned>>,
    /// A run is at work on the release or the project.
    pub going: Memo<bool>,
    asking: Ask<ReleaseWish, Planned>,
    start: Wish<(ReleaseWish, String)>,
}

impl Desk {
    /// To be made once for a page.
    pub fn open() -> Self {
        let asking = ask(|wish: ReleaseWish| async move {
            let plan = plan_release(wish.clone()).await?;
            Ok::<_, Failure>((wish, plan))
        });
        let planned = RwSignal::new(asking.answer().get_untracked());
        Effect::new(move |_| {
            if let Some(answer) = asking.answer().get() {
                planned.set(Some(answer));
            }
        });
        Effect::new(move |_| {
            if asking.failure().get().is_some() {
                planned.set(None);
            }
        });
        let start = wish(|(wish, hash): (ReleaseWish, String)| carry_out(wish, hash));
        // What was planned happens now; it is followed at the top of the page.
        Effect::new(move |_| {
            if start.was_granted().get() {
                planned.set(None);
                focus("page-title");
            }
        });
        let going = Live::expect().memo(&[Slice::Runs], |state| {
            [RunKind::Deploy, RunKind::Down]
                .into_iter()
                .any(|kind| state.latest_run(kind).is_some_and(RunView::is_going))
        });
        Self {
            edits: RwSignal::new(Vec::new()),
            planned,
            going,
            asking,
            start,
        }
    }

    /// Makes a plan for this wish, in place of any other.
    pub fn plan(self, wish: ReleaseWish) {
        self.asking.send(wish);
    }

    /// Whether a plan is being made.
    pub fn is_planning(self) -> Signal<bool> {
        self.asking.is_pending()
    }

    /// Whether nothing can be started now.
    pub fn is_busy(self) -> Signal<bool> {
        let (planning, starting) = (self.asking.is_pending(), self.start.is_pending());
        Signal::derive(move || planning.get() || starting.get() || self.going.get())
    }

    /// Does what was planned, and exactly that.
    pub fn carry_out(self) {
        if let Some((wish, plan)) = self.planned.get_untracked() {
            self.start.send((wish, plan.plan.hash));
        }
    }

    /// Why the last plan was not made, or not carried out.
    pub fn failure(self) -> Signal<Option<Failure>> {
        let (asking, start) = (self.asking.failure(), self.start.failure());
        Signal::derive(move || asking.get().or_else(|| start.get()))
    }

    /// A deploy that takes every field back from whoever changed it.
    pub fn put_back(self) {
        if let Some(wish) = self.deploy_wish().forced(true) {
            self.plan(wish);
        }
    }

    /// A deploy with the edits as they are.
    pub fn deploy_wish(self) -> ReleaseWish {
        ReleaseWish::Deploy {
            edits: self.edits.get_untracked(),
            adopt: false,
            force: false,
        }
    }
}

/// Moves the keyboard to an element, and the element into sight.
pub(super) fn focus(id: &str) {
    let element = document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = element {
        // Fails only for an element that is not in the document.
        let _ = element.focus();
    }
}
