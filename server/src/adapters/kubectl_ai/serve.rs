//! How kubectl-ai is started so that it serves its web mode to us and to nobody else's wishes: every
//! flag that a file of the user's could turn is given, and it finds no file of the user's.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::process::CommandSpec;

/// A conversation is not longer.
const LIFE: Duration = Duration::from_secs(4 * 60 * 60);
/// Rounds of the model for one question.
const ROUNDS: &str = "12";

/// What differs from conversation to conversation.
#[derive(Debug)]
pub struct Serve<'a> {
    pub program: &'a Path,
    pub provider: &'a str,
    pub model: Option<&'a str>,
    /// Its home, its temporary folder and its working directory.
    pub folder: &'a Path,
    pub kubeconfig: &'a Path,
    /// Everything it sees of the environment beside its folders; the key is in here and nowhere else.
    pub env: Vec<(OsString, OsString)>,
}

impl Serve<'_> {
    pub fn command(self) -> CommandSpec {
        let mut spec = CommandSpec::new(self.program)
            .args(["--ui-type", "web", "--ui-listen-address", "127.0.0.1:0"])
            .args([
                "--quiet=false",
                "--skip-permissions=false",
                "--mcp-client=false",
                "--mcp-server=false",
                "--external-tools=false",
                "--enable-tool-use-shim=false",
                "--new-session=false",
                "--skip-verify-ssl=false",
                "--show-tool-output=false",
                "--remove-workdir=true",
            ])
            .args(["--max-iterations", ROUNDS])
            .args(["--llm-provider", self.provider]);
        if let Some(model) = self.model {
            spec = spec.args(["--model", model]);
        }
        spec = spec
            .arg("--kubeconfig")
            .arg(self.kubeconfig)
            .arg("--trace-path")
            .arg(self.folder.join("trace"))
            .env("HOME", self.folder)
            .env("XDG_CONFIG_HOME", self.folder)
            .env("XDG_CACHE_HOME", self.folder)
            .env("TMPDIR", self.folder)
            .env("KUBECONFIG", self.kubeconfig)
            .env("KUBERC", "off")
            .cwd(self.folder)
            .deadline(LIFE)
            .grace(Duration::from_secs(2));
        spec.env.extend(self.env);
        spec.env_clear = true;
        spec
    }
}

/// The address in the line it prints once it serves; only one on this machine counts.
pub fn listening(line: &str) -> Option<String> {
    let address = line.split_once("listening on ")?.1.trim();
    let port: u16 = address.strip_prefix("http://127.0.0.1:")?.parse().ok()?;
    (port != 0).then(|| format!("http://127.0.0.1:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unsafe_is_left_to_a_file_and_the_key_is_in_no_argument() {
        let key = OsString::from("key-4711");
        let spec = Serve {
            program: Path::new("/bin/kubectl-ai"),
            provider: "gemini",
            model: Some("m"),
            folder: Path::new("/scratch"),
            kubeconfig: Path::new("/scratch/kubeconfig"),
            env: vec![("GEMINI_API_KEY".into(), key)],
        }
        .command();
        let args: Vec<&str> = spec.args.iter().filter_map(|arg| arg.to_str()).collect();
        let expected = "--ui-type web --ui-listen-address 127.0.0.1:0 --quiet=false --skip-permissions=false --mcp-client=false --mcp-server=false --external-tools=false --enable-tool-use-shim=false --new-session=false --skip-verify-ssl=false --show-tool-output=false --remove-workdir=true --max-iterations 12 --llm-provider gemini --model m --kubeconfig /scratch/kubeconfig --trace-path /scratch/trace";
        assert_eq!(args.join(" "), expected);
        assert!(spec.env_clear);
        assert!(!format!("{spec:?}").contains("key-4711"));
    }

    #[test]
    fn only_an_address_of_this_machine_counts() {
        assert_eq!(
            listening("listening on http://127.0.0.1:4711").as_deref(),
            Some("http://127.0.0.1:4711")
        );
        for other in [
            "listening on http://0.0.0.0:80",
            "listening on http://127.0.0.1:80@evil.example",
            "listening on http://127.0.0.1:0",
            "hello",
        ] {
            assert_eq!(listening(other), None, "{other}");
        }
    }
}
