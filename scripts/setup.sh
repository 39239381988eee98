#!/usr/bin/env bash
# Installs what the build needs and is not there yet: a C++ compiler, cmake, pkg-config and libclang (for bindgen),
# and the LP solver HiGHS, built once from the source that cargo fetches with the crate highs-sys.
# HiGHS costs about 6 CPU minutes. It goes to ~/.cache/counterpatch (COUNTERPATCH_CACHE overrides), so that every
# checkout and every cargo profile shares one build; build/highs in the checkout is a link to it.
#
# usage: setup.sh [--with-rust | --with-browser]
#   --with-rust      also installs Rust (rustup, minimal profile) where cargo is missing or older than Cargo.toml asks for
#   --with-browser   only installs Chromium, for a test, where there is none
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo -n "$@"; else return 1; fi
}

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    ldconfig -p 2>/dev/null | grep -q 'libclang[-.]' && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null
}

install_packages() {
    local missing=()
    command -v c++ >/dev/null 2>&1 || missing+=(g++)
    command -v make >/dev/null 2>&1 || missing+=(make)
    command -v cmake >/dev/null 2>&1 || missing+=(cmake)
    command -v pkg-config >/dev/null 2>&1 || missing+=(pkg-config)
    has_libclang || missing+=(libclang-dev)
    apt_install "${missing[@]}"
}

# sudo drops the environment, hence `env` behind it: a package must never ask anything.
apt_install() {
    [ $# = 0 ] && return 0
    command -v apt-get >/dev/null 2>&1 || die "please install: $* (no apt-get on this machine)"
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2 \
        || die "apt-get update failed; run it as root, or install: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2 \
        || die "apt-get install failed; run it as root, or install: $*"
}

# Whether cargo is there and as new as Cargo.toml asks for.
has_rust() {
    local asked found
    asked=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || return 1
    [ "$(printf '%s\n' "$asked" "$found" | sort -V | head -n 1)" = "$asked" ]
}

install_rust() {
    local missing=()
    command -v curl >/dev/null 2>&1 || missing+=(curl)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
    apt_install "${missing[@]}"
    say 'installing Rust (rustup, minimal profile)'
    curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh \
        | sh -s -- -y --no-modify-path --profile minimal --default-toolchain stable >&2
}

has_browser() {
    [ -n "${COUNTERPATCH_BROWSER:-}" ] || command -v chromium chromium-browser google-chrome >/dev/null 2>&1
}

build_highs() {
    local version source prefix lock
    version=$(sed -n '/^name = "highs-sys"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
    [ -n "$version" ] || die 'Cargo.lock names no highs-sys'
    prefix=${COUNTERPATCH_CACHE:-$HOME/.cache/counterpatch}/highs-$version
    mkdir -p build "$(dirname "$prefix")"
    lock=$prefix.lock
    exec 9>"$lock"
    flock 9
    if [ ! -e "$prefix/complete" ]; then
        cargo fetch --locked >&2
        source=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 2 -type d -name "highs-sys-$version" | head -n 1)/HiGHS
        [ -f "$source/CMakeLists.txt" ] || die "no HiGHS source beside highs-sys $version in cargo's registry"
        say "building HiGHS $version (once, some minutes)"
        rm -rf "$prefix" "$prefix.build"
        compile_highs "$source" "$prefix" >"$prefix.log" 2>&1 || {
            tail -n 30 "$prefix.log" >&2
            die "building HiGHS failed; the log is $prefix.log"
        }
        write_pkg_config "$prefix" "$version"
        rm -rf "$prefix.build"
        touch "$prefix/complete"
    fi
    ln -sfn "$prefix" build/highs
}

# Called in a condition, where `set -e` is off: hence the chain.
compile_highs() {
    cmake -S "$1" -B "$2.build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$2" \
        -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DFAST_BUILD=ON -DBUILD_CXX_EXE=OFF \
        -DBUILD_EXAMPLES=OFF -DBUILD_TESTING=OFF -DZLIB=OFF &&
        cmake --build "$2.build" --parallel "$(nproc)" &&
        cmake --install "$2.build"
}

# The file that HiGHS ships lacks the C++ library, which a static link needs. A link to the static one stands beside HiGHS,
# where the linker looks first: a process that need not load and relocate libstdc++.so starts 0.6 ms sooner.
write_pkg_config() {
    mkdir -p "$1/lib/pkgconfig"
    ln -sf "$(c++ -print-file-name=libstdc++.a)" "$1/lib/libstdc++.a"
    cat >"$1/lib/pkgconfig/highs.pc" <<PC
Name: highs
Description: HiGHS linear optimisation
Version: $2
Libs: -L$1/lib -lhighs -lstdc++
Cflags: -I$1/include/highs
PC
}

if [ "${1:-}" = --with-browser ]; then
    # On Ubuntu there is only a package that points to a snap, which may not work.
    has_browser || apt_install chromium
    exit
fi
PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
if ! has_rust; then
    [ "${1:-}" = --with-rust ] || die 'Rust is missing or too old: ./scripts/setup.sh --with-rust installs it, or see https://rustup.rs'
    install_rust
fi
install_packages
build_highs
