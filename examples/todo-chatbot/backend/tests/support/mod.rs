//! A running backend, a visitor that talks to it, a scripted provider, and a real Postgres.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of the support"
)]

pub mod postgres;
pub mod provider;

use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use todo_backend::{app::App, config::Config};
use tokio::net::TcpListener;

pub const AUTH_SECRET: &str = "a-secret-for-tests-that-is-long-enough";
const DEADLINE: Duration = Duration::from_secs(30);

/// Settings for a test; the provider's address and key are optional.
pub fn config(database: &str, provider: Option<(&str, &str)>) -> Config {
    Config::read(|name| {
        let value = match name {
            "DATABASE_URL" => database,
            "AUTH_SECRET" => AUTH_SECRET,
            "OPENAI_BASE_URL" => provider?.0,
            "OPENAI_API_KEY" => provider?.1,
            "OPENAI_TIMEOUT_SECONDS" => "1",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .expect("the settings of a test are valid")
}

/// A backend listening on a port of its own.
pub struct Backend {
    pub app: App,
    address: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Backend {
    pub async fn start(config: &Config) -> Self {
        let app = App::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = app.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { app, address, http }
    }

    pub async fn ready(config: &Config) -> Self {
        let backend = Self::start(config).await;
        backend.until_ready(200).await;
        backend
    }

    /// Polls `/ready` until it has the status, and returns its body.
    pub async fn until_ready(&self, status: u16) -> Value {
        self.until(status, |_| true).await
    }

    /// Polls `/ready` until status and body are as wanted.
    pub async fn until(&self, status: u16, wanted: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let (is, body) = self.call("GET", "/ready", None, None).await;
            if is == status && wanted(&body) {
                return body;
            }
            assert!(started.elapsed() < DEADLINE, "/ready stayed at {is} {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("x-visitor", token);
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let call = self.http.request(request.body(Full::from(body)).unwrap());
        let response = tokio::time::timeout(DEADLINE, call).await.unwrap().unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    /// The whole body as text.
    pub async fn text(&self, method: &str, path: &str, token: Option<&str>, body: Value) -> String {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("content-type", "application/json")
            .header("x-visitor", token.unwrap_or_default())
            .body(Full::from(body.to_string()))
            .unwrap();
        let call = async {
            self.http
                .request(request)
                .await
                .unwrap()
                .into_body()
                .collect()
                .await
        };
        let body = tokio::time::timeout(DEADLINE, call).await.unwrap().unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    /// Signs in, as `token`'s visitor if there is one; the status, and the token of who it is now.
    pub async fn sign_in(&self, token: Option<&str>, name: &str, pin: &str) -> (u16, Value) {
        let body = json!({"name": name, "pin": pin});
        self.call("POST", "/api/session", token, Some(body)).await
    }

    pub async fn visitor(&self) -> Visitor<'_> {
        let (status, body) = self.call("POST", "/api/session", None, None).await;
        assert_eq!(status, 201);
        Visitor {
            backend: self,
            token: body["token"].as_str().unwrap().to_owned(),
        }
    }
}

/// Somebody with a token.
pub struct Visitor<'a> {
    pub backend: &'a Backend,
    pub token: String,
}

impl Visitor<'_> {
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.backend
            .call(method, path, Some(&self.token), body)
            .await
    }

    pub async fn add(&self, title: &str) -> Value {
        let (status, todo) = self
            .call("POST", "/api/todos", Some(json!({"title": title})))
            .await;
        assert_eq!(status, 201, "{todo}");
        todo
    }

    pub async fn say(&self, message: &str) -> Value {
        let (status, body) = self
            .call("POST", "/api/chat", Some(json!({"message": message})))
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Titles in order, done ones with a tick in front.
    pub async fn titles(&self) -> Vec<String> {
        let (status, body) = self.call("GET", "/api/todos", None).await;
        assert_eq!(status, 200, "{body}");
        body["todos"]
            .as_array()
            .unwrap()
            .iter()
            .map(|todo| {
                let tick = if todo["completed"] == true {
                    "✓ "
                } else {
                    ""
                };
                format!("{tick}{}", todo["title"].as_str().unwrap())
            })
            .collect()
    }
}
