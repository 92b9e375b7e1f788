//! What a live test found: the layers it went through, and why it went no further.

use leptos::prelude::*;

use super::FindingCard;
use crate::model::LiveTestReport;
use crate::ui::{StatusIcon, Tone};

#[component]
pub fn SecretTestResult(report: LiveTestReport) -> impl IntoView {
    let passed = report.passed();
    let took = match report.took_ms {
        ms @ 0..1000 => format!("{ms} ms"),
        ms => format!("{:.1} s", ms as f64 / 1000.0),
    };
    let words = if passed {
        format!("The live test passed in {took}")
    } else {
        format!("The live test failed after {took}")
    };
    let tone = |passed| if passed { Tone::Ok } else { Tone::Failed };
    view! {
        <div class="live-test" role="status">
            <p class="live-test-title">
                <StatusIcon tone=tone(passed) />
                {words}
            </p>
            <ol class="live-test-stages" aria-label="Layers of the live test">
                {report
                    .stages
                    .into_iter()
                    .map(|stage| {
                        view! {
                            <li class="live-test-stage">
                                <StatusIcon tone=tone(stage.passed) />
                                <span class="live-test-name">{stage.title}</span>
                                <span class="live-test-note">{stage.note}</span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
            {report
                .notes
                .into_iter()
                .map(|note| view! { <p class="live-test-hint">{note}</p> })
                .collect_view()}
            {report.problem.map(|finding| view! { <FindingCard finding /> })}
        </div>
    }
    .into_any()
}
