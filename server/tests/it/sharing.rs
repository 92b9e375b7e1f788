//! The link for viewers, over real sockets: what it lets through, what it does not, and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::model::{PanelState, ShareLink};
use server::engine::{Core, Journal, StateDir};
use server::web::{ShareAt, Sharing};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    core: Core,
    sharing: Sharing,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state_dir = Arc::new(StateDir::open(folder.path()).expect("a state folder"));
        let core = Core::start(state_dir, Journal::in_memory().expect("a journal"));
        let sharing = Sharing::new(core.clone());
        sharing
            .prefer(ShareAt::parse("127.0.0.1:0").expect("an address"))
            .await;
        Self {
            core,
            sharing,
            _folder: folder,
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&PanelState) -> bool) {
        let wait = timeout(PATIENCE, self.core.hub.until(holds)).await;
        assert!(wait.is_ok(), "never: {what}");
    }

    async fn revoke(&self) {
        use app::ports::Sharing as _;
        self.sharing.revoke().await.expect("revoked");
    }
}

/// Address and token of a link.
fn parts(link: &ShareLink) -> (SocketAddr, String) {
    let rest = link.url.strip_prefix("http://").expect("a link");
    let (address, token) = rest.split_once("/demo#token=").expect("a token");
    (address.parse().expect("an address"), token.to_owned())
}

/// Sends a request and gives the connection with everything after the status.
async fn send(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
) -> (u16, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // Closed after the answer, so that its end can be read.
    let mut text = format!("{line} HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await.expect("sent");
    let mut reader = BufReader::new(stream);
    let mut head = vec![0; 12];
    timeout(PATIENCE, reader.read_exact(&mut head))
        .await
        .expect("an answer in time")
        .expect("an answer");
    let status = String::from_utf8_lossy(&head[9..12])
        .parse()
        .expect("a status");
    (status, reader)
}

async fn status(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> u16 {
    send(address, line, headers).await.0
}

#[tokio::test]
async fn a_viewer_watches_is_counted_and_is_cut_off_when_the_link_ends() {
    let world = World::new().await;
    let (address, token) = parts(&world.sharing.open().await.expect("a link"));
    let bearer = format!("Bearer {token}");
    let with_token = [("authorization", bearer.as_str())];
    let (code, mut stream) = send(address, "GET /events", &with_token).await;
    assert_eq!(code, 200);
    world
        .until("one watches", |state| {
            state
                .sharing
                .as_ref()
                .is_some_and(|sharing| sharing.watching == 1)
        })
        .await;
    assert_eq!(world.core.hub.read(PanelState::watching), 1);

    world.revoke().await;
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("the stream ends")
        .expect("read");
    let text = String::from_utf8_lossy(&rest);
    assert!(
        text.contains("\"snapshot\"") && text.contains("\"viewer\""),
        "{text}"
    );
    assert!(!text.contains(&token), "the token is in the stream");
    world
        .until("nothing is shared", |state| state.sharing.is_none())
        .await;
    // The door still says why: the link is not valid any more.
    assert_eq!(status(address, "GET /events", &with_token).await, 401);
    world.core.shutdown.cancel();
}

#[tokio::test]
async fn a_new_link_ends_the_former_one_and_its_streams() {
    let world = World::new().await;
    let first = world.sharing.open().await.expect("a link");
    let (address, old) = parts(&first);
    let bearer = format!("Bearer {old}");
    let (_, mut stream) = send(address, "GET /events", &[("authorization", &bearer)]).await;
    let second = world.sharing.open().await.expect("another link");
    assert_eq!(parts(&second).0, address, "the same door");
    assert_ne!(first.url, second.url);
    assert!(second.qr.size > 20 && !second.qr.path.is_empty());
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("the former stream ends")
        .expect("read");
    assert_eq!(
        status(address, "GET /events", &[("authorization", &bearer)]).await,
        401
    );
    let bearer = format!("Bearer {}", parts(&second).1);
    assert_eq!(
        status(address, "GET /events", &[("authorization", &bearer)]).await,
        200
    );
    use app::ports::Sharing as _;
    let told = world
        .sharing
        .link()
        .await
        .expect("an answer")
        .expect("a link");
    assert_eq!(told.url, second.url);
    world.core.shutdown.cancel();
}

#[tokio::test]
async fn at_the_viewers_door_nobody_can_change_anything() {
    let world = World::new().await;
    let (address, token) = parts(&world.sharing.open().await.expect("a link"));
    let viewer = format!("Bearer {token}");
    let wish = |bearer: &'static str| -> Vec<(&'static str, String)> {
        vec![
            ("authorization", bearer.to_owned()),
            ("content-type", "application/json".to_owned()),
            ("x-slipway", "1".to_owned()),
        ]
    };
    let mut paths: Vec<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    paths.push("/api/no/such");
    assert!(paths.len() > 30);
    for path in paths {
        let line = format!("POST {path}");
        let mut headers = wish("");
        headers[0].1.clone_from(&viewer);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(
            status(address, &line, &headers).await,
            403,
            "{path} as a viewer"
        );
        let stranger: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if *name == "authorization" {
                        "Bearer x"
                    } else {
                        *value
                    },
                )
            })
            .collect();
        assert_eq!(
            status(address, &line, &stranger).await,
            401,
            "{path} with a wrong token"
        );
    }
    world.core.shutdown.cancel();
}

#[tokio::test]
async fn the_viewers_door_answers_to_its_own_address_alone() {
    let world = World::new().await;
    let (address, token) = parts(&world.sharing.open().await.expect("a link"));
    let bearer = format!("Bearer {token}");
    for host in ["evil.example", "localhost", "127.0.0.1", "0.0.0.0:1"] {
        let headers = [("authorization", bearer.as_str()), ("host", host)];
        assert_eq!(
            status(address, "GET /events", &headers).await,
            421,
            "{host}"
        );
    }
    let foreign = [
        ("authorization", bearer.as_str()),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(status(address, "GET /events", &foreign).await, 403);
    assert_eq!(status(address, "GET /events", &[]).await, 401);
    world.core.shutdown.cancel();
}
