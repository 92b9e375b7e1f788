//! The secrets of a proposal: what manifests read first, then compose files, then `.env` files.

use std::collections::BTreeMap;

use app::model::{DraftSecret, Guess, Note};

use super::compose::Service;
use super::env_file::{self, Variable};
use super::kubernetes::Read;
use super::parts::Part;
use super::tree::{folder_of, is_below};
use super::{names, secrets};

/// The Secret that the manifests read.
pub fn secret_name(reads: &[Read], project: &str) -> Guess {
    let mut counts: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for read in reads.iter().filter(|read| !read.secret.is_empty()) {
        counts.entry(&read.secret).or_insert((0, &read.source)).0 += 1;
    }
    match counts.iter().max_by_key(|(_, (count, _))| *count) {
        Some((name, (_, source))) => Guess::new(*name, format!("{source} reads it")),
        None => Guess::new(format!("{project}-secrets"), "The project's name"),
    }
}

pub fn draft_secrets(
    parts: &[Part],
    reads: &[Read],
    services: &[Service],
    variables: &[Variable],
    other_database: bool,
    notes: &mut Vec<Note>,
) -> Vec<DraftSecret> {
    let mut made: Vec<DraftSecret> = Vec::new();
    let name_of_part = |wanted: &dyn Fn(&Part) -> bool| {
        parts
            .iter()
            .find(|part| wanted(part))
            .map(|part| part.draft.name.value.clone())
    };
    let mut add = |key: &str,
                   why: String,
                   component: Option<String>,
                   optional: bool,
                   help: &str,
                   sure: bool| {
        if !env_file::is_name(key) {
            return;
        }
        if let Some(known) = made.iter_mut().find(|known| known.key.value == key) {
            if let Some(component) = component {
                let listed = &mut known.components;
                if !listed.is_empty() && !listed.value.split(", ").any(|one| one == component) {
                    listed.value = format!("{}, {component}", listed.value);
                }
            }
            return;
        }
        let (kind, kind_why) = match secrets::kind(key, other_database) {
            Some(kind) => kind,
            None if sure => ("text", "Anything is accepted"),
            None => return,
        };
        let known = secrets::known(key);
        made.push(DraftSecret {
            taken: true,
            key: Guess::new(key, why.clone()),
            why,
            label: known.map_or_else(
                || Guess::none("The key itself is shown"),
                |(label, _)| Guess::new(label, "How people call it"),
            ),
            help: match (help, known) {
                ("", Some((_, help))) => Guess::new(help, "Where to get it"),
                ("", None) => Guess::none("Where to get it, in a sentence"),
                (help, _) => Guess::new(help, "The comment in the example file"),
            },
            kind: Guess::new(kind, kind_why),
            optional: match optional {
                true => Guess::new("yes", "The pods start without it"),
                false => Guess::new("no", "The walk waits for it"),
            },
            components: match component {
                Some(component) => Guess::new(component, "Where it is read"),
                None => Guess::none("Read by every component"),
            },
        });
    };
    for read in reads {
        let component = read.workload.as_ref().and_then(|workload| {
            let label = names::label(workload)?;
            name_of_part(&|part| part.draft.name.value == label)
        });
        add(
            &read.key,
            format!("{} reads it from a Secret", read.source),
            component,
            read.optional,
            "",
            true,
        );
    }
    for service in services.iter().filter(|service| service.build.is_some()) {
        for key in &service.variables {
            let component = name_of_part(&|part| part.service.as_deref() == Some(&service.name));
            add(
                key,
                format!("{} hands it to {}", service.file, service.name),
                component,
                false,
                "",
                false,
            );
        }
    }
    let mut settings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for variable in variables {
        if secrets::kind(&variable.name, other_database).is_none() {
            settings
                .entry(&variable.file)
                .or_default()
                .push(&variable.name);
            continue;
        }
        let folder = folder_of(&variable.file);
        let component = match folder {
            "" => None,
            folder => {
                name_of_part(&|part| !part.context.is_empty() && is_below(folder, &part.context))
            }
        };
        let why = format!("{} names it", variable.file);
        add(&variable.name, why, component, false, &variable.help, false);
    }
    for (file, names) in settings {
        notes.push(Note {
            source: file.to_owned(),
            text: format!(
                "By their names these are settings and no secrets; they belong into the manifests: {}",
                names.iter().take(12).copied().collect::<Vec<_>>().join(", ")
            ),
        });
    }
    made
}
