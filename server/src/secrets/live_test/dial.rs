//! The two lowest layers, the same for every kind of server: the name and the connection.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use app::model::Finding;
use tokio::net::{TcpStream, lookup_host};

use super::{Steps, within, words};

const LIMIT: Duration = Duration::from_secs(6);

/// Looks the name up and connects to the first address that answers.
pub(super) async fn dial(host: &str, port: u16, steps: &mut Steps) -> Result<TcpStream, Finding> {
    let addresses = match look_up(host, port).await {
        Ok(addresses) => addresses,
        Err(finding) => return Err(steps.fail("DNS", finding)),
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    steps.pass(
        "DNS",
        match (is_address, addresses.len()) {
            (true, _) => "An address, no name to look up".to_owned(),
            (false, 1) => "The name has one address".to_owned(),
            (false, many) => format!("The name has {many} addresses"),
        },
    );
    match within(LIMIT, connect(&addresses), words::no_answer).await {
        Ok(stream) => {
            steps.pass("TCP", "The port accepts connections");
            Ok(stream)
        }
        Err(finding) => Err(steps.fail("TCP", finding)),
    }
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Finding> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let looked_up = async {
        let found = lookup_host((host, port))
            .await
            .map_err(|error| words::host_unknown(&error))?;
        Ok(found.collect::<Vec<_>>())
    };
    let addresses = within(LIMIT, looked_up, words::dns_slow).await?;
    if addresses.is_empty() {
        return Err(words::host_unknown(&"the name has no address"));
    }
    Ok(addresses)
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Finding> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A question of a few bytes should not wait for more.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() == ErrorKind::ConnectionRefused => words::refused(),
        Some(error) => words::unreachable(&error),
        None => words::no_answer(),
    })
}
