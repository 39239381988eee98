# shellcheck shell=bash
# What is there, asked of the thing itself: a compiler compiles, a library is loaded, a browser opens a page. A name in
# PATH proves little: Debian's python3 has no ensurepip, Ubuntu's chromium is a text, libclang-cpp.so is no libclang.
# Sourced by setup.sh, after env.sh. Each probe is a function has_*, silent, with status 0 for yes.

# What HiGHS's CMakeLists.txt asks for.
readonly CMAKE_LEAST=3.15
# Set by env.sh.
: "${cache:?}"

# at_least LEAST FOUND: compares versions.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# In the checkout, because programs may be forbidden in /tmp. Whoever sources this removes it.
mkdir -p build
scratch_folder=$(mktemp -d "$PWD/build/probes.XXXXXX")

# HiGHS needs C++; rustc links with cc.
has_compiler() {
    printf '#include <vector>\nint main() { return int(std::vector<int>().size()); }\n' >"$scratch_folder/a.cpp"
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >"$scratch_folder/a.c"
    "${CXX:-c++}" "$scratch_folder/a.cpp" -o "$scratch_folder/a" 2>/dev/null && "$scratch_folder/a" &&
        cc "$scratch_folder/a.c" -o "$scratch_folder/a" 2>/dev/null && "$scratch_folder/a"
}

has_make() { make --version >/dev/null 2>&1 || ninja --version >/dev/null 2>&1; }

has_cmake() {
    local found
    found=$(cmake --version 2>/dev/null | sed -n '1s/^cmake version //p')
    [ -n "$found" ] && at_least "$CMAKE_LEAST" "$found"
}

# Rust as new as Cargo.toml asks for. rustup's cargo is there before any toolchain is, hence a version that is printed.
has_rust() {
    local asked cargo rustc
    asked=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    cargo=$(cargo --version 2>/dev/null | cut -d ' ' -f 2)
    rustc=$(rustc --version 2>/dev/null | cut -d ' ' -f 2)
    [ -n "$cargo" ] && [ -n "$rustc" ] && at_least "$asked" "$cargo" && at_least "$asked" "$rustc"
}

# Folders in which bindgen (its crate clang-sys) looks for libclang, and where setup.sh may have put one.
libclang_folders() {
    local prefix paths
    prefix=$(llvm-config --prefix 2>/dev/null) && printf '%s\n' "$prefix/lib" "$prefix/lib64" "$prefix/bin"
    paths=${LD_LIBRARY_PATH:-}:${LIBRARY_PATH:-}
    printf '%s\n' "${paths//:/$'\n'}"
    printf '%s\n' "$cache/tools/clang/native" /usr/local/llvm*/lib* /usr/local/lib*/*/* /usr/local/lib*/* /usr/local/lib* \
        /usr/lib*/*/* /usr/lib*/* /usr/lib*
}

# Files by the names that clang-sys accepts in the folders that are read, the highest version first.
libclang_files() {
    local folder file
    while IFS= read -r folder; do
        for file in "$folder"/libclang.so "$folder"/libclang-*.so "$folder"/libclang.so.* "$folder"/libclang-*.so.*; do
            case $file in *-cpp.*) continue ;; esac
            [ -f "$file" ] && printf '%s\t%s\n' "${file##*/}" "$file"
        done
    done | sort -u | sort -r -V | cut -f 2
}

# What bindgen may load. With LIBCLANG_PATH, it looks nowhere else: at that file, or for the highest version in that folder.
libclang_choices() {
    if [ -z "${LIBCLANG_PATH:-}" ]; then
        libclang_folders | libclang_files
    elif [ -d "$LIBCLANG_PATH" ]; then
        libclang_files <<<"$LIBCLANG_PATH" | head -n 1
    else
        printf '%s\n' "$LIBCLANG_PATH"
    fi
}

# The first libclang that works is linked where scripts/llvm-config.sh leads bindgen, under a version that bindgen
# prefers to all others: it loads what was tried here.
has_libclang() {
    local file link=build/libclang/lib/libclang-99999.so
    cc scripts/probe_libclang.c -o "$scratch_folder/probe" -ldl 2>/dev/null || return
    printf '#include <stdint.h>\n#include <inttypes.h>\n' >"$scratch_folder/header.h"
    mkdir -p "${link%/*}"
    while IFS= read -r file; do
        ln -sfn "$file" "$link"
        "$scratch_folder/probe" "$PWD/$link" "$scratch_folder/header.h" 2>/dev/null && return
    done < <(libclang_choices)
    rm -rf build/libclang
    return 1
}

# Whether what stands in a folder is HiGHS, as the linker of this machine sees it: one that was built on a newer
# system may ask for a newer C library.
has_highs() {
    [ -e "$1/complete" ] || return
    printf '#include <interfaces/highs_c_api.h>\nint main(void) { Highs_destroy(Highs_create()); return 0; }\n' \
        >"$scratch_folder/highs.c"
    cc "$scratch_folder/highs.c" -o "$scratch_folder/highs" -I "$1/include/highs" -L "$1/lib" -lhighs -lstdc++ -lm \
        -lpthread 2>/dev/null && "$scratch_folder/highs"
}

# Debian's python3 has venv, but not what fills an environment (python3-venv): one is made.
has_venv() {
    python3 -m venv "$scratch_folder/venv" >/dev/null 2>&1 && "$scratch_folder/venv/bin/pip" --version >/dev/null 2>&1
}

has_rustfmt() { cargo fmt --version >/dev/null 2>&1; }

has_clippy() { cargo clippy --version >/dev/null 2>&1; }

has_shellcheck() { shellcheck --version >/dev/null 2>&1; }

# On Ubuntu, chromium is a text that says to install a snap: a page is opened. The names are those of the test.
has_browser() {
    local name page names=(chromium google-chrome google-chrome-stable chromium-browser)
    [ -z "${COUNTERPATCH_BROWSER:-}" ] || names=("$COUNTERPATCH_BROWSER")
    for name in "${names[@]}"; do
        command -v "$name" >/dev/null 2>&1 || continue
        page=$(timeout 60 "$name" --headless --no-sandbox --disable-gpu --user-data-dir="$scratch_folder/profile" \
            --dump-dom 'data:text/html,<p>works</p>' 2>/dev/null </dev/null) || continue
        case $page in *works*) return ;; esac
    done
    return 1
}
