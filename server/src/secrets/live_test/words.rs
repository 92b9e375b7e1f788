//! The reasons a live test fails for. None of them knows any part of the value.

use std::fmt::Display;

use app::model::{Finding, NextAction};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use zeroize::Zeroizing;

use super::tls::CertificateProblem;

fn advice(finding: Finding, text: &str) -> Finding {
    finding.next(NextAction::advice(text))
}

pub(super) fn stopped() -> Finding {
    Finding::new(
        "LIVE_TEST_STOPPED",
        "The test was stopped",
        "Nothing was stored.",
    )
    .attention()
}

pub(super) fn too_slow() -> Finding {
    timeout("The whole test took longer than 30 seconds.")
}

fn timeout(why: &str) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_TIMEOUT",
            "The server did not answer in time",
            why,
        ),
        "Check host and port, and whether a firewall or a VPN is in between",
    )
}

pub(super) fn no_answer() -> Finding {
    timeout(
        "Nothing came back from that address and port: a firewall may drop the packets, or nobody is there.",
    )
}

pub(super) fn answer_slow() -> Finding {
    timeout("The connection stands, and the answer did not come.")
}

pub(super) fn dns_slow() -> Finding {
    timeout("The name could not be looked up in time: is this machine online?")
}

pub(super) fn sign_in_slow() -> Finding {
    timeout(
        "The connection stands, and signing in was not answered. A suspended database needs a moment to wake: try again.",
    )
}

pub(super) fn not_a_url(why: &str) -> Finding {
    Finding::new(
        "LIVE_TEST_NOT_A_URL",
        "The value cannot be tried out",
        format!("{why}."),
    )
}

pub(super) fn bad_base_url() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_A_URL",
            "The address of the API cannot be used",
            "It comes from the project's settings and is no http or https URL.",
        ),
        "Correct the base URL in the ConfigMap, or `test_url` in slipway.toml",
    )
}

pub(super) fn host_unknown(error: &dyn Display) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_HOST_UNKNOWN",
            "The host has no address",
            "No such name is known from this machine: it is misspelled, belongs to a deleted project, or only exists inside a network.",
        )
        .evidence("name lookup", error.to_string()),
        "Copy the value again from where it came from",
    )
}

pub(super) fn refused() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_UNREACHABLE",
            "Nobody listens there",
            "The host refuses connections on that port: the server is not running, or the port is another one.",
        ),
        "Check the port, and whether the server runs",
    )
}

pub(super) fn unreachable(error: &dyn Display) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_UNREACHABLE",
            "The host cannot be reached",
            "There is no way to it from this machine.",
        )
        .evidence("connection", error.to_string()),
        "Check the network, a VPN, and whether the host has an address of your kind (IPv4 or IPv6)",
    )
}

pub(super) fn no_tls_here() -> Finding {
    Finding::new(
        "LIVE_TEST_TLS",
        "Encryption could not be prepared",
        "This machine's certificates cannot be used.",
    )
}

pub(super) fn tls_failed(error: &str) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_TLS",
            "No encrypted connection came about",
            "The two sides did not agree, or what answers there does not speak TLS.",
        )
        .evidence("TLS", error),
        "Check the port; something in between may break encryption open",
    )
}

pub(super) fn certificate(problem: CertificateProblem) -> Finding {
    let why = match problem {
        CertificateProblem::UnknownIssuer => {
            "Its certificate is from an authority this machine does not know; a pod may know it, or not."
        }
        CertificateProblem::OtherName => "Its certificate is for another name.",
        CertificateProblem::Expired => "Its certificate has expired.",
        CertificateProblem::Other => "Its certificate is not trusted.",
    };
    advice(
        Finding::new(
            "LIVE_TEST_CERTIFICATE",
            "The server cannot prove who it is",
            why,
        ),
        "Check the host; for a private authority, sslmode=require encrypts without asking for proof",
    )
}

pub(super) fn server_without_tls() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_SSLMODE",
            "The server offers no encryption, and sslmode insists on it",
            "It answered that it does not speak TLS.",
        ),
        "For a database in the cluster or on this machine, sslmode=disable or prefer is right",
    )
}

pub(super) fn tls_required() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_SSLMODE",
            "The server wants an encrypted connection",
            "sslmode in the value lets it stay unencrypted, and the server refuses that.",
        ),
        "Add ?sslmode=require to the value",
    )
}

pub(super) fn wrong_password() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_PASSWORD",
            "User or password is wrong",
            "The server knows the way this far and refuses this sign-in.",
        ),
        "Copy the value again, or reset the password; characters such as @ / ? # in it have to be URL-encoded",
    )
}

pub(super) fn sign_in_refused() -> Finding {
    Finding::new(
        "LIVE_TEST_PASSWORD",
        "The server refuses this sign-in",
        "This user may not sign in that way.",
    )
}

pub(super) fn sign_in_impossible(text: &str) -> Finding {
    Finding::new(
        "LIVE_TEST_PASSWORD",
        "Signing in did not work out",
        "The server asks for something the value does not have, such as a password or channel binding.",
    )
    .evidence("sign-in", text)
}

pub(super) fn address_not_allowed() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_ALLOWED",
            "The server does not let this address in",
            "It has a list of addresses that may connect, and this machine's is not on it. The cluster's may be another one.",
        ),
        "Add the address to the list of the server (in Neon: project settings, IP Allow)",
    )
}

pub(super) fn suspended() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_SUSPENDED",
            "The database's project is suspended",
            "Its endpoint is disabled and does not wake by itself.",
        ),
        "Enable it in the provider's console, then test again",
    )
}

pub(super) fn database_quota() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_QUOTA",
            "The database's quota is used up",
            "The provider has stopped it for that.",
        ),
        "Raise the limits in the provider's console, or wait for the next period",
    )
}

pub(super) fn endpoint_unknown() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_ENDPOINT_UNKNOWN",
            "The provider does not know this database",
            "The endpoint in the host's name is not there any more, or is misspelled.",
        ),
        "Copy the connection string again from the provider's console",
    )
}

pub(super) fn pooler() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_POOLER",
            "This is a pooler, and the value asks for what only a direct connection has",
            "The value has `options`, and a pooler in transaction mode does not pass settings of a session on.",
        ),
        "Use the direct connection string (in Neon: switch off connection pooling), or remove `options`",
    )
}

pub(super) fn no_database() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_DATABASE",
            "The database does not exist",
            "Host, user and password are right; the name after the host is not.",
        ),
        "Correct the name, or create the database",
    )
}

pub(super) fn no_right_to_connect() -> Finding {
    Finding::new(
        "LIVE_TEST_DATABASE",
        "This user may not use the database",
        "The sign-in is right, and the right CONNECT is missing.",
    )
}

pub(super) fn too_many_connections() -> Finding {
    Finding::new(
        "LIVE_TEST_BUSY",
        "The server has no connection left",
        "All are taken; the value may be right.",
    )
    .attention()
}

pub(super) fn starting_up() -> Finding {
    Finding::new(
        "LIVE_TEST_BUSY",
        "The database is just starting or stopping",
        "The value may be right: try again in a moment.",
    )
    .attention()
}

pub(super) fn waking() -> Finding {
    Finding::new(
        "LIVE_TEST_BUSY",
        "The provider could not wake the database",
        "The value may be right: try again in a moment, and look at the provider's status page.",
    )
    .attention()
}

pub(super) fn refused_otherwise(code: &str) -> Finding {
    Finding::new(
        "LIVE_TEST_REFUSED",
        "The server refuses the connection",
        format!("Its reason has the code {code}."),
    )
}

pub(super) fn not_postgres(text: &str) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_POSTGRES",
            "What answers there does not speak Postgres",
            "The connection was closed, or the answer makes no sense.",
        )
        .evidence("connection", text),
        "Check host and port",
    )
}

pub(super) fn query_failed(text: &str) -> Finding {
    Finding::new(
        "LIVE_TEST_REFUSED",
        "Signed in, and `select 1` failed",
        "The database does not answer the simplest question.",
    )
    .evidence("the server", text)
}

pub(super) fn not_http() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_HTTP",
            "What answers there does not speak HTTP",
            "The connection was closed, or the answer makes no sense.",
        ),
        "Check scheme, host and port",
    )
}

pub(super) fn key_refused() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_KEY_REFUSED",
            "The API does not accept the key",
            "It is wrong, revoked, or meant for another provider (HTTP 401).",
        ),
        "Make a new key in the provider's console and enter that",
    )
}

pub(super) fn key_may_not() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_KEY_REFUSED",
            "The key may not do this",
            "The API knows it and refuses (HTTP 403): its project or its rights are too narrow.",
        ),
        "Give the key the right to use models",
    )
}

pub(super) fn wrong_organization() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_ORGANIZATION",
            "The key does not belong to the organization",
            "The project's settings name one, or the account has none, and the API refuses that.",
        ),
        "Correct OPENAI_ORG_ID in the project's settings, or use a key of that organization",
    )
}

pub(super) fn region() -> Finding {
    Finding::new(
        "LIVE_TEST_NOT_ALLOWED",
        "The API does not serve this region",
        "It refuses requests from where this machine is; the cluster may be elsewhere.",
    )
}

pub(super) fn api_quota() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_QUOTA",
            "The account's quota is used up",
            "The key is right, and the API answers nothing before there is credit again.",
        ),
        "Add credit or raise the limit in the provider's console",
    )
}

pub(super) fn rate_limited() -> Finding {
    Finding::new(
        "LIVE_TEST_BUSY",
        "The API asks to slow down",
        "The key is right; too many requests were sent in a short time (HTTP 429).",
    )
    .attention()
}

pub(super) fn no_such_model(model: &str) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_MODEL",
            "The key may not use the project's model",
            format!("The key is right, and {model} is not among the models it lists."),
        )
        .attention(),
        "Name another model in the project's settings, or give the key access to it",
    )
}

pub(super) fn not_compatible() -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_COMPATIBLE",
            "What answers there is no OpenAI-compatible API",
            "It does not list models in that form.",
        ),
        "Check the base URL: it usually ends in /v1",
    )
}

pub(super) fn redirected(status: u16) -> Finding {
    advice(
        Finding::new(
            "LIVE_TEST_NOT_COMPATIBLE",
            "The API's address redirects elsewhere",
            format!("It answered with {status}, and a key is not sent on to another place."),
        ),
        "Enter the address it redirects to as base URL",
    )
}

pub(super) fn server_broken(status: u16) -> Finding {
    Finding::new(
        "LIVE_TEST_SERVER_BROKEN",
        "The server has a problem of its own",
        format!("It answered with {status}; the value may be right."),
    )
    .attention()
}

pub(super) fn api_refused(status: u16) -> Finding {
    Finding::new(
        "LIVE_TEST_REFUSED",
        "The API refuses the request",
        format!("It answered with {status}."),
    )
}

pub(super) fn url_refused(status: u16) -> Finding {
    Finding::new(
        "LIVE_TEST_KEY_REFUSED",
        "The server does not let this URL in",
        format!("It answered with {status}: credentials are missing, wrong or expired."),
    )
}

pub(super) fn url_not_found(status: u16) -> Finding {
    Finding::new(
        "LIVE_TEST_NOT_FOUND",
        "There is nothing at this URL",
        format!("The server answered with {status}."),
    )
}

/// The header for the user and password of a URL.
pub(super) fn basic_authorization(url: &Url) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!(
        "{}:{}",
        super::scrub::decoded(url.username()),
        super::scrub::decoded(url.password().unwrap_or_default())
    ));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}
