//! A folder without a `slipway.toml` on folders of many layouts: what is proposed, and that what is
//! written is good by Slipway's own rules and by the real helm and kubectl.

mod samples;
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use app::model::{AdoptPreview, AdoptWish, Draft, DraftComponent, DraftSecret, Proposal};
use server::adopt::{Limits, preview, propose};
use tempfile::TempDir;

/// A folder called `shop` with these files.
pub(crate) struct Sample {
    temp: TempDir,
}

impl Sample {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        let sample = Self { temp };
        fs::create_dir(sample.root()).expect("created");
        for (path, text) in files {
            sample.write(path, text);
        }
        sample
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.temp.path().join("shop")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).expect("it is there")
    }

    pub(crate) fn propose(&self) -> Proposal {
        propose(&self.root(), Limits::default())
    }

    /// What a yes to the proposal would write, with every offer wanted.
    pub(crate) fn with_everything(&self, draft: &Draft) -> (AdoptWish, AdoptPreview) {
        let mut wish = AdoptWish {
            draft: draft.clone(),
            chosen: Vec::new(),
        };
        // Choosing one offer may bring another: an ignore file for a new Dockerfile.
        for _ in 0..3 {
            let offers = preview(&self.root(), &wish).offers;
            wish.chosen = offers.into_iter().map(|offer| offer.id).collect();
        }
        let preview = preview(&self.root(), &wish);
        (wish, preview)
    }

    /// Every file there is, with its content.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).expect("listed").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, root, found);
                } else {
                    let name = path
                        .strip_prefix(root)
                        .expect("below")
                        .display()
                        .to_string();
                    found.insert(name, fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.root(), &self.root(), &mut found);
        found
    }
}

pub(crate) fn component<'a>(draft: &'a Draft, name: &str) -> &'a DraftComponent {
    let found = draft.components.iter().find(|one| one.name.value == name);
    found.unwrap_or_else(|| panic!("there is no {name} in {draft:#?}"))
}

pub(crate) fn secret<'a>(draft: &'a Draft, key: &str) -> &'a DraftSecret {
    let found = draft.secrets.iter().find(|one| one.key.value == key);
    found.unwrap_or_else(|| panic!("there is no {key} in {draft:#?}"))
}

pub(crate) fn names(draft: &Draft) -> Vec<&str> {
    draft
        .components
        .iter()
        .map(|one| one.name.value.as_str())
        .collect()
}

pub(crate) fn noted(proposal: &Proposal, text: &str) -> bool {
    proposal
        .notes
        .iter()
        .any(|note| note.text.contains(text) || note.source.contains(text))
}
