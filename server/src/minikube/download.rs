//! How far a download is. minikube tells a share only, so the bytes are those by which its cache grows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use app::model::{Progress, humanize_ms};
use tokio::time::Instant;
use walkdir::WalkDir;

/// Less than this says nothing about the speed.
const ENOUGH: (f64, Duration) = (0.02, Duration::from_secs(2));

/// One artifact on its way.
#[derive(Debug)]
pub(super) struct Download {
    artifact: String,
    cache: PathBuf,
    /// The cache's size when it began.
    before: u64,
    /// The first share that was known, and when.
    first: Option<(f64, Instant)>,
    share: Option<f64>,
}

impl Download {
    /// Looks at the files of the cache.
    pub fn begin(artifact: String, cache: PathBuf) -> Self {
        Self {
            artifact,
            before: size_of(&cache),
            cache,
            first: None,
            share: None,
        }
    }

    pub fn is_of(&self, artifact: &str) -> bool {
        self.artifact == artifact
    }

    /// What minikube said last; a share that nobody knows keeps the one before.
    pub fn heard(&mut self, share: Option<f64>) {
        if let Some(share) = share {
            self.first.get_or_insert((share, Instant::now()));
            self.share = Some(share);
        }
    }

    /// Looks at the files of the cache.
    pub fn progress(&self) -> Progress {
        let bytes = size_of(&self.cache).saturating_sub(self.before);
        let elapsed = self.first.map(|(_, at)| at.elapsed());
        progress(
            &self.artifact,
            bytes,
            self.share,
            self.first.map(|(share, _)| share).zip(elapsed),
        )
    }
}

/// `first` is the first known share and the time since then.
fn progress(
    artifact: &str,
    bytes: u64,
    share: Option<f64>,
    first: Option<(f64, Duration)>,
) -> Progress {
    let left = share.zip(first).and_then(|(share, (from, elapsed))| {
        let gained = share - from;
        (gained > ENOUGH.0 && elapsed > ENOUGH.1).then(|| {
            let ms = (1.0 - share) / gained * elapsed.as_millis() as f64;
            format!(
                ", about {} left",
                humanize_ms((ms / 1000.0).ceil() as u64 * 1000)
            )
        })
    });
    let rest = format!("{}, {artifact}", left.unwrap_or_default());
    match share {
        Some(share) if bytes > 0 && share > 0.01 => Progress {
            done: bytes,
            total: Some(((bytes as f64 / share) as u64).max(bytes)),
            note: format!("bytes{rest}"),
        },
        Some(share) => Progress {
            done: (share * 100.0) as u64,
            total: Some(100),
            note: format!("percent{rest}"),
        },
        None => Progress {
            done: bytes,
            total: None,
            note: format!("Downloading {artifact}"),
        },
    }
}

/// The bytes in all files of a folder; a folder that is not there has none.
fn size_of(folder: &Path) -> u64 {
    WalkDir::new(folder)
        .max_depth(6)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_total_and_time_left_come_from_the_share() {
        let known = progress(
            "a",
            25_000_000,
            Some(0.25),
            Some((0.0, Duration::from_secs(5))),
        );
        assert_eq!(known.total, Some(100_000_000));
        assert_eq!(known.note, "bytes, about 15 s left, a");
        let early = progress("a", 1, Some(0.5), Some((0.5, Duration::ZERO)));
        assert_eq!(early.note, "bytes, a");
        let unknown = progress("a", 7, None, None);
        assert_eq!(
            (unknown.total, unknown.note.as_str()),
            (None, "Downloading a")
        );
        let elsewhere = progress("a", 0, Some(0.5), None);
        assert_eq!((elsewhere.done, elsewhere.total), (50, Some(100)));
    }

    #[test]
    fn a_share_nobody_knows_keeps_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut download = Download::begin("a".into(), folder.path().to_owned());
        std::fs::write(folder.path().join("a"), [0; 10]).expect("written");
        download.heard(None);
        assert_eq!(download.progress().total, None);
        download.heard(Some(0.5));
        download.heard(None);
        assert_eq!(
            (download.progress().done, download.progress().total),
            (10, Some(20))
        );
    }

    proptest! {
        #[test]
        fn never_more_done_than_there_is(bytes in any::<u64>(), share in 0.0..=1.0_f64, ms in 0_u64..10_000_000) {
            let progress = progress("a", bytes, Some(share), Some((0.0, Duration::from_millis(ms))));
            prop_assert!(progress.total.is_some_and(|total| total >= progress.done));
        }
    }
}
