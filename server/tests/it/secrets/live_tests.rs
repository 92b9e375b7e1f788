//! Live tests: every reason against a server that really gives it, and never a word of the value.

use std::time::{Duration, Instant};

use app::model::{LiveTestReport, Severity};
use server::secrets::live_test::{OpenAiTarget, Target, run};
use tokio_util::sync::CancellationToken;

use super::postgres::{ENCODED, PASSWORD, Postgres};
use super::scripted::Scripted;

async fn test(target: &Target, value: &str) -> LiveTestReport {
    let report = run(target, value, &CancellationToken::new()).await;
    let told = format!("{report:?}");
    for part in [value, ENCODED, PASSWORD, "todo:", "hunter2"] {
        assert!(!told.contains(part), "{part} is told in {told}");
    }
    report
}

async fn postgres(value: &str) -> LiveTestReport {
    test(&Target::Postgres, value).await
}

fn code(report: &LiveTestReport) -> &str {
    report.problem.as_ref().map_or("", |finding| &finding.code)
}

fn layers(report: &LiveTestReport) -> Vec<(&str, bool)> {
    let stages = report.stages.iter();
    stages
        .map(|stage| (stage.title.as_str(), stage.passed))
        .collect()
}

#[tokio::test]
async fn a_real_postgres_is_asked_down_to_select_1_and_every_refusal_has_its_reason() {
    let server = tokio::task::spawn_blocking(|| Postgres::start(&["max_connections=10"], None))
        .await
        .expect("started");
    let good = postgres(&server.url("postgres?sslmode=disable")).await;
    assert_eq!(good.problem, None, "{good:?}");
    assert_eq!(
        layers(&good),
        [
            ("DNS", true),
            ("TCP", true),
            ("TLS", true),
            ("Sign in", true),
            ("select 1", true)
        ]
    );
    // Preferring encryption is content without it, and says so.
    let prefer = postgres(&server.url("postgres")).await;
    assert!(prefer.passed() && !prefer.notes.is_empty(), "{prefer:?}");
    let port = server.port;
    for (value, expected) in [
        (server.url("postgres?sslmode=require"), "LIVE_TEST_SSLMODE"),
        (server.url("nothing_there"), "LIVE_TEST_DATABASE"),
        (
            format!("postgres://todo:hunter2@127.0.0.1:{port}/postgres"),
            "LIVE_TEST_PASSWORD",
        ),
        (
            format!("postgres://nobody-here:hunter2@127.0.0.1:{port}/postgres"),
            "LIVE_TEST_PASSWORD",
        ),
        (
            format!("postgres://todo@127.0.0.1:{port}/postgres"),
            "LIVE_TEST_PASSWORD",
        ),
        (
            server
                .url("postgres")
                .replace("127.0.0.1", &format!("{}.invalid", "x".repeat(64))),
            "LIVE_TEST_HOST_UNKNOWN",
        ),
        (
            "postgres://todo:hunter2@127.0.0.1:1/db".to_owned(),
            "LIVE_TEST_UNREACHABLE",
        ),
    ] {
        let report = postgres(&value).await;
        assert_eq!(code(&report), expected, "{report:?}");
        assert!(!report.stages.last().expect("a stage").passed);
    }
    server.allow("hostssl all all 127.0.0.1/32 scram-sha-256\n");
    // The server reads its rules again a moment after it was told.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let report = postgres(&server.url("postgres?sslmode=disable")).await;
        if code(&report) == "LIVE_TEST_SSLMODE" {
            break;
        }
        assert!(Instant::now() < deadline, "{report:?}");
    }
}

#[tokio::test]
async fn encryption_is_used_and_the_certificate_only_counts_where_the_value_says_so() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = tokio::task::spawn_blocking(move || Postgres::start(&[], Some((&chain, &key))))
        .await
        .expect("started");
    let required = postgres(&server.url("postgres?sslmode=require&channel_binding=require")).await;
    assert_eq!(required.problem, None, "{required:?}");
    assert!(
        required
            .stages
            .iter()
            .any(|stage| stage.title == "TLS" && stage.note.contains("Encrypted"))
    );
    assert!(
        required
            .notes
            .iter()
            .any(|note| note.contains("nobody checks it")),
        "{required:?}"
    );
    for mode in ["verify-ca", "verify-full"] {
        let report = postgres(&server.url(&format!("postgres?sslmode={mode}"))).await;
        assert_eq!(code(&report), "LIVE_TEST_CERTIFICATE", "{mode}: {report:?}");
    }
}

#[tokio::test]
async fn what_providers_say_of_a_database_is_understood_and_not_repeated() {
    for (sqlstate, message, expected) in [
        (
            "XX000",
            "The endpoint has been disabled. Enable it using Neon API and retry.",
            "LIVE_TEST_SUSPENDED",
        ),
        (
            "XX000",
            "This IP address 203.0.113.9 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console.",
            "LIVE_TEST_NOT_ALLOWED",
        ),
        (
            "08P01",
            "unsupported startup parameter in options: search_path",
            "LIVE_TEST_POOLER",
        ),
        (
            "XX000",
            "password authentication failed for user 'todo'",
            "LIVE_TEST_PASSWORD",
        ),
        (
            "XX000",
            "The requested endpoint could not be found, or you don't have access to it.",
            "LIVE_TEST_ENDPOINT_UNKNOWN",
        ),
        (
            "XX000",
            "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
            "LIVE_TEST_QUOTA",
        ),
        ("53300", "sorry, too many clients already", "LIVE_TEST_BUSY"),
    ] {
        let server = Scripted::postgres(sqlstate, message.to_owned()).await;
        let value = format!(
            "postgres://todo:hunter2@127.0.0.1:{}/shop?options=-csearch_path%3Dx",
            server.port
        );
        let report = postgres(&value).await;
        assert_eq!(code(&report), expected, "{report:?}");
        let finding = report.problem.expect("a problem");
        assert!(!format!("{finding:?}").contains("'todo'"), "{finding:?}");
        assert_eq!(
            finding.severity == Severity::Attention,
            expected == "LIVE_TEST_BUSY"
        );
    }
    let server = Scripted::nonsense().await;
    let report = postgres(&format!(
        "postgres://todo:hunter2@127.0.0.1:{}/db",
        server.port
    ))
    .await;
    assert_eq!(code(&report), "LIVE_TEST_NOT_POSTGRES", "{report:?}");
}

#[tokio::test]
async fn a_test_of_a_silent_server_can_be_stopped_at_once() {
    let server = Scripted::silent().await;
    let value = format!("postgres://todo:hunter2@127.0.0.1:{}/db", server.port);
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let (report, ()) = tokio::join!(run(&Target::Postgres, &value, &stop), async {
        stop.cancel();
    });
    assert_eq!(code(&report), "LIVE_TEST_STOPPED");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

const MODELS: &str =
    r#"{"object":"list","data":[{"id":"text-embedding-3-small"},{"id":"gpt-4.1-mini"}]}"#;

fn error(code: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": code, "type": code, "message": message}}).to_string()
}

async fn openai(answers: Vec<(&'static str, u16, String)>, model: Option<&str>) -> LiveTestReport {
    let server = Scripted::http(answers).await;
    let target = Target::OpenAi(OpenAiTarget {
        base_url: format!("http://127.0.0.1:{}/v1/", server.port),
        model: model.map(str::to_owned),
        organization: Some("org-1".to_owned()),
    });
    test(&target, "sk-hunter2-0123456789abcdef").await
}

#[tokio::test]
async fn an_api_lists_models_and_says_what_is_wrong_with_a_key() {
    let models = || ("GET /v1/models", 200, MODELS.to_owned());
    let chat = |status, body: String| ("POST /v1/chat/completions", status, body);
    let good = openai(vec![models(), chat(200, "{}".into())], Some("gpt-4.1-mini")).await;
    assert_eq!(good.problem, None, "{good:?}");
    assert_eq!(
        layers(&good),
        [
            ("DNS", true),
            ("TCP", true),
            ("Models", true),
            ("Quota", true)
        ]
    );
    let quota = error(
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    );
    let listed = |status, body: String| vec![("GET /v1/models", status, body)];
    for (answers, expected) in [
        (vec![models(), chat(429, quota)], "LIVE_TEST_QUOTA"),
        (
            vec![
                models(),
                chat(429, error("rate_limit_exceeded", "Too many requests")),
            ],
            "LIVE_TEST_BUSY",
        ),
        (
            listed(
                401,
                error(
                    "invalid_api_key",
                    "Incorrect API key provided: sk-hunte****cdef.",
                ),
            ),
            "LIVE_TEST_KEY_REFUSED",
        ),
        (
            listed(
                401,
                error("invalid_organization", "No such organization: org-1."),
            ),
            "LIVE_TEST_ORGANIZATION",
        ),
        (
            listed(
                403,
                error(
                    "",
                    "OpenAI-Organization header should match organization for API key",
                ),
            ),
            "LIVE_TEST_ORGANIZATION",
        ),
        (
            listed(200, "<h1>It works</h1>".into()),
            "LIVE_TEST_NOT_COMPATIBLE",
        ),
        (listed(404, String::new()), "LIVE_TEST_NOT_COMPATIBLE"),
        (listed(307, String::new()), "LIVE_TEST_NOT_COMPATIBLE"),
        (listed(500, String::new()), "LIVE_TEST_SERVER_BROKEN"),
    ] {
        let report = openai(answers, None).await;
        assert_eq!(code(&report), expected, "{report:?}");
        assert!(!format!("{report:?}").contains("cdef"), "{report:?}");
    }
    let other = openai(vec![models()], Some("gpt-9")).await;
    assert_eq!(code(&other), "LIVE_TEST_MODEL");
}

#[tokio::test]
async fn any_url_is_asked_once_and_other_schemes_are_only_connected_to() {
    let server = Scripted::http(vec![
        ("GET /hook", 200, String::new()),
        ("GET /closed", 403, String::new()),
        ("GET /moved", 302, String::new()),
    ])
    .await;
    let nonsense = Scripted::nonsense().await;
    let at = |path: &str| format!("http://todo:hunter2@127.0.0.1:{}/{path}", server.port);
    for (value, expected) in [
        (at("hook"), ""),
        (at("moved"), ""),
        (at("closed"), "LIVE_TEST_KEY_REFUSED"),
        (at("nothing"), "LIVE_TEST_NOT_FOUND"),
        (format!("redis://:hunter2@127.0.0.1:{}", server.port), ""),
        ("unheard-of://hunter2".to_owned(), "LIVE_TEST_NOT_A_URL"),
        (
            format!("https://127.0.0.1:{}/hunter2", nonsense.port),
            "LIVE_TEST_TLS",
        ),
    ] {
        let report = test(&Target::Url, &value).await;
        assert_eq!(code(&report), expected, "{value}: {report:?}");
    }
}
