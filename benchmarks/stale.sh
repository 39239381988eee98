#!/usr/bin/env bash
# Says which tables of benchmarks/*.md are older than the code that they measure. A table's stamp is a comment beside it:
#     <!-- measured: COMMIT of PATH... -->
# A later commit that touches one of the paths makes it stale. That is said and no failure: a figure is not wrong because code
# has changed, but whoever quotes it should know. A stamp without a commit of this repository, or with a path that is gone, is one.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" != false ]; then
    printf '*** SKIPPED: the age of tables: no git history here ***\n' >&2
    exit 0
fi
wrong=0
stamps=0
while IFS=: read -r page line stamp; do
    stamps=$((stamps + 1))
    stamp=${stamp#*measured: }
    commit=${stamp%% of *}
    read -r -a paths <<<"$(sed 's/.* of //; s/ *-->.*//' <<<"$stamp")"
    if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
        printf '%s, line %s: there is no commit %s\n' "$page" "$line" "$commit" >&2
        wrong=1
        continue
    fi
    for path in "${paths[@]}"; do
        [ -e "$path" ] || { printf '%s, line %s: there is no %s\n' "$page" "$line" "$path" >&2; wrong=1; }
    done
    later=$(git rev-list --count "$commit..HEAD" -- "${paths[@]}")
    if [ "$later" = 0 ]; then
        printf '%s, line %s: measured at %s, as the code is now\n' "$page" "$line" "$commit"
    else
        printf '%s, line %s: measured at %s, STALE by %s commits to %s\n' "$page" "$line" "$commit" "$later" "${paths[*]}"
    fi
done < <(grep -nH '^<!-- measured: ' benchmarks/*.md)
if [ "$stamps" = 0 ]; then
    printf 'no page of benchmarks/ has a stamp\n' >&2
    exit 1
fi
exit "$wrong"
