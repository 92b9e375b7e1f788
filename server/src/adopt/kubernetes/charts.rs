//! Charts: the nearest one, its values for a cluster on this machine, and what they say.

use app::model::{Guess, Note};
use serde_json::Value;

use super::{Found, LOCAL, Read, Workload, repository};
use crate::adopt::env_file;
use crate::adopt::tree::{Tree, folder_of, is_below, join, name_of, shown};

/// The folders of all charts; the nearest one is proposed.
pub(super) fn charts(tree: &Tree, found: &mut Found) -> Vec<String> {
    let mut charts: Vec<String> = tree
        .files()
        .filter(|path| name_of(path) == "Chart.yaml")
        .map(|path| folder_of(path).to_owned())
        .collect();
    charts.sort_by_key(|folder| (folder.matches('/').count(), folder.clone()));
    let tops: Vec<String> = charts
        .iter()
        .filter(|chart| {
            !charts
                .iter()
                .any(|other| other != *chart && is_below(chart, other))
        })
        .cloned()
        .collect();
    let Some(chart) = tops.first() else {
        return charts;
    };
    let file = join(chart, "Chart.yaml");
    let why = match tops.len() {
        1 => format!("{file} makes it a chart"),
        many => format!("The first of {many} charts"),
    };
    found.chart = Some(Guess::new(shown(chart), why));
    for other in tops.iter().skip(1) {
        found.notes.push(Note {
            source: other.clone(),
            text: format!("Another chart; slipway.toml names one, and {chart} came first"),
        });
    }
    let local = LOCAL.iter().take(4).find_map(|word| {
        ["yaml", "yml"].iter().find_map(|ending| {
            let name = format!("values-{word}.{ending}");
            let dotted = format!("values.{word}.{ending}");
            tree.first_in(chart, &[&name, &dotted])
        })
    });
    if let Some(values) = local {
        let why = "Values for a cluster on this machine, by its name";
        found.values = Some(Guess::new(name_of(&values), why));
    }
    chart_facts(tree, chart, found);
    charts
}

/// What values and templates say of components and Secrets.
fn chart_facts(tree: &Tree, chart: &str, found: &mut Found) {
    let file = join(chart, "values.yaml");
    let values = tree
        .read(&file)
        .and_then(|text| serde_yaml::from_str::<serde_yaml::Value>(&text).ok())
        .and_then(|values| serde_json::to_value(values).ok())
        .unwrap_or_default();
    let name = tree
        .read(&join(chart, "Chart.yaml"))
        .and_then(|text| serde_yaml::from_str::<serde_yaml::Value>(&text).ok())
        .and_then(|about| Some(about.get("name")?.as_str()?.to_owned()));
    let top = name.unwrap_or_else(|| "app".to_owned());
    if let Some(workload) = of_values(&file, &top, &values) {
        found.workloads.push(workload);
    }
    for (key, value) in values.as_object().into_iter().flatten() {
        if let Some(workload) = of_values(&file, key, value) {
            found.workloads.push(workload);
        }
    }
    let templates = join(chart, "templates");
    for path in tree.below(&templates) {
        if let Some(text) = tree.read(path) {
            found.reads.extend(template_reads(path, &text));
        }
    }
}

fn of_values(file: &str, name: &str, value: &Value) -> Option<Workload> {
    let image = match &value["image"] {
        Value::String(image) => image.clone(),
        image => image["repository"].as_str()?.to_owned(),
    };
    let port = [
        &value["service"]["targetPort"],
        &value["containerPort"],
        &value["port"],
        &value["service"]["port"],
    ]
    .into_iter()
    .find_map(|port| port.as_u64().filter(|port| (1..65_536).contains(port)));
    let kind = value["service"]["type"]
        .as_str()
        .filter(|kind| matches!(*kind, "ClusterIP" | "NodePort" | "LoadBalancer"));
    Some(Workload {
        name: name.to_owned(),
        image: repository(&image),
        source: file.to_owned(),
        port: port.map(|port| {
            Guess::new(
                port.to_string(),
                format!("The values of the chart ({file}) say so"),
            )
        }),
        startup: None,
        liveness: None,
        readiness: None,
        service: kind
            .map(|kind| Guess::new(kind, format!("The values of the chart ({file}) say so"))),
    })
}

/// `secretKeyRef` with a plain key. Templates are no YAML, so lines are read.
fn template_reads(path: &str, text: &str) -> Vec<Read> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reads = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !line.trim_end().ends_with("secretKeyRef:") {
            continue;
        }
        let value = |name: &str| {
            lines[at + 1..].iter().take(4).find_map(|line| {
                let value = line.trim().strip_prefix(name)?.trim();
                Some(value.trim_matches(['"', '\'']).to_owned())
            })
        };
        if let Some(key) = value("key:").filter(|key| env_file::is_name(key)) {
            reads.push(Read {
                key,
                secret: value("name:")
                    .filter(|name| is_name(name))
                    .unwrap_or_default(),
                optional: value("optional:").is_some_and(|value| value == "true"),
                workload: None,
                source: format!("{path}:{}", at + 1),
            });
        }
    }
    reads
}

fn is_name(name: &str) -> bool {
    name.parse::<app::model::ComponentName>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_templates_are_read_where_they_are_plain() {
        let text = "- name: A\n  valueFrom:\n    secretKeyRef:\n      name: {{ .Values.secret }}\n      key: DATABASE_URL\n- secretKeyRef:\n    name: s\n    key: {{ .key }}\n";
        let reads = template_reads("t.yaml", text);
        assert_eq!(reads.len(), 1);
        assert_eq!(
            (reads[0].key.as_str(), reads[0].secret.as_str()),
            ("DATABASE_URL", "")
        );
    }
}
