//! What a folder of sources is made with: how it is built and started, which port it takes and where
//! it answers questions about its health. Read from its package files and, bounded, its sources.

mod golang;
mod node;
mod python;
mod rust;
mod sources;

use app::model::Guess;

pub use golang::Go;
pub use node::{Manager, Node, NodeStart, no_path, port_of_command, workspace_members};
pub use python::{Python, PythonPackages, Web};
pub use rust::Rust;

use super::tree::Tree;

/// A folder of sources that can run as a service.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The folder, relative to the project.
    pub folder: String,
    /// What the package file calls it.
    pub name: Option<String>,
    /// `package.json has next and a start script`
    pub why: String,
    pub kind: Kind,
    pub port: Guess,
    pub liveness: Guess,
    pub readiness: Guess,
    /// People open it in a browser.
    pub is_front: bool,
    /// It speaks to a PostgreSQL database.
    pub uses_postgres: bool,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Node(Node),
    Python(Python),
    Rust(Rust),
    Go(Go),
}

impl Kind {
    /// For people.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Node(node) => match node.start {
                NodeStart::Static { .. } => "a web page built by Node.js",
                NodeStart::Next { .. } => "Next.js",
                NodeStart::Command(_) => "Node.js",
            },
            Self::Python(python) => python.framework(),
            Self::Rust(_) => "Rust",
            Self::Go(_) => "Go",
        }
    }
}

/// Every folder of sources that looks like a service, by path.
pub fn all(tree: &Tree) -> Vec<Stack> {
    let mut stacks = Vec::new();
    stacks.extend(node::find(tree));
    stacks.extend(python::find(tree));
    stacks.extend(rust::find(tree));
    stacks.extend(golang::find(tree));
    stacks.sort_by(|a, b| a.folder.cmp(&b.folder));
    // One service for a folder: the package.json beside a server is most often its build tool.
    stacks.dedup_by(|later, first| {
        let same = later.folder == first.folder;
        if same && matches!(first.kind, Kind::Node(_)) && !matches!(later.kind, Kind::Node(_)) {
            std::mem::swap(later, first);
        }
        same
    });
    stacks
}
