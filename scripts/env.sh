# shellcheck shell=bash
# Where things are on this machine, for the other scripts. Sourced by them from the checkout's root; run by nobody.
# Sets PATH and, only where their usual places cannot be used, HOME and CARGO_HOME; `cache` is where HiGHS is kept.

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Whether files can be made in a folder, which is made if need be. A file is made, because access rights say nothing of
# quotas and read-only mounts.
can_write() {
    local probe
    mkdir -p "$1" 2>/dev/null && probe=$(mktemp "$1/.counterpatch.XXXXXX" 2>/dev/null) && rm -f "$probe"
}

# Cron, systemd and containers start processes without HOME. cargo then asks the system for it, and so do we.
find_home() {
    [ -n "${HOME:-}" ] && return
    HOME=$(getent passwd "$(id -u)" | cut -d : -f 6)
    export HOME=${HOME:-$PWD/build/home}
}

# cargo keeps the registry in its home and fails where it cannot write: in a container with a read-only or foreign home.
find_cargo() {
    local home=${CARGO_HOME:-$HOME/.cargo}
    PATH="$home/bin:$PATH"
    can_write "$home" && return
    export CARGO_HOME=$PWD/build/cargo
    say "$home cannot be written: cargo works in $CARGO_HOME (CARGO_HOME overrides)"
}

find_cache() {
    cache=${COUNTERPATCH_CACHE:-$HOME/.cache/counterpatch}
    can_write "$cache" && return
    [ -z "${COUNTERPATCH_CACHE:-}" ] || die "COUNTERPATCH_CACHE: $cache cannot be written"
    say "$cache cannot be written: HiGHS is kept in $PWD/build/cache (COUNTERPATCH_CACHE overrides)"
    cache=$PWD/build/cache
}

# Pages say which commit the program was built from. Only the binary's own file reads the variable.
name_commit() {
    COUNTERPATCH_COMMIT=${COUNTERPATCH_COMMIT-$(git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || true)}
    export COUNTERPATCH_COMMIT
}

find_home
find_cargo
find_cache
# build/highs and build/libclang are links: a relative folder would lead nowhere.
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
