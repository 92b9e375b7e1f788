//! The command line: what can be asked of `slipway`, and nothing about how it is done.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::web::ShareAt;
use app::model::ClusterChoice;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// From source to a healthy app on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "slipway", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// How the log on standard error is written.
    #[arg(long, global = true, env = "SLIPWAY_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Where Slipway keeps its state; one Slipway at a time works with a folder.
    #[arg(long, global = true, env = "SLIPWAY_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

const EXIT_CODES: &str = "\
Without a command, `slipway` serves.
Exit codes: 0 done, 1 failed, 2 usage, 3 preflight not met, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the guided walk in the browser.
    Serve(ServeArgs),
    /// Go the whole walk without a browser.
    Up(UpArgs),
    /// Remove what Slipway deployed; asks first.
    Down(DownArgs),
    /// Look whether everything needed is here.
    Check(CheckArgs),
    /// Run only the practice cluster; prints the path of its kubeconfig.
    Practice(PracticeArgs),
    /// Let another assistant look, over MCP on standard input and output: read-only tools of the
    /// Slipway that serves, and proposals that become cards there.
    Mcp,
}

impl Command {
    fn target_mut(&mut self) -> Option<&mut Target> {
        match self {
            Self::Serve(args) => Some(&mut args.target),
            Self::Up(args) => Some(&mut args.target),
            Self::Down(args) => Some(&mut args.target),
            Self::Check(args) => Some(&mut args.target),
            Self::Practice(_) | Self::Mcp => None,
        }
    }
}

/// What the practice cluster begins with.
#[derive(Clone, Debug, Default, Args)]
pub struct PracticeArgs {
    /// An archive of images (`docker save`, OCI layout) to have on its node; may be given several times
    #[arg(long, value_name = "FILE")]
    pub load: Vec<PathBuf>,
}

/// Which project and which cluster.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// The project's folder [default: the current folder if it has a slipway.toml, else the bundled example]
    #[arg(long, env = "SLIPWAY_PROJECT", value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// `practice` or a kubeconfig context [default: the current context if it answers, else practice]
    #[arg(long, env = "SLIPWAY_CLUSTER", value_name = "practice|CONTEXT", value_parser = parse_cluster)]
    pub cluster: Option<ClusterChoice>,
    /// Whether a person typed the cluster's name on this command line, as opposed to a variable that
    /// was set once and forgotten.
    #[arg(skip)]
    pub cluster_typed: bool,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub target: Target,
    /// The port, on this machine's own addresses only; port 0 picks a free one.
    #[arg(long, env = "SLIPWAY_LISTEN", value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:4747", value_parser = parse_listen)]
    pub listen: u16,
    /// Let people on the network watch: opens a link for viewers, who can change nothing
    /// [default address: this machine's own in its network].
    #[arg(long, env = "SLIPWAY_SHARE", value_name = "ADDRESS:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "auto", value_parser = ShareAt::parse)]
    pub share: Option<ShareAt>,
    /// Do not open a browser.
    #[arg(long, env = "SLIPWAY_NO_OPEN", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_open: bool,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub target: Target,
    /// How it is deployed [default: as it was before, else raw where there are manifests]
    #[arg(long, env = "SLIPWAY_VIA", value_enum)]
    pub via: Option<Via>,
    /// `env`, or a file with lines KEY=value: where the project's secrets are read from.
    #[arg(long, env = "SLIPWAY_SECRETS_FROM", value_name = "env|FILE")]
    pub secrets_from: Option<PathBuf>,
    /// Print every event as one line of JSON.
    #[arg(long, env = "SLIPWAY_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub json: bool,
    /// Say yes beforehand to deleting what is no longer in the manifests.
    #[arg(long, env = "SLIPWAY_PRUNE", value_parser = clap::builder::FalseyValueParser::new())]
    pub prune: bool,
    /// Give up after this long, such as 90s, 10m or 1h.
    #[arg(long, env = "SLIPWAY_TIMEOUT", default_value = "10m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Keep the practice cluster running until interrupted.
    #[arg(long, env = "SLIPWAY_STAY", value_parser = clap::builder::FalseyValueParser::new())]
    pub stay: bool,
}

#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    pub target: Target,
    /// Do not ask.
    #[arg(long, env = "SLIPWAY_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub target: Target,
    /// Print the checks as JSON.
    #[arg(long, env = "SLIPWAY_JSON", value_parser = clap::builder::FalseyValueParser::new())]
    pub json: bool,
}

/// The two ways into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// Slipway applies the manifests itself.
    Raw,
    /// Your own helm deploys the chart.
    Helm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl Cli {
    /// Reads the arguments; ends the process with exit code 2 when they are wrong.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Self {
        Self::try_read(args).unwrap_or_else(|error| error.exit())
    }

    fn try_read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut args: Vec<OsString> = args.into_iter().collect();
        let has_command = |error: &clap::Error| {
            !matches!(
                error.kind(),
                ErrorKind::UnknownArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            )
        };
        let starts_with_option = args
            .get(1)
            .is_none_or(|first| first.to_string_lossy().starts_with('-'));
        match Self::parse_marked(&args) {
            Err(error) if starts_with_option && !has_command(&error) => {
                args.insert(args.len().min(1), "serve".into());
                Self::parse_marked(&args)
            }
            read => read,
        }
    }

    fn parse_marked(args: &[OsString]) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(args)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        let typed = matches
            .subcommand()
            .and_then(|(_, matches)| matches.try_contains_id("cluster").ok().map(|_| matches))
            .and_then(|matches| matches.value_source("cluster"))
            == Some(ValueSource::CommandLine);
        if let Some(target) = cli.command.target_mut() {
            target.cluster_typed = typed;
        }
        Ok(cli)
    }
}

fn parse_cluster(text: &str) -> Result<ClusterChoice, String> {
    match text {
        "practice" => Ok(ClusterChoice::Practice),
        name => name
            .parse()
            .map(ClusterChoice::Context)
            .map_err(|error: app::model::InvalidName| error.to_string()),
    }
}

fn parse_listen(text: &str) -> Result<u16, String> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or("write it like 127.0.0.1:4747")?;
    if !["127.0.0.1", "localhost", "[::1]"].contains(&host) {
        return Err(format!(
            "`{host}` is not this machine's own address: Slipway only listens on 127.0.0.1 and ::1"
        ));
    }
    port.parse()
        .map_err(|_| format!("`{port}` is not a port (0 to 65535)"))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write it like 90s, 10m or 1h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .filter(|seconds| (1..=86_400 * 7).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn without_a_command_it_serves() {
        for line in [
            "slipway",
            "slipway --no-open",
            "slipway --state-dir x",
            "slipway serve",
        ] {
            assert!(
                matches!(read(line).map(|cli| cli.command), Ok(Command::Serve(_))),
                "{line}"
            );
        }
        for line in [
            "slipway practice --state-dir x",
            "slipway --state-dir x practice",
            "slipway practice --load a.tar --load b.tar",
        ] {
            assert!(
                matches!(read(line).map(|cli| cli.command), Ok(Command::Practice(_))),
                "{line}"
            );
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for line in [
            "slipway fly",
            "slipway --listen 0.0.0.0:80",
            "slipway --listen 127.0.0.1:x",
            "slipway up --timeout soon",
            "slipway up --via magic",
            "slipway up --timeout 0s",
            "slipway --share=0.0.0.0:80",
            "slipway --share=8.8.8.8",
        ] {
            assert_eq!(read(line).expect_err(line).exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn durations_and_ports_are_read() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        assert!(parse_duration("é").is_err());
        assert_eq!(parse_listen("[::1]:0"), Ok(0));
    }
}
