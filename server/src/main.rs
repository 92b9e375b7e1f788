//! The binary `slipway`: reads the command line and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::commands::main(server::cli::Cli::read(std::env::args_os()))
}
