//! Cluster addresses and node ports of services: handed out inside the write that needs them, so
//! that no two services ever share one.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use rand::Rng as _;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::status::{FieldError, StatusError};
use super::store::Transaction;

/// 10.96.0.0/16, the range kubeadm chooses.
const FIRST: u32 = u32::from_be_bytes([10, 96, 0, 0]);
const SIZE: u32 = 1 << 16;
const PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

struct Taken {
    addresses: HashSet<String>,
    ports: HashSet<u64>,
}

/// Gives a service what its type needs and takes away what it no longer may have.
pub fn allocate(
    txn: &Transaction<'_>,
    kind: &Kind,
    service: &mut Value,
    existing: Option<&Value>,
) -> Result<(), StatusError> {
    let name = service["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let invalid = |error: FieldError| StatusError::invalid("", "Service", &name, &[error]);
    let taken = taken(txn, kind, service);
    let ty = service["spec"]["type"]
        .as_str()
        .unwrap_or("ClusterIP")
        .to_owned();
    if ty == "ExternalName" {
        if let Some(spec) = service["spec"].as_object_mut() {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                spec.shift_remove(field);
            }
        }
        return Ok(());
    }
    keep_address(service, existing);
    let asked = service["spec"]["clusterIP"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let had = existing
        .and_then(|e| e["spec"]["clusterIP"].as_str())
        .unwrap_or("");
    if !had.is_empty() && asked != had {
        let field = FieldError::invalid(
            "spec.clusterIPs[0]",
            &json!([asked]),
            "may not change once set",
        );
        return Err(invalid(field));
    }
    let address = match asked.as_str() {
        "" => {
            free_address(&taken.addresses).ok_or_else(|| StatusError::internal("range is full"))?
        }
        "None" => asked,
        text => {
            let in_range = text
                .parse::<Ipv4Addr>()
                .is_ok_and(|ip| u32::from(ip).wrapping_sub(FIRST) < SIZE);
            let problem = if !in_range {
                Some(
                    "failed to allocate IP: the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16",
                )
            } else if text != had && taken.addresses.contains(text) {
                Some("failed to allocate IP: provided IP is already allocated")
            } else {
                None
            };
            if let Some(problem) = problem {
                let field = FieldError::invalid("spec.clusterIPs", &json!([text]), problem);
                return Err(invalid(field));
            }
            asked
        }
    };
    service["spec"]["clusterIPs"] = json!([address]);
    service["spec"]["clusterIP"] = address.into();
    node_ports(service, existing, &taken.ports).map_err(invalid)
}

/// A write that says nothing about the address keeps it.
fn keep_address(service: &mut Value, existing: Option<&Value>) {
    if let Some(address) = existing.map(|e| e["spec"]["clusterIP"].clone())
        && address.as_str().is_some_and(|a| !a.is_empty())
        && service["spec"]["clusterIP"]
            .as_str()
            .unwrap_or("")
            .is_empty()
    {
        service["spec"]["clusterIP"] = address;
    }
}

fn taken(txn: &Transaction<'_>, kind: &Kind, mine: &Value) -> Taken {
    let mut taken = Taken {
        addresses: HashSet::new(),
        ports: HashSet::new(),
    };
    for other in txn.list(kind, None) {
        if other["metadata"]["uid"] == mine["metadata"]["uid"] {
            continue;
        }
        taken
            .addresses
            .extend(other["spec"]["clusterIP"].as_str().map(str::to_owned));
        let ports = other["spec"]["ports"].as_array().into_iter().flatten();
        taken
            .ports
            .extend(ports.filter_map(|port| port["nodePort"].as_u64()));
    }
    taken
}

fn free_address(taken: &HashSet<String>) -> Option<String> {
    let start = rand::rng().random_range(0..SIZE);
    // The first 256 addresses are left for people who choose one.
    (0..SIZE)
        .map(|step| (start + step) % SIZE)
        .filter(|offset| (256..SIZE - 1).contains(offset))
        .map(|offset| Ipv4Addr::from(FIRST + offset).to_string())
        .find(|address| !taken.contains(address))
}

fn node_ports(
    service: &mut Value,
    existing: Option<&Value>,
    taken: &HashSet<u64>,
) -> Result<(), FieldError> {
    let wanted = match service["spec"]["type"].as_str() {
        Some("NodePort") => true,
        Some("LoadBalancer") => service["spec"]["allocateLoadBalancerNodePorts"] != false,
        _ => false,
    };
    let before = existing
        .map(|e| e["spec"]["ports"].clone())
        .unwrap_or_default();
    let mut used = taken.clone();
    let ports = service["spec"]["ports"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .enumerate();
    for (at, port) in ports {
        let Some(fields) = port.as_object_mut() else {
            continue;
        };
        let asked = fields
            .get("nodePort")
            .and_then(Value::as_u64)
            .filter(|p| *p != 0);
        if !wanted {
            if existing.is_some() {
                fields.shift_remove("nodePort");
            }
            continue;
        }
        let kept = || {
            before
                .as_array()
                .into_iter()
                .flatten()
                .find(|old| old["port"] == fields["port"] && old["protocol"] == fields["protocol"])
                .and_then(|old| old["nodePort"].as_u64())
        };
        let number = match asked.or_else(kept) {
            Some(number) => {
                let field = format!("spec.ports[{at}].nodePort");
                if !u16::try_from(number).is_ok_and(|p| PORTS.contains(&p)) {
                    return Err(FieldError::invalid(
                        field,
                        &number.into(),
                        "provided port is not in the valid range. The range of valid ports is 30000-32767",
                    ));
                }
                if used.contains(&number) {
                    return Err(FieldError::invalid(
                        field,
                        &number.into(),
                        "provided port is already allocated",
                    ));
                }
                number
            }
            None => {
                let start = rand::rng().random_range(PORTS);
                let all = PORTS.map(u64::from);
                all.clone()
                    .cycle()
                    .skip(usize::from(start - PORTS.start()))
                    .take(all.count())
                    .find(|port| !used.contains(port))
                    .ok_or_else(|| FieldError::forbidden("spec.ports", "no node port is free"))?
            }
        };
        used.insert(number);
        fields.insert("nodePort".into(), number.into());
    }
    Ok(())
}
