//! What a Dockerfile could do better, line by line.

use leptos::prelude::*;

use super::diff_line::{DiffLine, Sign};
use super::words;
use crate::model::{DockerfileHint, PatchLine};
use crate::ui::{StatusIcon, Tone};

#[component]
pub fn Hints(dockerfile: Option<String>, hints: Vec<DockerfileHint>, muted: u32) -> impl IntoView {
    let Some(dockerfile) = dockerfile else {
        return view! {
            <p class="report-note">"There is none; this component is packed without one."</p>
        }
        .into_any();
    };
    let muted = match muted {
        0 => None,
        1 => Some("1 hint is muted in the file".to_owned()),
        more => Some(format!("{more} hints are muted in the file")),
    };
    let none = hints.is_empty().then(|| {
        view! {
            <p class="report-check tone-ok">
                <StatusIcon tone=Tone::Ok />
                <span>"No hints about " <code>{dockerfile.clone()}</code></span>
            </p>
        }
    });
    view! {
        {none}
        <ul class="report-list">
            {hints
                .into_iter()
                .map(|hint| view! { <Hint file=dockerfile.clone() hint /> })
                .collect_view()}
        </ul>
        {muted.map(|muted| view! { <p class="report-note">{muted}</p> })}
    }
    .into_any()
}

#[component]
fn Hint(file: String, hint: DockerfileHint) -> impl IntoView {
    let (tone, word) = words::hint_severity(hint.severity);
    let numbered = match &hint.hadolint {
        Some(number) => format!("{} · hadolint {number}", hint.code),
        None => hint.code.clone(),
    };
    view! {
        <li class=tone.class()>
            <details class="report-found">
                <summary class="report-check">
                    <StatusIcon tone />
                    <span class="sr-only">{word}</span>
                    <span class="report-hint-what" dir="auto">
                        {hint.what}
                    </span>
                    <span class="report-bytes">{format!("line {}", hint.line)}</span>
                </summary>
                <div class="report-found-body">
                    <pre class="report-excerpt" dir="auto" tabindex="0" aria-label=format!("{file}, line {}", hint.line)>
                        {hint.excerpt}
                    </pre>
                    <p>{hint.why}</p>
                    <p class="report-fix">{hint.fix}</p>
                    {(!hint.patch.is_empty()).then(|| patch(hint.patch))}
                    <code class="finding-code">{numbered}</code>
                </div>
            </details>
        </li>
    }
    .into_any()
}

fn patch(lines: Vec<PatchLine>) -> impl IntoView {
    view! {
        <div class="diff" role="group" aria-label="What to write instead">
            {lines
                .into_iter()
                .map(|line| match line {
                    PatchLine::Remove(text) => view! { <DiffLine sign=Sign::Removed text /> },
                    PatchLine::Add(text) => view! { <DiffLine sign=Sign::Added text /> },
                })
                .collect_view()}
        </div>
    }
}
