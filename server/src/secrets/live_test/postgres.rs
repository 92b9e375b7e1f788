//! Postgres: the name, the connection, encryption, signing in, `select 1`.
//! What Neon and PgBouncer say when they refuse, and what Postgres itself says, is told apart here;
//! their words are from the sources of Neon's proxy, of PgBouncer and of PostgreSQL.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use app::model::Finding;
use rustls::pki_types::ServerName;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::config::{ChannelBinding as Binding, Config, SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use url::Url;
use zeroize::Zeroizing;

use super::dial::dial;
use super::scrub::decoded;
use super::tls::{CertificateProblem, Seen, Trust, connector};
use super::{Steps, within, words};

/// A suspended Neon compute wakes within a few seconds; this is patient with it.
const SIGN_IN_LIMIT: Duration = Duration::from_secs(15);
const QUERY_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn test(value: &str, steps: &mut Steps) -> Result<(), Finding> {
    if value.starts_with("sqlite:") {
        steps.pass(
            "File",
            "A SQLite file inside the pod: there is no server to ask",
        );
        return Ok(());
    }
    let parsed = match Parsed::of(value) {
        Ok(parsed) => parsed,
        Err(why) => return Err(steps.fail("URL", words::not_a_url(why))),
    };
    for note in &parsed.notes {
        steps.note(*note);
    }
    let stream = dial(&parsed.host, parsed.port, steps).await?;
    // A TLS connection without Postgres' own greeting names the protocol.
    let direct = parsed.config.get_ssl_negotiation() == SslNegotiation::Direct;
    let alpn: &'static [&'static [u8]] = if direct { &[b"postgresql"] } else { &[] };
    let (connector, seen) = connector(parsed.trust, alpn)
        .await
        .map_err(|finding| steps.fail("TLS", finding))?;
    let server_name = ServerName::try_from(parsed.host.clone()).map_err(|_| {
        steps.fail(
            "TLS",
            words::not_a_url("The host is not a name that TLS knows"),
        )
    })?;
    let tls = Tls {
        connector,
        server_name,
    };
    let signing_in = async {
        parsed
            .config
            .connect_raw(stream, tls)
            .await
            .map_err(Refusal::Postgres)
    };
    let signed_in = tokio::time::timeout(SIGN_IN_LIMIT, signing_in)
        .await
        .unwrap_or(Err(Refusal::Slow));
    let (client, connection) = match signed_in {
        Ok(both) => both,
        Err(refusal) => return Err(explain(&refusal, &parsed, &seen, steps)),
    };
    tell_tls(&parsed, &seen, steps);
    steps.pass("Sign in", "User, password and database are accepted");
    let _driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        // Its errors are the client's as well.
        let _ = connection.await;
    }));
    let asked = async {
        client
            .simple_query("select 1")
            .await
            .map_err(|error| words::query_failed(&said(&error)))
    };
    match within(QUERY_LIMIT, asked, || {
        words::query_failed("no answer in time")
    })
    .await
    {
        Ok(_) => steps.pass("select 1", "The database answers"),
        Err(finding) => return Err(steps.fail("select 1", finding)),
    }
    if parsed.is_pooled {
        steps.note(
            "This is a pooler's address. It is right for an app with many short connections; migrations, LISTEN and session settings need the direct one.",
        );
    }
    Ok(())
}

/// Says what was seen of the encryption.
fn tell_tls(parsed: &Parsed, seen: &Seen, steps: &mut Steps) {
    match seen.verdict() {
        Some(Ok(())) => steps.pass("TLS", "Encrypted, and the certificate is trusted"),
        Some(Err(problem)) => {
            steps.pass("TLS", "Encrypted; the certificate is not checked");
            let what = match problem {
                CertificateProblem::UnknownIssuer => {
                    "is from an authority this machine does not know"
                }
                CertificateProblem::OtherName => "is for another name",
                CertificateProblem::Expired => "has expired",
                CertificateProblem::Other => "would not be trusted",
            };
            steps.note(format!(
                "The server's certificate {what}. With this sslmode nobody checks it; verify-full would refuse it."
            ));
        }
        None if parsed.mode == SslMode::Disable => {
            steps.pass("TLS", "Not encrypted, as sslmode=disable says");
        }
        None => {
            steps.pass("TLS", "Not encrypted: the server offers no TLS");
            steps.note("User and data travel in the clear: the server offers no TLS, and this sslmode does not insist.");
        }
    }
}

enum Refusal {
    Slow,
    Postgres(tokio_postgres::Error),
}

fn explain(refusal: &Refusal, parsed: &Parsed, seen: &Seen, steps: &mut Steps) -> Finding {
    let error = match refusal {
        Refusal::Slow => return steps.fail("Sign in", words::sign_in_slow()),
        Refusal::Postgres(error) => error,
    };
    let Some(refused) = error.as_db_error() else {
        let text = said(error);
        // How the library calls what went wrong before the server spoke Postgres.
        if error.to_string().contains("TLS") {
            let finding = match seen.verdict() {
                Some(Err(problem)) => words::certificate(problem),
                _ if text.contains("does not support TLS") => words::server_without_tls(),
                _ => words::tls_failed(&text),
            };
            return steps.fail("TLS", finding);
        }
        tell_tls(parsed, seen, steps);
        // Without a password in the value, the library has nothing to answer with.
        let what = error.to_string();
        let is_sign_in = what.contains("authentication") || what.contains("configuration");
        let finding = match is_sign_in {
            true => words::sign_in_impossible(&text),
            false => words::not_postgres(&text),
        };
        return steps.fail("Sign in", finding);
    };
    if seen.verdict().is_some() {
        tell_tls(parsed, seen, steps);
    }
    let message = refused.message();
    let finding = classify(refused.code().code(), message, parsed);
    steps.fail("Sign in", finding.evidence("the server", message))
}

/// The reason behind what a server says, by its SQLSTATE and its words.
fn classify(code: &str, message: &str, parsed: &Parsed) -> Finding {
    let text = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["unsupported startup parameter"]) {
        return words::pooler();
    }
    if has(&["is not allowed to connect", "ip address"]) && has(&["not allowed"]) {
        return words::address_not_allowed();
    }
    if has(&[
        "endpoint has been disabled",
        "endpoint is disabled",
        "project has been suspended",
        "project is suspended",
    ]) {
        return words::suspended();
    }
    if has(&[
        "exceeded the compute time quota",
        "compute time quota",
        "exceeded the quota",
        "exceeded the data transfer quota",
        "quota exceeded",
    ]) {
        return words::database_quota();
    }
    if has(&[
        "endpoint could not be found",
        "endpoint not found",
        "tenant or user not found",
        "endpoint id is not specified",
        "project not found",
    ]) {
        return words::endpoint_unknown();
    }
    if has(&[
        "connection is insecure",
        "sslmode=require",
        "ssl required",
        "ssl connection is required",
        "requires ssl",
    ]) {
        return words::tls_required();
    }
    if has(&["no pg_hba.conf entry", "pg_hba.conf rejects"]) {
        let is_open = has(&["no encryption", "ssl off"]);
        return match (is_open, parsed.mode) {
            (true, SslMode::Disable | SslMode::Prefer) => words::tls_required(),
            _ => words::address_not_allowed(),
        };
    }
    match code {
        "28P01" => words::wrong_password(),
        "28000" if has(&["password authentication failed", "does not exist"]) => {
            words::wrong_password()
        }
        "28000" => words::sign_in_refused(),
        "3D000" => words::no_database(),
        "42501" => words::no_right_to_connect(),
        "53300" | "53400" => words::too_many_connections(),
        "57P01" | "57P02" | "57P03" => words::starting_up(),
        _ if has(&["password authentication failed"]) => words::wrong_password(),
        _ if has(&["no such database", "database does not exist"]) => words::no_database(),
        _ if has(&["too many connections", "no more connections", "max clients"]) => {
            words::too_many_connections()
        }
        _ if has(&[
            "couldn't connect to compute node",
            "control plane request failed",
            "failed to acquire permit",
        ]) =>
        {
            words::waking()
        }
        _ => words::refused_otherwise(code),
    }
}

/// An error with its causes; servers' own words stay what they are.
fn said(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// What the value says, as libpq reads it.
struct Parsed {
    host: String,
    port: u16,
    mode: SslMode,
    trust: Trust,
    config: Config,
    is_pooled: bool,
    notes: Vec<&'static str>,
}

impl Parsed {
    fn of(value: &str) -> Result<Self, &'static str> {
        let url = Url::parse(value).map_err(|_| {
            "It cannot be read as a URL; a password with characters such as / ? # @ has to be URL-encoded"
        })?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or("The host is missing")?.to_owned();
        let mut config = Config::new();
        config.application_name("slipway live test");
        let mut notes = Vec::new();
        let decode = |text: &str| -> Zeroizing<String> { Zeroizing::new(decoded(text)) };
        let user = decode(url.username());
        if user.is_empty() {
            return Err("The user is missing before the host");
        }
        config.user(user.as_str());
        if let Some(password) = url.password() {
            config.password(decode(password).as_bytes());
        }
        let database = decode(url.path().trim_start_matches('/'));
        if database.is_empty() {
            return Err("The database name is missing after the host");
        }
        config.dbname(database.as_str());
        let (mut mode, mut trust) = (SslMode::Prefer, Trust::Anyone);
        for (key, value) in url.query_pairs() {
            match (key.as_ref(), value.as_ref()) {
                ("sslmode", "disable") => mode = SslMode::Disable,
                ("sslmode", "allow" | "prefer") => {}
                ("sslmode", "require" | "no-verify") => mode = SslMode::Require,
                ("sslmode", "verify-ca") => (mode, trust) = (SslMode::Require, Trust::Authority),
                ("sslmode", "verify-full") => (mode, trust) = (SslMode::Require, Trust::Full),
                ("sslmode", _) => {
                    return Err(
                        "sslmode has to be disable, allow, prefer, require, verify-ca or verify-full",
                    );
                }
                ("ssl", "true" | "1") => mode = SslMode::Require,
                ("sslnegotiation", "direct") => {
                    config.ssl_negotiation(SslNegotiation::Direct);
                }
                ("channel_binding", "require") => {
                    config.channel_binding(Binding::Require);
                }
                ("channel_binding", "disable") => {
                    config.channel_binding(Binding::Disable);
                }
                ("options", options) => {
                    config.options(options);
                }
                ("sslrootcert", file) if file != "system" => {
                    trust = Trust::Anyone;
                    notes.push(
                        "sslrootcert names a file that is in the pod: the certificate was not checked against it from here.",
                    );
                }
                _ => {}
            }
        }
        if trust != Trust::Anyone || mode == SslMode::Require {
            mode = SslMode::Require;
        }
        config.ssl_mode(mode);
        Ok(Self {
            port: url.port().unwrap_or(5432),
            is_pooled: is_pooler(&host, url.port()),
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            mode,
            trust,
            config,
            notes,
        })
    }
}

/// Whether the address is a pooler's: Neon's `ep-…-pooler.`, Supabase's, or PgBouncer's own port.
fn is_pooler(host: &str, port: Option<u16>) -> bool {
    let first = host.split('.').next().unwrap_or_default();
    first.ends_with("-pooler")
        || host.ends_with(".pooler.supabase.com")
        || matches!(port, Some(6432 | 6543))
}

struct Tls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl TlsConnect<TcpStream> for Tls {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move {
            let stream = self.connector.connect(self.server_name, stream).await?;
            Ok(Encrypted(Box::new(stream)))
        })
    }
}

struct Encrypted(Box<tokio_rustls::client::TlsStream<TcpStream>>);

impl TlsStream for Encrypted {
    /// By RFC 5929: the hash of the server's certificate, by the hash of its signature.
    fn channel_binding(&self) -> ChannelBinding {
        let (_, session) = self.0.get_ref();
        let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else {
            return ChannelBinding::none();
        };
        // 1.2.840.113549.1.1.{11,12,13} and 1.2.840.10045.4.3.{2,3,4}: SHA-256, 384, 512.
        let oid = x509_parser::parse_x509_certificate(certificate)
            .map(|(_, parsed)| parsed.signature_algorithm.algorithm.to_id_string())
            .unwrap_or_default();
        let hash = match oid.as_str() {
            "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
            "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
            _ => Sha256::digest(certificate).to_vec(),
        };
        ChannelBinding::tls_server_end_point(hash)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(sqlstate: &str, message: &str, url: &str) -> String {
        let parsed = Parsed::of(url).expect("a URL");
        classify(sqlstate, message, &parsed).code
    }

    #[test]
    fn what_servers_say_is_told_apart() {
        let url = "postgres://u:p@host/db";
        let secure = "postgres://u:p@host/db?sslmode=require";
        for (sqlstate, message, url, code) in [
            (
                "28P01",
                "password authentication failed for user \"u\"",
                url,
                "LIVE_TEST_PASSWORD",
            ),
            (
                "XX000",
                "password authentication failed for user 'u'",
                url,
                "LIVE_TEST_PASSWORD",
            ),
            (
                "XX000",
                "The endpoint has been disabled. Enable it using Neon API and retry.",
                url,
                "LIVE_TEST_SUSPENDED",
            ),
            (
                "XX000",
                "Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.",
                url,
                "LIVE_TEST_QUOTA",
            ),
            (
                "XX000",
                "The requested endpoint could not be found, or you don't have access to it.",
                url,
                "LIVE_TEST_ENDPOINT_UNKNOWN",
            ),
            (
                "XX000",
                "This IP address 1.2.3.4 is not allowed to connect to this endpoint. Please add it to the allowed list in the Neon console.",
                url,
                "LIVE_TEST_NOT_ALLOWED",
            ),
            (
                "08P01",
                "unsupported startup parameter in options: search_path",
                url,
                "LIVE_TEST_POOLER",
            ),
            (
                "XX000",
                "connection is insecure (try using `sslmode=require`)",
                url,
                "LIVE_TEST_SSLMODE",
            ),
            (
                "28000",
                "no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"db\", no encryption",
                url,
                "LIVE_TEST_SSLMODE",
            ),
            (
                "28000",
                "no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"db\", SSL encryption",
                secure,
                "LIVE_TEST_NOT_ALLOWED",
            ),
            (
                "28000",
                "role \"u\" does not exist",
                url,
                "LIVE_TEST_PASSWORD",
            ),
            (
                "3D000",
                "database \"db\" does not exist",
                url,
                "LIVE_TEST_DATABASE",
            ),
            (
                "53300",
                "sorry, too many clients already",
                url,
                "LIVE_TEST_BUSY",
            ),
            (
                "57P03",
                "the database system is starting up",
                url,
                "LIVE_TEST_BUSY",
            ),
            ("XX000", "something new", url, "LIVE_TEST_REFUSED"),
        ] {
            assert_eq!(code_of(sqlstate, message, url), code, "{message}");
        }
    }

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        let parsed = Parsed::of(
            "postgresql://u%40x:p%2Fss+w@ep-a-pooler.eu.aws.neon.tech/db?sslmode=verify-full&channel_binding=require&pgbouncer=true",
        )
        .expect("a URL");
        assert_eq!(parsed.config.get_user(), Some("u@x"));
        assert_eq!(parsed.config.get_password(), Some(&b"p/ss+w"[..]));
        assert_eq!((parsed.mode, parsed.trust), (SslMode::Require, Trust::Full));
        assert!(parsed.is_pooled && parsed.port == 5432);
        let v6 = Parsed::of("postgres://u@[::1]:5433/db").expect("a URL");
        assert_eq!((v6.host.as_str(), v6.port), ("::1", 5433));
        assert_eq!((v6.mode, v6.is_pooled), (SslMode::Prefer, false));
        for bad in [
            "postgres://u:p/a#ss@host/db",
            "postgres://u:p@host/",
            "postgres://host/db",
            "postgres://u:p@host/db?sslmode=requiered",
            "nothing",
        ] {
            assert!(Parsed::of(bad).is_err(), "{bad}");
        }
    }
}
