//! Looks at sources and images from time to time and shows what there is to say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use app::model::{ImageReport, ImageState, PanelEvent, SourcesView};
use tokio_util::sync::CancellationToken;

use super::{Asked, LookError};
use crate::cluster::Connected;
use crate::engine::{Redactor, Voice};
use crate::images::{Inner, plan};
use crate::project::ComponentSpec;

impl Inner {
    /// Reports about every component, again and again, until dropped.
    pub(in crate::images) async fn keep_reporting(&self, connected: Option<Arc<Connected>>) {
        let voice = match &connected {
            Some(connected) => connected.voice.clone(),
            None => self.core.hub.voice(),
        };
        // Reading goes on in a thread of its own; it must end when nobody waits for it any more.
        let cancel = CancellationToken::new();
        let _cancel_with_this = cancel.clone().drop_guard();
        let mut learned_for = None;
        loop {
            let nodes = self.nodes.borrow().architectures();
            if learned_for.as_ref() != Some(&nodes) {
                let kind = connected.as_ref().map(|connected| &connected.kind);
                self.learn_docker(kind, &cancel).await;
                learned_for = Some(nodes);
            }
            let started = Instant::now();
            for component in &self.project.spec().components {
                let report = self
                    .report_once(component, connected.as_deref(), &voice, &cancel)
                    .await;
                if let Ok(report) = report {
                    let report = redacted(report, &self.core.redactor);
                    voice.publish(PanelEvent::ImageReport(Box::new(report)));
                }
            }
            self.reporter.until_worthwhile(started.elapsed()).await;
        }
    }

    async fn report_once(
        &self,
        component: &ComponentSpec,
        connected: Option<&Connected>,
        voice: &Voice,
        cancel: &CancellationToken,
    ) -> Result<ImageReport, LookError> {
        let shown = self.states().get(&component.name).cloned();
        let builder = shown.as_ref().map_or_else(
            || plan::usual_builder(component, connected.map(|connected| &connected.kind), None),
            |view| view.builder,
        );
        let image_id = shown.and_then(|view| match view.state {
            ImageState::NotBuilt => None,
            ImageState::NotInCluster { image, .. } | ImageState::InCluster { image, .. } => {
                Some(image.id)
            }
        });
        let architectures: BTreeSet<String> = self.nodes.borrow().architectures();
        let asked = Asked {
            project: &self.project,
            component,
            builder,
            cluster: connected.map(|connected| connected.id.as_str()),
            architectures: &architectures,
            image_id: image_id.as_deref(),
        };
        let is_first = self
            .core
            .hub
            .read(|state| !state.image_reports.contains_key(&component.name));
        let (voice, name) = (voice.clone(), component.name.clone());
        let on_count = move |entries| {
            if is_first {
                voice.publish(PanelEvent::ImageReport(Box::new(ImageReport {
                    component: name.clone(),
                    sources: SourcesView::Reading { entries },
                    image: None,
                    checks: Vec::new(),
                    dockerfile: None,
                    hints: Vec::new(),
                    muted: 0,
                })));
            }
        };
        self.reporter.report(asked, cancel, on_count).await
    }
}

/// Everything a report says goes through the redactor at once: it may quote lines of files.
fn redacted(report: ImageReport, redactor: &Redactor) -> ImageReport {
    let Ok(json) = serde_json::to_string(&report) else {
        return report;
    };
    match redactor.redact(&json) {
        std::borrow::Cow::Borrowed(_) => report,
        std::borrow::Cow::Owned(clean) => {
            // A value that is also a key of the format makes it unreadable; then nothing is quoted.
            serde_json::from_str(&clean).unwrap_or(ImageReport {
                checks: Vec::new(),
                hints: Vec::new(),
                image: None,
                ..report
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use app::model::ImageFacts;

    use super::*;

    #[test]
    fn a_known_secret_does_not_get_into_a_report() {
        let report = ImageReport {
            component: "backend".parse().expect("a name"),
            sources: SourcesView::Reading { entries: 0 },
            image: Some(ImageFacts {
                cmd: vec!["--key=correct-horse-battery".into()],
                ..ImageFacts::default()
            }),
            checks: vec![],
            dockerfile: None,
            hints: vec![],
            muted: 0,
        };
        let redactor = Redactor::default();
        assert_eq!(redacted(report.clone(), &redactor), report);
        redactor.learn("correct-horse-battery");
        let said = serde_json::to_string(&redacted(report, &redactor)).expect("encodes");
        assert!(!said.contains("correct-horse"), "{said}");
    }
}
