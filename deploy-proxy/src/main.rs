//! The proxy as an executable of its own: `deploy-proxy deploy-proxy proxy …`, the same words as in any program that
//! calls the hook.

fn main() -> std::process::ExitCode {
    deploy_proxy::hook();
    deploy_proxy::no_role()
}
