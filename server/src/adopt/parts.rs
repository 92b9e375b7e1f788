//! Components in the making: where each comes from, and what the next finder adds to it. What is
//! known already stays, except that manifests have the last word.

use app::model::{DraftComponent, Guess, Note};

use super::compose::Service;
use super::dockerfiles::Found as FoundDockerfile;
use super::kubernetes::{Workload, is_infrastructure};
use super::names;
use super::stack::{self, Kind, Stack};
use super::tree::{Tree, folder_of, is_below, join, name_of, normal, shown};

/// A component in the making.
#[derive(Debug)]
pub struct Part {
    pub draft: DraftComponent,
    /// The folder of its sources, if it is in the project.
    pub context: String,
    /// What of the context its Dockerfile copies; empty: nothing is known.
    copies: Vec<String>,
    /// The compose service it comes from.
    pub service: Option<String>,
    is_published: bool,
    is_front: bool,
    /// Its Service type comes from a manifest.
    is_exposed: Option<Guess>,
}

#[derive(Debug)]
pub struct Maker<'a> {
    pub tree: &'a Tree,
    pub project: &'a str,
    pub parts: Vec<Part>,
}

impl Maker<'_> {
    fn add(&mut self, wanted: &str, name_why: String, why: String, context: Guess) -> &mut Part {
        let taken: Vec<String> = self
            .parts
            .iter()
            .map(|part| part.draft.name.value.clone())
            .collect();
        let label = names::label(wanted).unwrap_or_else(|| "app".to_owned());
        let name = names::free(&label, &taken);
        let folder = normal(&context.value).unwrap_or_default();
        let image = Guess::new(
            format!("{}-{name}", self.project),
            "The project's and the component's name",
        );
        self.parts.push(Part {
            draft: DraftComponent {
                why,
                name: Guess::new(name, name_why),
                context,
                image,
                port: Guess::none("Nothing names a port: write the one its container listens on"),
                startup: Guess::none("Only needed where starting takes long"),
                liveness: stack::no_path("alive"),
                readiness: stack::no_path("ready"),
                ..DraftComponent::default()
            },
            context: folder,
            copies: Vec::new(),
            service: None,
            is_published: false,
            is_front: false,
            is_exposed: None,
        });
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    pub fn services(&mut self, services: &[Service], dockerfiles: &[FoundDockerfile]) {
        for service in services {
            let Some(build) = &service.build else {
                continue;
            };
            let tree = self.tree;
            let file = &service.file;
            let part = self.add(
                &service.name,
                format!("The service's name in {file}"),
                format!("{file} builds the service {}", service.name),
                Guess::new(
                    shown(&build.context),
                    format!("The build context in {file}"),
                ),
            );
            part.service = Some(service.name.clone());
            part.is_published = service.is_published;
            part.draft.settings.clone_from(&service.settings);
            if tree.has(&build.dockerfile) {
                part.draft.dockerfile =
                    Guess::new(&build.dockerfile, format!("{file} builds it from there"));
                part.copies = dockerfiles
                    .iter()
                    .find(|found| found.path == build.dockerfile)
                    .map(|found| found.facts.copies.clone())
                    .unwrap_or_default();
            } else {
                part.draft.dockerfile = Guess::none(format!(
                    "{file} names {}, which is not there",
                    build.dockerfile
                ));
            }
            if let Some(port) = &service.port {
                part.draft.port = port.clone();
            }
            if let Some(health) = &service.health {
                part.draft.liveness = health.clone();
                part.draft.readiness = health.clone();
            }
        }
    }

    pub fn dockerfiles(&mut self, dockerfiles: &[FoundDockerfile]) {
        let many = dockerfiles.len() > 1;
        for found in dockerfiles {
            if self
                .parts
                .iter()
                .any(|part| part.draft.dockerfile.value == found.path)
            {
                continue;
            }
            let (name, why) = match &found.name {
                Some(name) => (name.clone(), format!("By the name of {}", found.path)),
                None if many => (
                    "app".to_owned(),
                    "The Dockerfile of the folder itself".to_owned(),
                ),
                None => (
                    self.project.to_owned(),
                    "The project's name: there is one Dockerfile".to_owned(),
                ),
            };
            let part = self.add(
                &name,
                why,
                format!("{} builds an image", found.path),
                found.context.clone(),
            );
            part.draft.dockerfile = Guess::new(&found.path, "It is there");
            part.copies.clone_from(&found.facts.copies);
        }
    }

    /// Sources that no Dockerfile builds.
    pub fn stacks(&mut self, stacks: &[Stack]) {
        for stack in stacks {
            let is_built = self.parts.iter().any(|part| {
                part.context == stack.folder
                    || part.draft.dockerfile.value == join(&stack.folder, "Dockerfile")
                    || (is_below(&stack.folder, &part.context) && part.copies_folder(&stack.folder))
            });
            if is_built {
                continue;
            }
            // Where the dependencies are installed, the build has to see.
            let (context, context_why) = match &stack.kind {
                Kind::Node(node) => (
                    node.install_in.as_str(),
                    "The workspace's folder, which has the lock file",
                ),
                Kind::Rust(rust) => (
                    rust.workspace.as_str(),
                    "The workspace's folder, which has the lock file",
                ),
                Kind::Python(_) | Kind::Go(_) => {
                    (stack.folder.as_str(), "The folder of its sources")
                }
            };
            let context_why = if context == stack.folder {
                "The folder of its sources"
            } else {
                context_why
            };
            let (name, why) = match (&stack.name, name_of(&stack.folder)) {
                (_, folder) if !folder.is_empty() => (folder.to_owned(), "The folder's name"),
                (Some(name), _) => (name.clone(), "The package's name"),
                (None, _) => (self.project.to_owned(), "The project's name"),
            };
            let part = self.add(
                &name,
                why.to_owned(),
                stack.why.clone(),
                Guess::new(shown(context), context_why),
            );
            part.draft.dockerfile = Guess::none("There is none; Slipway can write one");
            part.draft.sources = Some(stack.folder.clone());
            part.fill(stack);
        }
    }

    /// What Dockerfiles and sources say about the components that are there.
    pub fn know(&mut self, stacks: &[Stack], dockerfiles: &[FoundDockerfile]) {
        for part in &mut self.parts {
            let file = part.draft.dockerfile.value.clone();
            if let Some(found) = dockerfiles.iter().find(|found| found.path == file) {
                let facts = &found.facts;
                keep(&mut part.draft.port, facts.port.as_ref());
                keep(&mut part.draft.liveness, facts.health.as_ref());
                keep(&mut part.draft.readiness, facts.health.as_ref());
            }
            let near = |stack: &&Stack| {
                stack.folder == part.context
                    || (!file.is_empty() && stack.folder == folder_of(&file))
            };
            let copied = |stack: &&Stack| {
                is_below(&stack.folder, &part.context)
                    && part.copies.iter().any(|copy| {
                        normal(&join(&part.context, copy))
                            .is_some_and(|copy| !copy.is_empty() && is_below(&copy, &stack.folder))
                    })
            };
            let stack = stacks
                .iter()
                .find(near)
                .or_else(|| stacks.iter().find(copied));
            if let Some(stack) = stack {
                part.fill(stack);
            }
        }
    }

    /// Deployments and the components they run.
    pub fn workloads(&mut self, workloads: &[Workload], notes: &mut Vec<Note>) {
        let has_sources = !self.parts.is_empty();
        let own: Vec<&Workload> = workloads
            .iter()
            .filter(|one| !is_infrastructure(&one.image))
            .collect();
        for workload in &own {
            let label = names::label(&workload.name).unwrap_or_default();
            let last = names::label(&workload.image).unwrap_or_default();
            let fits = |part: &Part| {
                let name = &part.draft.name.value;
                *name == label
                    || *name == last
                    || last == format!("{}-{name}", self.project)
                    || label == format!("{}-{name}", self.project)
            };
            let at = self
                .parts
                .iter()
                .position(fits)
                .or_else(|| (own.len() == 1 && self.parts.len() == 1).then_some(0));
            match at {
                Some(at) => {
                    let is_free = !self
                        .parts
                        .iter()
                        .enumerate()
                        .any(|(other, part)| other != at && part.draft.name.value == label);
                    self.parts[at].follow(workload, is_free.then_some(label));
                }
                None if has_sources => notes.push(Note {
                    source: workload.source.clone(),
                    text: format!(
                        "{} runs {}, which nothing here builds",
                        workload.name, workload.image
                    ),
                }),
                None => {
                    let source = workload.source.clone();
                    let part = self.add(
                        &workload.name,
                        format!("Its name in {source}"),
                        format!("{source} runs it"),
                        Guess::new(".", "Nothing here says where its sources are"),
                    );
                    part.draft.dockerfile = Guess::none(
                        "Nothing here says how its image is built: name the Dockerfile, or how it is packed",
                    );
                    part.follow(workload, None);
                }
            }
        }
    }

    /// Which of them people open.
    pub fn expose(&mut self) {
        let has_front = self.parts.iter().any(|part| part.is_front);
        let only = self.parts.len() == 1;
        for part in &mut self.parts {
            let outside = "NodePort works on every local cluster without a tunnel";
            part.draft.expose = match (&part.is_exposed, part.is_front) {
                (Some(kind), _) => kind.clone(),
                (None, true) => Guess::new(
                    "NodePort",
                    format!("People open it in a browser; {outside}"),
                ),
                (None, false) if only => {
                    Guess::new("NodePort", format!("It is the only component; {outside}"))
                }
                (None, false) if part.is_published && !has_front => Guess::new(
                    "NodePort",
                    format!("The compose file publishes it; {outside}"),
                ),
                (None, false) => Guess::new("ClusterIP", "Reached from inside the cluster only"),
            };
        }
    }
}

impl Part {
    /// Whether its Dockerfile takes this folder of the context, or all of it.
    fn copies_folder(&self, folder: &str) -> bool {
        self.copies.iter().any(|copy| {
            let copy = normal(&join(&self.context, copy)).unwrap_or_default();
            copy == self.context || is_below(folder, &copy) || is_below(&copy, folder)
        })
    }

    fn fill(&mut self, stack: &Stack) {
        let draft = &mut self.draft;
        // A page that is only built has no port of its own: its Dockerfile chose one.
        keep(&mut draft.port, Some(&stack.port));
        keep(&mut draft.liveness, Some(&stack.liveness));
        keep(&mut draft.readiness, Some(&stack.readiness));
        self.is_front |= stack.is_front;
        if !draft.pack_build.is_empty() {
            return;
        }
        match &stack.kind {
            Kind::Rust(rust) => {
                let above = match self.context == rust.workspace {
                    true => "target".to_owned(),
                    false => return,
                };
                draft.pack_build = Guess::new(
                    format!(
                        "cargo build --release --package {} --bin {} --target-dir {above}",
                        rust.package, rust.binary
                    ),
                    "For clusters without docker, such as practice: the program is built here and packed",
                );
                draft.pack_binary = Guess::new(
                    join(&self.context, &format!("target/release/{}", rust.binary)),
                    "Where that build leaves the program",
                );
            }
            Kind::Go(go) if self.context == stack.folder => {
                draft.pack_build = Guess::new(
                    format!("go build -o bin/{} {}", draft.name.value, go.package),
                    "For clusters without docker, such as practice: the program is built here and packed",
                );
                draft.pack_binary = Guess::new(
                    join(&self.context, &format!("bin/{}", draft.name.value)),
                    "Where that build leaves the program",
                );
            }
            _ => {}
        }
    }

    /// The manifests have the last word.
    fn follow(&mut self, workload: &Workload, name: Option<String>) {
        let draft = &mut self.draft;
        if let Some(name) = name.filter(|name| *name != draft.name.value) {
            let why = format!("The name of its Deployment in {}", workload.source);
            draft.name = Guess::new(name, why);
        }
        if !workload.image.is_empty() {
            let why = format!("{} runs this image", workload.source);
            draft.image = Guess::new(&workload.image, why);
        }
        for (slot, found) in [
            (&mut draft.port, &workload.port),
            (&mut draft.startup, &workload.startup),
            (&mut draft.liveness, &workload.liveness),
            (&mut draft.readiness, &workload.readiness),
        ] {
            if let Some(found) = found {
                *slot = found.clone();
            }
        }
        if workload.service.is_some() {
            self.is_exposed.clone_from(&workload.service);
        }
    }
}

/// Takes what was found, unless something better is known.
fn keep(slot: &mut Guess, found: Option<&Guess>) {
    if slot.is_empty()
        && let Some(found) = found
        && !found.is_empty()
    {
        *slot = found.clone();
    }
}
