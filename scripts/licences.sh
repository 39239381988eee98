#!/usr/bin/env bash
# Copies the licence texts of all that is linked into the program: ours, each crate's, and HiGHS's. For everything that hands
# the program out (dist.sh, Dockerfile).
#
# usage: licences.sh FOLDER
set -euo pipefail
[ $# = 1 ] || { echo 'usage: licences.sh FOLDER' >&2; exit 1; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. scripts/env.sh

cp LICENSE-APACHE LICENSE-MIT "$folder/"
cargo tree --locked --edges normal --prefix none --format '{p}' | awk '{print $1, substr($2, 2)}' | sort -u \
    | while read -r name version; do
        for crate in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-$version"; do
            [ -d "$crate" ] || continue
            find "$crate" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' \) \
                -exec sh -c 'cp "$1" "$2-$(basename "$1")"' sh {} "$folder/$name-$version" \;
            if [ "$name" = highs-sys ]; then cp "$crate/HiGHS/LICENSE.txt" "$folder/HiGHS-LICENSE.txt"; fi
        done
    done
[ -s "$folder/HiGHS-LICENSE.txt" ] || die "HiGHS's licence was not found among cargo's downloads: build first"
