//! The site: behind the gate stand three routers, one per role. The one for people without a token
//! and the one for viewers are built from types that hold nothing to act with.

use std::sync::{Arc, OnceLock};

use app::model::{Failure, Finding, NextAction, Role, StepId};
use app::ports::{Adopter, Ports};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{Request, StatusCode};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::limit::RequestBodyLimitLayer;

use super::events::Stage;
use super::gate::{self, Addresses};
use super::once::{Wishes, failed};
use super::tokens::{Keys, Tokens};
use super::{assets, follow, page};
use crate::engine::Hub;

/// Where the ports are handed over: empty while there is no project to build the rooms around.
#[derive(Clone, Debug, Default)]
pub struct PortsSlot {
    ports: Arc<OnceLock<Ports>>,
    adopter: AdopterSlot,
}

/// The one port there can be before the project is.
#[derive(Clone, Default)]
struct AdopterSlot(Arc<OnceLock<Arc<dyn Adopter>>>);

impl std::fmt::Debug for AdopterSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdopterSlot")
    }
}

impl PortsSlot {
    /// Hands them over; only the first ones count. With them there is a project, and nothing left to
    /// adopt.
    pub fn fill(&self, ports: Ports) {
        let _ = self.ports.set(ports);
    }

    /// Hands over what adopts a folder that is no project yet.
    pub fn fill_adopter(&self, adopter: Arc<dyn Adopter>) {
        let _ = self.adopter.0.set(adopter);
    }

    fn adopter(&self) -> Option<Arc<dyn Adopter>> {
        let is_project = self.ports.get().is_some();
        self.adopter.0.get().filter(|_| !is_project).cloned()
    }
}

impl From<Ports> for PortsSlot {
    fn from(ports: Ports) -> Self {
        let slot = Self::default();
        slot.fill(ports);
        slot
    }
}

/// What the server functions are called through.
#[derive(Clone, Debug)]
struct Doors {
    ports: PortsSlot,
    hub: Hub,
    wishes: Wishes,
}

impl Doors {
    /// A server function.
    async fn answer(State(doors): State<Self>, request: Request<Body>) -> Response {
        if request.uri().path().starts_with(ADOPT) {
            return doors.adopt(request).await;
        }
        let ports = match doors.project_ports() {
            Ok(ports) => ports,
            Err(why) => return failed(StatusCode::SERVICE_UNAVAILABLE, why),
        };
        let call = move |request| async move {
            let context = move || leptos::context::provide_context(ports.clone());
            leptos_axum::handle_server_fns_with_context(context, request)
                .await
                .into_response()
        };
        doors.wishes.grant(request, call).await
    }

    async fn adopt(&self, request: Request<Body>) -> Response {
        let Some(adopter) = self.ports.adopter() else {
            return failed(StatusCode::CONFLICT, Failure::from(nothing_to_adopt()));
        };
        let call = move |request| async move {
            let context = move || leptos::context::provide_context(adopter.clone());
            leptos_axum::handle_server_fns_with_context(context, request)
                .await
                .into_response()
        };
        self.wishes.grant(request, call).await
    }

    fn project_ports(&self) -> Result<Ports, Failure> {
        self.ports.ports.get().cloned().ok_or_else(|| {
            let problem = self.hub.read(|state| state.project_problem.clone());
            Failure::from(problem.unwrap_or_else(no_project))
        })
    }

    /// Logs that are followed: a question like the others, with an answer that does not end.
    async fn follow_logs(State(doors): State<Self>, request: Request<Body>) -> Response {
        match doors.project_ports() {
            Ok(ports) => {
                let follow = move |request| follow::logs(ports.live, request);
                doors.wishes.grant(request, follow).await
            }
            Err(why) => failed(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }

    /// The desk that is followed. What is asked there outlives a change of the cluster, so no wish
    /// stands behind it.
    async fn follow_desk(State(doors): State<Self>) -> Response {
        match doors.project_ports() {
            Ok(ports) => follow::desk(ports.assistants).await,
            Err(why) => failed(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }

    /// A terminal that is followed: it ends with its cluster by itself.
    async fn follow_terminal(State(doors): State<Self>, request: Request<Body>) -> Response {
        match doors.project_ports() {
            Ok(ports) => follow::terminal(ports.terminals, request).await,
            Err(why) => failed(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }
}

/// The server functions that need no project.
const ADOPT: &str = "/api/adopt/";

fn nothing_to_adopt() -> Finding {
    Finding::new(
        "ADOPT_HAS_PROJECT",
        "There is nothing to adopt",
        "This folder has a slipway.toml, so it is a project already. Nothing was written.",
    )
    .attention()
    .next(NextAction::Open {
        step: StepId::Setup,
        label: "Go to Setup".to_owned(),
    })
}

fn no_project() -> Finding {
    Finding::new(
        "PROJECT_NOT_READ",
        "There is no project yet",
        "Slipway is still reading it.",
    )
}

/// Everything that answers requests; clones share it.
#[derive(Clone, Debug)]
pub struct Site {
    addresses: Addresses,
    keys: Arc<dyn Keys>,
    public: Router,
    viewer: Router,
    /// None at an address where nobody may act.
    operator: Option<Router>,
}

impl Site {
    pub fn new(
        addresses: Addresses,
        tokens: Arc<Tokens>,
        hub: Hub,
        ports: impl Into<PortsSlot>,
        shutdown: CancellationToken,
    ) -> Self {
        page::prepare();
        let doors = Doors {
            ports: ports.into(),
            hub: hub.clone(),
            wishes: Wishes::new(hub.clone()),
        };
        let stage = Stage::new(hub, shutdown);
        let bounded = RequestBodyLimitLayer::new(gate::LONGEST_BODY);
        Self {
            addresses,
            keys: tokens,
            public: public_routes().layer(bounded),
            viewer: viewer_routes(&stage).layer(bounded),
            operator: Some(operator_routes(&stage, doors).layer(bounded)),
        }
    }

    /// For people who look and nobody else, by keys of their own: whatever the routes answer, there is
    /// nothing to act with behind them.
    pub(super) fn for_viewers(addresses: Addresses, keys: Arc<dyn Keys>, routes: Router) -> Self {
        page::prepare();
        let bounded = RequestBodyLimitLayer::new(gate::LONGEST_BODY);
        Self {
            addresses,
            keys,
            public: public_routes().layer(bounded),
            viewer: public_routes().merge(routes).layer(bounded),
            operator: None,
        }
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let mut response = match gate::admit(&self.addresses, &*self.keys, &request) {
            Err(status) => status.into_response(),
            Ok(role) => {
                let router = match role {
                    None => &self.public,
                    Some(Role::Viewer) => &self.viewer,
                    Some(Role::Operator) => self.operator.as_ref().unwrap_or(&self.public),
                };
                match router.clone().oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        gate::harden(&mut response);
        response
    }
}

/// Without a token: the shell and the static files.
fn public_routes() -> Router {
    Router::new().fallback(shell_or_file)
}

/// For people who look: the store's news, and no way to change anything.
fn viewer_routes(stage: &Stage) -> Router {
    public_routes()
        .route("/events", stream(stage, Role::Viewer))
        .route("/replay", stage.replay())
}

/// For the operator: also the server functions, which reach the rooms through the ports.
fn operator_routes(stage: &Stage, doors: Doors) -> Router {
    let acting = Router::new()
        .route("/follow/logs", post(Doors::follow_logs))
        .route("/follow/desk", post(Doors::follow_desk))
        .route("/follow/terminal", post(Doors::follow_terminal))
        .route("/api/{*function}", post(Doors::answer))
        .with_state(doors);
    public_routes()
        .route("/events", stream(stage, Role::Operator))
        .route("/replay", stage.replay())
        .merge(acting)
}

fn stream(stage: &Stage, role: Role) -> axum::routing::MethodRouter {
    let stage = stage.clone();
    get(move || {
        let stage = stage.clone();
        async move { stage.stream(role) }
    })
}

async fn shell_or_file(request: Request<Body>) -> Response {
    let path = request.uri().path();
    if gate::is_data(path) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if let Some(file) = assets::serve(path, request.headers()) {
        return file;
    }
    // A file that is not there is not a page: scripts and images get a plain answer.
    let looks_like_file = path
        .rsplit('/')
        .next()
        .is_some_and(|name| name.contains('.'));
    if looks_like_file || path.starts_with("/pkg/") || request.method() == http::Method::POST {
        return StatusCode::NOT_FOUND.into_response();
    }
    page::render(request).await
}
