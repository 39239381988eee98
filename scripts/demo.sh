#!/usr/bin/env bash
# From nothing to a validated counterexample: installs what the build needs, builds, falsifies a property of a small
# network that ships with the project, shows the witness and replays it. Then two ACAS Xu properties, where the
# competition's instances are at hand (COUNTERPATCH_BENCHMARKS, or ../shared/benchmarks).
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
counterpatch=$(./scripts/build.sh)
mkdir -p out

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# falsify ONNX VNNLIB RESULTS: the witness's first lines, then its replay. A file of an earlier run is no answer.
falsify() {
    rm -f "$3"
    show "$counterpatch" verify "$1" "$2" --timeout 20 --results-file "$3"
    if [ "$(head -n 1 "$3")" != sat ]; then
        echo "demo: expected a counterexample, but $3 says: $(head -n 1 "$3")" >&2
        exit 1
    fi
    printf '\n%s (%d lines):\n' "$3" "$(wc -l <"$3")"
    head -n 6 "$3"
    echo '...'
    tail -n 10 "$3"
    show "$counterpatch" check "$1" "$2" "$3"
}

echo
echo 'A handwritten 7, as the network sees it; every pixel may change by 0.15. Another digit must not score as high.'
falsify tests/data/digits_mlp.onnx tests/data/digits_mlp_easy.vnnlib out/digits.txt

benchmarks=${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks}
acasxu=$benchmarks/acasxu_2023
if [ ! -d "$acasxu" ]; then
    printf '\nNo %s: ACAS Xu is left out.\n' "$acasxu"
    exit 0
fi
echo
echo 'ACAS Xu, the collision avoidance of unmanned aircraft: network 2_2 against property 2 (easy), 1_5 against it (hard).'
for network in 2_2 1_5; do
    falsify "$acasxu/onnx/ACASXU_run2a_${network}_batch_2000.onnx.gz" "$acasxu/vnnlib/prop_2.vnnlib.gz" \
        "out/acasxu_$network.txt"
done
