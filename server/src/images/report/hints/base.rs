//! Rules about base images and stages.

use std::collections::BTreeSet;

use app::model::HintSeverity::{Error, Warning};

use super::{Hit, Rule, View};
use crate::images::report::dockerfile::Stage;

pub const RULES: &[Rule] = &[
    Rule {
        id: "BASE_UNTAGGED",
        hadolint: Some("DL3006"),
        severity: Warning,
        why: "Without a tag it is whatever was published last: the same Dockerfile makes another image tomorrow.",
        find: untagged,
    },
    Rule {
        id: "BASE_LATEST",
        hadolint: Some("DL3007"),
        severity: Warning,
        why: "latest is whatever was published last: the same Dockerfile makes another image tomorrow.",
        find: latest,
    },
    Rule {
        id: "BASE_PLATFORM_FIXED",
        hadolint: Some("DL3029"),
        severity: Warning,
        why: "A fixed platform makes an image that the cluster's nodes may not be able to run.",
        find: platform_fixed,
    },
    Rule {
        id: "STAGE_NAME_TWICE",
        hadolint: Some("DL3024"),
        severity: Error,
        why: "A later COPY --from takes only one of them.",
        find: name_twice,
    },
    Rule {
        id: "COPY_FROM_UNKNOWN",
        hadolint: Some("DL3022"),
        severity: Warning,
        why: "A name that is no stage is pulled as an image from a registry.",
        find: copy_from_unknown,
    },
    Rule {
        id: "COPY_FROM_ITSELF",
        hadolint: Some("DL3023"),
        severity: Error,
        why: "A stage is not there yet while it is being built.",
        find: copy_from_itself,
    },
    Rule {
        id: "ONBUILD_REFUSED",
        hadolint: Some("DL3043"),
        severity: Error,
        why: "The builder refuses it.",
        find: onbuild_refused,
    },
];

/// Stages whose image is one to be pulled.
fn pulled<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a Stage<'a>> {
    view.stages.iter().enumerate().filter_map(|(at, stage)| {
        let is_stage = view.stages[..at]
            .iter()
            .any(|earlier| earlier.name.as_deref() == Some(&stage.image.to_lowercase()));
        let known = !is_stage && stage.image != "scratch" && !stage.image.contains('$');
        (known && !stage.image.is_empty()).then_some(stage)
    })
}

/// The tag; `None` also for a digest, which is better than a tag.
fn tag_of(image: &str) -> Option<Option<&str>> {
    if image.contains('@') {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    Some(last.split_once(':').map(|(_, tag)| tag))
}

fn untagged(view: &View<'_>) -> Vec<Hit> {
    pulled(view)
        .filter(|stage| tag_of(&stage.image) == Some(None))
        .map(|stage| {
            let image = &stage.image;
            Hit::at(
                stage.from,
                format!("{image} has no tag"),
                format!("Name a version: {image}:VERSION"),
            )
            .replacing(view, image, &format!("{image}:VERSION"))
        })
        .collect()
}

fn latest(view: &View<'_>) -> Vec<Hit> {
    pulled(view)
        .filter(|stage| tag_of(&stage.image) == Some(Some("latest")))
        .map(|stage| {
            Hit::at(
                stage.from,
                format!("{} moves", stage.image),
                "Name a version instead of latest",
            )
            .replacing(view, ":latest", ":VERSION")
        })
        .collect()
}

fn platform_fixed(view: &View<'_>) -> Vec<Hit> {
    view.stages
        .iter()
        .filter_map(|stage| {
            let platform = stage.from.flag("platform")?;
            (!platform.is_empty() && !platform.contains('$')).then(|| {
                Hit::at(
                    stage.from,
                    format!("The platform {platform} is fixed"),
                    "Leave the flag out, so that the image fits the cluster it is built for",
                )
                .replacing(view, &format!("--platform={platform} "), "")
            })
        })
        .collect()
}

fn name_twice(view: &View<'_>) -> Vec<Hit> {
    let mut seen = BTreeSet::new();
    view.stages
        .iter()
        .filter(|stage| stage.name.as_ref().is_some_and(|name| !seen.insert(name)))
        .map(|stage| {
            let name = stage.name.as_deref().unwrap_or_default();
            Hit::at(
                stage.from,
                format!("Two stages are called {name}"),
                "Give one of them another name",
            )
        })
        .collect()
}

/// Copies from a stage or image: the stage they stand in, by number, and the name they use.
fn copies_from<'a>(
    view: &'a View<'_>,
) -> impl Iterator<Item = (usize, &'a super::Instruction, String)> {
    view.stages.iter().enumerate().flat_map(|(at, stage)| {
        stage
            .instructions
            .iter()
            .filter(|one| one.is("COPY"))
            .filter_map(move |copy| Some((at, copy, copy.flag("from")?.to_lowercase())))
    })
}

fn copy_from_unknown(view: &View<'_>) -> Vec<Hit> {
    copies_from(view)
        .filter(|(at, _, name)| {
            let is_number = name.parse::<usize>().is_ok_and(|number| number < *at);
            let is_stage = view.stages[..*at]
                .iter()
                .any(|stage| stage.name.as_deref() == Some(name));
            let is_itself = view.stages[*at].name.as_deref() == Some(name);
            let is_image = name.contains(['/', ':', '@', '$']);
            !(is_number || is_stage || is_itself || is_image)
        })
        .map(|(_, copy, name)| {
            Hit::at(
                copy,
                format!("No earlier stage is called {name}"),
                "Name an earlier stage, or an image with its tag",
            )
        })
        .collect()
}

fn copy_from_itself(view: &View<'_>) -> Vec<Hit> {
    copies_from(view)
        .filter(|(at, _, name)| view.stages[*at].name.as_deref() == Some(name))
        .map(|(_, copy, name)| {
            Hit::at(
                copy,
                format!("The stage {name} copies from itself"),
                "Copy from an earlier stage",
            )
        })
        .collect()
}

fn onbuild_refused(view: &View<'_>) -> Vec<Hit> {
    view.file
        .instructions
        .iter()
        .filter(|one| one.on_build)
        .filter(|one| matches!(one.keyword.as_str(), "FROM" | "ONBUILD" | "MAINTAINER"))
        .map(|one| {
            Hit::at(
                one,
                format!("{} cannot stand behind ONBUILD", one.keyword),
                "Leave the line out",
            )
        })
        .collect()
}
