#!/usr/bin/env bash
# Builds the release binary and prints its path, as cargo itself gives it: a `target-dir` or a `build.target` in some
# configuration puts it elsewhere than target/release. Then build/counterpatch is a link to it, for VNN-COMP's scripts,
# which have no time to ask.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

name_commit
# One JSON object a line; the progress goes to standard error.
binary=$(cargo build --release --locked --bin counterpatch --message-format=json-render-diagnostics "$@" \
    | sed -n 's/^.*"executable":"\([^"]*\)".*$/\1/p' | tail -n 1)
[ -x "$binary" ] || die "cargo named no binary of counterpatch: '$binary'"
mkdir -p build
if [ "$binary" = "$PWD/target/release/counterpatch" ]; then
    rm -f build/counterpatch
else
    ln -sfn "$binary" build/counterpatch
fi
printf '%s\n' "$binary"
