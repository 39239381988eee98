#!/usr/bin/env bash
# The parts of bare.sh that mount. bare.sh runs them in a mount and process namespace of their own; nobody else calls this.
#
# usage: bare_inside.sh FUNCTION ARGUMENT...
set -euo pipefail
# A look at the mounts, which in any other place would be left behind.
[ "$(readlink /proc/self/ns/mnt)" != "${BARE_OUTSIDE:?set by bare.sh}" ] || { echo 'bare_inside: no namespace of its own' >&2; exit 1; }

# The keys of Ubuntu's archive, as Debian packages them.
readonly KEYS=${COUNTERPATCH_DEBIAN:-}/pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1-0.2_all.deb
readonly KEYS_SHA256=b2e7ed48431bf9e7978ae810bbdaf253093570d6e3f864e575b7c13554b81174

# make_base ROOT FOLDER SUITE MIRROR: the minimal system, with sudo and nothing else that it does not have of itself.
make_base() {
    local root=$1 folder=$2 suite=$3 mirror=$4
    local options=(--variant=minbase --include=sudo) script=()
    mkdir -p "$folder"
    case $root in
        ubuntu*)
            wget -q -O "$folder.deb" "$KEYS"
            echo "$KEYS_SHA256  $folder.deb" | sha256sum --check --quiet
            dpkg-deb -x "$folder.deb" "$folder.keys"
            options+=('--components=main,universe' "--keyring=$folder.keys/usr/share/keyrings/ubuntu-archive-keyring.gpg")
            # What debootstrap names its script for all Ubuntus; an older debootstrap does not know the newest names.
            script=(gutsy)
            ;;
    esac
    debootstrap "${options[@]}" "$suite" "$folder" "$mirror" "${script[@]}"
    if [ "$root" = debian12-llvm ]; then add_packages "$folder" llvm libllvm14 libclang-cpp14; fi
}

# add_packages FOLDER PACKAGE...
add_packages() {
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    mount -t proc proc "$1/proc"
    chroot "$1" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -y -qq --no-install-recommends "${@:2}"
}

# run_command FOLDER PERSON TOOLCHAIN COMMAND [NAME=VALUE...]: in the root, with the environment of a login and nothing of ours.
run_command() {
    local folder=$1 person=$2 toolchain=$3 command=$4 home=/root certificates=/opt/certificates/all.crt name environment=("${@:5}")
    [ "$person" = root ] || home=/home/user
    mount -t proc proc "$folder/proc"
    mkdir -p "$folder/dev/shm"
    mount -t tmpfs tmpfs "$folder/dev/shm"
    mount --bind "$toolchain" "$folder/opt/rust"
    mount -o remount,bind,ro "$folder/opt/rust"
    for name in http_proxy https_proxy no_proxy; do
        [ -z "${!name:-}" ] || environment+=("$name=${!name}")
    done
    if [ -e "$folder$certificates" ]; then
        environment+=("SSL_CERT_FILE=$certificates" "CARGO_HTTP_CAINFO=$certificates" "PIP_CERT=$certificates"
            "CURL_CA_BUNDLE=$certificates")
    fi
    # As an activated conda sets it. A user's habit must not cost a second HiGHS.
    [ "$person" = root ] || environment+=(PKG_CONFIG_PATH=/opt/conda/lib/pkgconfig)
    local as=(setpriv --reuid=user --regid=user --init-groups)
    [ "$person" != root ] || as=()
    chroot "$folder" "${as[@]}" env -i HOME="$home" USER="$person" SHELL=/bin/bash LANG=C.UTF-8 \
        PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${environment[@]}" \
        bash -c "cd $home/checkout && $command"
}

# permitted: whether what the others do is permitted here.
permitted() { mount -t tmpfs tmpfs "$1" && mount --bind "$1" "$1"; }

"$@"
