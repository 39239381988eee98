# `just` lists the recipes. Each is a plain command that works without just, too.

default:
    @just --list

# Install what the build needs and build HiGHS once.
setup:
    ./scripts/setup.sh

# Build the release binary.
build:
    cargo build --release

# Install the program for this user, with completions for bash, zsh and fish and the manual's pages.
install:
    ./scripts/setup.sh
    cargo install --locked --path .
    counterpatch man --output ~/.local/share/man/man1
    mkdir -p ~/.local/share/bash-completion/completions ~/.local/share/zsh/site-functions ~/.config/fish/completions
    counterpatch completions bash >~/.local/share/bash-completion/completions/counterpatch
    counterpatch completions zsh >~/.local/share/zsh/site-functions/_counterpatch
    counterpatch completions fish >~/.config/fish/completions/counterpatch.fish

# A stripped binary for any Linux with glibc 2.28 or newer, with the licences of what is in it: build/dist/*.tar.gz.
dist:
    ./scripts/dist.sh

# The image of Dockerfile, built and tried with docker, podman or buildah: `just image TAG --build-arg DEBIAN=…`.
image *ARGS:
    ./scripts/image.sh {{ARGS}}

# Run the tests.
test *ARGS:
    cargo nextest run --workspace {{ARGS}}

# Build the book: target/book.
book: build
    ./scripts/book.sh

# Build the Python package and run its tests in .venv-python.
python:
    ./scripts/test.sh python

# Format and lint.
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    shellcheck scripts/*.sh .ci/run

# Everything that CI runs.
ci:
    ./scripts/test.sh

# The README's commands on minimal Debians and Ubuntus, for instance `just bare debian13` (needs root).
bare *ARGS:
    ./scripts/bare.sh {{ARGS}}

# From nothing to a counterexample.
demo:
    ./scripts/demo.sh

# Run one criterion benchmark, for instance `just bench lp`.
bench NAME:
    cargo bench --bench {{NAME}}

# Licences, advisories and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check
    cargo deny --manifest-path python/Cargo.toml check --config deny.toml

# Fuzz one target for ten minutes (needs cargo-fuzz; RUSTC_BOOTSTRAP lets the stable toolchain do), for instance `just fuzz parse_vnnlib`.
fuzz TARGET:
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{TARGET}} -- -max_total_time=600
