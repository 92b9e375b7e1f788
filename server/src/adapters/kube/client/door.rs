//! The door every request of a client goes through: it refuses changes where one may only look, and
//! puts the token on that has to be fetched or read anew from time to time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::sync::Mutex;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::token::TokenSource;

/// The request would change something on a cluster that may only be looked at.
#[derive(Debug, thiserror::Error)]
#[error("this cluster may only be looked at until its name was typed")]
pub struct Refused;

/// Whether changes may pass; clones are the same switch.
#[derive(Clone, Debug)]
pub struct ReadOnly(Arc<AtomicBool>);

impl ReadOnly {
    pub fn new(read_only: bool) -> Self {
        Self(Arc::new(AtomicBool::new(read_only)))
    }

    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn set(&self, read_only: bool) {
        self.0.store(read_only, Ordering::Release);
    }
}

/// Makes the door in front of a client's stack.
#[derive(Clone, Debug)]
pub(super) struct DoorLayer {
    pub read_only: ReadOnly,
    pub token: Option<Arc<TokenSource>>,
}

impl<S> Layer<S> for DoorLayer {
    type Service = Door<S>;

    fn layer(&self, inner: S) -> Door<S> {
        Door {
            // kube's own stack cannot be cloned; it is only held until its future is made.
            inner: Arc::new(Mutex::new(inner)),
            door: self.clone(),
        }
    }
}

pub(super) struct Door<S> {
    inner: Arc<Mutex<S>>,
    door: DoorLayer,
}

type Answer<B> = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

impl<S, B> Service<Request<Body>> for Door<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer<B> {
        let inner = Arc::clone(&self.inner);
        let DoorLayer { read_only, token } = self.door.clone();
        Box::pin(async move {
            if read_only.get() && changes(&request) {
                return Err(Refused.into());
            }
            if let Some(token) = &token {
                let header = token.header().await?;
                request.headers_mut().insert(AUTHORIZATION, header);
            }
            let answer = {
                let mut inner = inner.lock().await;
                inner.ready().await?.call(request)
            };
            let answer = answer.await?;
            if let Some(token) = &token
                && answer.status() == StatusCode::UNAUTHORIZED
            {
                token.is_stale().await;
            }
            Ok(answer)
        })
    }
}

/// Whether a request may change something. A dry run does not, nor does asking who one is; what runs
/// in a pod may do anything, and is asked for with GET.
fn changes(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return matches!(last, "exec" | "attach");
    }
    let is_dry_run = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=All"));
    let is_question = *request.method() == Method::POST
        && (path.starts_with("/apis/authentication.k8s.io/")
            || path.starts_with("/apis/authorization.k8s.io/"))
        && matches!(
            last,
            "selfsubjectreviews" | "selfsubjectaccessreviews" | "selfsubjectrulesreviews"
        );
    !is_dry_run && !is_question
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_change(method: &str, uri: &str) -> bool {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Body::empty())
            .expect("a request");
        changes(&request)
    }

    #[test]
    fn looking_and_trying_change_nothing_and_everything_else_may() {
        let pods = "/api/v1/namespaces/todo/pods";
        for uri in [pods, "/readyz", "/api/v1/pods?watch=1&dryRun=None"] {
            assert!(!is_change("GET", uri), "{uri}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert!(is_change(method, pods));
            assert!(is_change(
                method,
                &format!("{pods}?fieldManager=dryRun=All-not")
            ));
            assert!(!is_change(
                method,
                &format!("{pods}?fieldManager=s&dryRun=All")
            ));
        }
        let reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        assert!(!is_change("POST", reviews));
        assert!(is_change("DELETE", reviews));
        assert!(is_change(
            "POST",
            "/apis/evil.example/v1/selfsubjectreviews"
        ));
        assert!(is_change("POST", "/api/v1/namespaces/todo/pods/a/eviction"));
        for sub in ["exec", "attach", "exec/"] {
            assert!(is_change("GET", &format!("{pods}/a/{sub}?command=rm")));
        }
        assert!(!is_change("GET", &format!("{pods}/a/log")));
        assert!(!is_change("GET", &format!("{pods}/a/portforward?ports=80")));
    }
}
