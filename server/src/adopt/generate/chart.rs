//! A chart with the same objects as the generated manifests.

use app::model::{Draft, NewFile};

use super::workload::Unit;
use crate::adopt::tree::join;

/// All files of the chart.
pub fn files(folder: &str, draft: &Draft, units: &[Unit]) -> Vec<NewFile> {
    let file = |path: &str, text: String| NewFile {
        path: join(folder, path),
        text,
    };
    let name = draft.name.value.trim();
    let mut files = vec![
        file(
            "Chart.yaml",
            format!(
                "apiVersion: v2\nname: {name}\ndescription: {name} with its components\ntype: application\nversion: 0.1.0\nappVersion: \"0.1.0\"\n"
            ),
        ),
        file("values.yaml", values(units)),
    ];
    files.extend(
        units
            .iter()
            .map(|unit| file(&format!("templates/{}.yaml", unit.name), unit.template())),
    );
    files
}

fn values(units: &[Unit]) -> String {
    let secret = units.first().map_or("", |unit| unit.secret.as_str());
    let mut out = format!(
        "# An existing Secret. The chart never contains or creates it, so that no secret value ends up in a\n# Helm release.\nexistingSecret: {secret}\n"
    );
    for unit in units {
        let (cpu, memory, most) = unit.resources;
        out.push_str(&format!(
            "
{}:
  image:
    repository: {}
    # Slipway puts the tag it has proved to be in the cluster in this place.
    tag: dev
    pullPolicy: Never
  replicas: 1
  service:
    type: {}
    port: {}
  resources:
    requests:
      cpu: {cpu}
      memory: {memory}
    limits:
      memory: {most}
",
            unit.name, unit.image, unit.service_type, unit.port
        ));
    }
    out
}
