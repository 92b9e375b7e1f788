//! One followed collection as rows by key. A new list replaces all rows at once, at its end.

use std::collections::{BTreeMap, BTreeSet};

/// What a followed collection tells, already cut down to what is kept.
#[derive(Debug)]
pub enum TableNews<T> {
    ListBegin,
    Listed(String, T),
    ListEnd,
    Applied(String, T),
    Deleted(String),
    Heard,
    /// Not connected. `refused`: the cluster answers, but does not let us look.
    Lost {
        why: String,
        refused: bool,
    },
}

#[derive(Debug)]
pub struct Table<T> {
    rows: BTreeMap<String, T>,
    listing: Option<BTreeMap<String, T>>,
    /// Listed at least once.
    pub complete: bool,
    /// The watch is open now.
    pub open: bool,
    pub refused: bool,
    pub why_lost: Option<String>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            listing: None,
            complete: false,
            open: false,
            refused: false,
            why_lost: None,
        }
    }
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    Nothing,
    Row(String),
    Gone(String),
    /// A new list: these keys changed or came, these went.
    Replaced {
        changed: BTreeSet<String>,
        gone: BTreeSet<String>,
    },
    /// The connection came or went.
    Connection,
}

impl<T: PartialEq> Table<T> {
    pub fn take(&mut self, news: TableNews<T>) -> Changed {
        match news {
            TableNews::ListBegin => {
                self.listing = Some(BTreeMap::new());
                Changed::Nothing
            }
            TableNews::Listed(key, row) => {
                if let Some(listing) = &mut self.listing {
                    listing.insert(key, row);
                }
                Changed::Nothing
            }
            TableNews::ListEnd => self.replace(),
            TableNews::Applied(key, row) => {
                if self.rows.get(&key) == Some(&row) {
                    return Changed::Nothing;
                }
                self.rows.insert(key.clone(), row);
                Changed::Row(key)
            }
            TableNews::Deleted(key) => match self.rows.remove(&key) {
                Some(_) => Changed::Gone(key),
                None => Changed::Nothing,
            },
            TableNews::Heard => {
                let was = std::mem::replace(&mut self.open, true);
                self.refused = false;
                self.why_lost = None;
                if was {
                    Changed::Nothing
                } else {
                    Changed::Connection
                }
            }
            TableNews::Lost { why, refused } => {
                let was = std::mem::replace(&mut self.open, false);
                let known = std::mem::replace(&mut self.refused, refused);
                self.why_lost = Some(why);
                if was || known != refused {
                    Changed::Connection
                } else {
                    Changed::Nothing
                }
            }
        }
    }

    fn replace(&mut self) -> Changed {
        let new = self.listing.take().unwrap_or_default();
        let changed = new
            .iter()
            .filter(|(key, row)| self.rows.get(*key) != Some(*row))
            .map(|(key, _)| key.clone())
            .collect();
        let gone = self
            .rows
            .keys()
            .filter(|key| !new.contains_key(*key))
            .cloned()
            .collect();
        self.rows = new;
        self.complete = true;
        Changed::Replaced { changed, gone }
    }

    pub fn get(&self, key: &str) -> Option<&T> {
        self.rows.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.rows.iter()
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn remove(&mut self, key: &str) {
        self.rows.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(table: &mut Table<u8>, rows: &[(&str, u8)]) -> Changed {
        table.take(TableNews::ListBegin);
        for (key, row) in rows {
            table.take(TableNews::Listed((*key).to_owned(), *row));
        }
        table.take(TableNews::ListEnd)
    }

    #[test]
    fn a_new_list_replaces_everything_and_tells_only_the_difference() {
        let mut table = Table::default();
        listed(&mut table, &[("a", 1), ("b", 1)]);
        let changed = listed(&mut table, &[("b", 1), ("c", 1)]);
        assert_eq!(
            changed,
            Changed::Replaced {
                changed: BTreeSet::from(["c".to_owned()]),
                gone: BTreeSet::from(["a".to_owned()])
            }
        );
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_list_that_breaks_off_changes_nothing() {
        let mut table = Table::default();
        listed(&mut table, &[("a", 1)]);
        table.take(TableNews::ListBegin);
        table.take(TableNews::Listed("b".into(), 1));
        table.take(TableNews::Lost {
            why: "gone".into(),
            refused: false,
        });
        assert!(table.get("a").is_some() && table.get("b").is_none());
        assert!(!table.open);
    }

    #[test]
    fn an_unchanged_row_is_no_news() {
        let mut table = Table::default();
        listed(&mut table, &[("a", 1)]);
        assert_eq!(
            table.take(TableNews::Applied("a".into(), 1)),
            Changed::Nothing
        );
        assert_eq!(
            table.take(TableNews::Applied("a".into(), 2)),
            Changed::Row("a".into())
        );
        assert_eq!(table.take(TableNews::Deleted("x".into())), Changed::Nothing);
        assert_eq!(table.take(TableNews::Heard), Changed::Connection);
        assert_eq!(table.take(TableNews::Heard), Changed::Nothing);
    }
}
