//! What an image is made of, from what docker says about it or from an OCI configuration.

use app::model::{BaseImage, ImageFacts, LayerFact, UnixMillis};
use serde::Deserialize;

use super::dockerfile::{Dockerfile, Instruction};
use super::secret_like::{is_secret, mask};

/// How much of an instruction is kept.
const LONGEST: usize = 160;

/// The part that docker and OCI spell alike. Newer daemons leave unset fields out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    user: String,
    exposed_ports: Option<serde_json::Map<String, serde_json::Value>>,
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: String,
    labels: Option<std::collections::BTreeMap<String, String>>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    test: Option<Vec<String>>,
}

impl Config {
    fn facts(self) -> ImageFacts {
        let env: Vec<(String, String)> = self
            .env
            .unwrap_or_default()
            .iter()
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let labels = self.labels.unwrap_or_default();
        let masked = |words: Option<Vec<String>>| {
            words
                .unwrap_or_default()
                .iter()
                .map(|word| mask(word))
                .collect()
        };
        ImageFacts {
            user: self.user,
            ports: self
                .exposed_ports
                .map(|ports| ports.into_iter().map(|(port, _)| port).collect())
                .unwrap_or_default(),
            entrypoint: masked(self.entrypoint),
            cmd: masked(self.cmd),
            workdir: self.working_dir,
            healthcheck: self
                .healthcheck
                .and_then(|check| check.test)
                .filter(|test| !test.is_empty() && test[0] != "NONE")
                .map(|test| {
                    let words = match test[0].as_str() {
                        "CMD" | "CMD-SHELL" => &test[1..],
                        _ => &test[..],
                    };
                    mask(&words.join(" "))
                }),
            secret_like: env
                .iter()
                .filter(|(name, value)| is_secret(name, value))
                .map(|(name, _)| format!("the variable {name}"))
                .chain(
                    labels
                        .iter()
                        .filter(|(name, value)| is_secret(name, value))
                        .map(|(name, _)| format!("the label {name}")),
                )
                .collect(),
            labels: labels
                .into_iter()
                .map(|(name, value)| {
                    let value = match is_secret(&name, &value) {
                        true => super::secret_like::MASK.to_owned(),
                        false => mask(&value),
                    };
                    (name, value)
                })
                .collect(),
            env: env.into_iter().map(|(name, _)| name).collect(),
            ..ImageFacts::default()
        }
    }
}

/// From `docker image inspect` and `docker history`, both as JSON. With the Dockerfile, layers are
/// told by its instructions, and those of the base image are told apart.
pub fn from_docker(inspect: &str, history: &str, file: Option<&Dockerfile>) -> Option<ImageFacts> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        id: String,
        #[serde(default)]
        created: String,
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        os: String,
        #[serde(default)]
        size: u64,
        #[serde(default)]
        config: Option<Config>,
    }
    let inspected: Inspected = serde_json::from_str(inspect.trim()).ok()?;
    let mut facts = ImageFacts {
        id: inspected.id,
        size_bytes: inspected.size,
        os: inspected.os,
        architecture: inspected.architecture,
        created: time(&inspected.created),
        ..inspected.config.unwrap_or_default().facts()
    };
    add_history(&mut facts, &steps(history), file);
    Some(facts)
}

/// From an OCI image configuration, with what is known of its layers, from the bottom to the top.
pub fn from_oci(config: &[u8], id: &str, layers: &[(&str, u64)]) -> Option<ImageFacts> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        created: String,
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        os: String,
        #[serde(default)]
        config: Option<Config>,
    }
    let document: Document = serde_json::from_slice(config).ok()?;
    Some(ImageFacts {
        id: id.to_owned(),
        size_bytes: layers.iter().map(|(_, bytes)| bytes).sum(),
        layers: layers
            .iter()
            .map(|(made_by, bytes)| LayerFact {
                made_by: (*made_by).to_owned(),
                size_bytes: *bytes,
                from_base: false,
            })
            .collect(),
        os: document.os,
        architecture: document.architecture,
        created: time(&document.created),
        ..document.config.unwrap_or_default().facts()
    })
}

/// One line of `docker history`, newest first.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    created_by: String,
    /// A number, because `--human=false` was asked for.
    #[serde(default)]
    size: String,
}

fn steps(history: &str) -> Vec<Step> {
    history
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .collect()
}

fn add_history(facts: &mut ImageFacts, steps: &[Step], file: Option<&Dockerfile>) {
    let ours = file.and_then(|file| aligned(steps, file));
    let own = ours.as_ref().map_or(steps.len(), Vec::len);
    for (at, step) in steps.iter().enumerate() {
        let said = plain(&step.created_by);
        let masked = mask(&said);
        if masked != said {
            facts
                .secret_like
                .push(format!("the history: {}", shortened(&masked)));
        }
        let size_bytes = step.size.trim().parse().unwrap_or(0);
        if size_bytes == 0 {
            continue;
        }
        let made_by = ours
            .as_ref()
            .and_then(|ours| ours.get(at))
            .map_or(masked, |instruction| mask(&as_written(instruction)));
        facts.layers.push(LayerFact {
            made_by: shortened(&made_by),
            size_bytes,
            from_base: at >= own,
        });
    }
    facts.layers.reverse();
    let chain = file.map(Dockerfile::final_chain).unwrap_or_default();
    facts.base = chain
        .last()
        .filter(|stage| stage.image != "scratch")
        .map(|stage| BaseImage {
            reference: stage.image.clone(),
            // Without the border between base and own steps, any time would be a guess.
            created: ours
                .and_then(|ours| steps.get(ours.len()))
                .and_then(|step| time(&step.created_at)),
        });
}

/// The instructions behind the newest steps, when they match one by one; none when they do not.
fn aligned<'a>(steps: &[Step], file: &'a Dockerfile) -> Option<Vec<&'a Instruction>> {
    let chain = file.final_chain();
    let mut instructions = chain
        .iter()
        .flat_map(|stage| stage.instructions.iter().rev());
    let mut out = Vec::new();
    let mut at = 0;
    for instruction in instructions.by_ref() {
        let keyword = if instruction.on_build {
            "ONBUILD"
        } else {
            instruction.keyword.as_str()
        };
        let matches = steps
            .get(at)
            .is_some_and(|step| keyword_of(&plain(&step.created_by)) == keyword);
        if matches {
            out.push(instruction);
            at += 1;
        } else if keyword != "ARG" {
            return None;
        }
    }
    Some(out)
}

fn keyword_of(said: &str) -> String {
    said.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_uppercase()
}

/// The instruction without what the builders put around it.
fn plain(created_by: &str) -> String {
    let said = created_by.trim();
    let said = said.strip_suffix("# buildkit").unwrap_or(said).trim();
    if let Some(instruction) = said.strip_prefix("/bin/sh -c #(nop)") {
        return squeezed(instruction);
    }
    // Arguments stand before the command: `|1 VERSION=2 /bin/sh -c make`.
    let without_args = match said.strip_prefix('|') {
        Some(_) => said
            .find("/bin/sh -c")
            .map(|at| &said[at..])
            .unwrap_or(said),
        None => said,
    };
    if let Some(command) = without_args.strip_prefix("/bin/sh -c ") {
        return squeezed(&format!("RUN {command}"));
    }
    if let Some(rest) = said.strip_prefix("RUN ") {
        let at = rest.find("/bin/sh -c ").map(|at| at + "/bin/sh -c ".len());
        return squeezed(&format!("RUN {}", at.map_or(rest, |at| &rest[at..])));
    }
    squeezed(said)
}

fn as_written(instruction: &Instruction) -> String {
    let mut words = vec![instruction.keyword.clone()];
    for (name, value) in &instruction.flags {
        words.push(match value.as_str() {
            "" => format!("--{name}"),
            value => format!("--{name}={value}"),
        });
    }
    words.push(instruction.rest.clone());
    squeezed(&words.join(" "))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Reproducible builds set the year 1, 1970 or 1980; that says nothing.
fn time(text: &str) -> Option<UnixMillis> {
    let at: jiff::Timestamp = text.trim().parse().ok()?;
    (at.as_second() > 400_000_000).then(|| UnixMillis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::super::dockerfile::parse;
    use super::*;

    // docker 28.2.2 with dockerd 20.10.24, classic builder; shortened IDs
    const INSPECT: &str = r#"{"Id":"sha256:7a01","Created":"2026-11-21T07:23:46.331813397Z","Config":{"User":"app","ExposedPorts":{"8000/tcp":{}},"Env":["PATH=/bin","API_TOKEN=hunter2hunter2","URL=postgres://a:hunter2@db/x"],"Cmd":["/bin/sh","-c","python app.py"],"WorkingDir":"/app","Labels":{"org.opencontainers.image.title":"x"},"Healthcheck":{"Test":["CMD-SHELL","curl -f http://localhost/health"]}},"Architecture":"arm64","Os":"linux","Size":5000}"#;
    const CLASSIC: &str = r##"{"CreatedAt":"2026-11-21T07:23:46Z","CreatedBy":"/bin/sh -c #(nop)  CMD [\"/bin/sh\" \"-c\" \"python app.py\"]","Size":"0"}
{"CreatedAt":"2026-11-21T07:23:45Z","CreatedBy":"|1 V=2 /bin/sh -c DB_PASSWORD=hunter2hunter2 make   all","Size":"3000"}
{"CreatedAt":"2026-11-21T07:23:44Z","CreatedBy":"/bin/sh -c #(nop) COPY dir:6abc in / ","Size":"43"}
{"CreatedAt":"2025-01-05T00:00:00Z","CreatedBy":"/bin/sh -c #(nop)  CMD [\"bash\"]","Size":"0"}
{"CreatedAt":"2025-01-05T00:00:00Z","CreatedBy":"/bin/sh -c #(nop) ADD file:c1 in / ","Size":"1957"}"##;
    const BUILDKIT: &str = r##"{"CreatedAt":"2026-11-21T07:23:46Z","CreatedBy":"CMD [\"/app\"]","Size":"0"}
{"CreatedAt":"2026-11-21T07:23:45Z","CreatedBy":"RUN |1 V=2 /bin/sh -c make all # buildkit","Size":"3000"}
{"CreatedAt":"2026-11-21T07:23:44Z","CreatedBy":"COPY --from=build /x /x # buildkit","Size":"43"}"##;
    const FILE: &str = "FROM debian:12 AS base\nCOPY . /\nFROM base\nARG V=2\nRUN DB_PASSWORD=hunter2hunter2 make \\\n  all\nCMD python app.py\n";

    #[test]
    fn layers_are_told_by_their_instructions_and_the_base_by_its_age() {
        let facts = from_docker(INSPECT, CLASSIC, Some(&parse(FILE))).expect("readable");
        let layers: Vec<_> = facts
            .layers
            .iter()
            .map(|layer| (layer.made_by.as_str(), layer.size_bytes, layer.from_base))
            .collect();
        assert_eq!(
            layers,
            [
                ("ADD file:c1 in /", 1957, true),
                ("COPY . /", 43, false),
                ("RUN DB_PASSWORD=••• make all", 3000, false),
            ]
        );
        let base = facts.base.expect("a base");
        assert_eq!(base.reference, "debian:12");
        assert_eq!(base.created, time("2025-01-05T00:00:00Z"));
        assert_eq!(facts.user, "app");
        assert_eq!(facts.ports, ["8000/tcp"]);
        assert_eq!(
            facts.healthcheck.as_deref(),
            Some("curl -f http://localhost/health")
        );
        assert_eq!(facts.architecture, "arm64");
    }

    #[test]
    fn a_history_that_does_not_fit_the_dockerfile_gives_no_base_age() {
        let other = parse("FROM debian:12\nUSER 5\nCMD x");
        let facts = from_docker(INSPECT, BUILDKIT, Some(&other)).expect("readable");
        assert!(facts.layers.iter().all(|layer| !layer.from_base));
        assert_eq!(facts.base.map(|base| base.created), Some(None));
        assert_eq!(facts.layers[1].made_by, "RUN make all");
        let alone = from_docker(INSPECT, "garbage\n", None).expect("readable");
        assert_eq!((alone.layers.len(), alone.base), (0, None));
        assert_eq!(from_docker("garbage", "", None), None);
        let bare = from_docker(r#"{"Id":"sha256:1"}"#, "", None).expect("readable");
        assert_eq!(bare.user, "");
    }

    #[test]
    fn secrets_are_named_by_place_and_never_by_value() {
        let facts = from_docker(INSPECT, CLASSIC, Some(&parse(FILE))).expect("readable");
        assert_eq!(
            facts.secret_like,
            [
                "the variable API_TOKEN",
                "the variable URL",
                "the history: RUN DB_PASSWORD=••• make all",
            ]
        );
        assert!(
            !serde_json::to_string(&facts)
                .expect("encodes")
                .contains("hunter2")
        );
    }

    #[test]
    fn an_oci_configuration_is_read_the_same_way() {
        let config = br#"{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"User":"65532:65532","ExposedPorts":{"80/tcp":{}},"Entrypoint":["/app/x"]}}"#;
        let facts = from_oci(config, "sha256:1", &[("Libraries", 5), ("The program", 7)])
            .expect("readable");
        assert_eq!((facts.size_bytes, facts.created), (12, None));
        assert_eq!(facts.entrypoint, ["/app/x"]);
        assert_eq!(facts.layers[1].made_by, "The program");
    }
}
