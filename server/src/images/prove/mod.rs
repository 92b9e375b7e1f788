//! The proof: the cluster's own runtime shows the very image, by its ID. Nothing else counts as being
//! in the cluster, least of all a tool's exit code.

mod listing;
mod probe_pod;

use std::sync::Arc;
use std::time::Duration;

use app::model::{BuiltImage, ComponentName, Finding, Namespace};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use listing::{Listing, Source, Verdict};

use super::destination::Destination;
use super::nodes::NodeImages;
use super::{docker_build, findings};
use crate::cluster::Connected;

/// How long a runtime may take to show an image it was given.
const SHOWN_WITHIN: Duration = Duration::from_secs(15);

/// Which image is looked for, and where.
#[derive(Debug)]
pub struct Question<'q> {
    pub connected: &'q Connected,
    pub nodes: &'q watch::Sender<Arc<NodeImages>>,
    pub namespace: &'q Namespace,
    pub component: &'q ComponentName,
    pub image: &'q BuiltImage,
    pub destination: &'q Destination,
}

/// Whether two spellings mean the same image: an ID with or without `sha256:`, a runtime's prefix, a
/// repository before the digest.
pub fn same_id(shown: &str, image: &BuiltImage) -> bool {
    let digest = shown.rsplit(['@', '/']).next().unwrap_or(shown);
    let bare = |text: &str| text.trim_start_matches("sha256:").to_owned();
    let pushed = image.reference.split_once('@').map(|(_, digest)| digest);
    let digest = bare(digest);
    !digest.is_empty() && (digest == bare(&image.id) || pushed.is_some_and(|id| digest == bare(id)))
}

/// Waits until the cluster shows the image; the answer says who showed it.
pub async fn wait(question: &Question<'_>, cancel: &CancellationToken) -> Result<String, Finding> {
    let tried = tokio::select! {
        tried = ask(question, cancel) => tried,
        () = cancel.cancelled() => return Err(not_there(question, "")),
    };
    match tried {
        Shown::By(proof) => Ok(proof),
        Shown::NotThere(what) => Err(not_there(question, &what)),
        // A list that is cut or silent proves nothing either way: a pod does.
        Shown::NobodyKnows => probe_pod::ask(question, cancel).await,
    }
}

fn not_there(question: &Question<'_>, what: &str) -> Finding {
    findings::not_in_cluster(question.component, question.image, what)
}

enum Shown {
    By(String),
    NotThere(String),
    NobodyKnows,
}

async fn ask(question: &Question<'_>, cancel: &CancellationToken) -> Shown {
    match question.destination {
        Destination::ClustersDaemon {
            daemon,
            goes,
            shared,
        } if !shared => {
            let deadline = Instant::now() + SHOWN_WITHIN;
            loop {
                let seen = docker_build::inspect(daemon, &question.image.reference, cancel).await;
                match seen {
                    Some(seen) if same_id(&seen.id, question.image) => {
                        return Shown::By(format!(
                            "its ID was read back from {}",
                            goes.trim_start_matches("into ")
                        ));
                    }
                    Some(seen) if Instant::now() > deadline => {
                        return Shown::NotThere(format!(
                            "Under that name the daemon has another image, {}",
                            seen.id
                        ));
                    }
                    None if Instant::now() > deadline => {
                        return Shown::NotThere(
                            "The cluster's docker daemon does not know that name".to_owned(),
                        );
                    }
                    _ => tokio::time::sleep(Duration::from_millis(500)).await,
                }
            }
        }
        // Only pulling or starting shows what these clusters have.
        Destination::ClustersDaemon { .. } | Destination::Registry { .. } => Shown::NobodyKnows,
        Destination::Practice(_) | Destination::Archive { .. } => listed(question).await,
    }
}

/// Looks at the cluster's lists until one shows it.
async fn listed(question: &Question<'_>) -> Shown {
    let deadline = Instant::now() + SHOWN_WITHIN;
    let mut news = question.nodes.subscribe();
    let source = Source::of(question.connected);
    loop {
        let listing = Listing::take(&source, question.nodes).await;
        match listing.has(question.image) {
            Verdict::Listed => return Shown::By(listing.proof()),
            Verdict::NotListed if Instant::now() > deadline => {
                return Shown::NotThere(listing.nearest(question.image));
            }
            Verdict::Unknown if Instant::now() > deadline => return Shown::NobodyKnows,
            Verdict::NotListed | Verdict::Unknown => {}
        }
        tokio::select! {
            // A closed channel stays quiet; the deadline ends the loop then.
            Ok(()) = news.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(700)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::UnixMillis;

    #[test]
    fn ids_are_the_same_however_they_are_spelled() {
        let digest = format!("sha256:{}", "cd".repeat(32));
        let image = BuiltImage {
            reference: format!("r.example/app:1@{digest}"),
            id: format!("sha256:{}", "ab".repeat(32)),
            size_bytes: 0,
            built: UnixMillis(0),
            user: String::new(),
        };
        let hex = "ab".repeat(32);
        for shown in [
            image.id.clone(),
            hex.clone(),
            format!("docker://sha256:{hex}"),
            format!("docker-pullable://r.example/app@{digest}"),
            format!("r.example/app@{digest}"),
        ] {
            assert!(same_id(&shown, &image), "{shown}");
        }
        for shown in ["", "sha256:", "app:1", "sha256:abab"] {
            assert!(!same_id(shown, &image), "{shown}");
        }
    }
}
