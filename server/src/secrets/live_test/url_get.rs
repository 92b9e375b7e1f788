//! Any URL: http and https are asked once, for every other scheme the server's port is tried.

use app::model::Finding;
use http::Method;
use url::Url;

use super::http::{Ask, Web, path_of};
use super::{Steps, dial::dial, words};

pub(super) async fn test(value: &str, steps: &mut Steps) -> Result<(), Finding> {
    let url = match Url::parse(value) {
        Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => url,
        _ => {
            return Err(steps.fail(
                "URL",
                words::not_a_url("It cannot be read as a URL with a host"),
            ));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        let Some(port) = url.port().or_else(|| usual_port(url.scheme())) else {
            return Err(steps.fail(
                "URL",
                words::not_a_url("The port is missing, and the scheme has no usual one"),
            ));
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        dial(&host, port, steps).await?;
        steps.note("Only the connection was tried: Slipway does not speak this scheme.");
        return Ok(());
    }
    let mut web = Web::open(&url, steps).await?;
    let basic = (!url.username().is_empty() || url.password().is_some())
        .then(|| words::basic_authorization(&url));
    let headers = basic
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    let ask = Ask {
        method: Method::GET,
        path: &path_of(&url),
        headers,
        body: None,
    };
    let answer = web
        .ask(ask)
        .await
        .map_err(|finding| steps.fail("HTTP", finding))?;
    let code = answer.status.as_u16();
    match code {
        401 | 403 => Err(steps.fail("HTTP", words::url_refused(code))),
        404 | 410 => Err(steps.fail("HTTP", words::url_not_found(code))),
        500.. => Err(steps.fail("HTTP", words::server_broken(code))),
        _ => {
            steps.pass("HTTP", format!("Answered with {code}"));
            if answer.status.is_redirection() {
                steps.note("It redirects; the redirect was not followed.");
            }
            if code == 405 {
                steps.note("It does not take GET, which says nothing about what the app sends.");
            }
            Ok(())
        }
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "redis" | "valkey" => 6379,
        "rediss" => 6380,
        "amqp" => 5672,
        "amqps" => 5671,
        "mongodb" => 27017,
        "mysql" | "mariadb" => 3306,
        "nats" => 4222,
        "smtp" => 25,
        "smtps" => 465,
        "ws" => 80,
        "wss" => 443,
        _ => return None,
    })
}
