#!/usr/bin/env bash
# Tests what setup.sh and its helpers make of odd machines: tools that are there by name only, homes that cannot be written,
# paths with blanks, cargo configured to build elsewhere. Nothing is installed and nothing large is built: tools are
# imitated, and cargo builds a crate of one line. scripts/bare.sh tests the same on real systems.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. scripts/env.sh
work=$(mktemp -d "$root/build/test setup.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The user's own settings are not what is tested.
unset LIBCLANG_PATH LLVM_CONFIG_PATH PKG_CONFIG_PATH CARGO_TARGET_DIR CARGO_BUILD_TARGET COUNTERPATCH_BINARY COUNTERPATCH_THEN \
    COUNTERPATCH_CACHE COUNTERPATCH_ARGS COUNTERPATCH_BROWSER CXX
passed=0
failed=0

# report NAME PATTERN TEXT: the text must match the pattern, a glob.
report() {
    # shellcheck disable=SC2053 # a pattern is meant
    if [[ $3 == $2 ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: expected %s, got:\n%s\n' "$1" "$2" "$3" >&2
    fi
}

# check NAME PATTERN COMMAND...: `STATUS OUTPUT` of a command, standard error included, must match.
check() {
    local name=$1 pattern=$2 status=0 text
    shift 2
    text=$("$@" 2>&1) || status=$?
    report "$name" "$pattern" "$status $text"
}

# tool FOLDER NAME TEXT: an imitation of a tool.
tool() {
    mkdir -p "$1"
    printf '#!/bin/sh\n%s\n' "$3" >"$1/$2"
    chmod +x "$1/$2"
}

# A checkout with the scripts and a program of one line, in a folder with a blank.
tree="$work/a checkout"
mkdir -p "$tree/src" "$tree/out" "$tree/tests" "$tree/.cargo"
cp -r scripts "$tree/"
cp .cargo/config.toml "$tree/.cargo/"
cp -r tests/data "$tree/tests/"
cat >"$tree/Cargo.toml" <<'TOML'
[package]
name = "counterpatch"
version = "0.1.0"
edition = "2024"
rust-version = "1.89"

[workspace]
TOML
printf 'version = 4\n\n[[package]]\nname = "counterpatch"\nversion = "0.1.0"\n' >"$tree/Cargo.lock"
# It answers nothing, and says with what it was called.
cat >"$tree/src/main.rs" <<'RUST'
fn main() {
    println!("called with {:?}", std::env::args().skip(1).collect::<Vec<_>>());
}
RUST

# probe FOLDER WHAT: asks a probe, with imitations in FOLDER before all else in PATH.
# shellcheck disable=SC2016 # the inner shell expands
probe() {
    (cd "$tree" && PATH="$1:$PATH" bash -uc '. scripts/env.sh; PATH=$1:$PATH; . scripts/probes.sh
        libclang_folders() { printf "%s\n" "${FOLDERS:-/nowhere}"; }
        "$2"; status=$?; rm -rf "$scratch_folder"; exit $status' bash "$1" "$2")
}

printf 'probes: a tool that is there by name only\n'
fake=$work/fakes
while IFS='|' read -r name pattern probe program text; do
    rm -rf "$fake"
    tool "$fake" "$program" "$text"
    check "$name" "$pattern" probe "$fake" "$probe"
done <<'TABLE'
a compiler that fails|1 |has_compiler|c++|exit 1
a compiler that makes nothing|12[67]*|has_compiler|c++|exit 0
a linker that fails|1 |has_compiler|cc|exit 1
cmake of long ago|1 |has_cmake|cmake|echo cmake version 3.10.2
cmake that is just new enough|0 |has_cmake|cmake|echo cmake version 3.15.0
cmake of tomorrow|0 |has_cmake|cmake|echo cmake version 10.1
cmake that breaks|1 |has_cmake|cmake|exit 127
rustup without a toolchain|1 |has_rust|cargo|echo no default toolchain >&2; exit 1
cargo of long ago|1 |has_rust|cargo|echo 'cargo 1.85.0 (d73d2caf9 2024-12-31)'
cargo without rustc|1 |has_rust|rustc|exit 1
Python without ensurepip|1 |has_venv|python3|echo 'ensurepip is not available'; exit 1
cargo without rustfmt|101 |has_rustfmt|cargo|echo 'no such command: `fmt`' >&2; exit 101
cargo without clippy|101 |has_clippy|cargo|exit 101
TABLE
COUNTERPATCH_BROWSER=$fake/chromium
export COUNTERPATCH_BROWSER
tool "$fake" chromium 'echo "requires the chromium snap" >&2; exit 10'
check 'a browser that is a text about a snap' '1 ' probe "$fake" has_browser
tool "$fake" chromium 'echo "<html><body><p>works</p></body></html>"'
check 'a browser that opens a page' '0 ' probe "$fake" has_browser
unset COUNTERPATCH_BROWSER

printf 'libclang: what bindgen would load\n'
rm -rf "$fake"
mkdir "$fake"
real=$(readlink -f build/libclang/lib/libclang-99999.so || true)
lib="$work/a lib"
mkdir "$lib"
printf 'int something;\n' | cc -shared -fPIC -x c - -o "$work/other.so"
# libclang_case NAME PATTERN FILE CONTENT: one file in the folder; CONTENT is a file to copy.
libclang_case() {
    rm -rf "$lib"
    mkdir "$lib"
    cp -L "$4" "$lib/$3"
    FOLDERS=$lib check "$1, found" "$2" probe "$fake" has_libclang
    LIBCLANG_PATH=$lib check "$1, by LIBCLANG_PATH" "$2" probe "$fake" has_libclang
    LIBCLANG_PATH=$lib/$3 check "$1, by LIBCLANG_PATH as a file" "$2" probe "$fake" has_libclang
}
libclang_case 'a library without its functions' '1 ' libclang.so.1 "$work/other.so"
libclang_case 'a text' '1 ' libclang-14.so Cargo.toml
FOLDERS=/nowhere check 'none' '1 ' probe "$fake" has_libclang
LIBCLANG_PATH=/nowhere check 'LIBCLANG_PATH that leads nowhere' '1 ' probe "$fake" has_libclang
if [ -f "$real" ]; then
    # Its neighbours are found by its run path, hence a link.
    rm -rf "$lib"
    mkdir "$lib"
    ln -s "$real" "$lib/libclang-cpp.so.14"
    FOLDERS=$lib check 'the C++ interface is another library' '1 ' probe "$fake" has_libclang
    cp "$work/other.so" "$lib/libclang-98.so.98"
    ln -s "$real" "$lib/libclang.so.1"
    FOLDERS=$lib check 'a working one beside a newer broken one' '0 ' probe "$fake" has_libclang
    report 'what works is what bindgen is led to' "$real" \
        "$(readlink -f "$("$tree/scripts/llvm-config.sh" --prefix)/lib/libclang-99999.so")"
else
    printf '*** SKIPPED: a libclang that works: setup.sh has not run here ***\n' >&2
fi
rm -rf "$tree/build/libclang"
# shellcheck disable=SC2016 # the imitation expands
tool "$fake" llvm-config 'echo "the system answers $*"'
PATH="$fake:$PATH" check 'without one, the system is asked' '0 the system answers --prefix' "$tree/scripts/llvm-config.sh" --prefix

printf 'HiGHS: ours, whatever the environment says\n'
# shellcheck disable=SC2016 # the imitation expands
tool "$fake" pkg-config 'echo "the system answers $*"'
asks() { PATH="$fake:$PATH" "$tree/scripts/pkg-config.sh" "$@"; }
check 'not built' '0 the system answers --libs highs' asks --libs highs
mkdir -p "$work/a cache/highs-1.2.3/lib" "$tree/build"
touch "$work/a cache/highs-1.2.3/complete"
ln -sfn "$work/a cache/highs-1.2.3" "$tree/build/highs"
# As the crate pkg-config takes the answer apart: at blanks that no backslash precedes.
words() {
    local word
    while IFS= read -r word; do printf '<%b>' "${word//\\ / }"; done < <(asks "$@" | sed 's/\([^\\]\) /\1\n/g')
}
PKG_CONFIG_PATH=/conda/lib/pkgconfig check 'built, with PKG_CONFIG_PATH' \
    "0 <-I$work/a cache/highs-1.2.3/include/highs><-L$work/a cache/highs-1.2.3/lib><-lhighs><-lstdc++>" \
    words --libs --cflags highs 'highs >= 1.5.0'
check 'its version' '0 1.2.3' asks --modversion highs
check 'another library' '0 the system answers --libs zlib' asks --libs zlib
rm -rf "$tree/build/highs"

printf 'homes and caches\n'
# where: what env.sh makes of the environment.
# shellcheck disable=SC2016 # the inner shell expands
where() { (cd "$tree" && env "$@" bash -euc '. scripts/env.sh; echo "$HOME|${CARGO_HOME:-}|$cache"'); }
home=$(getent passwd "$(id -u)" | cut -d : -f 6)
mkdir "$work/a home"
check 'HOME is unset' "0 *$home|*|*" where -u HOME -u CARGO_HOME
check 'HOME is empty' "0 *$home|*|*" where -u CARGO_HOME HOME=
check 'HOME has a blank' "0 $work/a home||$work/a home/.cache/counterpatch" where -u CARGO_HOME HOME="$work/a home"
check 'HOME cannot be written' "0 *cannot be written*/proc/none|$tree/build/cargo|$tree/build/cache" \
    where -u CARGO_HOME HOME=/proc/none
check 'CARGO_HOME cannot be written' "0 *|$tree/build/cargo|*" where HOME="$work/a home" CARGO_HOME=/proc/none
check 'a cache of the user' "0 *|$work/x y" where HOME="$work/a home" COUNTERPATCH_CACHE="$work/x y"
check 'a cache that cannot be written' '1 *COUNTERPATCH_CACHE: /proc/none*' where COUNTERPATCH_CACHE=/proc/none

printf 'setup.sh: what cannot be installed is named at once\n'
tool "$fake" apt-get "echo \"\$*\" >>'$work/apt'; exit 0"
tool "$fake" sudo "exit 1"
tool "$fake" id 'echo 1000'
tool "$fake" cmake 'exit 1'
tool "$fake" rustup 'exit 1'
tool "$fake" python3 'exit 1'
tool "$fake" rustfmt 'exit 1'
# setup OPTION...: with the imitations; a cargo that cannot format, and nothing that asks the network.
# shellcheck disable=SC2016 # the imitation expands
tool "$fake" cargo 'case $1 in --version) echo cargo 99.0.0 ;; clippy) exit 0 ;; *) exit 1 ;; esac'
tool "$fake" rustc 'echo rustc 99.0.0'
# shellcheck disable=SC2016 # the inner shell expands
setup() { (cd "$tree" && env CARGO_HOME="$work/a home/.cargo" HOME="$work/a home" PATH="$fake:$PATH" ./scripts/setup.sh "$@" </dev/null); }
check 'as nobody' '1 *missing*cmake*python3-venv*rustfmt*apt-get install*' setup --for-tests
check 'only asked' '1 *missing: *cmake*venv*rustfmt*' setup --check --for-tests
report 'nothing was installed' 0 "$(wc -l 2>/dev/null <"$work/apt" || echo 0)"
tool "$fake" id 'echo 0'
check 'as root, with packages that do not help' '1 *installing*missing*cmake*python3-venv*rustfmt*' setup --for-tests
report 'in one go' '*update*install*cmake*python3-venv*rustfmt*' "$(cat "$work/apt")"
tool "$fake" cargo 'exit 1'
check 'without Rust' '1 *Rust is missing or too old*--with-rust*' setup
check 'an option that is none' '1 *unknown option --nonsense*' setup --nonsense
rm -rf "$fake"
check 'a bare root that does not exist' '1 *no root nonsense; there are: debian12 *' ./scripts/bare.sh nonsense
check 'a bare person that does not exist' '1 *--as root, user or plain*' ./scripts/bare.sh --as somebody
check 'a step that does not exist' '1 *no step nonsense; there are: needs *' ./scripts/test.sh nonsense

printf 'HiGHS in a cache with a blank is used as it is\n'
if [ -e build/highs/complete ]; then
    version=$(basename "$(readlink -f build/highs)")
    rm -rf "$work/a cache"
    mkdir "$work/a cache"
    cp -r build/highs/. "$work/a cache/$version"
    cp Cargo.lock "$tree/Cargo.lock.full"
    mv "$tree/Cargo.lock" "$tree/Cargo.lock.small"
    mv "$tree/Cargo.lock.full" "$tree/Cargo.lock"
    check 'a cache with a blank' '0 ' env -C "$tree" COUNTERPATCH_CACHE="$work/a cache" ./scripts/setup.sh
    report 'is linked' "$work/a cache/$version" "$(readlink "$tree/build/highs")"
    mv "$tree/Cargo.lock.small" "$tree/Cargo.lock"
else
    printf '*** SKIPPED: a cache with a blank: HiGHS is not built here ***\n' >&2
fi

printf 'build.sh: where cargo builds is what counts\n'
binary() { env -C "$tree" "$@" ./scripts/build.sh 2>/dev/null; }
runs() { (cd "$work" && rm -f out.txt && "$tree/scripts/run_instance.sh" v1 c net.onnx prop.vnnlib out.txt 5); }
check 'no configuration' "0 $tree/target/release/counterpatch" binary
check 'the competition runs it' '0 called with*verify*net.onnx*prop.vnnlib*' runs
rm -rf "$tree/target"
check 'CARGO_TARGET_DIR' "0 $work/else where/release/counterpatch" binary CARGO_TARGET_DIR="$work/else where"
check 'the competition runs it there' '0 called with*verify*' runs
printf '\n[build]\ntarget-dir = "built here"\n' >>"$tree/.cargo/config.toml"
check 'target-dir in a configuration' "0 $tree/built here/release/counterpatch" binary
check 'the competition runs it, too' '0 called with*verify*' runs
report 'a link leads there' "$tree/built here/release/counterpatch" "$(readlink "$tree/build/counterpatch")"
COUNTERPATCH_ARGS='--threads 3  --seed *' check 'further options' '0 *"--threads", "3", "--seed", "[*]"*' runs
COUNTERPATCH_THEN=/tool.sh COUNTERPATCH_ARGS='--threads 3' check 'with a second tool' \
    '0 *"pair"*"--then-script", "/tool.sh", "--category", "c", "--threads", "3"*' runs
tool "$tree/scripts" setup.sh 'exit 0'
printf 'sat\nleft over\n' >"$tree/out/digits.txt"
check 'the demo shows no witness of an earlier run' '1 *' "$tree/scripts/demo.sh"
report 'it is gone' gone "$([ -e "$tree/out/digits.txt" ] || echo gone)"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
