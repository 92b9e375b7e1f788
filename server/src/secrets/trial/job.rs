//! The Job of a trial: the workload's pod, without what ties it to the workload's traffic and data.

use std::collections::BTreeMap;

use app::model::ComponentName;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, Volume};
use kube::api::ObjectMeta;

/// The label on everything a trial makes; its value is the Job's name.
pub const TRIAL: &str = "slipway.dev/trial";
/// The whole trial, also when nobody is there any more to end it.
pub const DEADLINE_S: i64 = 120;
/// The cluster itself removes an ended trial after this.
const REMOVED_AFTER_S: i32 = 10;
/// Of a component's name; a name in Kubernetes has at most 63 characters.
const LONGEST_NAME: usize = 40;

/// Made from the pod of a running workload. `Err` continues a sentence that begins with its name.
pub fn of_pod(
    component: &ComponentName,
    mut pod: PodSpec,
    secret: &str,
) -> Result<Job, &'static str> {
    if pod.volumes.iter().flatten().any(holds_data) {
        return Err("keeps its data in a volume, and a second pod could disturb it");
    }
    if pod.host_network == Some(true) {
        return Err("uses the node's own network, where a second pod finds its port taken");
    }
    let short: String = component.as_str().chars().take(LONGEST_NAME).collect();
    let name = format!("slipway-trial-{short}-{:06x}", rand::random::<u32>() >> 8);
    for container in pod
        .init_containers
        .iter_mut()
        .flatten()
        .chain(&mut pod.containers)
    {
        read_from(container, secret, &name);
        undisturbed(container);
    }
    for volume in pod.volumes.iter_mut().flatten() {
        mount_from(volume, secret, &name);
    }
    pod.restart_policy = Some("Never".to_owned());
    pod.termination_grace_period_seconds = Some(1);
    let spec = JobSpec {
        suspend: Some(true),
        backoff_limit: Some(0),
        active_deadline_seconds: Some(DEADLINE_S),
        ttl_seconds_after_finished: Some(REMOVED_AFTER_S),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(labels(&name)),
                ..ObjectMeta::default()
            }),
            spec: Some(pod),
        },
        ..JobSpec::default()
    };
    Ok(Job {
        metadata: ObjectMeta {
            labels: Some(labels(&name)),
            name: Some(name),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        ..Job::default()
    })
}

/// No label of the workload is among them.
pub fn labels(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (
            "app.kubernetes.io/managed-by".to_owned(),
            "slipway".to_owned(),
        ),
        (TRIAL.to_owned(), name.to_owned()),
    ])
}

fn holds_data(volume: &Volume) -> bool {
    volume.persistent_volume_claim.is_some()
        || volume.host_path.is_some()
        || volume.nfs.is_some()
        || volume.csi.is_some()
}

fn read_from(container: &mut Container, secret: &str, trial: &str) {
    let sources = container.env_from.iter_mut().flatten();
    for source in sources.filter_map(|from| from.secret_ref.as_mut()) {
        rename(&mut source.name, secret, trial);
    }
    let values = container.env.iter_mut().flatten();
    for source in values
        .filter_map(|env| env.value_from.as_mut())
        .filter_map(|from| from.secret_key_ref.as_mut())
    {
        rename(&mut source.name, secret, trial);
    }
}

fn mount_from(volume: &mut Volume, secret: &str, trial: &str) {
    if let Some(name) = volume
        .secret
        .as_mut()
        .and_then(|source| source.secret_name.as_mut())
    {
        rename(name, secret, trial);
    }
    let projected = volume
        .projected
        .iter_mut()
        .flat_map(|projected| projected.sources.iter_mut().flatten());
    for source in projected.filter_map(|source| source.secret.as_mut()) {
        rename(&mut source.name, secret, trial);
    }
}

fn rename(name: &mut String, secret: &str, trial: &str) {
    if name == secret {
        trial.clone_into(name);
    }
}

/// Slipway asks by itself, and nobody restarts the container in the meantime.
fn undisturbed(container: &mut Container) {
    container.startup_probe = None;
    container.liveness_probe = None;
    container.readiness_probe = None;
    container.lifecycle = None;
    for port in container.ports.iter_mut().flatten() {
        port.host_port = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn component() -> ComponentName {
        "backend".parse().expect("a name")
    }

    fn pod(value: Value) -> PodSpec {
        serde_json::from_value(value).expect("a pod")
    }

    #[test]
    fn every_way_to_read_the_secret_leads_to_the_trials_own_and_no_other() {
        let pod = pod(json!({
            "initContainers": [{"name": "migrate", "envFrom": [{"secretRef": {"name": "s"}}]}],
            "containers": [{"name": "app",
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "A"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "other", "key": "B"}}}
                ],
                "ports": [{"containerPort": 80, "hostPort": 80}],
                "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}
            }],
            "volumes": [
                {"name": "v", "secret": {"secretName": "s"}},
                {"name": "w", "projected": {"sources": [{"secret": {"name": "s"}}, {"secret": {"name": "other"}}]}}
            ],
            "restartPolicy": "Always"
        }));
        let job = of_pod(&component(), pod, "s").expect("a job");
        let name = job.metadata.name.clone().expect("named");
        let job = serde_json::to_value(job).expect("JSON");
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(
            pod["initContainers"][0]["envFrom"][0]["secretRef"]["name"],
            json!(name)
        );
        let app = &pod["containers"][0];
        let of = |at: usize| &app["env"][at]["valueFrom"]["secretKeyRef"]["name"];
        assert_eq!((of(0), of(1)), (&json!(name), &json!("other")));
        assert_eq!(pod["volumes"][0]["secret"]["secretName"], json!(name));
        let sources = &pod["volumes"][1]["projected"]["sources"];
        assert_eq!(sources[0]["secret"]["name"], json!(name));
        assert_eq!(sources[1]["secret"]["name"], json!("other"));
        assert_eq!(app["ports"], json!([{"containerPort": 80}]));
        assert!(app.get("livenessProbe").is_none() && app.get("lifecycle").is_none());
        assert_eq!(pod["restartPolicy"], json!("Never"));
    }

    #[test]
    fn it_ends_and_goes_by_itself_and_no_service_selects_it() {
        let pod = pod(json!({"containers": [{"name": "app"}]}));
        let job = of_pod(&component(), pod, "s").expect("a job");
        let spec = job.spec.expect("a spec");
        assert_eq!(spec.suspend, Some(true));
        assert_eq!(spec.active_deadline_seconds, Some(DEADLINE_S));
        assert_eq!(spec.ttl_seconds_after_finished, Some(REMOVED_AFTER_S));
        let labels = spec.template.metadata.expect("metadata").labels;
        let keys: Vec<String> = labels.expect("labels").into_keys().collect();
        assert_eq!(keys, ["app.kubernetes.io/managed-by", TRIAL]);
    }

    #[test]
    fn a_pod_whose_data_or_port_a_second_one_could_disturb_is_not_tried() {
        let with = |more: Value| {
            let mut value = json!({"containers": [{"name": "app"}]});
            value
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().expect("an object"));
            of_pod(&component(), pod(value), "s").is_ok()
        };
        let claim = json!({"name": "v", "persistentVolumeClaim": {"claimName": "c"}});
        assert!(!with(json!({"volumes": [claim]})));
        assert!(!with(json!({"hostNetwork": true})));
        assert!(with(json!({"volumes": [{"name": "t", "emptyDir": {}}]})));
    }

    #[test]
    fn the_longest_component_name_still_makes_a_name_kubernetes_takes() {
        let long: ComponentName = "a".repeat(50).parse().expect("a name");
        let pod = pod(json!({"containers": [{"name": "app"}]}));
        let name = of_pod(&long, pod, "s").expect("a job").metadata.name;
        assert!(name.expect("named").len() <= 63);
    }
}
