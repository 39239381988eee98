#!/usr/bin/env bash
# Runs the README's two commands on systems that have nothing yet: minimal roots of Debian and Ubuntu, made by debootstrap,
# as root and as a user with sudo. Rust comes from this machine (its toolchain read-only, and cargo's downloads), and so does
# HiGHS, but never a package: those are what setup.sh has to get right.
#
# usage: bare.sh [--full | --brief] [--as PERSON] [--build-highs] [--keep] [--if-reachable] [ROOT...]
#   ROOT            debian12, debian12-llvm (with LLVM's run-time libraries), debian13, ubuntu22.04, ubuntu24.04; default: all
#   --full          test.sh as a whole. Otherwise, after demo.sh, its steps that find what is missing (needs) and those that
#                   are quick and use it: the set-up's tests, the competition's scripts; and the release is not optimised,
#                   which takes most of its build away and changes nothing that it needs
#   --brief         instead of demo.sh only set-up for the build and the tests, and the bindings to HiGHS, which is all that
#                   depends on the system; instead of test.sh the set-up's tests
#   --as PERSON     root; user, who has sudo; or plain, who has not, but g++ and python3-venv; default: the first two
#   --build-highs   does not bring HiGHS: it is built in each root
#   --keep          leaves the roots where they are
#   --if-reachable  a root whose mirror cannot be reached is no failure although it was named (CI: a mirror that is down says
#                   nothing about the project)
#
# Needs root, and leave to mount: all mounts are made in a mount namespace of their own, so that they end with the process
# that made them, however it ends, and nothing can be removed through them. Logs: out/bare. At the end: a table.
# Mirrors: COUNTERPATCH_DEBIAN and COUNTERPATCH_UBUNTU, or those of this machine's apt. One that is missing or cannot be
# reached is said loudly; it is a failure only if its root was asked for by name.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ROOTS=(debian12 debian12-llvm debian13 ubuntu22.04 ubuntu24.04)
# The mirrors: Debian's is the one that this machine's own apt uses, unless told otherwise; Ubuntu's has to be told elsewhere.
# shellcheck disable=SC2016 # apt's own variables
apt_uses() { apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | sed -n "s/^$1 //p" | grep -v security | head -n 1; }
DEBIAN=${COUNTERPATCH_DEBIAN:-$(apt_uses Debian || true)}
UBUNTU=${COUNTERPATCH_UBUNTU:-$(apt_uses Ubuntu || true)}
# apt's addresses end in a slash, and a second one behind it is an error to some mirrors.
readonly DEBIAN=${DEBIAN%/} UBUNTU=${UBUNTU%/}
export COUNTERPATCH_DEBIAN=$DEBIAN
readonly QUICK=(needs format setup_scripts competition_scripts)
readonly BRIEFLY='./scripts/setup.sh --for-tests && cargo build --release --locked --package highs-sys'
readonly NOT_OPTIMISED=(CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=false)

note() { printf 'bare: %s\n' "$*" >&2; }
fail() { note "*** $* ***"; exit 1; }

# inside FUNCTION ARGUMENT...: of bare_inside.sh, in namespaces of its own. Ctrl-C and the like end all processes in it.
inside() {
    local status=0
    BARE_OUTSIDE=$(readlink /proc/self/ns/mnt) unshare --mount --propagation private --pid --fork --kill-child \
        ./scripts/bare_inside.sh "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

# suite ROOT: its name at the mirror.
suite() {
    case $1 in
        debian12*) echo bookworm ;;
        debian13) echo trixie ;;
        ubuntu22.04) echo jammy ;;
        ubuntu24.04) echo noble ;;
    esac
}

mirror() { case $1 in ubuntu*) echo "$UBUNTU" ;; *) echo "$DEBIAN" ;; esac; }

# reachable ROOT: its mirror answers. Asked for two minutes, since a mirror may be slow to wake; what wget said is in `said`.
reachable() {
    local try
    said='no mirror is named'
    [ -n "$(mirror "$1")" ] || return 1
    for try in 1 2 3 4 5; do
        if said=$(wget -nv -T 20 -t 1 -O /dev/null "$(mirror "$1")/dists/$(suite "$1")/InRelease" 2>&1); then return 0; fi
        note "try $try of $(mirror "$1"): ${said//$'\n'/; }"
        [ "$try" = 5 ] || sleep $((try * 6))
    done
    return 1
}

# furnish FOLDER PERSON: the checkout as it is, Rust's downloads, HiGHS, the way to the network, and the person.
furnish() {
    local home=/root part registry=${CARGO_HOME:-$HOME/.cargo}/registry
    if [ "$2" != root ]; then
        home=/home/user
        chroot "$1" useradd --create-home --shell /bin/bash user
    fi
    if [ "$2" = user ]; then echo 'user ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/user"; fi
    if [ "$2" = plain ]; then inside add_packages "$1" g++ python3-venv >"out/bare/plain.log" 2>&1; fi
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    # Certificates are what this machine trusts, which may be a proxy's.
    mkdir -p "$1/opt/rust" "$1/opt/certificates" "$1$home/checkout" "$1$home/.cargo/registry" "$1$home/.cache/counterpatch"
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp -L /etc/ssl/certs/ca-certificates.crt "$1/opt/certificates/all.crt"; fi
    git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create | tar -x -C "$1$home/checkout"
    for part in cache index; do
        if [ -d "$registry/$part" ]; then cp -r "$registry/$part" "$1$home/.cargo/registry/"; fi
    done
    if ! $build_highs && [ -e build/highs/complete ]; then
        cp -r "$(readlink -f build/highs)" "$1$home/.cache/counterpatch/"
    fi
    chroot "$1" chown -R "$(basename "$home"):" "$home"
}

# What must hold afterwards: cargo has not built a HiGHS of its own.
readonly NO_SECOND_HIGHS='! compgen -G "target/*/build/highs-sys-*/out/build" >/dev/null'

# measure NAME COMMAND...: runs it with its output in a log; notes outcome and seconds in `cells`.
measure() {
    local name=$1 log start=$SECONDS
    shift
    log=out/bare/$name.log
    note "$name (log: $log)"
    if inside "$@" >"$log" 2>&1; then
        cells+=" $((SECONDS - start)) s |"
    else
        cells+=" **failed** after $((SECONDS - start)) s |"
        note "*** $name failed; the end of $log: ***"
        tail -n 25 "$log" >&2
        return 1
    fi
}

# try_root ROOT: both commands as each person; a row each.
try_root() {
    local root=$1 base=$work/$1 person folder cells="" faults=0 made
    local first=./scripts/demo.sh second="./scripts/test.sh ${QUICK[*]}" quickly=("${NOT_OPTIMISED[@]}")
    if $full; then second=./scripts/test.sh quickly=(); fi
    if $brief; then first=$BRIEFLY second='./scripts/test.sh setup_scripts'; fi
    if ! reachable "$root"; then
        note "*** NOT REACHABLE: $root ($(mirror "$root"): ${said//$'\n'/; }): nothing is known about it ***"
        rows+="| $root | | not reachable | | |"$'\n'
        if $by_name && ! $if_reachable; then return 1; fi
        return 0
    fi
    if ! measure "$root-base" make_base "$root" "$base" "$(suite "$root")" "$(mirror "$root")"; then
        rows+="| $root | |$cells | |"$'\n'
        return 1
    fi
    made=$cells
    for person in "${people[@]}"; do
        folder=$work/$root-$person
        cells=$made
        cp -a --reflink=auto "$base" "$folder"
        furnish "$folder" "$person"
        if measure "$root-$person-demo" run_command "$folder" "$person" "$toolchain" "$first && $NO_SECOND_HIGHS" "${quickly[@]}" &&
            measure "$root-$person-test" run_command "$folder" "$person" "$toolchain" "$second" "${quickly[@]}"; then
            :
        else
            faults=1
        fi
        rows+="| $root | $person |$cells"$'\n'
        $keep || remove "$folder"
    done
    $keep || remove "$base"
    return "$faults"
}

# remove FOLDER...: nothing below may be a mount of this namespace; rm stays on its file system besides.
remove() {
    local folder
    for folder in "$@"; do
        if grep -qF " $folder/" /proc/self/mountinfo; then fail "$folder: something is mounted there; left as it is"; fi
        rm -rf --one-file-system "$folder"
    done
}

# shellcheck disable=SC2317 # by trap
leave() {
    # unshare ignores gentler signals while it waits; the kernel then ends all that is in its namespaces.
    [ -z "${child:-}" ] || { kill -KILL "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; }
    if $keep; then note "the roots are in $work"; else remove "$work"; fi
}

# prepare: what this machine needs for it.
prepare() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo env \"PATH=\$PATH\" \"HOME=\$HOME\" $0"
    if ! command -v debootstrap >/dev/null 2>&1 || ! command -v wget >/dev/null 2>&1; then
        note 'installing debootstrap'
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap wget; } \
            </dev/null >&2 || fail 'debootstrap is missing, and cannot be installed'
    fi
    mkdir -p build out/bare
    work=$(mktemp -d "$PWD/build/bare.XXXXXX")
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    inside permitted "$work" || fail 'mounting is not permitted here (an unprivileged container?): nothing is known about new machines'
    toolchain=$(rustc --print sysroot)
    if ! $build_highs && [ ! -e build/highs/complete ]; then
        note 'HiGHS is not built here: each root builds its own (./scripts/setup.sh builds it once)'
    fi
}

full=false brief=false build_highs=false keep=false by_name=false if_reachable=false people=(root user) chosen=()
while [ $# != 0 ]; do
    case $1 in
        --full) full=true ;;
        --brief) brief=true ;;
        --build-highs) build_highs=true ;;
        --keep) keep=true ;;
        --if-reachable) if_reachable=true ;;
        --as) people=("${2:-}") && shift && case ${1:-} in root | user | plain) ;; *) fail '--as root, user or plain' ;; esac ;;
        *)
            case " ${ROOTS[*]} " in *" $1 "*) chosen+=("$1") ;; *) fail "no root $1; there are: ${ROOTS[*]}" ;; esac
            by_name=true
            ;;
    esac
    shift
done
[ ${#chosen[@]} != 0 ] || chosen=("${ROOTS[@]}")
prepare
rows="" failed=0
for root in "${chosen[@]}"; do
    try_root "$root" || failed=1
done
titles="demo.sh | test.sh ${QUICK[*]}"
if $full; then titles='demo.sh | test.sh'; fi
if $brief; then titles='setup.sh, bindings | test.sh setup_scripts'; fi
printf '| root | as | made in | %s |\n|---|---|---|---|---|\n%s' "$titles" "$rows" | tee out/bare/table.md
exit "$failed"
