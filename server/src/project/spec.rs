//! What a `slipway.toml` says, once it is known to be right.

use std::collections::BTreeMap;
use std::path::PathBuf;

use app::model::{Builder, ComponentName, Namespace, ProbePaths, SecretKey, SecretKind};

/// The whole file. Paths are as written: relative to the project's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSpec {
    pub name: String,
    pub namespace: Namespace,
    /// The Secret object the keys go into.
    pub secret_name: String,
    /// Where images are pushed for clusters that pull them: `ghcr.io/team`.
    pub registry: Option<String>,
    pub components: Vec<ComponentSpec>,
    pub secrets: Vec<SecretSpec>,
    pub deploy: DeploySpec,
}

impl ProjectSpec {
    pub fn component(&self, name: &ComponentName) -> Option<&ComponentSpec> {
        self.components
            .iter()
            .find(|component| &component.name == name)
    }

    /// The component an image repository belongs to, whatever registry prefix it carries.
    pub fn component_of_image(&self, image: &str) -> Option<&ComponentSpec> {
        let repository = practice::images::repository(image);
        self.components
            .iter()
            .find(|component| practice::images::repository(&component.image) == repository)
    }
}

/// One image, one Deployment and its Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSpec {
    pub name: ComponentName,
    /// The image's repository, without a tag.
    pub image: String,
    /// The folder a Dockerfile build gets as its context.
    pub context: PathBuf,
    pub dockerfile: Option<PathBuf>,
    pub port: u16,
    pub probes: ProbePaths,
    pub expose: Expose,
    pub size_budget_bytes: Option<u64>,
    /// The builder the file asks for; else the cluster decides.
    pub builder: Option<Builder>,
    /// Arguments of the Dockerfile build. They stay readable in the image.
    pub build_args: BTreeMap<String, String>,
    /// Values a Dockerfile build may read and no layer keeps.
    pub build_secrets: Vec<BuildSecretSpec>,
    pub pack: Option<PackRecipe>,
}

/// A build secret: the file says where it comes from, never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecretSpec {
    /// As the Dockerfile calls it: `RUN --mount=type=secret,id=…`.
    pub id: String,
    pub from: BuildSecretFrom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildSecretFrom {
    /// A variable of the environment Slipway was started in.
    Env(String),
    /// A file, relative to the project's folder.
    File(PathBuf),
}

/// The Service type a component asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expose {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

/// How the component becomes an image without a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRecipe {
    /// The command that builds the program, run in the component's context; empty when nothing has
    /// to be built.
    pub build: Vec<String>,
    /// The program the build leaves behind; like every path, relative to the project's folder.
    pub binary: PathBuf,
    /// More files or folders: source → absolute path in the image.
    pub files: BTreeMap<PathBuf, String>,
    /// Environment variables of the image.
    pub env: BTreeMap<String, String>,
    /// Arguments of the program.
    pub args: Vec<String>,
}

/// A value the components need and nobody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    pub key: SecretKey,
    pub label: String,
    pub help: String,
    pub kind: SecretKind,
    pub optional: bool,
    /// The components whose pods read it; all of them when the file names none.
    pub components: Vec<ComponentName>,
    /// A harmless value that makes sense on the practice cluster.
    pub rehearsal: Option<String>,
    /// The API an `api-key` is tried out on; otherwise the project's own settings say.
    pub test_url: Option<String>,
}

/// Where the objects come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploySpec {
    /// Folders of manifests, single files or kustomize folders; together they are one set.
    pub manifests: Vec<PathBuf>,
    /// A Helm chart's folder.
    pub chart: Option<PathBuf>,
    /// Values files, later ones win.
    pub values: Vec<PathBuf>,
    /// Where the chart takes a component's image from, as a dotted path into its values; only for
    /// charts that do it in an unusual place.
    pub image_values: BTreeMap<ComponentName, String>,
}
