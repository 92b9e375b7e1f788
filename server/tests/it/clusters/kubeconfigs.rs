//! Every way a kubeconfig can lead to a cluster, and every way it can fail to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use app::model::{Finding, NextAction, Reach};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::front::Proxy;
use super::{Api, Credentials, World, kubeconfig};

fn script(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    path.display().to_string()
}

fn exec(command: &str, more: &str) -> String {
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {command}, interactiveMode: IfAvailable{more}}}"
    )
}

fn credential(status: &str) -> String {
    format!(
        "cat <<'EOF'\n{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{{status}}}}}\nEOF"
    )
}

/// The PEM text as a JSON string's inside.
fn json_pem(base64: &str) -> String {
    let pem = STANDARD.decode(base64).expect("Base64");
    String::from_utf8(pem).expect("text").replace('\n', "\\n")
}

/// All the ways that work: a name, the cluster's YAML, the user's YAML.
fn good_ways(credentials: &Credentials, folder: &Path) -> Vec<(&'static str, String, String)> {
    let Credentials {
        server,
        authority,
        certificate,
        key,
        token,
    } = credentials;
    let write = |name: &str, base64: &str| {
        let path = folder.join(name);
        fs::write(&path, STANDARD.decode(base64).expect("Base64")).expect("written");
        path.display().to_string()
    };
    let (ca_file, crt_file, key_file) = (
        write("ca.crt", authority),
        write("u.crt", certificate),
        write("u.key", key),
    );
    fs::write(folder.join("token"), format!("{token}\n")).expect("written");
    let embedded = format!("server: '{server}', certificate-authority-data: {authority}");
    let by_certificate = format!("client-certificate-data: {certificate}, client-key-data: {key}");
    let by_token = format!("token: {token}");
    let gives_token = script(
        folder,
        "gives-token",
        &credential(&format!("\"token\":\"{token}\"")),
    );
    let gives_certificate = script(
        folder,
        "gives-certificate",
        &credential(&format!(
            "\"clientCertificateData\":\"{}\",\"clientKeyData\":\"{}\"",
            json_pem(certificate),
            json_pem(key)
        )),
    );
    // Says nothing useful unless it was given its argument, its variable and what client-go gives.
    let checks = script(
        folder,
        "checks",
        &format!(
            "[ \"$1\" = get-token ] && [ \"$WHO\" = me ] && [ ! -t 0 ] || exit 9\ncase \"$KUBERNETES_EXEC_INFO\" in *ExecCredential*'\"interactive\":false'*127.0.0.1*) ;; *) exit 8;; esac\n{}",
            credential(&format!(
                "\"token\":\"{token}\",\"expirationTimestamp\":\"2199-01-01T00:00:00Z\""
            ))
        ),
    );
    let skipping = format!("server: '{server}', insecure-skip-tls-verify: true");
    let by_name = server.replace("127.0.0.1", "localhost");
    vec![
        ("embedded", embedded.clone(), by_certificate),
        (
            "files",
            format!("server: '{server}', certificate-authority: '{ca_file}'"),
            format!("client-certificate: '{crt_file}', client-key: '{key_file}'"),
        ),
        (
            "relative-files",
            format!("server: '{server}', certificate-authority: ca.crt"),
            "client-certificate: u.crt, client-key: ./u.key".into(),
        ),
        ("token", embedded.clone(), by_token.clone()),
        ("token-file", embedded.clone(), "tokenFile: token".into()),
        (
            "token-file-wins",
            embedded.clone(),
            "token: not-the-token, tokenFile: token".into(),
        ),
        ("exec-token", embedded.clone(), exec(&gives_token, "")),
        ("exec-relative", embedded.clone(), exec("./gives-token", "")),
        (
            "exec-certificate",
            embedded.clone(),
            exec(&gives_certificate, ""),
        ),
        (
            "exec-checks",
            embedded.clone(),
            exec(
                &checks,
                ", args: [get-token], env: [{name: WHO, value: me}], provideClusterInfo: true",
            ),
        ),
        ("skip-verify", skipping, by_token.clone()),
        (
            "server-name",
            format!("{embedded}, tls-server-name: kubernetes"),
            by_token.clone(),
        ),
        (
            "by-name",
            format!("server: '{by_name}', certificate-authority-data: {authority}"),
            by_token,
        ),
    ]
}

#[tokio::test]
async fn every_way_that_kubectl_knows_leads_to_the_cluster_and_says_who_we_are() {
    let api = Api::start().await;
    let world = World::new("").await;
    let ways = good_ways(&api.credentials(), world.folder.path());
    for (way, cluster, user) in &ways {
        fs::write(&world.kubeconfig, kubeconfig(way, cluster, user)).expect("written");
        if let Err(finding) = world.choose(way).await {
            panic!("{way}: {finding:#?}");
        }
        let view = world
            .core
            .hub
            .read(|state| state.cluster.clone())
            .expect("a cluster");
        assert_eq!(view.choice.label(), *way);
        assert!(view.version.is_some(), "{way}");
        assert_eq!(
            view.who.map(|who| who.name).as_deref(),
            Some("practice-admin"),
            "{way}"
        );
        assert_eq!(
            view.warnings.is_empty(),
            *way != "skip-verify",
            "{way}: {:?}",
            view.warnings
        );
    }
    world.end().await;
}

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_is_gone_through() {
    let api = Api::start().await;
    let Credentials {
        authority, token, ..
    } = api.credentials();
    let proxy = Proxy::to(api.cluster.port()).await;
    let cluster = format!(
        "server: 'https://10.255.255.1:6443', certificate-authority-data: {authority}, tls-server-name: localhost, proxy-url: 'http://127.0.0.1:{}'",
        proxy.port
    );
    let world = World::new(&kubeconfig("far", &cluster, &format!("token: {token}"))).await;
    assert_eq!(
        proxy.tunnels.load(Ordering::SeqCst),
        0,
        "asked before it was chosen"
    );
    world.choose("far").await.expect("reached");
    assert!(proxy.tunnels.load(Ordering::SeqCst) > 0);
    world.end().await;
}

/// A client certificate that ended long ago.
fn ended() -> (String, String) {
    let mut params = rcgen::CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (
        STANDARD.encode(certificate.pem()),
        STANDARD.encode(key.serialize_pem()),
    )
}

#[tokio::test]
async fn every_way_that_fails_says_what_is_wrong_and_shows_no_secret() {
    let api = Api::start().await;
    let other = Api::start().await;
    let world = World::new("").await;
    let folder = world.folder.path();
    let Credentials {
        server,
        authority,
        token,
        certificate,
        ..
    } = api.credentials();
    let good = format!("server: '{server}', certificate-authority-data: {authority}");
    let by_token = format!("token: {token}");
    let (old_certificate, old_key) = ended();
    let fails = script(
        folder,
        "fails",
        &format!(
            "echo 'the session ended, token {token}' >&2\n{}\nexit 3",
            credential(&format!("\"token\":\"{token}\""))
        ),
    );
    let garbage = script(folder, "garbage", "echo hello");
    let empty = script(folder, "empty", &credential(""));
    let old = script(
        folder,
        "old",
        &credential("\"token\":\"x\"").replace("/v1\"", "/v1beta1\""),
    );
    let cases: Vec<(&str, String, String, &str, &str)> = vec![
        ("no-server", "insecure-skip-tls-verify: true".into(), by_token.clone(), "CONTEXT_UNUSABLE", "has no server"),
        ("no-url", "server: 'nonsense'".into(), by_token.clone(), "CONTEXT_UNUSABLE", "no URL"),
        ("wrong-proxy", format!("{good}, proxy-url: 'ftp://h'"), by_token.clone(), "CONTEXT_UNUSABLE", "`ftp`"),
        ("no-ca-file", format!("server: '{server}', certificate-authority: gone.crt"), by_token.clone(), "CREDENTIALS_UNREADABLE", "gone.crt"),
        ("ca-is-no-pem", format!("server: '{server}', certificate-authority-data: aGVsbG8="), by_token.clone(), "CREDENTIALS_UNREADABLE", "no PEM"),
        ("ca-is-no-base64", format!("server: '{server}', certificate-authority-data: '***'"), by_token.clone(), "CREDENTIALS_UNREADABLE", "Base64"),
        ("other-ca", format!("server: '{server}', certificate-authority-data: {}", other.credentials().authority), by_token.clone(), "CLUSTER_UNTRUSTED", "certificate authority"),
        ("other-name", format!("{good}, tls-server-name: elsewhere.example"), by_token.clone(), "CLUSTER_UNTRUSTED", "another name"),
        ("no-key", good.clone(), format!("client-certificate-data: {certificate}"), "CONTEXT_UNUSABLE", "no key"),
        ("ended", good.clone(), format!("client-certificate-data: {old_certificate}, client-key-data: {old_key}"), "CREDENTIALS_ENDED", "2020-01-01"),
        ("nobody", good.clone(), String::new(), "CLUSTER_LOGIN_REFUSED", "does not accept"),
        ("wrong-token", good.clone(), "token: something-else".into(), "CLUSTER_LOGIN_REFUSED", "does not accept"),
        ("no-token-file", good.clone(), "tokenFile: nowhere".into(), "CREDENTIALS_UNREADABLE", "nowhere"),
        ("exec-missing", good.clone(), exec("no-such-login-program", ", installHint: 'Get it from the shelf'"), "LOGIN_PROGRAM_MISSING", "no-such-login-program"),
        ("exec-fails", good.clone(), exec(&fails, ""), "LOGIN_FAILED", "exit code 3"),
        ("exec-garbage", good.clone(), exec(&garbage, ""), "LOGIN_FAILED", "no ExecCredential"),
        ("exec-empty", good.clone(), exec(&empty, ""), "LOGIN_FAILED", "neither a token"),
        ("exec-other-version", good.clone(), exec(&old, ""), "LOGIN_FAILED", "v1beta1"),
        ("exec-alpha", good.clone(), "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: 'true'}".into(), "LOGIN_FAILED", "v1alpha1"),
        ("exec-terminal", good.clone(), "exec: {apiVersion: client.authentication.k8s.io/v1, command: 'true', interactiveMode: Always}".into(), "LOGIN_WANTS_TERMINAL", "terminal"),
        ("auth-provider", good.clone(), "auth-provider: {name: gcp}".into(), "AUTH_PROVIDER_REMOVED", "1.26"),
        ("closed-port", "server: 'http://127.0.0.1:9'".into(), String::new(), "CLUSTER_UNREACHABLE", "Nobody listens"),
        ("no-such-name", "server: 'http://cluster.invalid:6443'".into(), String::new(), "CLUSTER_NAME_UNKNOWN", "cannot be looked up"),
    ];
    for (name, cluster, user, code, words) in &cases {
        fs::write(&world.kubeconfig, kubeconfig(name, cluster, user)).expect("written");
        let finding = world.choose(name).await.expect_err(name);
        assert_eq!(finding.code, *code, "{name}: {finding:#?}");
        let text = format!("{finding:?}");
        assert!(text.contains(words), "{name}: {finding:#?}");
        assert!(!text.contains(&token), "{name}: {finding:#?}");
        assert!(offers_a_way_out(&finding), "{name}");
    }
    let hint = |finding: &Finding| format!("{:?}", finding.next).contains("Get it from the shelf");
    let missing = cases
        .iter()
        .find(|case| case.0 == "exec-missing")
        .expect("a case");
    fs::write(
        &world.kubeconfig,
        kubeconfig(missing.0, &missing.1, &missing.2),
    )
    .expect("written");
    let finding = world.choose(missing.0).await.expect_err("missing");
    assert!(hint(&finding), "{finding:#?}");
    let unknown = world.choose("exec-mising").await.expect_err("unknown");
    assert!(
        unknown.why.contains("did you mean exec-missing?"),
        "{unknown:#?}"
    );
    // Nothing was taken, and nothing of it is on the screen.
    assert!(world.room.current().is_none());
    let shown = world.core.hub.read(|state| format!("{state:?}"));
    assert!(!shown.contains(&token));
    world.end().await;
}

fn offers_a_way_out(finding: &Finding) -> bool {
    finding
        .next
        .iter()
        .any(|next| matches!(next, NextAction::Do { .. }))
}

#[tokio::test]
async fn a_broken_file_among_good_ones_is_named_and_a_change_is_noticed() {
    let api = Api::start().await;
    let credentials = api.credentials();
    let cluster = format!(
        "server: '{}', certificate-authority-data: {}",
        credentials.server, credentials.authority
    );
    let user = format!("token: {}", credentials.token);
    let broken = tempfile::NamedTempFile::new().expect("a file");
    fs::write(broken.path(), "contexts: {").expect("written");
    let path = broken.path().to_owned();
    let world = World::with(&kubeconfig("one", &cluster, &user), |mut options| {
        if let Some(files) = &mut options.kubeconfig {
            files.insert(0, path);
        }
        options
    })
    .await;
    let limit = Duration::from_secs(10);
    let reach = |name: &'static str| {
        move |state: &app::model::PanelState| {
            state.clusters.iter().any(|option| {
                option.choice.label() == name
                    && matches!(option.reach, Reach::Reachable { .. })
                    && option.who.as_deref() == Some("practice-admin")
            })
        }
    };
    world
        .until("the good file's context answers", limit, reach("one"))
        .await;
    let problems = world.core.hub.read(|state| {
        state
            .kubeconfig_files
            .iter()
            .map(|file| file.problem.is_some())
            .collect::<Vec<_>>()
    });
    assert_eq!(problems, [true, false]);
    fs::write(broken.path(), kubeconfig("two", &cluster, &user)).expect("written");
    world
        .until("the mended file's context answers", limit, reach("two"))
        .await;
    fs::remove_file(broken.path()).expect("removed");
    world
        .until("its context is gone with it", limit, |state| {
            !state
                .clusters
                .iter()
                .any(|option| option.choice.label() == "two")
        })
        .await;
    world.end().await;
}
