#!/usr/bin/env bash
# Installs what the build needs and is not there yet: a C++ compiler, make, cmake and libclang (for bindgen), and the LP
# solver HiGHS, built once from the source that cargo fetches with the crate highs-sys.
# HiGHS costs about 6 CPU minutes. It goes to ~/.cache/counterpatch (COUNTERPATCH_CACHE overrides), so that every
# checkout and every cargo profile shares one build; build/highs in the checkout is a link to it.
#
# Packages come from apt-get, as root or through sudo. Where that cannot be, cmake, ninja and libclang come from PyPI into
# the cache, and what is missing then is named, all at once.
#
# usage: setup.sh [--with-rust] [--for-tests] [--check]
#   --with-rust   also installs Rust (rustup, minimal profile) where it is missing or older than Cargo.toml asks for
#   --for-tests   also what test.sh needs: Python with virtual environments, rustfmt and clippy; and, where they can be
#                 had, shellcheck and Chromium, without which test.sh does less and says so
#   --check       only says what is missing; status 1 if anything is
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
. scripts/probes.sh
trap 'rm -rf "$scratch_folder"' EXIT

# What a need is called in Debian's packages.
declare -rA PACKAGE=(
    [compiler]=g++ [make]=make [cmake]=cmake [libclang]=libclang-dev
    [venv]=python3-venv [rustfmt]=rustfmt [clippy]=rust-clippy [shellcheck]=shellcheck [browser]=chromium
)

# missing NEED...: those that are not there, one a line.
missing() {
    local need
    for need in "$@"; do "has_$need" || printf '%s\n' "$need"; done
}

# A user at a terminal may be asked for a password; a script may not.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif [ -t 0 ] && [ -t 2 ] && command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        return 1
    fi
}

# apt_install PACKAGE...: sudo drops the environment, hence `env` behind it: a package must never ask anything.
apt_install() {
    [ $# != 0 ] || return 0
    command -v apt-get >/dev/null 2>&1 && as_root true || return 1
    say "installing $*"
    [ -n "${updated:-}" ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2 || return 1
    updated=true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

# pip_install WHEEL...: their files into $cache/tools, without root.
pip_install() {
    local pip=(python3 -m pip)
    if ! "${pip[@]}" --version >/dev/null 2>&1; then
        has_venv || return 1
        pip=("$scratch_folder/venv/bin/pip")
    fi
    say "no packages can be installed here: fetching $* from PyPI into $cache/tools"
    PIP_USER=0 "${pip[@]}" install --quiet --disable-pip-version-check --only-binary=:all: --upgrade --target "$cache/tools" "$@" >&2
}

# What came from PyPI goes before the system's, which did not do when it was fetched.
use_wheels() { PATH="$cache/tools/cmake/data/bin:$cache/tools/bin:$PATH"; }

# supply NEED...: by packages, or else by wheels for those that have one. What then works is asked anew by the caller.
supply() {
    local need packages=() wheels=()
    for need in "$@"; do
        case $need in
            rustfmt | clippy) rustup component add "$need" >&2 2>/dev/null && continue ;;
            cmake | libclang) wheels+=("$need") ;;
            make) wheels+=(ninja) ;;
        esac
        packages+=("${PACKAGE[$need]}")
    done
    apt_install "${packages[@]}" && return
    [ ${#wheels[@]} = 0 ] || pip_install "${wheels[@]}" || true
}

# need NEED...: all of them are there afterwards, or an error that names the rest.
need() {
    local open rest need listed=
    mapfile -t open < <(missing "$@")
    [ ${#open[@]} != 0 ] || return 0
    supply "${open[@]}"
    mapfile -t rest < <(missing "${open[@]}")
    [ ${#rest[@]} != 0 ] || return 0
    explain "${rest[@]}"
    for need in "${rest[@]}"; do listed+=" ${PACKAGE[$need]}"; done
    die "missing, and not to be had here:$listed. With root: apt-get install$listed"
}

# explain NEED...: where the package alone is no remedy.
explain() {
    local need
    for need in "$@"; do
        case $need in
            compiler) say "${CXX:-c++} and cc must compile, link and run a program; without root: conda install gxx, or your cluster's modules" ;;
            libclang) [ -z "${LIBCLANG_PATH:-}" ] || say "LIBCLANG_PATH=$LIBCLANG_PATH: no libclang there that can be loaded and used; unset it" ;;
            cmake) say "cmake $CMAKE_LEAST or newer; without root: python3 -m pip install --user cmake" ;;
            venv) say "$(command -v python3 || echo python3): \`python3 -m venv\` must make an environment with pip" ;;
            rustfmt | clippy) say "cargo $need; with rustup: rustup component add $need" ;;
        esac
    done
}

install_rust() {
    local packages=()
    command -v curl >/dev/null 2>&1 || packages+=(curl)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
    apt_install "${packages[@]}" || die "please install: ${packages[*]}"
    say 'installing Rust (rustup, minimal profile)'
    curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh \
        | sh -s -- -y --no-modify-path --profile minimal --default-toolchain stable >&2
}

# The folder of a crate's source, which cargo fetches: in its registry, or wherever its configuration says.
crate_source() {
    cargo metadata --locked --format-version 1 | tr ',' '\n' \
        | sed -n "s|^\"manifest_path\":\"\(.*$1[^/]*\)/Cargo.toml\"\$|\1|p" | head -n 1
}

build_highs() {
    local version source prefix
    version=$(sed -n '/^name = "highs-sys"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
    [ -n "$version" ] || die 'Cargo.lock names no highs-sys'
    prefix=$cache/highs-$version
    exec 9>"$prefix.lock"
    flock 9
    if [ ! -e "$prefix/complete" ] || ! { link_libstdcxx "$prefix"; has_highs "$prefix"; }; then
        source=$(crate_source highs-sys)/HiGHS
        [ -f "$source/CMakeLists.txt" ] || die "no HiGHS source beside highs-sys $version in cargo's registry"
        say "building HiGHS $version (once, some minutes)"
        rm -rf "$prefix" "$prefix.build"
        compile_highs "$source" "$prefix" >"$prefix.log" 2>&1 || {
            tail -n 30 "$prefix.log" >&2
            die "building HiGHS failed; the log is $prefix.log"
        }
        link_libstdcxx "$prefix"
        rm -rf "$prefix.build"
        touch "$prefix/complete"
        has_highs "$prefix" || die "HiGHS is built, but nothing can be linked with it; the log is $prefix.log"
    fi
    ln -sfn "$prefix" build/highs
}

# Called in a condition, where `set -e` is off: hence the chain.
compile_highs() {
    local generator=()
    make --version >/dev/null 2>&1 || generator=(-G Ninja)
    cmake "${generator[@]}" -S "$1" -B "$2.build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$2" \
        -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DFAST_BUILD=ON -DBUILD_CXX_EXE=OFF \
        -DBUILD_EXAMPLES=OFF -DBUILD_TESTING=OFF -DZLIB=OFF &&
        cmake --build "$2.build" --parallel "$(nproc)" &&
        cmake --install "$2.build"
}

# A link to the static C++ library stands beside HiGHS, where the linker looks first: a process that need not load and
# relocate libstdc++.so starts 0.6 ms sooner. Where there is none (Fedora has it apart), the shared one is found. Made at
# every run: compilers are replaced.
link_libstdcxx() {
    local static
    static=$("${CXX:-c++}" -print-file-name=libstdc++.a)
    rm -f "$1/lib/libstdc++.a"
    if [ -f "$static" ]; then ln -s "$static" "$1/lib/libstdc++.a"; fi
}

needs=(compiler make cmake libclang)
wishes=()
with_rust=false
check=false
for argument in "$@"; do
    case $argument in
        --with-rust) with_rust=true ;;
        --for-tests) needs+=(venv rustfmt clippy) wishes+=(shellcheck browser) ;;
        --check) check=true ;;
        *) die "unknown option $argument; see the head of scripts/setup.sh" ;;
    esac
done
use_wheels
if $check; then
    mapfile -t open < <(missing rust "${needs[@]}" "${wishes[@]}")
    [ ${#open[@]} = 0 ] || die "missing: ${open[*]}"
    exit 0
fi
if ! has_rust; then
    $with_rust || die 'Rust is missing or too old: ./scripts/setup.sh --with-rust installs it, or see https://rustup.rs'
    install_rust
fi
need "${needs[@]}"
build_highs
mapfile -t open < <(missing "${wishes[@]}")
if [ ${#open[@]} != 0 ]; then
    supply "${open[@]}" || true
    mapfile -t open < <(missing "${open[@]}")
    [ ${#open[@]} = 0 ] || say "*** not to be had here: ${open[*]}: test.sh leaves out what needs them ***"
fi
