#!/usr/bin/env bash
# A binary to hand out, in build/dist/counterpatch-VERSION-x86_64-linux.tar.gz: stripped, under 20 MB, needing nothing but glibc
# 2.28 or newer (Debian 10, RHEL 8, Ubuntu 18.10), with the licence texts of all that is linked into it.
# Zig's C++ compiler comes from PyPI and stands in for the system's: it links against the glibc that it is told and has its C++ library
# with it. HiGHS is built anew by it, which takes some minutes the first time.
#
# usage: dist.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

readonly GLIBC=2.28 MOST_BYTES=20000000
readonly MACHINE=x86_64-unknown-linux-gnu
# What a program may ask of the system: parts of glibc, and nothing else.
readonly LIBRARIES='libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 ld-linux-x86-64.so.2'

[ "$(rustc -vV | sed -n 's/^host: //p')" = "$MACHINE" ] || die "dist.sh is for $MACHINE"
./scripts/setup.sh
tools=$cache/dist
[ -x "$tools/bin/cargo-zigbuild" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check 'ziglang==0.15.2' 'cargo-zigbuild==0.24.1'
}

name_commit
# HOST_PKG_CONFIG: not the HiGHS that the system's compiler has built, whose C++ library is another.
export CARGO_ZIGBUILD_PYTHON_PATH=$tools/bin/python HOST_PKG_CONFIG=false PATH=$tools/bin:$PATH
cargo zigbuild --locked --profile dist --bin counterpatch --target "$MACHINE.$GLIBC" >&2
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
binary=$target/$MACHINE/dist/counterpatch

# Holds the binary against what the head of this file says.
check_binary() {
    local bytes newest library
    bytes=$(stat -c %s "$binary")
    [ "$bytes" -lt "$MOST_BYTES" ] || die "$binary has $bytes bytes, $MOST_BYTES are allowed"
    newest=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
    [ "$(printf '%s\nGLIBC_%s\n' "$newest" "$GLIBC" | sort -V | tail -n 1)" = "GLIBC_$GLIBC" ] || die "$binary asks for $newest"
    for library in $(objdump -p "$binary" | sed -n 's/^ *NEEDED *//p'); do
        case " $LIBRARIES " in
            *" $library "*) ;;
            *) die "$binary needs $library" ;;
        esac
    done
    env -i "$binary" verify tests/data/digits_mlp.onnx tests/data/digits_mlp_easy.vnnlib --quiet >/dev/null || die "$binary does not run"
    say "$bytes bytes, $newest at most"
}

check_binary
version=$(sed -n '/^\[package\]/,/^version/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=counterpatch-$version-x86_64-linux
rm -rf "build/dist/$name"
mkdir -p "build/dist/$name"
cp "$binary" README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "build/dist/$name/"
./scripts/licences.sh "build/dist/$name/licences"
tar -C build/dist -czf "build/dist/$name.tar.gz" "$name"
printf '%s\n' "$PWD/build/dist/$name.tar.gz"
