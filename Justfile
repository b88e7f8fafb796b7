# The commands of every day. `just` alone lists them.

set positional-arguments

_default:
    @{{ just_executable() }} --list

# Format everything
fmt:
    cargo fmt --all

# Everything clippy knows, as errors
lint:
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# All tests, or some: just test -E 'test(lease)'
test *args:
    ./test "$@"

# The documentation, with its warnings as errors
doc *args:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked "$@"

# Layers, licences and sources of the dependencies
deny:
    cargo deny --locked check bans licenses sources

# All that must hold before a change lands, or some steps: just ci fmt deny
ci *steps:
    .ci/run "$@"

# Version 1, then 2 under load, then a broken 3 that is taken back
demo *args:
    cargo run --release -p deploy-cli -- demo "$@"
