#!/bin/sh
# What bindgen asks for libclang (LLVM_CONFIG_PATH in .cargo/config.toml): the one that setup.sh has tried, where there is
# one, and otherwise the system's llvm-config. highs-sys runs bindgen in every build and declares no `links`, by which cargo
# would let us give it bindings made once; so libclang is needed.
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
if [ "$*" = --prefix ] && [ -e "$here/build/libclang/lib/libclang-99999.so" ]; then
    printf '%s\n' "$here/build/libclang"
    exit 0
fi
exec llvm-config "$@"
