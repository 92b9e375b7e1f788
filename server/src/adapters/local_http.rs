//! HTTP to programs that serve on this machine: no proxy, no redirect, nothing kept for later.

use std::path::Path;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use reqwest::{Client, ClientBuilder, Response};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Why a program on this machine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{}", innermost(.0))]
    Transport(#[from] reqwest::Error),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its answer is not what was expected")]
    Nonsense,
}

fn innermost(error: &reqwest::Error) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

fn builder() -> ClientBuilder {
    // Needed even though nothing here is encrypted; somebody may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
}

/// To a port of this machine.
pub fn client() -> Result<Client, LocalError> {
    Ok(builder().build()?)
}

/// To a socket file.
pub fn through(socket: &Path) -> Result<Client, LocalError> {
    Ok(builder().unix_socket(socket).build()?)
}

/// The answer, when its status is a good one.
pub fn good(response: Response) -> Result<Response, LocalError> {
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(LocalError::Status(status.as_u16())),
    }
}

/// The data of server-sent events, until the stream ends or breaks.
pub fn events(response: Response) -> impl Stream<Item = String> + Send {
    use eventsource_stream::Eventsource as _;
    response
        .bytes_stream()
        .eventsource()
        .take_while(|event| std::future::ready(event.is_ok()))
        .filter_map(|event| std::future::ready(event.ok()))
        .map(|event| event.data)
}
