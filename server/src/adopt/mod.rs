//! Adopts a folder without a `slipway.toml`: looks at it, proposes the file as a form, offers what is
//! missing, and writes on a person's yes. Nothing is started, and nothing that exists is overwritten.

mod compose;
mod dockerfiles;
mod env_file;
mod generate;
mod keys;
mod kubernetes;
mod names;
mod parts;
mod propose;
mod secrets;
mod stack;
mod toml_file;
pub mod tree;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::model::{
    AdoptPreview, AdoptWish, Adoption, Failure, Finding, NewFile, NextAction, PanelEvent, Written,
};
use app::ports::Adopter;
use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, Notify};

use crate::engine::Hub;
use crate::project::{self, FILE};

pub use propose::propose;
pub use tree::Limits;
use tree::Tree;

/// The room that is there while the folder is no project yet.
#[derive(Debug)]
pub struct AdoptRoom {
    root: PathBuf,
    hub: Hub,
    written: Notify,
    /// One look or write at a time.
    one: Mutex<()>,
}

impl AdoptRoom {
    pub fn new(root: PathBuf, hub: Hub) -> Arc<Self> {
        // At once, so that a page that comes early waits for the right thing.
        hub.voice().publish(looking(&root));
        Arc::new(Self {
            root,
            hub,
            written: Notify::new(),
            one: Mutex::new(()),
        })
    }

    /// Looks at the folder and shows what it could become.
    pub async fn look_at_it(&self) {
        let _one = self.one.lock().await;
        self.hub.voice().publish(looking(&self.root));
        let root = self.root.clone();
        let looked = tokio::task::spawn_blocking(move || propose(&root, Limits::default()));
        // Only a panic ends it early; an empty proposal still lets a person fill in the form.
        let proposal = looked.await.unwrap_or_default();
        let proposed = Adoption::Proposed(Box::new(proposal));
        self.hub
            .voice()
            .publish(PanelEvent::Adoption(Box::new(proposed)));
    }

    /// Ends when something was written.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .map_err(|_| {
                Finding::new(
                    "INTERNAL_ERROR",
                    "The folder could not be looked at",
                    "A part of Slipway ended early; its log says where.",
                )
                .into()
            })
    }
}

fn looking(root: &Path) -> PanelEvent {
    PanelEvent::Adoption(Box::new(Adoption::Looking {
        folder: root.display().to_string(),
    }))
}

/// What a yes to this wish would write. Writes nothing.
pub fn preview(root: &Path, wish: &AdoptWish) -> AdoptPreview {
    let tree = Tree::walk(root, Limits::default());
    let (offers, draft) = generate::offers(&tree, &wish.draft, &wish.chosen);
    let toml = toml_file::text(&draft);
    let mut preview = AdoptPreview {
        toml,
        problem: None,
        offers,
        hash: String::new(),
    };
    let files = chosen_files(&preview, wish);
    let coming: Vec<PathBuf> = files.iter().map(|file| PathBuf::from(&file.path)).collect();
    preview.problem = project::try_text(root, &preview.toml, &coming).err();
    let mut digest = Sha256::new();
    for file in &files {
        digest.update(format!("{}\0{}\0{}", file.path, file.text.len(), file.text));
    }
    preview.hash = hex::encode(digest.finalize());
    preview
}

/// The wanted files, `slipway.toml` last: it is what makes the folder a project.
fn chosen_files(preview: &AdoptPreview, wish: &AdoptWish) -> Vec<NewFile> {
    let wanted = preview
        .offers
        .iter()
        .filter(|offer| wish.chosen.contains(&offer.id));
    let mut files: Vec<NewFile> = wanted.flat_map(|offer| offer.files.clone()).collect();
    files.push(NewFile {
        path: FILE.to_owned(),
        text: preview.toml.clone(),
    });
    files
}

/// Writes what the preview of this hash showed.
pub fn write_wish(root: &Path, wish: &AdoptWish, hash: &str) -> Result<Written, Finding> {
    let preview = preview(root, wish);
    if let Some(problem) = preview.problem {
        return Err(problem);
    }
    if preview.hash != hash {
        return Err(Finding::new(
            "ADOPT_CHANGED",
            "The folder has changed meanwhile",
            "What would be written now is not what the page showed. Nothing was written.",
        )
        .attention()
        .next(NextAction::advice(
            "Look at the preview again, then say yes to that",
        )));
    }
    let files = chosen_files(&preview, wish);
    write::write(root, &files).map(|files| Written { files })
}

#[async_trait]
impl Adopter for AdoptRoom {
    async fn look(&self) -> Result<(), Failure> {
        self.look_at_it().await;
        Ok(())
    }

    async fn preview(&self, wish: AdoptWish) -> Result<AdoptPreview, Failure> {
        self.in_background(move |root| preview(root, &wish)).await
    }

    async fn write(&self, wish: AdoptWish, hash: String) -> Result<Written, Failure> {
        let _one = self.one.lock().await;
        let written = self
            .in_background(move |root| write_wish(root, &wish, &hash))
            .await??;
        self.written.notify_one();
        Ok(written)
    }
}
