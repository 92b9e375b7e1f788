//! The gate, through the real router: every rule, every role, and what the shell holds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app::model::*;
use app::ports::{
    Approvals, Assistants, Clusters, Deploys, Drills, Forwards, Handovers, Images, Live, Minikube,
    Ports, Releases, Revisions, Rollouts, RunBook, Secrets, Setup, Sharing, Terminals,
};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use server::engine::Hub;
use server::web::{Addresses, Site, Tokens};
use tokio_util::sync::CancellationToken;

/// Counts every call that got through.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Counting {
    fn called(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Setup for Counting {
    async fn recheck(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn mute(&self, _: String, _: bool) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Clusters for Counting {
    async fn use_cluster(&self, _: ClusterChoice, _: GoingRuns) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn allow_changes(&self, _: ContextName, _: String) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn forget_allowance(&self, _: ContextName) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn look_again(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Approvals for Counting {
    async fn propose(&self, _: ChangeProposal) -> Result<ApprovalId, Failure> {
        self.called();
        Ok(ApprovalId(String::new()))
    }
    async fn approve(&self, _: ApprovalId, _: String) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(1))
    }
    async fn decline(&self, _: ApprovalId) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn renew(&self, _: ApprovalId) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn undo(&self, _: ApprovalId) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(1))
    }
    async fn diff(&self, _: ApprovalId, _: u32) -> Result<ObjectDiff, Failure> {
        self.called();
        Ok(ObjectDiff::default())
    }
    async fn audit(&self, _: AuditQuestion) -> Result<AuditPage, Failure> {
        self.called();
        Ok(AuditPage::default())
    }
}
#[async_trait]
impl Assistants for Counting {
    async fn pack(&self) -> Result<ContextPack, Failure> {
        self.called();
        Ok(ContextPack::default())
    }
    async fn desk(&self) -> Result<Desk, Failure> {
        self.called();
        Ok(Desk::default())
    }
    async fn configure(&self, _: AssistantSetting) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn preview(&self, _: Question) -> Result<Outgoing, Failure> {
        self.called();
        Err(Failure::Transport("no".to_owned()))
    }
    async fn open_terminal(
        &self,
        _: Question,
        _: String,
        _: TerminalSize,
    ) -> Result<TerminalId, Failure> {
        self.called();
        Ok(TerminalId(1))
    }
    async fn ask(&self, _: Question, _: Option<String>) -> Result<TurnId, Failure> {
        self.called();
        Ok(TurnId(1))
    }
    async fn stop(&self, _: TurnId) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn forget(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn follow(&self) -> Result<BoxStream<'static, DeskFrame>, Failure> {
        self.called();
        Ok(futures::stream::empty().boxed())
    }
    async fn save_prompt(&self, _: PromptIdea) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn remove_prompt(&self, _: String) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn apply_agent(&self, _: String) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn remove_agent(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Terminals for Counting {
    async fn open(&self, _: TerminalPlace, _: TerminalSize) -> Result<TerminalId, Failure> {
        self.called();
        Ok(TerminalId(1))
    }
    async fn type_in(&self, _: TerminalId, _: TypedText) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn resize(&self, _: TerminalId, _: TerminalSize) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn close(&self, _: TerminalId) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn follow(&self, _: TerminalPlace) -> Result<BoxStream<'static, TerminalFrame>, Failure> {
        self.called();
        Ok(futures::stream::empty().boxed())
    }
}
#[async_trait]
impl Minikube for Counting {
    async fn create(&self, _: NewCluster) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(5))
    }
    async fn act(&self, _: ProfileAct, _: ProfileName) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(6))
    }
}
#[async_trait]
impl Secrets for Counting {
    async fn set(&self, _: SecretKey, _: SecretInput) -> Result<(), Failure> {
        self.called();
        Err(Finding::new("SECRET_SHAPE", "It has the wrong shape", "It is too short").into())
    }
    async fn generate(&self, _: SecretKey) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn delete(&self, _: SecretKey) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn set_all(&self, _: Vec<(SecretKey, SecretInput)>) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn test(
        &self,
        _: SecretKey,
        _: Option<SecretInput>,
    ) -> Result<app::model::LiveTestReport, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn try_in_cluster(
        &self,
        _: SecretKey,
        _: SecretInput,
    ) -> Result<app::model::RunId, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn declare(&self, _: SecretKey) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn stop_test(&self, _: SecretKey) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn ask_pods(&self) -> Result<app::model::InClusterReport, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn accept(&self, _: SecretKey) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn adopt(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Images for Counting {
    async fn build(&self, _: Vec<ComponentName>, _: Rebuild) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(7))
    }
    async fn cancel_build(&self, _: ComponentName) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn choose_builder(&self, _: ComponentName, _: Builder) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Deploys for Counting {
    async fn plan(&self, _: PlanChoices) -> Result<DeployPlan, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn stop_planning(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn object_diff(&self, _: String, _: String, _: bool) -> Result<ObjectDiff, Failure> {
        self.called();
        Ok(ObjectDiff::default())
    }
    async fn deploy(&self, _: String, _: bool) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(8))
    }
}
#[async_trait]
impl Revisions for Counting {
    async fn compare(&self, _: u64, _: u64) -> Result<Vec<RevisionChange>, Failure> {
        self.called();
        Ok(vec![])
    }
}
#[async_trait]
impl Rollouts for Counting {
    async fn steer(&self, _: ComponentName, _: RolloutAct) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(9))
    }
    async fn restart_stale(&self) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(12))
    }
    async fn history(&self, _: ComponentName) -> Result<RolloutHistory, Failure> {
        self.called();
        Ok(RolloutHistory::default())
    }
}
#[async_trait]
impl Handovers for Counting {
    async fn plan_handover(&self, _: DeployMode) -> Result<Handover, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn hand_over(&self, _: DeployMode, _: String) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(10))
    }
    async fn dismiss_handover(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl Releases for Counting {
    async fn check_chart(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn build_dependencies(&self) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(11))
    }
    async fn values(&self, _: Vec<ValueEdit>) -> Result<ValuesForm, Failure> {
        self.called();
        Ok(ValuesForm::default())
    }
    async fn plan_save(&self, _: Vec<ValueEdit>, _: String) -> Result<SavePreview, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn save(&self, _: Vec<ValueEdit>, _: String, _: String) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn plan(&self, _: ReleaseWish) -> Result<ReleasePlan, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn carry_out(&self, _: ReleaseWish, _: String) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(12))
    }
    async fn compare(&self, _: u32, _: u32) -> Result<RevisionComparison, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn revision(&self, _: u32) -> Result<RevisionDetail, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
}
#[async_trait]
impl Live for Counting {
    async fn follow_logs(&self, _: LogWish) -> Result<BoxStream<'static, LogFrame>, Failure> {
        self.called();
        Ok(futures::stream::iter([LogFrame::Done]).boxed())
    }
    async fn log_file(&self, _: LogWish) -> Result<LogFile, Failure> {
        self.called();
        Ok(LogFile::default())
    }
    async fn timeline(&self, _: UnixMillis, _: UnixMillis) -> Result<Timeline, Failure> {
        self.called();
        Ok(Timeline::default())
    }
    async fn object(&self, _: ObjectKey, _: bool) -> Result<LiveObject, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn map(&self) -> Result<ResourceMap, Failure> {
        self.called();
        Ok(ResourceMap::default())
    }
    async fn delete_pod(&self, _: String) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(15))
    }
}
#[async_trait]
impl Forwards for Counting {
    async fn open(&self, _: String, _: u16) -> Result<ForwardView, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn close(&self, _: String, _: u16) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}
#[async_trait]
impl RunBook for Counting {
    async fn cancel(&self, _: RunId) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
    async fn log(&self, _: RunId, _: u64) -> Result<Vec<LogLine>, Failure> {
        self.called();
        Ok(vec![])
    }
    async fn search_log(&self, _: RunId, _: LogQuestion) -> Result<LogPage, Failure> {
        self.called();
        Ok(LogPage::default())
    }
}

#[async_trait]
impl Drills for Counting {
    async fn start(&self, _: DrillWish) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(13))
    }
    async fn heal(&self, _: ComponentName) -> Result<RunId, Failure> {
        self.called();
        Ok(RunId(14))
    }
}
#[async_trait]
impl Sharing for Counting {
    async fn open(&self) -> Result<ShareLink, Failure> {
        self.called();
        Err(Finding::new("X", "x", "x").into())
    }
    async fn link(&self) -> Result<Option<ShareLink>, Failure> {
        self.called();
        Ok(None)
    }
    async fn revoke(&self) -> Result<(), Failure> {
        self.called();
        Ok(())
    }
}

struct Bench {
    site: Site,
    tokens: Arc<Tokens>,
    hub: Hub,
    calls: Arc<Counting>,
    shutdown: CancellationToken,
}

fn bench() -> Bench {
    let calls = Arc::new(Counting::default());
    let ports = Ports {
        setup: calls.clone(),
        clusters: calls.clone(),
        minikube: calls.clone(),
        secrets: calls.clone(),
        images: calls.clone(),
        deploys: calls.clone(),
        handovers: calls.clone(),
        releases: calls.clone(),
        revisions: calls.clone(),
        rollouts: calls.clone(),
        drills: calls.clone(),
        live: calls.clone(),
        forwards: calls.clone(),
        terminals: calls.clone(),
        approvals: calls.clone(),
        assistants: calls.clone(),
        runs: calls.clone(),
        sharing: calls.clone(),
    };
    let hub = Hub::new();
    let tokens = Arc::new(Tokens::generate().expect("randomness"));
    let shutdown = CancellationToken::new();
    let site = Site::new(
        Addresses::loopback(4747),
        tokens.clone(),
        hub.clone(),
        ports,
        shutdown.clone(),
    );
    Bench {
        site,
        tokens,
        hub,
        calls,
        shutdown,
    }
}

/// A request that passes the gate as the operator; tests take something away from it.
fn call(bench: &Bench, path: &str, json: &str) -> Request<Body> {
    Request::post(path)
        .header(header::HOST, "127.0.0.1:4747")
        .header(header::ORIGIN, "http://127.0.0.1:4747")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-slipway", "1")
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", bench.tokens.operator()),
        )
        .body(Body::from(json.to_owned()))
        .expect("a request")
}

fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header(header::HOST, "localhost:4747")
        .body(Body::empty())
        .expect("a request")
}

async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 8 << 20)
        .await
        .expect("a body");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn set(request: &mut Request<Body>, name: &'static str, value: &str) {
    request
        .headers_mut()
        .insert(name, value.parse().expect("a header value"));
}

#[tokio::test]
async fn the_operator_reaches_the_ports_and_failures_survive_the_border() {
    let bench = bench();
    let response = bench
        .site
        .answer(call(&bench, "/api/images/build", r#"{"components":[]}"#))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(body(response).await, "7");
    let refused = bench
        .site
        .answer(call(
            &bench,
            "/api/secrets/set",
            r#"{"key":"A","value":"v"}"#,
        ))
        .await;
    assert!(body(refused).await.contains("SECRET_SHAPE"));
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 2);
    let unknown = bench.site.answer(call(&bench, "/api/no/such", "{}")).await;
    assert!(unknown.status().is_client_error());
}

#[tokio::test]
async fn a_foreign_host_is_misdirected() {
    let bench = bench();
    for host in [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:4748",
        "localhost:4747.",
        "localhost.:4747",
        "a.localhost:4747",
        "localhost6:4747",
        "0.0.0.0:4747",
        "2130706433:4747",
        "0x7f000001:4747",
        "",
    ] {
        let mut request = call(&bench, "/api/setup/recheck", "{}");
        set(&mut request, "host", host);
        let response = bench.site.answer(request).await;
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert_eq!(body(response).await, "");
    }
    let mut none = get("/");
    none.headers_mut().remove(header::HOST);
    let mut two = get("/");
    two.headers_mut()
        .append(header::HOST, "localhost:4747".parse().expect("a value"));
    let mut other = get("http://evil.example/");
    set(&mut other, "host", "localhost:4747");
    for request in [none, two, other] {
        let status = bench.site.answer(request).await.status();
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
    }
    for host in ["LOCALHOST:4747", "[::1]:4747", "127.0.0.1:4747"] {
        let mut request = get("/favicon-that-is-not.svg");
        set(&mut request, "host", host);
        assert_eq!(
            bench.site.answer(request).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_foreign_page_is_refused() {
    let bench = bench();
    let foreign = [
        ("origin", "null"),
        ("origin", "http://evil.example"),
        ("origin", "https://127.0.0.1:4747"),
        ("origin", "http://127.0.0.1:3000"),
        ("origin", "http://127.0.0.1:4747.evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ];
    for (name, value) in foreign {
        let mut request = call(&bench, "/api/setup/recheck", "{}");
        set(&mut request, name, value);
        let status = bench.site.answer(request).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let mut framed = get("/");
    set(&mut framed, "sec-fetch-site", "cross-site");
    assert_eq!(
        bench.site.answer(framed).await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_a_plain_form_can_send_is_refused() {
    let bench = bench();
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
        "text/plain; application/json",
    ] {
        let mut request = call(&bench, "/api/setup/recheck", "{}");
        set(&mut request, "content-type", kind);
        let status = bench.site.answer(request).await.status();
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let mut without = call(&bench, "/api/setup/recheck", "{}");
    without.headers_mut().remove("x-slipway");
    assert_eq!(
        bench.site.answer(without).await.status(),
        StatusCode::FORBIDDEN
    );
    for method in [
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let mut request = call(&bench, "/api/setup/recheck", "{}");
        *request.method_mut() = method;
        let status = bench.site.answer(request).await.status();
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut read = call(&bench, "/api/setup/recheck", "");
    *read.method_mut() = Method::GET;
    assert_eq!(
        bench.site.answer(read).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_missing_or_wrong_token_gets_nothing() {
    let bench = bench();
    let mut without = call(&bench, "/api/setup/recheck", "{}");
    without.headers_mut().remove(header::AUTHORIZATION);
    assert_eq!(
        bench.site.answer(without).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let mut wrong = call(&bench, "/api/setup/recheck", "{}");
    set(&mut wrong, "authorization", "Bearer wrong");
    assert_eq!(
        bench.site.answer(wrong).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let query = format!("/events?token={}", bench.tokens.operator());
    for path in ["/events", "/api/setup/recheck", query.as_str()] {
        let status = bench.site.answer(get(path)).await.status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let mut cookie = get("/events");
    set(
        &mut cookie,
        "cookie",
        &format!("token={}", bench.tokens.operator()),
    );
    assert_eq!(
        bench.site.answer(cookie).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_viewer_may_look_and_every_mutating_route_is_refused() {
    let bench = bench();
    let paths: BTreeSet<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    assert!(paths.len() >= 11, "only {paths:?} are registered");
    for path in &paths {
        let mut request = call(&bench, path, "{}");
        set(
            &mut request,
            "authorization",
            &format!("Bearer {}", bench.tokens.viewer()),
        );
        let status = bench.site.answer(request).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
    let mut look = get("/events");
    set(
        &mut look,
        "authorization",
        &format!("Bearer {}", bench.tokens.viewer()),
    );
    let mut stream = bench.site.answer(look).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let LiveMessage::Snapshot { role, .. } = next_message(&mut stream).await else {
        panic!("a snapshot comes first");
    };
    assert_eq!(role, Role::Viewer);
}

async fn next_message(stream: &mut Response) -> LiveMessage {
    let frame = stream
        .body_mut()
        .frame()
        .await
        .expect("the stream goes on")
        .expect("a frame")
        .into_data()
        .expect("data");
    let text = String::from_utf8(frame.to_vec()).expect("text");
    let json = text
        .strip_prefix("data: ")
        .and_then(|text| text.strip_suffix("\n\n"))
        .expect("one server-sent event");
    serde_json::from_str(json).expect("a live message")
}

#[tokio::test]
async fn the_stream_brings_a_snapshot_then_events_and_heartbeats_and_ends_with_the_server() {
    let bench = bench();
    let mut request = get("/events");
    set(
        &mut request,
        "authorization",
        &format!("Bearer {}", bench.tokens.operator()),
    );
    let mut stream = bench.site.answer(request).await;
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    let LiveMessage::Snapshot { role, state, .. } = next_message(&mut stream).await else {
        panic!("a snapshot comes first");
    };
    assert_eq!((role, state.viewers), (Role::Operator, 1));
    bench
        .hub
        .voice()
        .publish(PanelEvent::Findings(vec![Finding::new("X", "x", "x")]));
    assert!(matches!(
        next_message(&mut stream).await,
        LiveMessage::Event {
            event: PanelEvent::Findings(_),
            ..
        }
    ));
    assert!(matches!(
        next_message(&mut stream).await,
        LiveMessage::Heartbeat { .. }
    ));
    bench.shutdown.cancel();
    while stream.body_mut().frame().await.is_some() {}
    drop(stream);
    assert_eq!(bench.hub.read(|state| state.viewers), 0);
}

#[tokio::test]
async fn the_shell_holds_neither_token_nor_data() {
    let bench = bench();
    let mark = "MARK-OF-THE-STATE";
    bench
        .hub
        .voice()
        .publish(PanelEvent::Findings(vec![Finding::new("X", mark, mark)]));
    for path in [
        "/", "/adopt", "/setup", "/secrets", "/images", "/deploy", "/assist", "/live", "/demo",
    ] {
        let mut with_token = get(path);
        set(
            &mut with_token,
            "authorization",
            &format!("Bearer {}", bench.tokens.operator()),
        );
        for request in [get(path), with_token] {
            let response = bench.site.answer(request).await;
            let headers = response.headers().clone();
            for name in [
                "content-security-policy",
                "x-content-type-options",
                "referrer-policy",
                "cross-origin-opener-policy",
                "cross-origin-resource-policy",
            ] {
                assert!(headers.contains_key(name), "{path} lacks {name}");
            }
            assert!(!headers.contains_key(header::SET_COOKIE));
            let html = body(response).await;
            assert!(html.contains("<html"), "{path}: {html}");
            for secret in [bench.tokens.operator(), bench.tokens.viewer(), mark] {
                assert!(!html.contains(secret), "{path} holds {secret}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let bench = bench();
    let long = format!(r#"{{"components":["{}"]}}"#, "x".repeat(1 << 20));
    let mut announced = call(&bench, "/api/images/build", &long);
    set(&mut announced, "content-length", &long.len().to_string());
    assert_eq!(
        bench.site.answer(announced).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let silent = bench
        .site
        .answer(call(&bench, "/api/images/build", &long))
        .await;
    assert!(!silent.status().is_success());
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_repeated_wish_gets_the_first_answer_and_nothing_is_done_twice() {
    let bench = bench();
    let wish = |key: &str, json: &str| {
        let mut request = call(&bench, "/api/images/build", json);
        set(&mut request, "x-slipway-wish", key);
        request
    };
    let one = r#"{"components":[]}"#;
    let (a, b) = tokio::join!(
        bench.site.answer(wish("key-0001", one)),
        bench.site.answer(wish("key-0001", one)),
    );
    assert_eq!((a.status(), b.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!((body(a).await, body(b).await), ("7".into(), "7".into()));
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 1);
    let other = bench
        .site
        .answer(wish("key-0001", r#"{"components":["a"]}"#))
        .await;
    assert_eq!(other.status(), StatusCode::CONFLICT);
    assert!(body(other).await.contains("WISH_KEY_REUSED"));
    let again = bench.site.answer(wish("key-0002", one)).await;
    assert_eq!(body(again).await, "7");
    assert_eq!(bench.calls.0.load(Ordering::SeqCst), 2);
    for wrong in ["short", "with space in it", &"x".repeat(65)] {
        let status = bench.site.answer(wish(wrong, one)).await.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn a_wish_made_while_another_cluster_was_shown_is_refused_with_409() {
    let bench = bench();
    let wish = |path: &str, json: &str, era: u64| {
        let mut request = call(&bench, path, json);
        set(&mut request, "x-slipway-era", &era.to_string());
        request
    };
    let build = |era| wish("/api/images/build", r#"{"components":[]}"#, era);
    assert_eq!(bench.site.answer(build(0)).await.status(), StatusCode::OK);
    let view = ClusterView {
        choice: ClusterChoice::Practice,
        kind: ClusterKind::Practice,
        server: String::new(),
        version: None,
        freshness: Freshness::default(),
        problem: None,
        era: 0,
        access: Access::Free,
        who: None,
        warnings: Vec::new(),
    };
    let era = bench.hub.choose_cluster(Some(view)).era();
    let late = bench.site.answer(build(0)).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    let words = body(late).await;
    assert!(
        words.contains("CLUSTER_CHANGED") && words.contains("practice"),
        "{words}"
    );
    assert_eq!(bench.site.answer(build(era)).await.status(), StatusCode::OK);
    // Choosing another one must work from any page.
    let json = r#"{"choice":"practice","going":"refuse"}"#;
    let choose = wish("/api/clusters/use", json, 0);
    assert_eq!(bench.site.answer(choose).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn while_there_is_no_project_every_wish_is_answered_with_what_is_wrong_with_it() {
    let hub = Hub::new();
    let tokens = Arc::new(Tokens::generate().expect("randomness"));
    let site = Site::new(
        Addresses::loopback(4747),
        tokens.clone(),
        hub.clone(),
        server::web::PortsSlot::default(),
        CancellationToken::new(),
    );
    let broken = Finding::new("PROJECT_SYNTAX", "slipway.toml is broken", "line 3");
    hub.voice()
        .publish(PanelEvent::ProjectProblem(Box::new(broken)));
    let other = bench();
    let mut request = call(&other, "/api/setup/recheck", "{}");
    let bearer = format!("Bearer {}", tokens.operator());
    set(&mut request, "authorization", &bearer);
    let answer = site.answer(request).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(body(answer).await.contains("PROJECT_SYNTAX"));
}
