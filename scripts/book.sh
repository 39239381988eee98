#!/usr/bin/env bash
# The book: docs/, and behind it a reference that the release binary writes about itself. Leaves it in target/book.
# mdBook is compiled into the cache once, which takes some minutes.
#
# usage: book.sh [--if-possible]    without mdBook and without a way to get it: no failure, said loudly
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

readonly MDBOOK=0.5.4
target=${CARGO_TARGET_DIR:-target}
program=$target/release/counterpatch
mdbook=$cache/mdbook-$MDBOOK/bin/mdbook

[ -x "$program" ] || die "there is no $program (help: ./scripts/build.sh)"
if [ ! -x "$mdbook" ]; then
    say "compiling mdBook $MDBOOK (once, some minutes)"
    # In its own folder: what the project's settings say of HiGHS, and of where to build, is nothing to it.
    if ! (cd / && env -u CARGO_TARGET_DIR cargo install --quiet --locked --version "$MDBOOK" --no-default-features --features search \
        --root "$cache/mdbook-$MDBOOK" mdbook); then
        [ "${1:-}" = --if-possible ] || die "mdBook $MDBOOK cannot be installed (help: is crates.io reachable?)"
        printf '*** SKIPPED: the book: mdBook %s cannot be installed ***\n' "$MDBOOK" >&2
        exit 0
    fi
fi

# page FILE TITLE ARGUMENT...: what the program says, as a page of the reference.
page() {
    local file=reference/$1 title=$2
    { printf '# %s\n```text\n' "$title" && COLUMNS=110 "$program" "${@:3}" && printf '```\n'; } >"$source/src/$file"
    printf -- '- [%s](%s)\n' "$title" "$file" >>"$source/src/SUMMARY.md"
}

commands=$("$program" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$')
lists=$("$program" supports --help | sed -n 's/^ *--\([a-z-]*\)$/\1/p' | grep -v '^explain$')

source=$target/book-source
rm -rf "$source" "$target/book"
cp -r docs "$source"
mkdir "$source/src/reference"
for command in $commands; do page "$command.md" "counterpatch $command" "$command" --help; done
for command in $("$program" campaign --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$'); do
    page "campaign-$command.md" "counterpatch campaign $command" campaign "$command" --help
done
for list in $lists; do
    explain=()
    case $list in strategies | attack-methods) explain=(--explain) ;; esac
    page "supports-$list.md" "supports --$list" supports "--$list" "${explain[@]}"
done
# A page that the contents name and that is not there is an error.
printf '\n[build]\ncreate-missing = false\n' >>"$source/book.toml"
"$mdbook" build --dest-dir "$(realpath "$target")/book" "$source" 2>"$source/log" || { cat "$source/log" >&2 && die 'the book cannot be built'; }
if grep -q WARN "$source/log"; then cat "$source/log" >&2 && die 'mdBook warns of something'; fi
say "the book: $target/book/index.html"
