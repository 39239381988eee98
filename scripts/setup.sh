#!/usr/bin/env bash
# Installs what the build needs and is not there yet: a C++ compiler, cmake, pkg-config and libclang (for bindgen),
# and the LP solver HiGHS, built once from the source that cargo fetches with the crate highs-sys.
# HiGHS costs about 6 CPU minutes. It goes to ~/.cache/counterpatch (COUNTERPATCH_CACHE overrides), so that every
# checkout and every cargo profile shares one build; build/highs in the checkout is a link to it.
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
    [ ${#missing[@]} = 0 ] && return 0
    command -v apt-get >/dev/null 2>&1 || die "please install: ${missing[*]} (no apt-get on this machine)"
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq >&2 || die "apt-get update failed; run it as root, or install: ${missing[*]}"
    as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 \
        || die "apt-get install failed; run it as root, or install: ${missing[*]}"
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

# The file that HiGHS ships lacks the C++ library, which a static link needs.
write_pkg_config() {
    mkdir -p "$1/lib/pkgconfig"
    cat >"$1/lib/pkgconfig/highs.pc" <<PC
Name: highs
Description: HiGHS linear optimisation
Version: $2
Libs: -L$1/lib -lhighs -lstdc++
Cflags: -I$1/include/highs
PC
}

command -v cargo >/dev/null 2>&1 || die 'Rust is missing: see https://rustup.rs, then start again'
install_packages
build_highs
