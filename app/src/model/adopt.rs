//! A folder without a `slipway.toml`: what it seems to be, as a form that a person reads, corrects
//! and says yes to. Names, paths and ports only: never the value of a variable that may be a secret.

use serde::{Deserialize, Serialize};

use super::Finding;

/// How far the look at a folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    Looking { folder: String },
    Proposed(Box<Proposal>),
}

/// What Slipway would write, with what it saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The folder, for the operator to recognise it.
    pub folder: String,
    pub draft: Draft,
    /// What was seen and is not in the draft, and what was not looked at.
    pub notes: Vec<Note>,
    pub files_seen: u32,
    pub folders_seen: u32,
}

/// Something worth knowing about a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// The file or folder, relative to the project; `.` is the folder itself.
    pub source: String,
    pub text: String,
}

/// A value of the form and why it stands there. An empty value leaves the key out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guess {
    pub value: String,
    pub why: String,
}

impl Guess {
    pub fn new(value: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            why: why.into(),
        }
    }

    /// Nothing is known, and this is why.
    pub fn none(why: impl Into<String>) -> Self {
        Self::new("", why)
    }

    pub fn is_empty(&self) -> bool {
        self.value.trim().is_empty()
    }
}

/// The future `slipway.toml`, as text: while it is edited it may be wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub name: Guess,
    pub namespace: Guess,
    pub secret: Guess,
    pub components: Vec<DraftComponent>,
    pub secrets: Vec<DraftSecret>,
    /// Several paths are separated by commas.
    pub manifests: Guess,
    pub chart: Guess,
    /// Several paths are separated by commas.
    pub values: Guess,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftComponent {
    /// Whether it goes into the file.
    pub taken: bool,
    /// Why it is a component.
    pub why: String,
    pub name: Guess,
    pub context: Guess,
    pub dockerfile: Guess,
    pub image: Guess,
    pub port: Guess,
    pub startup: Guess,
    pub liveness: Guess,
    pub readiness: Guess,
    pub expose: Guess,
    /// The command of a pack build, its words separated by spaces.
    pub pack_build: Guess,
    pub pack_binary: Guess,
    /// The folder of its own sources, where it is known to be another one than the context.
    #[serde(default)]
    pub sources: Option<String>,
    /// Plain settings for generated manifests and charts.
    pub settings: Vec<Setting>,
}

/// A variable that is no secret, from a compose file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

impl Default for DraftComponent {
    /// A blank one, for a person to fill in.
    fn default() -> Self {
        let blank = || Guess::none("");
        Self {
            taken: true,
            why: "Added by hand".to_owned(),
            name: blank(),
            context: Guess::new(".", "The folder of its sources"),
            dockerfile: Guess::none("Without one, Slipway can offer one for sources it knows"),
            image: blank(),
            port: Guess::none("The port its container listens on"),
            startup: blank(),
            liveness: blank(),
            readiness: blank(),
            expose: Guess::new("ClusterIP", "Reached from inside the cluster only"),
            pack_build: blank(),
            pack_binary: blank(),
            sources: None,
            settings: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftSecret {
    pub taken: bool,
    pub why: String,
    pub key: Guess,
    pub label: Guess,
    pub help: Guess,
    pub kind: Guess,
    /// `yes` when the pods start without it.
    pub optional: Guess,
    /// Several names are separated by commas; empty: all of them.
    pub components: Guess,
}

impl Default for DraftSecret {
    fn default() -> Self {
        Self {
            taken: true,
            why: "Added by hand".to_owned(),
            key: Guess::default(),
            label: Guess::default(),
            help: Guess::default(),
            kind: Guess::new("text", "Anything is accepted"),
            optional: Guess::new("no", "The walk waits for it"),
            components: Guess::none("Read by every component"),
        }
    }
}

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    Name,
    Namespace,
    Secret,
    Manifests,
    Chart,
    Values,
    Component(usize, ComponentPart),
    SecretOf(usize, SecretPart),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComponentPart {
    Name,
    Context,
    Dockerfile,
    Image,
    Port,
    Startup,
    Liveness,
    Readiness,
    Expose,
    PackBuild,
    PackBinary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretPart {
    Key,
    Label,
    Help,
    Kind,
    Optional,
    Components,
}

/// What a value says that was not proposed.
pub const BY_HAND: &str = "Chosen by hand";

impl Draft {
    /// The field, if there is such a row.
    pub fn at_mut(&mut self, spot: Spot) -> Option<&mut Guess> {
        Some(match spot {
            Spot::Name => &mut self.name,
            Spot::Namespace => &mut self.namespace,
            Spot::Secret => &mut self.secret,
            Spot::Manifests => &mut self.manifests,
            Spot::Chart => &mut self.chart,
            Spot::Values => &mut self.values,
            Spot::Component(at, part) => {
                let component = self.components.get_mut(at)?;
                match part {
                    ComponentPart::Name => &mut component.name,
                    ComponentPart::Context => &mut component.context,
                    ComponentPart::Dockerfile => &mut component.dockerfile,
                    ComponentPart::Image => &mut component.image,
                    ComponentPart::Port => &mut component.port,
                    ComponentPart::Startup => &mut component.startup,
                    ComponentPart::Liveness => &mut component.liveness,
                    ComponentPart::Readiness => &mut component.readiness,
                    ComponentPart::Expose => &mut component.expose,
                    ComponentPart::PackBuild => &mut component.pack_build,
                    ComponentPart::PackBinary => &mut component.pack_binary,
                }
            }
            Spot::SecretOf(at, part) => {
                let secret = self.secrets.get_mut(at)?;
                match part {
                    SecretPart::Key => &mut secret.key,
                    SecretPart::Label => &mut secret.label,
                    SecretPart::Help => &mut secret.help,
                    SecretPart::Kind => &mut secret.kind,
                    SecretPart::Optional => &mut secret.optional,
                    SecretPart::Components => &mut secret.components,
                }
            }
        })
    }

    /// A person's edit: the reason is theirs from now on, unless they came back to what was proposed.
    pub fn set(&mut self, spot: Spot, value: &str, proposed: Option<&Guess>) {
        let Some(guess) = self.at_mut(spot) else {
            return;
        };
        *guess = match proposed {
            Some(proposed) if proposed.value == value => proposed.clone(),
            _ => Guess::new(value, BY_HAND),
        };
    }
}

/// The form as it stands, and which of the offered files are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptWish {
    pub draft: Draft,
    /// Ids of [`Offer`]s.
    pub chosen: Vec<String>,
}

/// What a yes would write. Nothing that exists is ever overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptPreview {
    /// The text of `slipway.toml`.
    pub toml: String,
    /// Why it cannot be written yet.
    pub problem: Option<Finding>,
    pub offers: Vec<Offer>,
    /// Of everything that would be written; a yes names it.
    pub hash: String,
}

/// Files that Slipway could write because there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Stable while the form is edited: `dockerfile:backend`, `manifests`, `chart`.
    pub id: String,
    pub title: String,
    pub why: String,
    /// Whether the walk needs it, or something like it.
    pub recommended: bool,
    pub files: Vec<NewFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Relative to the project's folder, with `/`.
    pub path: String,
    pub text: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub files: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_the_persons_own_and_going_back_is_the_proposal_again() {
        let mut draft = Draft {
            components: vec![DraftComponent {
                port: Guess::new("8000", "EXPOSE"),
                ..DraftComponent::default()
            }],
            ..Draft::default()
        };
        let proposed = draft.components[0].port.clone();
        let spot = Spot::Component(0, ComponentPart::Port);
        draft.set(spot, "9000", Some(&proposed));
        assert_eq!(draft.components[0].port, Guess::new("9000", BY_HAND));
        draft.set(spot, "8000", Some(&proposed));
        assert_eq!(draft.components[0].port, proposed);
        draft.set(Spot::Component(7, ComponentPart::Port), "1", None);
        draft.set(Spot::SecretOf(0, SecretPart::Key), "A", None);
    }
}
