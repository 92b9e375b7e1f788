//! Which contexts there are: what each is, where it goes, and what it is made of.

use app::model::{ClusterKind, ContextName};
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig};
use sha2::{Digest as _, Sha256};

use super::kinds;

/// A context as the kubeconfig has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRow {
    pub name: ContextName,
    pub kind: ClusterKind,
    /// Empty when the kubeconfig names none.
    pub server: String,
    pub current: bool,
    /// The program its credentials come from; asking such a cluster may open a login window.
    pub login_program: Option<String>,
    /// Which certificate authority proves the server: a digest of it, or why there is none.
    pub authority: String,
}

/// What a context is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    pub cluster: Cluster,
    pub user: AuthInfo,
}

/// What is missing for a context to be usable, in words.
pub fn parts(config: &Kubeconfig, name: &str) -> Result<Parts, String> {
    let context = config
        .contexts
        .iter()
        .find(|named| named.name == name)
        .ok_or("the kubeconfig has no such context")?
        .context
        .as_ref()
        .ok_or("it is empty")?;
    let cluster = cluster_of(config, context)
        .ok_or_else(|| {
            format!(
                "it names the cluster `{}`, which no file defines",
                context.cluster
            )
        })?
        .clone();
    if cluster.server.as_deref().unwrap_or_default().is_empty() {
        return Err(format!("its cluster `{}` has no server", context.cluster));
    }
    let user = match context.user.as_deref().filter(|user| !user.is_empty()) {
        None => AuthInfo::default(),
        Some(user) => user_of(config, context)
            .ok_or_else(|| format!("it names the user `{user}`, which no file defines"))?
            .clone(),
    };
    Ok(Parts { cluster, user })
}

/// All contexts, in the files' order, also those that cannot be used: choosing one says why.
pub fn contexts(config: &Kubeconfig) -> Vec<ContextRow> {
    config
        .contexts
        .iter()
        .filter_map(|named| {
            let context = named.context.clone().unwrap_or_default();
            let cluster = cluster_of(config, &context).cloned().unwrap_or_default();
            let server = cluster.server.clone().unwrap_or_default();
            let login_program = user_of(config, &context)
                .and_then(|user| user.exec.as_ref())
                .map(|exec| exec.command.clone().unwrap_or_default());
            Some(ContextRow {
                name: named.name.parse().ok()?,
                kind: kinds::kind(
                    &named.name,
                    &server,
                    &[&cluster.extensions, &context.extensions],
                ),
                server,
                current: config.current_context.as_deref() == Some(named.name.as_str()),
                login_program,
                authority: authority(&cluster),
            })
        })
        .collect()
}

fn cluster_of<'a>(config: &'a Kubeconfig, context: &Context) -> Option<&'a Cluster> {
    config
        .clusters
        .iter()
        .find(|named| named.name == context.cluster)?
        .cluster
        .as_ref()
}

fn user_of<'a>(config: &'a Kubeconfig, context: &Context) -> Option<&'a AuthInfo> {
    let user = context.user.as_deref()?;
    config
        .auth_infos
        .iter()
        .find(|named| named.name == user)?
        .auth_info
        .as_ref()
}

fn authority(cluster: &Cluster) -> String {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return "not verified".to_owned();
    }
    let bytes = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => data.trim().as_bytes().to_vec(),
        // It is read again for every look: the path alone would not notice another authority.
        (None, Some(path)) => std::fs::read(path).unwrap_or_default(),
        (None, None) => return "the system's".to_owned(),
    };
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Kubeconfig {
        Kubeconfig::from_yaml(text).expect("a kubeconfig")
    }

    #[test]
    fn what_is_missing_is_said_and_the_context_is_still_listed() {
        let broken = config(
            "clusters: [{name: good, cluster: {server: 'https://127.0.0.1:1'}}, {name: bare, cluster: {}}]\ncontexts:\n- {name: no-cluster, context: {cluster: nowhere, user: u}}\n- {name: no-server, context: {cluster: bare, user: u}}\n- {name: no-user, context: {cluster: good, user: nobody}}\n- {name: empty}\n- {name: fine, context: {cluster: good}}\n",
        );
        let why = |name: &str| parts(&broken, name).expect_err("unusable");
        assert!(why("no-cluster").contains("`nowhere`"));
        assert!(why("no-server").contains("has no server"));
        assert!(why("no-user").contains("`nobody`"));
        assert!(why("empty").contains("empty"));
        assert!(why("other").contains("no such context"));
        assert!(parts(&broken, "fine").is_ok());
        assert_eq!(contexts(&broken).len(), 5);
    }

    #[test]
    fn another_authority_is_another_cluster() {
        let row = |tls: &str| {
            let text = format!(
                "clusters: [{{name: c, cluster: {{server: 'https://h', {tls}}}}}]\ncontexts: [{{name: a, context: {{cluster: c}}}}]\n"
            );
            contexts(&config(&text)).remove(0).authority
        };
        let seen = [
            row("certificate-authority-data: QQ=="),
            row("certificate-authority-data: Qg=="),
            row("insecure-skip-tls-verify: true"),
            row("insecure-skip-tls-verify: false"),
        ];
        for (at, one) in seen.iter().enumerate() {
            assert!(!seen[at + 1..].contains(one), "{one}");
        }
    }

    #[test]
    fn a_login_program_is_named() {
        let rows = contexts(&config(
            "clusters: [{name: c, cluster: {server: 'https://h'}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}}]\n",
        ));
        assert_eq!(rows[0].login_program.as_deref(), Some("aws"));
    }
}
