//! What is wrong with the manifests taken together, before anything is applied.

use std::collections::BTreeMap;

use app::model::{Finding, NextAction, SecretKey, StepId, Subject};
use serde_json::Value;

use super::templates::{pod_spec, reads, template};
use crate::project::ProjectSpec;

/// Looks at the objects as they will be applied. `secret_keys` are the keys of the project's Secret
/// in the cluster; none when nobody may look at it.
pub fn check(
    objects: &[&Value],
    project: &ProjectSpec,
    secret_keys: Option<&[String]>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(keys) = secret_keys {
        findings.extend(missing_keys(objects, project, keys));
    }
    for service in objects.iter().filter(|object| object["kind"] == "Service") {
        findings.extend(check_service(service, objects));
    }
    for object in objects {
        findings.extend(always_pulled(object, project));
    }
    findings
}

/// Keys that pods cannot start without and that are not there.
fn missing_keys(objects: &[&Value], project: &ProjectSpec, keys: &[String]) -> Vec<Finding> {
    let in_manifests = objects.iter().any(|object| {
        object["kind"] == "Secret" && object["metadata"]["name"] == project.secret_name.as_str()
    });
    if in_manifests {
        return Vec::new();
    }
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in objects {
        let workload = name(object);
        for read in reads(object) {
            if read.secret != project.secret_name || read.optional {
                continue;
            }
            match read.key {
                Some(key) if !keys.contains(&key) => {
                    missing.entry(key).or_default().push(workload.clone());
                }
                Some(_) => {}
                // The whole Secret must exist; what must be in it, the project says.
                None => {
                    for secret in project.secrets.iter().filter(|secret| !secret.optional) {
                        let key = secret.key.to_string();
                        if !keys.contains(&key) {
                            missing.entry(key).or_default().push(workload.clone());
                        }
                    }
                }
            }
        }
    }
    missing
        .into_iter()
        .map(|(key, mut workloads)| {
            workloads.sort();
            workloads.dedup();
            key_missing(&key, &workloads, project)
        })
        .collect()
}

fn key_missing(key: &str, workloads: &[String], project: &ProjectSpec) -> Finding {
    let finding = Finding::new(
        "SECRET_KEY_MISSING",
        format!("{key} is not set"),
        format!(
            "The pods of {} read it from the Secret {} and cannot start without it.",
            workloads.join(" and "),
            project.secret_name
        ),
    );
    let subject = match key.parse::<SecretKey>() {
        Ok(key) => Subject::Secret { key },
        Err(_) => Subject::Object {
            kind: "Secret".to_owned(),
            name: project.secret_name.clone(),
        },
    };
    finding.about(subject).next(NextAction::Open {
        step: StepId::Secrets,
        label: format!("Set {key}"),
    })
}

fn check_service(service: &Value, objects: &[&Value]) -> Vec<Finding> {
    let selector = &service["spec"]["selector"];
    let Some(wanted) = selector.as_object().filter(|map| !map.is_empty()) else {
        return Vec::new();
    };
    let selected: Vec<&&Value> = objects
        .iter()
        .filter(|object| {
            template(object).is_some_and(|template| {
                let labels = &template["metadata"]["labels"];
                wanted.iter().all(|(key, value)| &labels[key] == value)
            })
        })
        .collect();
    if selected.is_empty() {
        return vec![selects_nothing(service, selector)];
    }
    let ports = service["spec"]["ports"].as_array();
    ports
        .into_iter()
        .flatten()
        .filter_map(|port| port_mismatch(service, port, &selected))
        .collect()
}

fn selects_nothing(service: &Value, selector: &Value) -> Finding {
    about_service(
        Finding::new(
            "SERVICE_SELECTS_NOTHING",
            format!("The Service {} leads nowhere", name(service)),
            format!("No pod template in the manifests has the labels it selects: {selector}."),
        )
        .attention(),
        service,
    )
    .next(NextAction::Advice {
        text: "Make the Service's selector equal to the labels of the pod template".to_owned(),
    })
}

/// The target port must be one the selected pods declare, when they declare any.
fn port_mismatch(service: &Value, port: &Value, selected: &[&&Value]) -> Option<Finding> {
    let target = match &port["targetPort"] {
        Value::Null => &port["port"],
        target => target,
    };
    let mut declared = Vec::new();
    for object in selected {
        let spec = pod_spec(object)?;
        for port in spec
            .containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten())
        {
            declared.push((port.name.clone(), i64::from(port.container_port)));
        }
    }
    let fits = match target {
        Value::Number(number) => {
            declared.is_empty()
                || declared
                    .iter()
                    .any(|(_, port)| Some(*port) == number.as_i64())
        }
        Value::String(wanted) => match wanted.parse::<i64>() {
            Ok(number) => declared.is_empty() || declared.iter().any(|(_, port)| *port == number),
            Err(_) => declared
                .iter()
                .any(|(name, _)| name.as_ref() == Some(wanted)),
        },
        _ => true,
    };
    if fits {
        return None;
    }
    let known: Vec<String> = declared
        .iter()
        .map(|(name, port)| match name {
            Some(name) => format!("{name} ({port})"),
            None => port.to_string(),
        })
        .collect();
    let target = target
        .as_str()
        .map_or_else(|| target.to_string(), str::to_owned);
    let has = if known.is_empty() {
        "declare no port at all".to_owned()
    } else {
        format!("declare {}", known.join(", "))
    };
    Some(
        about_service(
            Finding::new(
                "SERVICE_PORT_MISMATCH",
                format!("The Service {} sends to port {target}", name(service)),
                format!("The pods behind it {has}, so nothing may answer there."),
            )
            .attention(),
            service,
        )
        .next(NextAction::Advice {
            text: "Set targetPort to the port the container listens on".to_owned(),
        }),
    )
}

/// An image that was built here is in no registry.
fn always_pulled(object: &Value, project: &ProjectSpec) -> Vec<Finding> {
    let Some(spec) = pod_spec(object) else {
        return Vec::new();
    };
    spec.containers
        .iter()
        .filter(|container| container.image_pull_policy.as_deref() == Some("Always"))
        .filter_map(|container| project.component_of_image(container.image.as_deref()?))
        .map(|component| {
            Finding::new(
                "IMAGE_PULL_ALWAYS",
                format!("{} will not find its image", component.name),
                "imagePullPolicy is Always, so the node asks a registry even though the image is already there.",
            )
            .about(Subject::Component {
                component: component.name.clone(),
            })
            .next(NextAction::Advice {
                text: "Set imagePullPolicy to IfNotPresent or Never".to_owned(),
            })
        })
        .collect()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn about_service(finding: Finding, service: &Value) -> Finding {
    finding.about(Subject::Object {
        kind: "Service".to_owned(),
        name: name(service),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::project::{DeploySpec, SecretSpec};
    use app::model::SecretKind;

    fn project() -> ProjectSpec {
        let secret = |key: &str, optional| SecretSpec {
            key: key.parse().expect("a key"),
            label: String::new(),
            help: String::new(),
            kind: SecretKind::Text,
            optional,
            components: vec![],
            rehearsal: None,
        };
        ProjectSpec {
            name: "todo".into(),
            namespace: "todo".parse().expect("a name"),
            registry: None,
            secret_name: "todo-secrets".into(),
            components: vec![],
            secrets: vec![secret("A", false), secret("B", true)],
            deploy: DeploySpec::default(),
        }
    }

    fn deployment(container: Value) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "backend"}, "spec": {"template": {
            "metadata": {"labels": {"app": "backend"}}, "spec": {"containers": [container]}}}})
    }

    fn service(selector: Value, target: Value) -> Value {
        json!({"kind": "Service", "metadata": {"name": "backend"},
            "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": target}]}})
    }

    fn codes(objects: &[&Value], keys: Option<&[String]>) -> Vec<String> {
        check(objects, &project(), keys)
            .into_iter()
            .map(|finding| finding.code)
            .collect()
    }

    #[test]
    fn a_key_pods_cannot_start_without_is_missed() {
        let by_key = |key: &str, optional: bool| {
            deployment(json!({"name": "backend", "env": [{"name": key, "valueFrom":
                {"secretKeyRef": {"name": "todo-secrets", "key": key, "optional": optional}}}]}))
        };
        let whole = deployment(
            json!({"name": "backend", "envFrom": [{"secretRef": {"name": "todo-secrets"}}]}),
        );
        let none: Vec<String> = vec![];
        let has_a = vec!["A".to_owned()];
        let missing = ["SECRET_KEY_MISSING"];
        assert_eq!(codes(&[&by_key("A", false)], Some(&none)), missing);
        assert!(codes(&[&by_key("A", false)], Some(&has_a)).is_empty());
        assert!(codes(&[&by_key("A", true)], Some(&none)).is_empty());
        assert!(
            codes(&[&by_key("A", false)], None).is_empty(),
            "nobody may look"
        );
        assert_eq!(codes(&[&whole], Some(&none)), missing);
        assert!(codes(&[&whole], Some(&has_a)).is_empty());
        let in_manifests = json!({"kind": "Secret", "metadata": {"name": "todo-secrets"}});
        assert!(codes(&[&by_key("A", false), &in_manifests], Some(&none)).is_empty());
    }

    #[test]
    fn a_service_must_lead_to_pods_and_to_a_port_they_have() {
        let pods = deployment(
            json!({"name": "backend", "ports": [{"name": "http", "containerPort": 8000}]}),
        );
        let of = |selector: Value, target: Value| codes(&[&pods, &service(selector, target)], None);
        let app = || json!({"app": "backend"});
        assert!(of(app(), json!(8000)).is_empty());
        assert!(of(app(), json!("http")).is_empty());
        assert_eq!(of(app(), json!(9000)), ["SERVICE_PORT_MISMATCH"]);
        assert_eq!(of(app(), json!("web")), ["SERVICE_PORT_MISMATCH"]);
        assert_eq!(
            of(app(), Value::Null),
            ["SERVICE_PORT_MISMATCH"],
            "the port itself counts then"
        );
        assert_eq!(
            of(json!({"app": "other"}), json!(8000)),
            ["SERVICE_SELECTS_NOTHING"]
        );
        assert!(
            of(json!({}), json!(8000)).is_empty(),
            "endpoints made by hand"
        );
    }
}
