//! The pod and the claims of one number of a StatefulSet.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use kube::ResourceExt;

use crate::controllers::pod_control::pod_from_template;
use crate::controllers::revisions;

const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The number in the name of a set's pod; `None` for other pods.
pub fn ordinal_of(set: &str, pod: &Pod) -> Option<i32> {
    let name = pod.metadata.name.as_deref()?;
    let (parent, ordinal) = name.rsplit_once('-')?;
    let canonical = |number: &i32| number.to_string() == ordinal;
    (parent == set).then(|| ordinal.parse().ok().filter(canonical))?
}

fn claim_name(template: &PersistentVolumeClaim, pod: &str) -> String {
    format!("{}-{pod}", template.name_any())
}

/// The claims the pod of this number mounts.
pub fn claims(set: &StatefulSet, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let pod = format!("{}-{ordinal}", set.name_any());
    let spec = &set.spec;
    let selected = spec.selector.match_labels.clone().unwrap_or_default();
    let of_template = |template: &PersistentVolumeClaim| {
        let mut claim = template.clone();
        claim.metadata.name = Some(claim_name(template, &pod));
        claim.metadata.namespace = set.namespace();
        claim
            .metadata
            .labels
            .get_or_insert_default()
            .extend(selected.clone());
        claim.status = None;
        claim
    };
    let templates = spec.volume_claim_templates.iter().flatten();
    templates.map(of_template).collect()
}

/// The pod of this number, made from a revision's template.
pub fn new_pod(set: &StatefulSet, template: &PodTemplateSpec, ordinal: i32, revision: &str) -> Pod {
    let mut pod = pod_from_template(set, template);
    let name = format!("{}-{ordinal}", set.name_any());
    pod.metadata.generate_name = None;
    pod.metadata.name = Some(name.clone());
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(NAME_LABEL.to_owned(), name.clone());
    labels.insert(INDEX_LABEL.to_owned(), ordinal.to_string());
    labels.insert(revisions::POD_LABEL.to_owned(), revision.to_owned());
    let set = &set.spec;
    let Some(spec) = &mut pod.spec else {
        return pod;
    };
    spec.hostname = Some(name.clone());
    spec.subdomain.clone_from(&set.service_name);
    let volumes = spec.volumes.get_or_insert_default();
    for template in set.volume_claim_templates.iter().flatten() {
        // A claim template takes the place of a volume of its name.
        volumes.retain(|volume| volume.name != template.name_any());
        volumes.push(Volume {
            name: template.name_any(),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim_name(template, &name),
                read_only: None,
            }),
            ..Volume::default()
        });
    }
    if volumes.is_empty() {
        spec.volumes = None;
    }
    pod
}
