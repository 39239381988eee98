#!/usr/bin/env bash
# VNN-COMP: install_tool.sh v1. Installs what the build needs, Rust included, then builds the release binary.
set -euo pipefail
if [ "${1:-}" != v1 ]; then
    echo "install_tool: expected interface version v1, got '${1:-}'" >&2
    exit 1
fi
cd "$(dirname "$0")/.."
./scripts/setup.sh --with-rust
# The competition may call this as root, with a PATH that lacks the user's cargo: build.sh finds it.
./scripts/build.sh >&2
