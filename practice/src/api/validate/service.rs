//! Services: ports, types and addresses.

use std::collections::HashSet;

use serde_json::Value;

use super::super::names;
use super::super::status::FieldError;
use super::{labels, list, one_of, port_number, text};

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

pub fn check(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    one_of(&spec["type"], TYPES, "spec.type".into(), errors);
    one_of(
        &spec["sessionAffinity"],
        &["ClientIP", "None"],
        "spec.sessionAffinity".into(),
        errors,
    );
    labels(&spec["selector"], "spec.selector", errors);
    let external = spec["type"] == "ExternalName";
    if external && !names::is_subdomain(text(&spec["externalName"]).trim_end_matches('.')) {
        errors.push(FieldError::invalid(
            "spec.externalName",
            &spec["externalName"],
            names::SUBDOMAIN_RULE,
        ));
    }
    let ports = spec["ports"].as_array().map_or(0, Vec::len);
    if ports == 0 && !external && spec["clusterIP"] != "None" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    let (mut seen_names, mut seen) = (HashSet::new(), HashSet::new());
    for (at, port) in list(&spec["ports"]) {
        let path = |field: &str| format!("spec.ports[{at}].{field}");
        let name = text(&port["name"]);
        if name.is_empty() {
            if ports > 1 {
                errors.push(FieldError::required(path("name"), ""));
            }
        } else if !names::is_dns_label(name) {
            errors.push(FieldError::invalid(
                path("name"),
                &port["name"],
                names::LABEL_RULE,
            ));
        } else if !seen_names.insert(name) {
            errors.push(FieldError::duplicate(path("name"), &port["name"]));
        }
        port_number(&port["port"], path("port"), errors);
        one_of(
            &port["protocol"],
            &["SCTP", "TCP", "UDP"],
            path("protocol"),
            errors,
        );
        if port["targetPort"].is_number() {
            port_number(&port["targetPort"], path("targetPort"), errors);
        }
        if !seen.insert((port["port"].to_string(), text(&port["protocol"]).to_owned())) {
            errors.push(FieldError::duplicate(format!("spec.ports[{at}]"), port));
        }
    }
}
