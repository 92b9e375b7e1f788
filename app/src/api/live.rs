//! Questions of the Live page. Logs that are followed are no server function: see `live::follow`.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use super::PanelClient;
use crate::model::{
    Failure, LiveObject, LogFile, LogWish, ObjectKey, ResourceMap, RunId, Timeline, UnixMillis,
};

/// The whole logs that fit a wish, as one text.
#[server(prefix = "/api", endpoint = "live/log-file", input = Json, output = Json, client = PanelClient)]
pub async fn whole_log(wish: LogWish) -> Result<LogFile, Failure> {
    super::ports()?.live.log_file(wish).await
}

/// What was recorded of the cluster in use between two moments.
#[server(prefix = "/api", endpoint = "live/timeline", input = Json, output = Json, client = PanelClient)]
pub async fn read_timeline(from: UnixMillis, to: UnixMillis) -> Result<Timeline, Failure> {
    super::ports()?.live.timeline(from, to).await
}

/// An object as the cluster has it, with every secret value hidden.
#[server(prefix = "/api", endpoint = "live/object", input = Json, output = Json, client = PanelClient)]
pub async fn read_object(key: ObjectKey, everything: bool) -> Result<LiveObject, Failure> {
    super::ports()?.live.object(key, everything).await
}

/// What the project is made of in the cluster, and how its objects hang together.
#[server(prefix = "/api", endpoint = "live/map", input = Json, output = Json, client = PanelClient)]
pub async fn read_map() -> Result<ResourceMap, Failure> {
    super::ports()?.live.map().await
}

/// Deletes exactly the pod of this UID.
#[server(prefix = "/api", endpoint = "live/delete-pod", input = Json, output = Json, client = PanelClient)]
pub async fn delete_pod(uid: String) -> Result<RunId, Failure> {
    super::ports()?.live.delete_pod(uid).await
}
