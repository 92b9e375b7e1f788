//! Tries a command without doing it: the objects as they are and as they would be, what is touched
//! besides, and what could be put back.

use std::collections::BTreeSet;

use app::model::{ApprovalObject, Change, Finding, ObjectDiff};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::take_back::Reversal;
use super::words;
use crate::adapters::kube::apply::{dry_run_patch, get};
use crate::adapters::kube::client::{REQUEST_LIMIT, within};
use crate::adapters::kube::times::rfc3339;
use crate::adapters::kubectl;
use crate::assist::command::{Command, MANAGER, Target, Verb, gained};
use crate::cluster::Connected;
use crate::deploy::merge_patch::difference;
use crate::deploy::preview::noise::essence;
use crate::deploy::preview::object_diff::object_diff;
use crate::deploy::replica_sets;
use crate::engine::clock;
use crate::engine::redact::Redactor;
use crate::process;

const REVISION: &str = "deployment.kubernetes.io/revision";
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// One object, looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub target: Target,
    pub live: Value,
    /// `Null` for one that goes.
    pub after: Value,
    pub diff: ObjectDiff,
}

impl Seen {
    /// Whether this reading is of the same object in the same state. News of its status do not count; a
    /// rollout that went there and back again does, because what was before it is another one then.
    pub fn is_still(&self, now: &Value) -> bool {
        let metadata = |object: &Value, field: &str| object["metadata"][field].clone();
        let revision = |object: &Value| metadata(object, "annotations")[REVISION].clone();
        metadata(&self.live, "uid") == metadata(now, "uid")
            && revision(&self.live) == revision(now)
            && (metadata(&self.live, "resourceVersion") == metadata(now, "resourceVersion")
                || essence(&self.live) == essence(now))
    }
}

/// What a dry run says.
#[derive(Debug)]
pub struct Looked {
    pub seen: Vec<Seen>,
    pub radius: Vec<String>,
    /// What an object would gain: a reason to deny it.
    pub gains: Vec<String>,
    pub undo: Result<String, String>,
}

/// Where a command is tried.
pub struct Looker<'a> {
    pub connected: &'a Connected,
    pub kubectl: &'a std::ffi::OsStr,
    pub redactor: &'a Redactor,
    pub namespace: &'a str,
}

/// The collection a target lives in.
pub fn collection(connected: &Connected, target: &Target, namespace: &str) -> Api<DynamicObject> {
    let (group, version) = target
        .kind
        .api_version
        .split_once('/')
        .unwrap_or(("", target.kind.api_version));
    let resource = ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: target.kind.api_version.to_owned(),
        kind: target.kind.kind.to_owned(),
        plural: target.kind.plural.to_owned(),
    };
    Api::namespaced_with(connected.client.clone(), namespace, &resource)
}

/// The object as it is, with its kind; `Null` when there is none.
pub async fn read(
    connected: &Connected,
    target: &Target,
    namespace: &str,
) -> Result<Value, Finding> {
    let found = get(&collection(connected, target, namespace), &target.name)
        .await
        .map_err(|error| words::not_asked(&error))?;
    Ok(found.map_or(Value::Null, |mut object| {
        object["kind"] = json!(target.kind.kind);
        object["apiVersion"] = json!(target.kind.api_version);
        object
    }))
}

impl Looker<'_> {
    pub async fn look(&self, command: &Command) -> Result<Looked, Finding> {
        if process::find_on_path(&self.kubectl.to_string_lossy()).is_none() {
            return Err(words::no_kubectl());
        }
        let mut lives = Vec::new();
        for target in &command.targets {
            lives.push(read(self.connected, target, self.namespace).await?);
        }
        let gone = command.targets.iter().zip(&lives);
        if let Some((target, _)) = gone.clone().find(|(_, live)| live.is_null()) {
            return Err(words::missing(target));
        }
        let afters = self.tried(command, &lives).await?;
        let services = self.services().await;
        let (mut seen, mut radius, mut gains) = (Vec::new(), Vec::new(), BTreeSet::new());
        for ((target, live), after) in command.targets.iter().zip(lives).zip(afters) {
            self.touched(command, target, &live, &after, &services, &mut radius);
            let more = gained(&live, &after)
                .into_iter()
                .map(|gain| gain.to_string());
            if matches!(command.verb, Verb::Undo { .. }) {
                // It was like that before, by somebody's own deploy.
                radius.extend(more.map(|gain| format!("As in that revision it would {gain}")));
            } else {
                gains.extend(more);
            }
            let desired = essence(&after);
            let desired = (!after.is_null()).then_some(&desired);
            let diff = match desired {
                Some(desired) => object_diff(&live, &after, Some(desired), self.redactor),
                None => {
                    let bare = essence(&live);
                    object_diff(&bare, &Value::Null, Some(&bare), self.redactor)
                }
            };
            seen.push(Seen {
                target: target.clone(),
                live,
                after,
                diff,
            });
        }
        for line in &mut radius {
            *line = self.redactor.redact(line).into_owned();
        }
        radius.dedup();
        let undo = undo_in_words(command, &seen);
        Ok(Looked {
            seen,
            radius,
            gains: gains.into_iter().collect(),
            undo,
        })
    }

    /// Each object as the API server would have it.
    async fn tried(&self, command: &Command, lives: &[Value]) -> Result<Vec<Value>, Finding> {
        match &command.verb {
            Verb::Delete => Ok(vec![Value::Null; lives.len()]),
            // kubectl prints what it would send and not what would come of it.
            Verb::Scale { replicas } => {
                self.patched(command, &json!({"spec": {"replicas": replicas}}))
                    .await
            }
            Verb::Pause => {
                self.patched(command, &json!({"spec": {"paused": true}}))
                    .await
            }
            Verb::Resume => {
                self.patched(command, &json!({"spec": {"paused": null}}))
                    .await
            }
            Verb::Restart => {
                let annotations = json!({RESTARTED_AT: rfc3339(clock::now())});
                let template = json!({"metadata": {"annotations": annotations}});
                self.patched(command, &json!({"spec": {"template": template}}))
                    .await
            }
            Verb::Undo { revision } => {
                let mut afters = Vec::new();
                for (target, live) in command.targets.iter().zip(lives) {
                    let wanted = self.template_before(target, live, *revision).await?;
                    let patch = difference(&live["spec"]["template"], &wanted).map_or_else(
                        || json!({}),
                        |template| json!({"spec": {"template": template}}),
                    );
                    afters.push(self.one_patched(target, &patch).await?);
                }
                Ok(afters)
            }
            _ => self.tried_by_kubectl(command).await,
        }
    }

    async fn patched(&self, command: &Command, patch: &Value) -> Result<Vec<Value>, Finding> {
        let mut afters = Vec::new();
        for target in &command.targets {
            afters.push(self.one_patched(target, patch).await?);
        }
        Ok(afters)
    }

    async fn one_patched(&self, target: &Target, patch: &Value) -> Result<Value, Finding> {
        let api = collection(self.connected, target, self.namespace);
        let mut after = dry_run_patch(&api, &target.name, patch, MANAGER, false)
            .await
            .map_err(|error| words::refused(&target.to_string(), &error.to_string()))?;
        after["kind"] = json!(target.kind.kind);
        after["apiVersion"] = json!(target.kind.api_version);
        Ok(after)
    }

    /// As `kubectl rollout undo` picks it: of that revision, else of the one before the newest.
    async fn template_before(
        &self,
        target: &Target,
        live: &Value,
        revision: Option<u64>,
    ) -> Result<Value, Finding> {
        let deployment: Deployment = serde_json::from_value(live.clone())
            .map_err(|error| words::refused(&target.to_string(), &error.to_string()))?;
        let sets = replica_sets::of(&self.connected.client, &deployment)
            .await
            .map_err(|error| words::not_asked(&error))?;
        let set = match revision {
            Some(revision) => sets.iter().find(|set| set.revision == revision),
            None => sets.get(1),
        };
        set.map(|set| set.template.clone())
            .ok_or_else(|| words::no_revision(target))
    }

    async fn tried_by_kubectl(&self, command: &Command) -> Result<Vec<Value>, Finding> {
        let mut argv = command.argv(&self.connected.context);
        argv.extend(["--dry-run=server", "--output=json"].map(str::to_owned));
        let spec = kubectl::command(self.kubectl, &argv[1..], &self.connected.kubeconfig);
        let said = process::capture(&spec, &CancellationToken::new())
            .await
            .map_err(|error| words::refused("The command", &error.to_string()))?;
        let redacted = |text: &str| self.redactor.redact(text).into_owned();
        if !said.ending.is_success() {
            return Err(words::refused("The command", &redacted(said.stderr.trim())));
        }
        let mut printed = Vec::new();
        for value in serde_json::Deserializer::from_str(&said.stdout).into_iter::<Value>() {
            let value = value.map_err(|error| words::refused("The command", &error.to_string()))?;
            match value["items"].as_array() {
                Some(items) => printed.extend(items.iter().cloned()),
                None => printed.push(value),
            }
        }
        command
            .targets
            .iter()
            .map(|target| {
                let is_it = |object: &&Value| {
                    object["kind"] == target.kind.kind
                        && object["metadata"]["name"] == target.name.as_str()
                };
                printed.iter().find(is_it).cloned().ok_or_else(|| {
                    words::refused(&target.to_string(), &redacted(said.stdout.trim()))
                })
            })
            .collect()
    }

    /// Selectors of the namespace's Services; none when they cannot be asked.
    async fn services(&self) -> Vec<(String, Value)> {
        let api: Api<Service> = Api::namespaced(self.connected.client.clone(), self.namespace);
        let params = ListParams::default();
        let Ok(list) = within(REQUEST_LIMIT, api.list(&params)).await else {
            return Vec::new();
        };
        list.items
            .into_iter()
            .filter_map(|service| {
                let selector = service.spec?.selector?;
                Some((service.metadata.name?, json!(selector)))
            })
            .collect()
    }

    fn touched(
        &self,
        command: &Command,
        target: &Target,
        live: &Value,
        after: &Value,
        services: &[(String, Value)],
        radius: &mut Vec<String>,
    ) {
        let replicas = |object: &Value| object["spec"]["replicas"].as_u64().unwrap_or(1);
        let (spec, wanted) = (&live["spec"], &after["spec"]);
        let pods = live["status"]["replicas"].as_u64().unwrap_or(0);
        let pods = match pods {
            1 => "1 pod".to_owned(),
            many => format!("{many} pods"),
        };
        if target.kind.is_workload {
            if after.is_null() {
                radius.push(format!("{pods} of {target} end, and no new ones come"));
            } else if spec["template"] != wanted["template"] {
                radius.push(match live["spec"]["paused"] == true {
                    true => {
                        format!("{target} is paused: its pods stay as they are until it is resumed")
                    }
                    false => {
                        format!("{pods} of {target} are replaced by new ones, one after the other")
                    }
                });
            }
            if !after.is_null() && replicas(live) != replicas(after) {
                radius.push(format!(
                    "{target} goes from {} to {} pods",
                    replicas(live),
                    replicas(after)
                ));
            }
        }
        if target.kind.kind == "Pod" && command.verb == Verb::Delete {
            radius.push(match owner_reference(live) {
                Some(owner) => format!("{owner} makes a new pod in its place"),
                None => "No controller makes a new pod in its place".to_owned(),
            });
        }
        let labels = match target.kind.kind {
            "Pod" => &live["metadata"]["labels"],
            _ => &spec["template"]["metadata"]["labels"],
        };
        for (service, selector) in services {
            let selects = selector.as_object().is_some_and(|selector| {
                !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
            });
            if selects {
                radius.push(format!("Service {service} sends its requests there"));
            }
        }
        for image in images(wanted).difference(&images(spec)) {
            radius.push(format!("It runs another image: {image}"));
        }
    }
}

fn images(spec: &Value) -> BTreeSet<String> {
    let containers = spec["template"]["spec"]["containers"].as_array();
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container["image"].as_str().map(str::to_owned))
        .collect()
}

fn owner_reference(object: &Value) -> Option<String> {
    let owner = object["metadata"]["ownerReferences"].as_array()?.first()?;
    Some(format!(
        "{} {}",
        owner["kind"].as_str()?,
        owner["name"].as_str()?
    ))
}

/// Who has an object.
fn owner(object: &Value) -> Option<String> {
    if let Some(owner) = owner_reference(object) {
        return Some(owner);
    }
    let metadata = &object["metadata"];
    if let Some(release) = metadata["annotations"]["meta.helm.sh/release-name"].as_str() {
        return Some(format!("Helm release {release}"));
    }
    let managers = metadata["managedFields"].as_array().into_iter().flatten();
    let is_applied = |entry: &Value| entry["manager"] == "slipway" && entry["operation"] == "Apply";
    managers
        .into_iter()
        .any(is_applied)
        .then(|| "Applied by Slipway".to_owned())
}

/// As it stands on the card.
pub fn on_card(seen: &Seen) -> ApprovalObject {
    let mut fields = seen.diff.fields.clone();
    let surplus = fields.len().saturating_sub(ApprovalObject::FIELDS);
    fields.truncate(ApprovalObject::FIELDS);
    ApprovalObject {
        kind: seen.target.kind.kind.to_owned(),
        name: seen.target.name.clone(),
        resource_version: seen.live["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        change: match (seen.after.is_null(), fields.is_empty()) {
            (true, _) => Change::Delete,
            (false, true) => Change::Unchanged,
            (false, false) => Change::Update,
        },
        owner: owner(&seen.live),
        fields,
        more_fields: seen.diff.more_fields + u32::try_from(surplus).unwrap_or(u32::MAX),
    }
}

/// What will be put back, or why nothing can be.
fn undo_in_words(command: &Command, seen: &[Seen]) -> Result<String, String> {
    if matches!(command.verb, Verb::Restart) {
        return Err("New pods are started; there is nothing that could be put back".to_owned());
    }
    let back: Vec<Reversal> = seen
        .iter()
        .filter_map(|seen| Reversal::between(&seen.target, &seen.live, &seen.after))
        .collect();
    if back.len() < seen.len() {
        return Err("What it deletes cannot be made again as it was".to_owned());
    }
    let names: Vec<String> = seen.iter().map(|seen| seen.target.to_string()).collect();
    Ok(match command.verb {
        Verb::Delete => format!("Makes {} again as it is now", names.join(", ")),
        _ => format!(
            "Puts the changed fields of {} back to what they are now",
            names.join(", ")
        ),
    })
}
