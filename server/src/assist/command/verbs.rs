//! The verbs that may be proposed, each with its kinds and flags, and why others are not.

use serde_json::Value;

use super::flags::{Flag, Sorted, sort};
use super::kinds::{Kind, find};
use super::{Class, Command, Denied, Target, values};

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Scale {
        replicas: u32,
    },
    Restart,
    /// Back to a revision; none: the one before.
    Undo {
        revision: Option<u64>,
    },
    Pause,
    Resume,
    SetImage,
    SetEnv,
    SetResources,
    Label,
    Annotate,
    Patch {
        patch: Value,
        kind: PatchType,
    },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    Strategic,
    Merge,
    Json,
}

impl Verb {
    /// Whether kubectl lets one name the field manager. Of the others it is `kubectl`.
    pub(super) fn takes_manager(&self) -> bool {
        !matches!(self, Self::Scale { .. } | Self::Undo { .. } | Self::Delete)
    }

    /// As kubectl calls it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Scale { .. } => "scale",
            Self::Restart => "rollout restart",
            Self::Undo { .. } => "rollout undo",
            Self::Pause => "rollout pause",
            Self::Resume => "rollout resume",
            Self::SetImage => "set image",
            Self::SetEnv => "set env",
            Self::SetResources => "set resources",
            Self::Label => "label",
            Self::Annotate => "annotate",
            Self::Patch { .. } => "patch",
            Self::Delete => "delete",
        }
    }
}

const fn valued(long: &'static str, short: Option<char>, value: fn(&str) -> bool) -> Flag {
    Flag {
        long,
        short,
        value: Some(value),
    }
}

const fn switch(long: &'static str) -> Flag {
    Flag {
        long,
        short: None,
        value: None,
    }
}

const CONTAINERS: Flag = valued("containers", Some('c'), values::is_name);

/// Verbs that are denied for a reason of their own.
const NEVER: [(&[&str], &str); 8] = [
    (
        &[
            "exec",
            "attach",
            "debug",
            "run",
            "cp",
            "port-forward",
            "proxy",
        ],
        "reaches into pods or opens a way to them",
    ),
    (
        &["config", "plugin", "completion", "alpha", "kuberc"],
        "changes how kubectl itself works",
    ),
    (&["auth", "certificate"], "decides about rights"),
    (
        &["cordon", "uncordon", "drain", "taint"],
        "changes nodes, which belong to the whole cluster",
    ),
    (
        &["apply", "create", "replace", "kustomize"],
        "brings whole objects; that is what the project's manifests and the Deploy page are for",
    ),
    (
        &["edit"],
        "opens an editor, so nobody can see beforehand what it will do",
    ),
    (
        &["expose", "autoscale"],
        "makes new objects nobody has named",
    ),
    (
        &["wait", "diff", "cluster-info", "options", "help"],
        "changes nothing",
    ),
];

const LOOKS: [&str; 8] = [
    "get",
    "describe",
    "logs",
    "events",
    "top",
    "explain",
    "version",
    "api-resources",
];

pub fn classify(words: &[String], namespace: &str) -> Result<Class, Denied> {
    // A namespace may stand before the verb; any other flag there is none of ours.
    let (before, after) = leading(words)?;
    let Some((verb, rest)) = after.split_first() else {
        return Err(Denied::Empty);
    };
    let given = match before {
        Some(given) if given != namespace => return Err(Denied::OtherNamespace(given)),
        _ => namespace,
    };
    match verb.as_str() {
        look if LOOKS.contains(&look) => look_at(look, rest, given),
        "scale" => scale(rest, given),
        "rollout" => rollout(rest, given),
        "set" => set(rest, given),
        "label" | "annotate" => mark(verb, rest, given),
        "patch" => patch(rest, given),
        "delete" => delete(rest, given),
        other => Err(refused(other)),
    }
}

fn leading(words: &[String]) -> Result<(Option<String>, &[String]), Denied> {
    let Some(first) = words.first().filter(|word| word.starts_with('-')) else {
        return Ok((None, words));
    };
    for name in ["--namespace=", "-n="] {
        if let Some(given) = first.strip_prefix(name) {
            return Ok((Some(given.to_owned()), &words[1..]));
        }
    }
    if matches!(first.as_str(), "--namespace" | "-n") {
        let given = words.get(1).cloned().ok_or(Denied::FlagValue {
            flag: first.clone(),
        })?;
        return Ok((Some(given), &words[2..]));
    }
    // Sorted only for the reason.
    sort(&words[..1], &[])?;
    Err(Denied::UnknownFlag(first.clone()))
}

fn refused(verb: &str) -> Denied {
    for (verbs, why) in NEVER {
        if verbs.contains(&verb) {
            return Denied::Verb {
                verb: verb.to_owned(),
                why,
            };
        }
    }
    Denied::UnknownVerb(verb.to_owned())
}

/// Sorts and checks the namespace.
fn sorted(words: &[String], flags: &[Flag], namespace: &str) -> Result<Sorted, Denied> {
    let sorted = sort(words, flags)?;
    match &sorted.namespace {
        Some(given) if given != namespace => Err(Denied::OtherNamespace(given.clone())),
        _ => Ok(sorted),
    }
}

/// `TYPE/NAME…` or `TYPE NAME…`: the objects, and what stands behind them. With `rest_begins` the
/// names of the second form end where a word is one of the rest.
fn targets(
    plain: &[String],
    rest_begins: fn(&str) -> bool,
) -> Result<(Vec<Target>, &[String]), Denied> {
    let first = plain.first().ok_or(Denied::NoObject)?;
    let mut found = Vec::new();
    let mut at = 0;
    if first.contains('/') && !rest_begins(first) {
        while let Some(word) = plain.get(at).filter(|word| !rest_begins(word)) {
            let (kind, name) = word
                .split_once('/')
                .ok_or_else(|| Denied::Word(word.clone()))?;
            found.push(target(find(kind)?, name)?);
            at += 1;
        }
    } else {
        let kind = find(first)?;
        at = 1;
        while let Some(name) = plain.get(at).filter(|word| !rest_begins(word)) {
            found.push(target(kind, name)?);
            at += 1;
        }
    }
    if found.is_empty() {
        return Err(Denied::NoObject);
    }
    Ok((found, &plain[at..]))
}

fn target(kind: &'static Kind, name: &str) -> Result<Target, Denied> {
    if !values::is_name(name) {
        return Err(Denied::Name(name.to_owned()));
    }
    Ok(Target {
        kind,
        name: name.to_owned(),
    })
}

const NOTHING_BEHIND: fn(&str) -> bool = |_| false;

fn only_targets(plain: &[String]) -> Result<Vec<Target>, Denied> {
    targets(plain, NOTHING_BEHIND).map(|(targets, _)| targets)
}

fn each(targets: &[Target], verb: &'static str, fits: fn(&Kind) -> bool) -> Result<(), Denied> {
    match targets.iter().find(|target| !fits(target.kind)) {
        Some(target) => Err(Denied::NotOfKind {
            verb,
            kind: target.kind.kind,
        }),
        None => Ok(()),
    }
}

/// The command, with its words in one form: verb, objects, values, flags.
fn change(
    verb: Verb,
    targets: Vec<Target>,
    values: &[String],
    sorted: &Sorted,
    namespace: &str,
) -> Class {
    let mut words: Vec<String> = verb.word().split(' ').map(str::to_owned).collect();
    words.extend(
        targets
            .iter()
            .map(|target| format!("{}/{}", target.kind.kind.to_lowercase(), target.name)),
    );
    words.extend(values.iter().cloned());
    words.extend(sorted.words());
    let flags = values.iter().cloned().chain(sorted.words()).collect();
    Class::Change(Command {
        verb,
        targets,
        namespace: namespace.to_owned(),
        flags,
        words,
    })
}

fn scale(words: &[String], namespace: &str) -> Result<Class, Denied> {
    let flags = [
        valued("replicas", None, values::is_replicas),
        valued("current-replicas", None, values::is_replicas),
    ];
    let sorted = sorted(words, &flags, namespace)?;
    let targets = only_targets(&sorted.plain)?;
    each(&targets, "scale", |kind| kind.can_scale)?;
    let replicas = sorted
        .value("replicas")
        .and_then(|value| value.parse().ok())
        .ok_or(Denied::FlagValue {
            flag: "--replicas".to_owned(),
        })?;
    Ok(change(
        Verb::Scale { replicas },
        targets,
        &[],
        &sorted,
        namespace,
    ))
}

fn rollout(words: &[String], namespace: &str) -> Result<Class, Denied> {
    let (act, rest) = words.split_first().ok_or(Denied::Empty)?;
    let flags: &[Flag] = match act.as_str() {
        "undo" | "history" => &[Flag {
            long: "to-revision",
            short: None,
            value: Some(values::is_revision),
        }],
        "restart" | "pause" | "resume" | "status" => &[],
        other => return Err(Denied::UnknownVerb(format!("rollout {other}"))),
    };
    let sorted = sorted(rest, flags, namespace)?;
    let targets = only_targets(&sorted.plain)?;
    each(&targets, "rollout", |kind| kind.is_workload)?;
    let verb = match act.as_str() {
        "status" | "history" => return Ok(Class::Look),
        "undo" => Verb::Undo {
            revision: sorted
                .value("to-revision")
                .and_then(|value| value.parse().ok())
                .filter(|revision| *revision > 0),
        },
        "restart" => Verb::Restart,
        "pause" => Verb::Pause,
        _ => Verb::Resume,
    };
    // kubectl pauses and takes back Deployments; of the others it is not known what comes of it.
    if !matches!(verb, Verb::Restart) {
        each(&targets, verb.word(), |kind| kind.kind == "Deployment")?;
    }
    Ok(change(verb, targets, &[], &sorted, namespace))
}

fn set(words: &[String], namespace: &str) -> Result<Class, Denied> {
    let (what, rest) = words.split_first().ok_or(Denied::Empty)?;
    let has_value: fn(&str) -> bool = |word| word.contains('=');
    match what.as_str() {
        "image" => {
            let sorted = sorted(rest, &[], namespace)?;
            let (targets, images) = targets(&sorted.plain, has_value)?;
            each(&targets, "set image", |kind| kind.is_workload)?;
            checked(images, values::is_image_change)?;
            Ok(change(Verb::SetImage, targets, images, &sorted, namespace))
        }
        "env" => {
            let sorted = sorted(rest, &[CONTAINERS], namespace)?;
            let (targets, variables) = targets(&sorted.plain, |word| {
                word.contains('=') || word.ends_with('-')
            })?;
            each(&targets, "set env", |kind| kind.is_workload)?;
            checked(variables, values::is_variable)?;
            Ok(change(Verb::SetEnv, targets, variables, &sorted, namespace))
        }
        "resources" => {
            let flags = [
                CONTAINERS,
                valued("limits", None, values::is_resources),
                valued("requests", None, values::is_resources),
            ];
            let sorted = sorted(rest, &flags, namespace)?;
            let targets = only_targets(&sorted.plain)?;
            each(&targets, "set resources", |kind| kind.is_workload)?;
            if sorted.value("limits").is_none() && sorted.value("requests").is_none() {
                return Err(Denied::Value("it sets nothing"));
            }
            Ok(change(Verb::SetResources, targets, &[], &sorted, namespace))
        }
        "serviceaccount" | "sa" | "subject" => Err(Denied::Verb {
            verb: format!("set {what}"),
            why: "decides about rights",
        }),
        "selector" => Err(Denied::Verb {
            verb: "set selector".to_owned(),
            why: "replaces the whole selector; a patch shows what changes",
        }),
        other => Err(Denied::UnknownVerb(format!("set {other}"))),
    }
}

fn checked(words: &[String], makes_sense: fn(&str) -> bool) -> Result<(), Denied> {
    match words.iter().find(|word| !makes_sense(word)) {
        Some(word) => Err(Denied::Word(word.clone())),
        None if words.is_empty() => Err(Denied::Value("it sets nothing")),
        None => Ok(()),
    }
}

fn mark(verb: &str, words: &[String], namespace: &str) -> Result<Class, Denied> {
    let sorted = sorted(words, &[switch("overwrite")], namespace)?;
    let (targets, marks) = targets(&sorted.plain, |word| {
        word.contains('=') || word.ends_with('-')
    })?;
    checked(marks, |word| values::mark_key(word).is_some())?;
    if marks
        .iter()
        .filter_map(|word| values::mark_key(word))
        .any(values::is_reserved)
    {
        return Err(Denied::Value(
            "controllers, Helm or Slipway know what is theirs by that mark",
        ));
    }
    let verb = match verb {
        "label" => Verb::Label,
        _ => Verb::Annotate,
    };
    Ok(change(verb, targets, marks, &sorted, namespace))
}

fn patch(words: &[String], namespace: &str) -> Result<Class, Denied> {
    let flags = [
        valued("patch", Some('p'), values::anything),
        valued("type", None, values::is_patch_type),
    ];
    let sorted = sorted(words, &flags, namespace)?;
    let targets = only_targets(&sorted.plain)?;
    let [_] = targets.as_slice() else {
        return Err(Denied::Value("one patch is for one object"));
    };
    let text = sorted.value("patch").ok_or(Denied::FlagValue {
        flag: "--patch".to_owned(),
    })?;
    let patch: Value =
        serde_json::from_str(text).map_err(|error| Denied::PatchSyntax(error.to_string()))?;
    let kind = match sorted.value("type") {
        Some("merge") => PatchType::Merge,
        Some("json") => PatchType::Json,
        _ => PatchType::Strategic,
    };
    let fits = match kind {
        PatchType::Json => patch.is_array(),
        PatchType::Strategic | PatchType::Merge => patch.is_object(),
    };
    if !fits {
        return Err(Denied::Value("the patch is not of the form its type wants"));
    }
    Ok(change(
        Verb::Patch { patch, kind },
        targets,
        &[],
        &sorted,
        namespace,
    ))
}

fn delete(words: &[String], namespace: &str) -> Result<Class, Denied> {
    let sorted = sorted(words, &[], namespace)?;
    let targets = only_targets(&sorted.plain)?;
    Ok(change(Verb::Delete, targets, &[], &sorted, namespace))
}

/// Looking is free, but not at Secrets, and not elsewhere.
fn look_at(verb: &str, words: &[String], namespace: &str) -> Result<Class, Denied> {
    let flags = [
        valued("output", Some('o'), values::is_output),
        valued("tail", None, values::is_revision),
        valued("container", Some('c'), values::is_name),
        valued("since", None, values::anything),
        switch("previous"),
        switch("show-labels"),
        switch("timestamps"),
        switch("client"),
    ];
    let sorted = sorted(words, &flags, namespace)?;
    match verb {
        "explain" | "version" | "api-resources" | "events" => {}
        "logs" => match sorted.plain.as_slice() {
            [pod] if !pod.contains('/') => drop(target(find("pod")?, pod)?),
            [named] => drop(only_targets(std::slice::from_ref(named))?),
            _ => return Err(Denied::NoObject),
        },
        _ => {
            let first = sorted.plain.first().ok_or(Denied::NoObject)?;
            for kinds in first.split('/').next().unwrap_or_default().split(',') {
                find(kinds)?;
            }
            if first.contains('/') {
                only_targets(&sorted.plain)?;
            }
        }
    }
    Ok(Class::Look)
}
