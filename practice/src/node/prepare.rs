//! From a container's spec and its image to something that can be started: user, command,
//! environment, a private copy of the image's files, and what is mounted into it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod};

use super::core::NodeCore;
use super::env::{self, PodFacts, Sources, expand};
use super::pod_net::PodNet;
use super::process::{Bind, Environment, ProcessContext, Root, User};
use super::volumes::PodFolders;
use crate::images::{CopyMode, ImageConfig, ImageRecord, copy_rootfs, resolve_in_root};

/// Why a container could not be prepared.
#[derive(Debug)]
pub enum PrepareError {
    /// Shown as CreateContainerConfigError.
    Config(String),
    /// Shown as CreateContainerError.
    Create(String),
}

impl From<env::ConfigError> for PrepareError {
    fn from(error: env::ConfigError) -> Self {
        Self::Config(error.0)
    }
}

fn create_error(error: impl std::fmt::Display) -> PrepareError {
    PrepareError::Create(error.to_string())
}

/// What a pod gives to each of its containers.
pub struct PodParts<'a> {
    pub pod: &'a Pod,
    pub facts: &'a PodFacts,
    pub folders: &'a PodFolders,
    pub volumes: &'a HashMap<String, PathBuf>,
    pub net: &'a Arc<PodNet>,
    /// `web-1_default(UID)`, as messages name the pod.
    pub display: &'a str,
}

/// A container ready to be started.
#[derive(Debug)]
pub struct Prepared {
    pub context: ProcessContext,
    pub argv: Vec<String>,
    /// The file behind terminationMessagePath.
    pub termination_message: PathBuf,
}

pub async fn prepare(
    core: &Arc<NodeCore>,
    parts: &PodParts<'_>,
    container: &Container,
    image: &ImageRecord,
    container_id: &str,
) -> Result<Prepared, PrepareError> {
    let namespace = parts.pod.metadata.namespace.clone().unwrap_or_default();
    let uid = parts.pod.metadata.uid.clone().unwrap_or_default();
    let pod_spec = parts.pod.spec.clone().unwrap_or_default();
    let sources = Sources::new(&core.client, &namespace);
    let links = pod_spec.enable_service_links.unwrap_or(true);
    let service_env = core.services.environment(&namespace, links);
    let declared = env::resolve(container, parts.pod, parts.facts, &sources, &service_env).await?;

    let hostname = pod_spec
        .hostname
        .clone()
        .or_else(|| parts.pod.metadata.name.clone())
        .unwrap_or_default();
    let mut variables = std::collections::BTreeMap::from([
        (
            "PATH".to_owned(),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        ),
        ("HOSTNAME".to_owned(), hostname.chars().take(63).collect()),
        ("HOME".to_owned(), "/".to_owned()),
    ]);
    let from_image = image
        .config
        .env
        .iter()
        .filter_map(|entry| entry.split_once('='));
    variables.extend(from_image.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let expansion = declared.clone();
    variables.extend(declared);
    variables.insert("SLIPWAY_POD_UID".into(), uid);
    variables.insert("SLIPWAY_NODE".into(), core.identity.clone());

    let argv = command(container, &image.config, &expansion);
    if argv.is_empty() {
        return Err(PrepareError::Create("no command specified".into()));
    }
    let workdir = container
        .working_dir
        .clone()
        .or_else(|| Some(image.config.working_dir.clone()).filter(|dir| !dir.is_empty()))
        .unwrap_or_else(|| "/".into());
    let files = Files {
        core: core.clone(),
        image: image.clone(),
        container: container.clone(),
        pod: parts.pod.clone(),
        folder: parts.folders.state.join("containers").join(container_id),
        pod_folder: parts.folders.state.clone(),
        volumes: parts.volumes.clone(),
        pod_ip: parts.facts.pod_ip.clone(),
        hostname: hostname.clone(),
        namespace,
        workdir: workdir.clone(),
        display: parts.display.to_owned(),
    };
    let (root, user, home) = tokio::task::spawn_blocking(move || files.lay_out())
        .await
        .map_err(create_error)??;
    if variables.get("HOME").is_some_and(|home| home == "/")
        && let Some(home) = home
    {
        variables.insert("HOME".into(), home);
    }
    let termination_message = parts
        .folders
        .state
        .join("containers")
        .join(container_id)
        .join("termination-log");
    Ok(Prepared {
        context: ProcessContext {
            root,
            hostname: hostname.chars().take(63).collect(),
            workdir,
            user,
            net: core.filter_network.then(|| parts.net.clone()),
            env: Environment(variables),
            marker: format!("SLIPWAY_CONTAINER_ID={container_id}"),
        },
        argv,
        termination_message,
    })
}

/// `command` replaces the entrypoint and drops the image's arguments; `args` replaces those.
fn command(
    container: &Container,
    image: &ImageConfig,
    env: &std::collections::BTreeMap<String, String>,
) -> Vec<String> {
    let expanded = |words: &[String]| words.iter().map(|word| expand(word, env)).collect();
    let command: Option<Vec<String>> = container
        .command
        .as_deref()
        .filter(|c| !c.is_empty())
        .map(expanded);
    let args: Option<Vec<String>> = container
        .args
        .as_deref()
        .filter(|a| !a.is_empty())
        .map(expanded);
    match (command, args) {
        (Some(command), args) => command
            .into_iter()
            .chain(args.unwrap_or_default())
            .collect(),
        (None, Some(args)) => image.entrypoint.iter().cloned().chain(args).collect(),
        (None, None) => image.entrypoint.iter().chain(&image.cmd).cloned().collect(),
    }
}

/// The blocking half: files on disk.
struct Files {
    core: Arc<NodeCore>,
    image: ImageRecord,
    container: Container,
    pod: Pod,
    folder: PathBuf,
    pod_folder: PathBuf,
    volumes: HashMap<String, PathBuf>,
    pod_ip: String,
    hostname: String,
    namespace: String,
    workdir: String,
    display: String,
}

impl Files {
    fn lay_out(&self) -> Result<(Root, User, Option<String>), PrepareError> {
        let cached = self
            .core
            .images
            .cached_rootfs(&self.image)
            .map_err(create_error)?;
        let accounts = Accounts::read(&cached);
        let (user, home) = self.user(&accounts)?;
        let private = self.core.private_roots;
        let security = self.container.security_context.as_ref();
        let read_only = private
            && security
                .and_then(|s| s.read_only_root_filesystem)
                .unwrap_or(false);
        let mode = if read_only {
            CopyMode::Shared
        } else {
            CopyMode::Private
        };
        fs::create_dir_all(&self.folder).map_err(create_error)?;
        let path = self.folder.join("rootfs");
        copy_rootfs(&cached, &path, mode).map_err(create_error)?;
        let mut root = Root {
            path,
            private,
            read_only,
            binds: Vec::new(),
        };
        self.system_files(&mut root).map_err(create_error)?;
        self.mount_volumes(&mut root)?;
        let workdir = inside(&root.path, &self.workdir).map_err(create_error)?;
        // Runtimes create a missing working directory as well.
        fs::create_dir_all(&workdir).map_err(create_error)?;
        Ok((root, user, home))
    }

    fn user(&self, accounts: &Accounts) -> Result<(User, Option<String>), PrepareError> {
        let pod = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.security_context.as_ref());
        let own = self.container.security_context.as_ref();
        let wanted = own
            .and_then(|s| s.run_as_user)
            .or_else(|| pod.and_then(|s| s.run_as_user))
            .and_then(|id| u32::try_from(id).ok());
        let non_root = own
            .and_then(|s| s.run_as_non_root)
            .or_else(|| pod.and_then(|s| s.run_as_non_root))
            .unwrap_or(false);
        let image_user = self.image.config.user.as_str();
        let (name, group) = image_user.split_once(':').unwrap_or((image_user, ""));
        let place = format!(
            "(pod: \"{}\", container: {})",
            self.display, self.container.name
        );
        if non_root {
            let refused = match wanted {
                Some(0) => Some("container's runAsUser breaks non-root policy".to_owned()),
                Some(_) => None,
                None if name.is_empty() || name == "0" => {
                    Some("container has runAsNonRoot and image will run as root".to_owned())
                }
                None if name.parse::<u32>().is_err() => Some(format!(
                    "container has runAsNonRoot and image has non-numeric user ({name}), cannot \
                     verify user is non-root"
                )),
                None => None,
            };
            if let Some(refused) = refused {
                return Err(PrepareError::Config(format!("{refused} {place}")));
            }
        }
        let account = match wanted {
            Some(uid) => accounts.by_uid(uid),
            None if name.is_empty() => accounts.by_uid(0),
            None => match name.parse() {
                Ok(uid) => accounts.by_uid(uid),
                Err(_) => accounts.by_name(name).ok_or_else(|| {
                    PrepareError::Create(format!(
                        "unable to find user {name}: no matching entries in passwd file"
                    ))
                })?,
            },
        };
        let image_group = if wanted.is_none() {
            accounts.group(group)
        } else {
            None
        };
        let gid = own
            .and_then(|s| s.run_as_group)
            .or_else(|| pod.and_then(|s| s.run_as_group))
            .and_then(|id| u32::try_from(id).ok())
            .or(image_group)
            .unwrap_or(account.gid);
        let groups = pod
            .into_iter()
            .flat_map(|s| {
                s.supplemental_groups
                    .iter()
                    .flatten()
                    .copied()
                    .chain(s.fs_group)
            })
            .filter_map(|id| u32::try_from(id).ok())
            .collect();
        Ok((
            User {
                uid: account.uid,
                gid,
                groups,
            },
            account.home,
        ))
    }

    /// What every container finds: /proc, /dev, name resolution, a termination log.
    fn system_files(&self, root: &mut Root) -> io::Result<()> {
        let message = self.folder.join("termination-log");
        write(&message, "", 0o666)?;
        if !root.private {
            return Ok(());
        }
        let at = root.path.clone();
        for (folder, mode) in [
            ("proc", 0o555),
            ("dev", 0o755),
            ("dev/shm", 0o1777),
            ("etc", 0o755),
        ] {
            make_folder(&at, folder, mode)?;
        }
        if !inside(&at, "tmp")?.exists() {
            make_folder(&at, "tmp", 0o1777)?;
        }
        bind(root, Path::new("/proc"), "/proc", false)?;
        for device in ["null", "zero", "full", "random", "urandom", "tty"] {
            let host = Path::new("/dev").join(device);
            if host.exists() {
                bind(root, &host, &format!("/dev/{device}"), false)?;
            }
        }
        for (link, target) in [
            ("dev/fd", "/proc/self/fd"),
            ("dev/stdin", "/proc/self/fd/0"),
            ("dev/stdout", "/proc/self/fd/1"),
            ("dev/stderr", "/proc/self/fd/2"),
        ] {
            let path = at.join(link);
            if fs::symlink_metadata(&path).is_err() {
                std::os::unix::fs::symlink(target, path)?;
            }
        }
        let etc = self.pod_folder.join("etc");
        fs::create_dir_all(&etc)?;
        write(
            &etc.join("hostname"),
            &format!("{}\n", self.hostname),
            0o644,
        )?;
        write(&etc.join("hosts"), &self.hosts(), 0o644)?;
        write(&etc.join("resolv.conf"), &self.resolv_conf(), 0o644)?;
        for file in ["hostname", "hosts", "resolv.conf"] {
            bind(root, &etc.join(file), &format!("/etc/{file}"), false)?;
        }
        let target = self
            .container
            .termination_message_path
            .clone()
            .unwrap_or_else(|| "/dev/termination-log".into());
        bind(root, &message, &target, false)
    }

    fn hosts(&self) -> String {
        let mut text = format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{}\t{}\n",
            self.pod_ip, self.hostname
        );
        let aliases = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.host_aliases.as_ref());
        for alias in aliases.into_iter().flatten() {
            let names = alias.hostnames.clone().unwrap_or_default().join("\t");
            text.push_str(&format!("{}\t{names}\n", alias.ip));
        }
        text
    }

    fn resolv_conf(&self) -> String {
        format!(
            "search {}.svc.cluster.local svc.cluster.local cluster.local\nnameserver {}\noptions ndots:5\n",
            self.namespace,
            self.core.dns.ip()
        )
    }

    fn mount_volumes(&self, root: &mut Root) -> Result<(), PrepareError> {
        let mut mounts = self.container.volume_mounts.clone().unwrap_or_default();
        // A mount inside another comes after it.
        mounts.sort_by_key(|mount| mount.mount_path.len());
        for mount in mounts {
            let Some(volume) = self.volumes.get(&mount.name) else {
                return Err(PrepareError::Config(format!(
                    "volume \"{}\" of container {} is not declared",
                    mount.name, self.container.name
                )));
            };
            let source = match mount.sub_path.as_deref().filter(|path| !path.is_empty()) {
                None => volume.clone(),
                Some(sub_path) => {
                    let path = inside(volume, sub_path).map_err(create_error)?;
                    if !path.exists() {
                        fs::create_dir_all(&path).map_err(create_error)?;
                        let open = fs::Permissions::from_mode(0o777);
                        fs::set_permissions(&path, open).map_err(create_error)?;
                    }
                    path
                }
            };
            if root.private {
                bind(
                    root,
                    &source,
                    &mount.mount_path,
                    mount.read_only.unwrap_or(false),
                )
                .map_err(create_error)?;
            } else {
                // Without mounts the volume is linked into the image's files, where relative
                // paths find it.
                let target = inside(&root.path, &mount.mount_path).map_err(create_error)?;
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent).map_err(create_error)?;
                }
                let _ = fs::remove_dir_all(&target);
                std::os::unix::fs::symlink(&source, &target).map_err(create_error)?;
            }
        }
        Ok(())
    }
}

fn inside(root: &Path, path: &str) -> io::Result<PathBuf> {
    resolve_in_root(root, Path::new(path)).map_err(io::Error::other)
}

/// Registers a bind mount and makes the file or folder it is mounted on.
pub(super) fn bind(
    root: &mut Root,
    source: &Path,
    target: &str,
    read_only: bool,
) -> io::Result<()> {
    let place = inside(&root.path, target)?;
    if fs::symlink_metadata(&place).is_err() {
        if source.is_dir() {
            fs::create_dir_all(&place)?;
        } else {
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::File::create(&place)?;
        }
    }
    let relative = place.strip_prefix(&root.path).unwrap_or(&place);
    root.binds.push(Bind {
        source: source.to_owned(),
        target: format!("/{}", relative.display()),
        read_only,
    });
    Ok(())
}

fn make_folder(root: &Path, folder: &str, mode: u32) -> io::Result<()> {
    let path = inside(root, folder)?;
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

struct Account {
    uid: u32,
    gid: u32,
    home: Option<String>,
}

/// The image's own users and groups.
struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    fn read(rootfs: &Path) -> Self {
        let read = |name: &str| {
            inside(rootfs, name)
                .ok()
                .and_then(|path| fs::read_to_string(path).ok())
                .unwrap_or_default()
        };
        Self {
            passwd: read("etc/passwd"),
            group: read("etc/group"),
        }
    }

    fn find(&self, wanted: impl Fn(&[&str]) -> bool) -> Option<Account> {
        self.passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            if fields.len() < 6 || !wanted(&fields) {
                return None;
            }
            Some(Account {
                uid: fields[2].parse().ok()?,
                gid: fields[3].parse().ok()?,
                home: Some(fields[5].to_owned()).filter(|home| !home.is_empty()),
            })
        })
    }

    fn by_uid(&self, uid: u32) -> Account {
        let text = uid.to_string();
        self.find(|fields| fields[2] == text).unwrap_or(Account {
            uid,
            gid: 0,
            home: None,
        })
    }

    fn by_name(&self, name: &str) -> Option<Account> {
        self.find(|fields| fields[0] == name)
    }

    fn group(&self, group: &str) -> Option<u32> {
        group.parse().ok().or_else(|| {
            self.group.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == group).then_some(())?;
                fields.nth(1)?.parse().ok()
            })
        })
    }
}
