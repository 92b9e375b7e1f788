//! What the API server's no means: a field that cannot be changed, a quota, a webhook, or a mistake.

use app::model::{Finding, NextAction};
use serde_json::Value;

use super::Desired;
use crate::adapters::kube::client::KubeError;
use crate::deploy::words;

/// Kinds that hold data or other objects: deleting one to make it anew is never offered.
const NEVER_REPLACED: [&str; 4] = [
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "CustomResourceDefinition",
];
/// How validation words a field that cannot be changed
/// (apimachinery `FieldImmutableErrorMsg`, and pkg/apis/{core,apps,batch,rbac,storage}/validation).
const IMMUTABLE: [&str; 9] = [
    "field is immutable",
    "is immutable after creation",
    "may not be changed",
    "may not change once set",
    "can not be unset",
    "pod updates may not change fields",
    "updates to statefulset spec for fields other than",
    "cannot change roleref",
    "updates to parameters are forbidden",
];

#[derive(Debug)]
pub(super) struct Refusal {
    pub finding: Finding,
    /// Deleting the object and making it anew would do.
    pub needs_replacing: bool,
}

impl Refusal {
    pub fn plain(finding: Finding) -> Self {
        Self {
            finding,
            needs_replacing: false,
        }
    }
}

/// Takes a refused dry run apart.
pub(super) fn refusal(desired: &Desired, error: &KubeError) -> Refusal {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&desired.object["kind"]);
    let name = text(&desired.object["metadata"]["name"]);
    if let Some(fields) = immutable_fields(error) {
        let can_replace = !NEVER_REPLACED.contains(&kind.as_str());
        return Refusal {
            finding: immutable(&kind, &name, &fields, error, can_replace),
            needs_replacing: can_replace,
        };
    }
    Refusal::plain(words::refused(&kind, &name, &desired.source, error))
}

/// The fields that cannot be changed; none when that is not why it was refused.
fn immutable_fields(error: &KubeError) -> Option<Vec<String>> {
    let status = error.status().filter(|status| status.code == 422)?;
    let says_so = |text: &str| {
        let text = text.to_lowercase();
        IMMUTABLE.iter().any(|words| text.contains(words))
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let fields: Vec<String> = causes
        .filter(|cause| says_so(&cause.message))
        .map(|cause| cause.field.clone())
        .collect();
    (!fields.is_empty() || says_so(&status.message)).then_some(fields)
}

fn immutable(
    kind: &str,
    name: &str,
    fields: &[String],
    error: &KubeError,
    can_replace: bool,
) -> Finding {
    let which = match fields {
        [] => "A field".to_owned(),
        fields => fields.join(" and "),
    };
    let finding = words::about(
        Finding::new(
            "IMMUTABLE_FIELD",
            format!("{kind} {name} cannot be changed that way"),
            format!("{which} of an object that is there cannot be changed; only a new object can have it."),
        )
        .evidence("The API server", error.to_string()),
        kind,
        name,
    );
    let advice = if can_replace {
        "Choose Replace in the plan: the object is deleted and made anew, so its pods or addresses are gone for a moment. Or give the field the value it has"
    } else {
        "Give the field the value it has, or give the object another name: deleting it could destroy data"
    };
    finding.next(NextAction::advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(code: u16, message: &str, causes: Value) -> KubeError {
        let status = serde_json::from_value(
            json!({"kind": "Status", "status": "Failure", "reason": "Invalid",
            "code": code, "message": message, "details": {"causes": causes}}),
        )
        .expect("a status");
        KubeError::Kube(kube::Error::Api(Box::new(status)))
    }

    fn desired(kind: &str) -> Desired {
        Desired {
            object: json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}}),
            source: "k8s/a.yaml:1".into(),
        }
    }

    #[test]
    fn an_immutable_field_offers_replacing_unless_data_would_go() {
        let error = refused(
            422,
            "Deployment.apps \"a\" is invalid: spec.selector: Invalid value: {}: field is immutable",
            json!([{"reason": "FieldValueInvalid", "message": "Invalid value: {}: field is immutable", "field": "spec.selector"}]),
        );
        let found = refusal(&desired("Deployment"), &error);
        assert!(found.needs_replacing);
        assert_eq!(found.finding.code, "IMMUTABLE_FIELD");
        assert!(found.finding.why.contains("spec.selector"));
        assert!(!refusal(&desired("PersistentVolumeClaim"), &error).needs_replacing);
    }

    #[test]
    fn other_refusals_are_no_reason_to_replace() {
        let invalid = refused(
            422,
            "is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            json!([{"reason": "FieldValueInvalid", "message": "must be greater than or equal to 0", "field": "spec.replicas"}]),
        );
        let found = refusal(&desired("Deployment"), &invalid);
        assert!(!found.needs_replacing);
        assert_eq!(found.finding.code, "OBJECT_INVALID");
        let quota = refused(
            403,
            "pods \"a\" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=1, limited: cpu=1",
            json!([]),
        );
        assert_eq!(
            refusal(&desired("Pod"), &quota).finding.code,
            "QUOTA_OR_ADMISSION"
        );
        let webhook = refused(
            403,
            "admission webhook \"policy.x\" denied the request: no",
            json!([]),
        );
        assert_eq!(
            refusal(&desired("Pod"), &webhook).finding.code,
            "QUOTA_OR_ADMISSION"
        );
        let rights = refused(
            403,
            "deployments.apps is forbidden: User \"x\" cannot patch resource \"deployments\"",
            json!([]),
        );
        assert_eq!(
            refusal(&desired("Deployment"), &rights).finding.code,
            "FORBIDDEN"
        );
    }
}
