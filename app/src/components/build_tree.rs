//! A build's steps by the Dockerfile's stages: what was cached, what runs, what failed, how long each
//! took and how many bytes it moved.

use leptos::prelude::*;

use super::{Elapsed, content, words};
use crate::live::Live;
use crate::model::{
    BuildStep, BuildStepState, BuildView, ComponentName, Slice, humanize_bytes, humanize_ms,
};
use crate::ui::StatusIcon;

/// The newest build of this component; draws nothing as long as there was none.
#[component]
pub fn BuildTree(
    component: ComponentName,
    /// Whether the steps are shown without being asked for.
    #[prop(into)]
    open: Signal<bool>,
) -> impl IntoView {
    let live = Live::expect();
    let label = format!("Build steps of {component}");
    let build = live.memo(&[Slice::Builds], move |state| {
        state
            .builds
            .get(&component)
            .filter(|build| !build.steps.is_empty())
            .cloned()
    });
    let there = Memo::new(move |_| build.with(Option::is_some));
    let groups =
        Memo::new(move |_| build.with(|build| build.as_ref().map_or_else(Vec::new, groups_of)));
    view! {
        <Show when=move || there.get()>
            <details class="build" open=move || open.get()>
                <summary class="build-summary">
                    <span class="build-engine">
                        {move || build.with(|build| build.as_ref().map(|build| build.engine.clone()))}
                    </span>
                    <span class="build-count">
                        {move || build.with(|build| build.as_ref().map(counts))}
                    </span>
                </summary>
                <ol class="build-stages" aria-label=label.clone()>
                    <For each=move || groups.get() key=content children=|group| stage(group) />
                </ol>
            </details>
        </Show>
    }
    .into_any()
}

/// The steps of one stage of the Dockerfile, or what the builder does around them.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
struct Group {
    title: String,
    steps: Vec<BuildStep>,
}

/// In the order in which the stages begin; the builder's own work is one group before and after.
fn groups_of(build: &BuildView) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for step in &build.steps {
        let title = match step.stage.as_deref() {
            Some("internal") => "Preparation".to_owned(),
            Some(stage) => format!("Stage {stage}"),
            None if step.place.is_some() => "Dockerfile".to_owned(),
            None => "Result".to_owned(),
        };
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.steps.push(step.clone()),
            None => groups.push(Group {
                title,
                steps: vec![step.clone()],
            }),
        }
    }
    for group in &mut groups {
        group.steps.sort_by_key(|step| step.place.map(|(at, _)| at));
    }
    groups
}

/// `9 steps, 4 cached, 1.2 MB moved`
fn counts(build: &BuildView) -> String {
    let count = build.steps.len() + build.left_out as usize;
    let cached = build
        .steps
        .iter()
        .filter(|step| step.state == BuildStepState::Cached)
        .count();
    let mut words = match count {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    };
    if cached > 0 {
        words.push_str(&format!(", {cached} cached"));
    }
    let moved = build.moved_bytes();
    if moved > 0 {
        words.push_str(&format!(", {} moved", humanize_bytes(moved)));
    }
    words
}

fn stage(group: Group) -> impl IntoView {
    view! {
        <li class="build-stage">
            <p class="build-stage-title">{group.title}</p>
            <ol class="build-steps">{group.steps.into_iter().map(step).collect_view()}</ol>
        </li>
    }
    .into_any()
}

fn step(step: BuildStep) -> impl IntoView {
    let (tone, word) = words::build_step(&step.state);
    let time = match &step.state {
        BuildStepState::Running { since } => {
            view! { <Elapsed since=*since until=None /> }.into_any()
        }
        BuildStepState::Done { took_ms } | BuildStepState::Failed { took_ms, .. } => {
            humanize_ms(*took_ms).into_any()
        }
        _ => ().into_any(),
    };
    let why = match &step.state {
        BuildStepState::Failed { why, .. } => Some(why.clone()),
        _ => None,
    };
    let moved = step.moved.filter(|moved| moved.done > 0).map(|moved| {
        match moved.total.filter(|total| *total > moved.done) {
            Some(total) => format!(
                "{} of {}",
                humanize_bytes(moved.done),
                humanize_bytes(total)
            ),
            None => humanize_bytes(moved.done),
        }
    });
    view! {
        <li class=format!("build-step {}", tone.class())>
            <StatusIcon tone />
            <div class="build-step-words">
                <p class="build-step-name" title=step.name.clone()>
                    {step.name.clone()}
                </p>
                {why.map(|why| view! { <p class="build-step-why" dir="auto">{why}</p> })}
            </div>
            <span class="build-step-facts">
                {moved.map(|moved| view! { <span>{moved}</span> })}
                <span class="build-step-word">{word}</span>
                <span class="build-step-time">{time}</span>
            </span>
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn step(number: u32, stage: Option<&str>, place: Option<(u32, u32)>) -> BuildStep {
        BuildStep {
            number,
            stage: stage.map(str::to_owned),
            place,
            name: format!("step {number}"),
            state: BuildStepState::Cached,
            moved: None,
        }
    }

    #[test]
    fn steps_stand_with_their_stage_and_in_its_order() {
        let build = BuildView {
            component: "backend".parse().expect("a name"),
            run: RunId(1),
            engine: String::new(),
            goes: String::new(),
            steps: vec![
                step(1, Some("internal"), None),
                step(2, Some("build"), Some((2, 2))),
                step(3, Some("build"), Some((1, 2))),
                step(4, Some("stage-1"), Some((1, 1))),
                step(5, None, None),
            ],
            left_out: 0,
        };
        let groups = groups_of(&build);
        let titles: Vec<&str> = groups.iter().map(|group| group.title.as_str()).collect();
        assert_eq!(
            titles,
            ["Preparation", "Stage build", "Stage stage-1", "Result"]
        );
        assert_eq!(groups[1].steps[0].number, 3);
        assert_eq!(counts(&build), "5 steps, 5 cached");
    }
}
