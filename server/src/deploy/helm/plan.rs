//! What a deploy by the chart would do: rendered by helm itself with the cluster's answers, then
//! compared with the live objects in the manner in which helm will apply them.

use std::sync::Arc;
use std::time::Duration;

use app::model::{
    Change, DependencyState, DeployMode, DeployPlan, Failure, Finding, PlanChoices, ReleasePlan,
    ReleaseStatus, Severity, ValueEdit,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::history::{RenderedObject, hook, objects};
use super::images::unused;
use super::values::Source;
use super::{ReleasesRoom, words};
use crate::adapters::helm::failure::classify;
use crate::adapters::helm::output::{Rendered, parse_rendered, warnings};
use crate::adapters::helm::record::Record;
use crate::adapters::helm::{Helm, HelmFailure, HelmVersion, Place, ReleaseName, UpgradeWish};
use crate::adapters::kube::client::KubeError;
use crate::adapters::kube::discovery::Discovery;
use crate::cluster::Connected;
use crate::deploy::preview::{
    Applier, Desired, Leaving, NamespaceState, Previewed, Request, namespace_state, noise, preview,
};
use crate::deploy::{ownership, policy, words as deploy_words};
use crate::engine::clock;
use crate::live::proved_images;
use crate::process;

/// How long each of helm's waits may take: its own default.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// A rendered chart with all its parts; larger ones fit into no release record.
const MOST_RENDERED: usize = 64 * 1024 * 1024;
/// An object with this annotation outlives its release.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";
/// From here on helm has `--take-ownership`.
const TAKES_OWNERSHIP: HelmVersion = HelmVersion {
    major: 3,
    minor: 17,
    patch: 0,
};

/// A plan with everything needed to carry it out.
#[derive(Debug)]
pub(super) struct Prepared {
    pub plan: ReleasePlan,
    pub helm: Helm,
    pub place: Place,
    pub release: ReleaseName,
    pub act: Act,
    /// Workloads whose rollout is part of it, by kind and name.
    pub workloads: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) enum Act {
    Upgrade {
        source: Box<Source>,
        /// Edits and images; the file lives as long as this.
        overlay: NamedTempFile,
        wish: UpgradeWish,
    },
    Rollback {
        to: u32,
        /// Take fields from their managers.
        force: bool,
    },
    Uninstall {
        keep_history: bool,
    },
    Unlock {
        revision: u32,
    },
}

impl Prepared {
    pub(super) fn blocker(&self) -> Option<&Finding> {
        self.plan
            .plan
            .findings
            .iter()
            .find(|finding| finding.severity == Severity::Failed)
    }
}

/// What is compared: the objects as they will be, and those that go.
pub(super) struct Compare<'a> {
    pub applier: Applier,
    pub desired: Vec<RenderedObject>,
    /// Definitions that helm makes before anything else, and only where they are missing.
    pub definitions: Vec<RenderedObject>,
    /// Objects of the revision before.
    pub before: &'a [RenderedObject],
    pub release: &'a ReleaseName,
}

pub(super) struct Compared {
    pub previewed: Vec<Previewed>,
    /// What stays although it is no longer part of the release.
    pub kept: Vec<String>,
}

impl ReleasesRoom {
    pub(super) async fn prepare_deploy(
        &self,
        connected: &Connected,
        edits: &[ValueEdit],
        adopt: bool,
        force: bool,
    ) -> Result<Prepared, Failure> {
        let helm = self.helm().await?;
        let release = self.release()?;
        let place = self.place(connected)?;
        let source = self.source().await?;
        let missing: Vec<String> = source
            .chart
            .dependencies()
            .into_iter()
            .filter(|one| one.state == DependencyState::Missing)
            .map(|one| one.name)
            .collect();
        if !missing.is_empty() {
            return Err(words::missing_dependencies(&missing).into());
        }
        if adopt && helm.version < TAKES_OWNERSHIP {
            return Err(words::helm_too_old(helm.version, TAKES_OWNERSHIP).into());
        }
        let edited = self.accept(&source, edits)?;
        let overlay = self.overlay(&source.overlay(&edited))?;
        let wish = UpgradeWish {
            timeout: PATIENCE,
            take_ownership: adopt,
            // What is taken over has fields of others in it, always.
            force_conflicts: adopt || force,
        };
        let mut values = source.file_paths();
        values.push(overlay.path().to_owned());
        let ask = async |wish| {
            let spec = helm.dry_upgrade(&place, &release, &source.folder, &values, wish);
            render(&spec).await
        };
        let mut not_ours = None;
        let answer = match ask(wish).await {
            // The plan is made all the same, so that everything that is in the way is seen at once.
            Err(RenderError::Helm(failure @ HelmFailure::NotOurs { .. }))
                if helm.version >= TAKES_OWNERSHIP =>
            {
                not_ours = Some(failure);
                ask(UpgradeWish {
                    take_ownership: true,
                    ..wish
                })
                .await
            }
            other => other,
        };
        let (rendered, warned) = answer.map_err(|error| self.render_failed(&helm, error))?;
        let (desired, broken) = objects(&rendered.manifest);
        let mut findings: Vec<Finding> = broken.iter().map(|why| words::not_yaml(why)).collect();
        let records = self.records();
        let newest = records.values().next_back().cloned();
        let previous = previous(&records.values().rev().cloned().collect::<Vec<_>>());
        let before = previous
            .as_ref()
            .map(|record| objects(&record.manifest).0)
            .unwrap_or_default();
        let is_server_side = helm.version.major >= 4
            && previous
                .as_ref()
                .is_none_or(|record| record.apply_method == "ssa");
        let applier = if is_server_side {
            Applier::HelmServerSide {
                force_conflicts: wish.force_conflicts,
            }
        } else {
            Applier::HelmClientSide {
                previous: before.iter().map(|one| one.object.clone()).collect(),
            }
        };
        let workloads = workloads(&desired);
        let installs = newest
            .as_ref()
            .is_none_or(|record| record.status() == ReleaseStatus::Uninstalled);
        let definitions = match installs {
            true => self.definitions(&helm, &source).await?,
            // An upgrade never looks at them.
            false => Vec::new(),
        };
        let compared = self
            .compare_live(
                connected,
                Compare {
                    applier,
                    desired: desired.clone(),
                    definitions,
                    before: &before,
                    release: &release,
                },
            )
            .await?;
        findings.extend(self.judge(connected, &source, &desired).await);
        if !adopt {
            let project = self.inner.project.spec().name.clone();
            let live: Vec<app::model::OwnedObject> = compared
                .previewed
                .iter()
                .map(|one| &one.live)
                .filter(|live| live.is_object() && live["kind"] != "Namespace")
                .map(|live| app::model::OwnedObject {
                    id: ownership::id(live),
                    owner: ownership::owner(live, &project),
                })
                .collect();
            let guarded = ownership::guard(DeployMode::Helm, Some(release.as_str()), &live);
            let says_it = guarded
                .iter()
                .any(|finding| finding.severity == Severity::Failed);
            findings.extend(guarded);
            if let Some(failure) = not_ours.filter(|_| !says_it) {
                let finding = words::helm_failed("The deploy", &failure);
                findings.push(self.redacted_finding(finding));
            }
        }
        let revision = newest.as_ref().map_or(0, |record| record.version) + 1;
        let title = match (installs, adopt) {
            (_, true) => format!("Take over and deploy {release}"),
            (true, _) => format!("Install {release}"),
            (false, _) => format!("Upgrade {release}"),
        };
        let hooks: Vec<_> = rendered.hooks.iter().map(hook).collect();
        let mut digest = Sha256::new();
        for part in [rendered.manifest.as_str(), &values_text(&source, &edited)] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        for hook in &rendered.hooks {
            digest.update(hook.manifest.as_bytes());
            digest.update([0]);
        }
        let plan = self.finish_plan(connected, digest, compared, findings, newest.as_deref());
        Ok(Prepared {
            plan: ReleasePlan {
                title,
                revision: Some(revision),
                hooks,
                notes: self.redacted(&rendered.info.notes),
                warnings: warned.iter().map(|text| self.redacted(text)).collect(),
                ..plan
            },
            act: Act::Upgrade {
                source: Box::new(source),
                overlay,
                wish,
            },
            helm,
            place,
            release,
            workloads,
        })
    }

    /// The chart as it is in the files, without asking any cluster and without its hooks.
    pub(super) async fn render_here(&self) -> Result<Vec<RenderedObject>, Failure> {
        let helm = self.helm().await?;
        let source = self.source().await?;
        let overlay = self.overlay(&source.overlay(&serde_json::Map::new()))?;
        let mut values = source.file_paths();
        values.push(overlay.path().to_owned());
        let namespace = self.inner.project.spec().namespace.to_string();
        let spec = helm
            .template(&self.release()?, &source.folder, &values, &namespace)
            .arg("--no-hooks");
        let captured = process::capture_up_to(&spec, &CancellationToken::new(), MOST_RENDERED)
            .await
            .map_err(|error| words::helm_broken(&helm.program, &error.to_string()))?;
        if !captured.ending.is_success() {
            let failure = classify(&captured.stdout, &captured.stderr);
            return Err(self.render_failed(&helm, RenderError::Helm(failure)));
        }
        Ok(objects(&captured.stdout).0)
    }

    /// What is in the `crds/` folders of the chart and of its dependencies.
    async fn definitions(
        &self,
        helm: &Helm,
        source: &Source,
    ) -> Result<Vec<RenderedObject>, Failure> {
        let spec = helm.show_crds(&source.folder);
        let captured = process::capture_up_to(&spec, &CancellationToken::new(), MOST_RENDERED)
            .await
            .map_err(|error| words::helm_broken(&helm.program, &error.to_string()))?;
        if !captured.ending.is_success() {
            let failure = classify(&captured.stdout, &captured.stderr);
            return Err(self.render_failed(helm, RenderError::Helm(failure)));
        }
        let (mut found, _) = objects(&captured.stdout);
        found.retain(|one| one.object["kind"] == "CustomResourceDefinition");
        for one in &mut found {
            one.source = "crds/".to_owned();
        }
        Ok(found)
    }

    fn render_failed(&self, helm: &Helm, error: RenderError) -> Failure {
        match error {
            RenderError::Helm(failure) => self
                .redacted_finding(words::helm_failed("The deploy", &failure))
                .into(),
            RenderError::Nonsense(said) => {
                words::helm_broken(&helm.program, &self.redacted(&said)).into()
            }
        }
    }

    /// What Slipway itself finds wrong with the rendered objects.
    async fn judge(
        &self,
        connected: &Connected,
        source: &Source,
        desired: &[RenderedObject],
    ) -> Vec<Finding> {
        let spec = self.inner.project.spec();
        let proved = self.inner.core.hub.read(proved_images);
        let all: Vec<&Value> = desired.iter().map(|one| &one.object).collect();
        let items: Vec<policy::Item<'_>> = desired
            .iter()
            .map(|one| policy::Item {
                object: &one.object,
                source: &one.source,
            })
            .collect();
        let (core, secrets) = (&self.inner.core, &self.inner.secrets);
        let world = policy::world::observe(core, secrets, connected, &spec, &items).await;
        let mut findings = policy::check(&items, &world);
        findings.extend(
            source
                .images
                .unproved
                .iter()
                .map(deploy_words::image_not_proven),
        );
        findings.extend(
            unused(&all, &spec, &proved)
                .iter()
                .map(|(component, instead)| words::image_unused(component, instead)),
        );
        findings.extend(self.secret_findings(source));
        findings
    }

    /// The objects beside the live ones, in helm's own manner.
    pub(super) async fn compare_live(
        &self,
        connected: &Connected,
        compare: Compare<'_>,
    ) -> Result<Compared, Failure> {
        let no =
            |error: KubeError| Failure::from(deploy_words::cluster_says_no("Planning", &error));
        let namespace = self.inner.project.spec().namespace.to_string();
        let client = &connected.client;
        let mut desired: Vec<Desired> = Vec::new();
        if namespace_state(client, &namespace).await.map_err(no)? == NamespaceState::Missing
            && !compare.desired.is_empty()
        {
            desired.push(Desired {
                object: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
                source: "helm --create-namespace".to_owned(),
            });
        }
        let mut discovery = Discovery::default();
        let (mut leaving, mut kept) = (Vec::new(), Vec::new());
        for old in compare.before {
            if compare
                .desired
                .iter()
                .any(|new| is_same(&new.object, &old.object))
            {
                continue;
            }
            let (kind, name) = (
                text(&old.object["kind"]),
                text(&old.object["metadata"]["name"]),
            );
            let version = text(&old.object["apiVersion"]);
            let served = discovery.find(client, &version, &kind).await.map_err(no)?;
            let Some(served) = served else { continue };
            let place = old.object["metadata"]["namespace"]
                .as_str()
                .unwrap_or(&namespace)
                .to_owned();
            let api = crate::adapters::kube::apply::api(client, &served, &place);
            let live = crate::adapters::kube::apply::get(&api, &name)
                .await
                .map_err(no)?;
            let Some(live) = live else { continue };
            if keeps(&live) || keeps(&old.object) {
                kept.push(format!(
                    "{kind} {name}: its annotation {RESOURCE_POLICY} keeps it"
                ));
            } else {
                leaving.push(Leaving {
                    object: live,
                    served: Some(served),
                });
            }
        }
        for one in compare.definitions {
            let name = text(&one.object["metadata"]["name"]);
            let (version, kind) = (text(&one.object["apiVersion"]), text(&one.object["kind"]));
            let live = match discovery.find(client, &version, &kind).await.map_err(no)? {
                Some(served) => {
                    let api = crate::adapters::kube::apply::api(client, &served, "");
                    crate::adapters::kube::apply::get(&api, &name)
                        .await
                        .map_err(no)?
                }
                None => None,
            };
            if live.is_some() {
                kept.push(format!(
                    "{kind} {name} is there already: Helm leaves it as it is"
                ));
            } else {
                desired.push(Desired {
                    object: one.object,
                    source: one.source,
                });
            }
        }
        desired.extend(compare.desired.into_iter().map(|one| Desired {
            object: marked(one.object, compare.release.as_str(), &namespace),
            source: one.source,
        }));
        let request = Request {
            client,
            namespace: &namespace,
            desired,
            leaving,
            applier: &compare.applier,
            choices: &PlanChoices::default(),
            redactor: &self.inner.core.redactor,
            progress: &|_| {},
        };
        let previewed = preview(request).await.map_err(no)?;
        Ok(Compared { previewed, kept })
    }

    /// A plan of these objects; its differences can be asked for by its hash.
    pub(super) fn finish_plan(
        &self,
        connected: &Connected,
        mut digest: Sha256,
        compared: Compared,
        mut findings: Vec<Finding>,
        newest: Option<&Record>,
    ) -> ReleasePlan {
        findings.extend(
            compared
                .previewed
                .iter()
                .filter_map(|one| one.planned.problem.as_deref().cloned()),
        );
        findings.sort_by_key(|finding| {
            (
                std::cmp::Reverse(finding.severity),
                finding.key(),
                finding.why.clone(),
            )
        });
        findings.dedup_by_key(|finding| (finding.key(), finding.why.clone()));
        digest.update(connected.id.as_bytes());
        if let Some(newest) = newest {
            digest.update(newest.version.to_be_bytes());
            digest.update(newest.info.status.as_bytes());
        }
        for one in &compared.previewed {
            digest.update(one.planned.key.as_bytes());
            digest.update(format!("{:?}", one.planned.change).as_bytes());
            digest.update(noise::essence(&one.live).to_string().as_bytes());
        }
        for finding in &findings {
            digest.update(finding.key().as_bytes());
        }
        let mut hash = hex::encode(digest.finalize());
        hash.truncate(16);
        self.inner
            .previews
            .put(&hash, &PlanChoices::default(), &compared.previewed);
        ReleasePlan {
            plan: DeployPlan {
                hash,
                at: clock::now(),
                objects: compared
                    .previewed
                    .into_iter()
                    .map(|one| one.planned)
                    .collect(),
                findings,
            },
            title: String::new(),
            revision: None,
            kept: compared.kept,
            hooks: Vec::new(),
            notes: String::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn redacted_finding(&self, mut finding: Finding) -> Finding {
        finding.what = self.redacted(&finding.what);
        finding.why = self.redacted(&finding.why);
        for evidence in &mut finding.evidence {
            evidence.text = self.redacted(&evidence.text);
        }
        finding
    }
}

enum RenderError {
    Helm(HelmFailure),
    Nonsense(String),
}

async fn render(spec: &process::CommandSpec) -> Result<(Rendered, Vec<String>), RenderError> {
    let captured = process::capture_up_to(spec, &CancellationToken::new(), MOST_RENDERED)
        .await
        .map_err(|error| RenderError::Nonsense(error.to_string()))?;
    if !captured.ending.is_success() {
        return Err(RenderError::Helm(classify(
            &captured.stdout,
            &captured.stderr,
        )));
    }
    match parse_rendered(&captured.stdout) {
        Some(rendered) => Ok((rendered, warnings(&captured.stderr))),
        None => Err(RenderError::Nonsense(captured.stderr)),
    }
}

/// The record helm compares with: the deployed one, else the newest that has failed or was replaced.
/// `records` are newest first.
pub(super) fn previous(records: &[Arc<Record>]) -> Option<Arc<Record>> {
    let with = |wanted: &[ReleaseStatus]| {
        records
            .iter()
            .find(|record| wanted.contains(&record.status()))
            .cloned()
    };
    with(&[ReleaseStatus::Deployed])
        .or_else(|| with(&[ReleaseStatus::Failed, ReleaseStatus::Superseded]))
}

pub(super) fn workloads(objects: &[RenderedObject]) -> Vec<(String, String)> {
    objects
        .iter()
        .map(|one| {
            (
                text(&one.object["kind"]),
                text(&one.object["metadata"]["name"]),
            )
        })
        .filter(|(kind, _)| matches!(kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet"))
        .collect()
}

/// An object as helm applies it: with the marks of its release.
fn marked(mut object: Value, release: &str, namespace: &str) -> Value {
    use crate::deploy::identity::as_map;
    let metadata = as_map(&mut object["metadata"]);
    let labels = as_map(metadata.entry("labels").or_insert_with(|| json!({})));
    labels.insert(ownership::MANAGED_BY.to_owned(), json!("Helm"));
    let annotations = as_map(metadata.entry("annotations").or_insert_with(|| json!({})));
    annotations.insert(ownership::HELM_NAME.to_owned(), json!(release));
    annotations.insert(ownership::HELM_NAMESPACE.to_owned(), json!(namespace));
    object
}

fn is_same(a: &Value, b: &Value) -> bool {
    let group = |object: &Value| {
        let version = text(&object["apiVersion"]);
        version
            .rsplit_once('/')
            .map(|(group, _)| group.to_owned())
            .unwrap_or_default()
    };
    group(a) == group(b)
        && a["kind"] == b["kind"]
        && a["metadata"]["name"] == b["metadata"]["name"]
        && a["metadata"]["namespace"].as_str().unwrap_or_default()
            == b["metadata"]["namespace"].as_str().unwrap_or_default()
}

pub(super) fn keeps(object: &Value) -> bool {
    object["metadata"]["annotations"][RESOURCE_POLICY]
        .as_str()
        .is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
}

fn values_text(source: &Source, edited: &serde_json::Map<String, Value>) -> String {
    Value::Object(source.overlay(edited)).to_string()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether anything would change at all.
pub(super) fn changes(plan: &ReleasePlan) -> usize {
    plan.plan
        .objects
        .iter()
        .filter(|object| object.change != Change::Unchanged)
        .count()
}
