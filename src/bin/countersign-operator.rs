//! The operator: parses the arguments and hands over to `operator`.

use std::process::ExitCode;

use clap::Parser as _;
use countersign::operator;
use countersign::telemetry::logs::{self, LogFormat};

/// Makes rule sets of the policies of a cluster, and says in their statuses what became of them.
#[derive(Debug, clap::Parser)]
#[command(name = "countersign-operator", version, args_conflicts_with_subcommands = true)]
struct Command {
    #[command(subcommand)]
    administration: Option<operator::Administration>,
    #[command(flatten)]
    operator: operator::Arguments,
    /// Log lines for people instead of JSON.
    #[arg(long)]
    log_text: bool,
    /// Which log lines: `warn`, `info`, `debug`, or a filter such as `warn,countersign=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: String,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(administration) = command.administration {
        println!("{}", runtime.block_on(operator::administer(administration))?);
        return Ok(());
    }
    let format = if command.log_text { LogFormat::Text } else { LogFormat::Json };
    logs::init(format, &command.log_level)?;
    runtime.block_on(operator::run(command.operator))?;
    Ok(())
}
