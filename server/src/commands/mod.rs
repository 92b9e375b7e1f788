//! The commands: each puts the rooms it needs together, uses them and ends with an exit code.

mod check;
mod down;
mod example;
mod mcp;
mod practice;
mod print;
mod secrets_from;
mod serve;
mod session;
mod signals;
mod up;

use std::process::ExitCode;

use app::model::{Failure, Finding};
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command, LogFormat};

/// How a command ends, when not well.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Box<Finding>),
    /// Exit code 3: something needed is not here. What exactly was printed already, if none is given.
    Preflight(Option<Box<Finding>>),
    Interrupted,
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Failed(Box::new(finding))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Finding(finding) => Self::Failed(finding),
            Failure::Transport(text) => {
                Finding::new("INTERNAL_ERROR", "A part of Slipway did not answer", text).into()
            }
        }
    }
}

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    start_log(cli.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Slipway cannot start its threads: {error}");
            return ExitCode::from(1);
        }
    };
    let result = runtime.block_on(async {
        let state_dir = cli.state_dir.as_deref();
        match cli.command {
            Command::Serve(args) => serve::run(args, state_dir).await,
            Command::Up(args) => up::run(args, state_dir).await,
            Command::Down(args) => down::run(args, state_dir).await,
            Command::Check(args) => check::run(args, state_dir).await,
            Command::Practice(args) => practice::run(state_dir, args).await,
            Command::Mcp => mcp::run(state_dir).await,
        }
    });
    // A thread may hang in an outside call; the process does not wait for it.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Failed(finding)) => {
            eprintln!("{}", print::finding(&finding));
            ExitCode::from(1)
        }
        Err(Stop::Preflight(finding)) => {
            if let Some(finding) = finding {
                eprintln!("{}", print::finding(&finding));
            }
            ExitCode::from(3)
        }
        Err(Stop::Interrupted) => ExitCode::from(130),
    }
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("SLIPWAY_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,server=info,practice=info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}
