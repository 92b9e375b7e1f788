//! An image as some tool lists it.

/// Its ID and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedImage {
    /// As listed: with or without `sha256:` before it.
    pub id: String,
    /// In canonical spelling.
    pub tags: Vec<String>,
}

impl ListedImage {
    pub fn new<'t>(id: String, tags: impl IntoIterator<Item = &'t String>) -> Self {
        Self {
            id,
            tags: tags
                .into_iter()
                .map(|tag| practice::images::normalize(tag))
                .collect(),
        }
    }

    /// Whether this is one of its names, however it is spelled.
    pub fn is_called(&self, reference: &str) -> bool {
        self.tags.contains(&practice::images::normalize(reference))
    }
}
