//! The `deploy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // the proxy and the agent are this executable too
    deploy_proxy::hook();
    deploy_cli::main()
}
