//! Which files go into a build, what is left out, and whether they changed since the last one.

use leptos::prelude::*;

use super::FindingCard;
use crate::model::{ContextPreview, SinceBuild, SourcesView, humanize_bytes};
use crate::ui::{StatusBadge, Tone};

#[component]
pub fn Sources(sources: SourcesView) -> impl IntoView {
    match sources {
        SourcesView::Reading { entries } => view! {
            <p class="report-note" role="status">
                {format!("Reading the sources, {entries} so far…")}
            </p>
        }
        .into_any(),
        SourcesView::Unreadable { finding } => {
            view! { <FindingCard finding=*finding /> }.into_any()
        }
        SourcesView::Read(preview) => read(*preview).into_any(),
    }
}

fn read(preview: ContextPreview) -> impl IntoView {
    let (tone, word) = match &preview.since_build {
        SinceBuild::NeverBuilt => (Tone::Off, "Not built from yet".to_owned()),
        SinceBuild::Unchanged => (Tone::Ok, "Unchanged since the build".to_owned()),
        SinceBuild::Changed { count: 1, .. } => {
            (Tone::Stale, "1 change since the build".to_owned())
        }
        SinceBuild::Changed { count, .. } => {
            (Tone::Stale, format!("{count} changes since the build"))
        }
    };
    let changes = match preview.since_build {
        SinceBuild::Changed { count, first } => {
            let more = count.saturating_sub(first.len() as u64);
            Some(view! {
                <ul class="report-paths" aria-label="Changed since the build">
                    {first.into_iter().map(|path| view! { <li class="mono">{path}</li> }).collect_view()}
                    {(more > 0).then(|| view! { <li class="report-note">{format!("and {more} more")}</li> })}
                </ul>
            })
        }
        SinceBuild::NeverBuilt | SinceBuild::Unchanged => None,
    };
    let files = match preview.files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    view! {
        <StatusBadge tone word quiet=true />
        {changes}
        <dl class="facts">
            <div class="fact">
                <dt>"Folder"</dt>
                <dd class="mono">{preview.folder}</dd>
            </div>
            <div class="fact">
                <dt>"Goes in"</dt>
                <dd>{format!("{files}, {}", humanize_bytes(preview.bytes))}</dd>
            </div>
            {(!preview.tag.is_empty())
                .then(|| {
                    view! {
                        <div class="fact">
                            <dt>"Tag of these sources"</dt>
                            <dd class="mono">{preview.tag}</dd>
                        </div>
                    }
                })}
        </dl>
        {(!preview.biggest.is_empty())
            .then(|| {
                view! {
                    <details class="report-more">
                        <summary>"The biggest files"</summary>
                        <ul class="report-paths">
                            {preview
                                .biggest
                                .into_iter()
                                .map(|file| {
                                    view! {
                                        <li>
                                            <span class="mono">{file.path}</span>
                                            <span class="report-bytes">{humanize_bytes(file.bytes)}</span>
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                    </details>
                }
            })}
        {left_out(preview.ignore_file, preview.excluded, preview.excluded_count)}
    }
    .into_any()
}

fn left_out(
    ignore_file: Option<String>,
    excluded: Vec<crate::model::ExcludedPath>,
    count: u64,
) -> impl IntoView {
    if count == 0 {
        let said = match ignore_file {
            Some(file) => format!("{file} leaves nothing out"),
            None => "There is no .dockerignore, so nothing is left out".to_owned(),
        };
        return view! { <p class="report-note">{said}</p> }.into_any();
    }
    let by = ignore_file.unwrap_or_else(|| "what tools make, by rule".to_owned());
    let more = count.saturating_sub(excluded.len() as u64);
    view! {
        <details class="report-more">
            <summary>{format!("Left out: {count} ({by})")}</summary>
            <ul class="report-paths">
                {excluded
                    .into_iter()
                    .map(|path| {
                        view! {
                            <li>
                                <span class="mono">{path.path}</span>
                                <span class="report-bytes">
                                    {path.line.map(|line| format!("line {line}"))}
                                </span>
                            </li>
                        }
                    })
                    .collect_view()}
                {(more > 0).then(|| view! { <li class="report-note">{format!("and {more} more")}</li> })}
            </ul>
        </details>
    }
    .into_any()
}
