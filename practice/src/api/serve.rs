//! The request dispatcher: from an HTTP request with an identity to the handler of its verb.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::auth::Identity;
use super::auth::tokens::{self, TokenKey};
use super::body;
use super::kinds::{self, Kind, Serving, Sub};
use super::persist::PersistError;
use super::pod_backend::PodBackend;
use super::request::{Query, Rendering, Target, Verb, parse_target, verb};
use super::status::StatusError;
use super::store::Store;
use super::{auth, custom, discovery, list, metrics, pod_log, proxy, streams, table, watch, write};

/// The API server of one practice cluster, without its front door.
pub struct ApiServer {
    pub(super) store: Store,
    pub(super) tokens: TokenKey,
    /// The custom kinds, and the version of the definitions they were read from.
    custom: Mutex<(u64, Arc<Vec<&'static Kind>>)>,
    backend: RwLock<Option<Arc<dyn PodBackend>>>,
    pub(super) shutdown: CancellationToken,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Opens the objects kept in `file`. Open watches end when `shutdown` is cancelled.
    pub fn open(file: &Path, shutdown: CancellationToken) -> Result<Arc<Self>, PersistError> {
        Ok(Arc::new(Self {
            store: Store::open(file)?,
            tokens: TokenKey::open(&file.with_file_name("token.key"))?,
            custom: Mutex::default(),
            backend: RwLock::default(),
            shutdown,
        }))
    }

    /// Hands over the node behind the pod subresources, or takes it away: the node has a client
    /// of this server, so that the two would keep each other alive.
    pub fn set_backend(&self, backend: Option<Arc<dyn PodBackend>>) {
        *self.backend.write().unwrap_or_else(PoisonError::into_inner) = backend;
    }

    /// The node, or the answer for a cluster without one.
    pub(super) fn backend(&self) -> Result<Arc<dyn PodBackend>, StatusError> {
        let backend = self
            .backend
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        backend.ok_or_else(|| StatusError::unavailable("the cluster has no node yet"))
    }

    /// The kinds that CustomResourceDefinitions define now.
    pub(super) fn custom_kinds(&self) -> Arc<Vec<&'static Kind>> {
        let Some(definitions) = kinds::by_kind("apiextensions.k8s.io", "CustomResourceDefinition")
        else {
            return Arc::default();
        };
        let changed = self.store.changed_at(definitions);
        let mut known = self.custom.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != changed {
            let all = self.store.list(definitions, None).objects;
            let kinds: Vec<&'static Kind> = all
                .iter()
                .flat_map(|definition| custom::kinds_of(definition))
                .collect();
            kinds.iter().for_each(|kind| self.store.make_shelf(kind));
            *known = (changed, Arc::new(kinds));
        }
        Arc::clone(&known.1)
    }

    /// The routes. A request must carry an [`Identity`] extension, else it is answered with 401.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(handle).with_state(self.clone())
    }

    /// A client that calls this server in process, as admin.
    pub fn client(self: &Arc<Self>) -> kube::Client {
        let router = self.router().layer(axum::Extension(Identity::admin()));
        kube::Client::new(router, "default")
    }
}

async fn handle(State(api): State<Arc<ApiServer>>, request: Request<Body>) -> Response {
    match dispatch(&api, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn dispatch(api: &Arc<ApiServer>, request: Request<Body>) -> Result<Response, StatusError> {
    let path = request.uri().path().to_owned();
    if matches!(path.as_str(), "/healthz" | "/livez" | "/readyz") {
        return Ok("ok".into_response());
    }
    let identity = auth::identify(api, &request)?;
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let target = match segments.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => parse_target(&[], "", version, rest)?,
        ["apis", group, version, rest @ ..] if !rest.is_empty() => {
            parse_target(&api.custom_kinds(), group, version, rest)?
        }
        other => {
            let verb = request.method().as_str().to_lowercase();
            auth::authorize_path(api, &identity, &verb, &path)?;
            return discovery::answer(&api.custom_kinds(), other, &request);
        }
    };
    resource(api, &identity, target, request).await
}

async fn resource(
    api: &Arc<ApiServer>,
    identity: &Identity,
    target: Target,
    request: Request<Body>,
) -> Result<Response, StatusError> {
    let query = Query::of(request.uri());
    let asked = verb(request.method(), target.name.is_some(), query.flag("watch"));
    for verb in auth::verbs(&target, request.method(), asked) {
        auth::authorize(api, identity, &target, verb)?;
    }
    if target.subresource.as_deref() == Some("proxy") && target.kind.has(Sub::Proxy) {
        return proxy::answer(api, &target, request).await;
    }
    match target.subresource.as_deref() {
        Some("attach") if target.kind.has(Sub::Attach) => {
            return streams::attach(api, &target, &query, request).await;
        }
        Some("exec") if target.kind.has(Sub::Exec) => {
            return streams::exec(api, &target, &query, request).await;
        }
        Some("portforward") if target.kind.has(Sub::PortForward) => {
            return streams::port_forward(api, &target, &query, request).await;
        }
        _ => {}
    }
    match target.kind.serving {
        Serving::Stored => {}
        Serving::Review => return auth::reviews::answer(api, identity, &target, request).await,
        Serving::Measured => return metrics::answer(api, &target, &query, &request),
    }
    match asked.ok_or_else(StatusError::method_not_allowed)? {
        Verb::Create
            if target.subresource.as_deref() == Some("token") && target.kind.has(Sub::Token) =>
        {
            let (headers, bytes) = body::read(request).await?;
            let created = tokens::create(api, &target, &body::decode(&headers, &bytes)?)?;
            Ok(json_response(201, &created))
        }
        Verb::Get if target.subresource.as_deref() == Some("log") && target.kind.has(Sub::Log) => {
            pod_log::answer(api, &target, &query).await
        }
        Verb::Get => get(api, &target, &query, &request),
        Verb::List => list::answer(api, &target, &query, &request),
        Verb::Watch => watch::answer(api, &target, &query, &request),
        Verb::Create => write::create(api, target, query, request).await,
        Verb::Update => write::replace(api, target, query, request).await,
        Verb::Patch => write::patch(api, target, query, request).await,
        Verb::Delete => write::delete(api, target, query, request).await,
        Verb::DeleteCollection => write::delete_collection(api, target, query, request).await,
    }
}

fn get(
    api: &ApiServer,
    target: &Target,
    query: &Query,
    request: &Request<Body>,
) -> Result<Response, StatusError> {
    let name = target.name()?;
    let found = api
        .store
        .get(target.kind, target.ns(), name)
        .ok_or_else(|| StatusError::not_found(&target.kind.resource(), name))?;
    match target.subresource.as_deref() {
        None | Some("status") => show(target, query, request.headers(), &found, 200),
        Some("scale") => Ok(json_response(200, &write::scale_of(target, &found)?)),
        Some(_) => Err(StatusError::no_such_path()),
    }
}

/// One object in the rendering the client wants.
pub(super) fn show(
    target: &Target,
    query: &Query,
    headers: &http::HeaderMap,
    object: &Value,
    code: u16,
) -> Result<Response, StatusError> {
    Ok(match Rendering::of(headers, query)? {
        Rendering::Object => json_response(code, &super::views::outward(target.kind, object)),
        Rendering::Metadata => json_response(code, &table::metadata_only(object)),
        Rendering::Table(include) => {
            let rows = [object];
            let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("");
            let metadata = serde_json::json!({"resourceVersion": version});
            json_response(
                code,
                &table::table(target.kind, rows.into_iter(), include, metadata, true),
            )
        }
    })
}

/// A JSON answer.
pub(super) fn json_response(code: u16, body: &Value) -> Response {
    text_response(code, body.to_string())
}

/// A JSON answer that is already text.
pub(super) fn text_response(code: u16, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
