#!/usr/bin/env bash
# Makes the tables of benchmarks/*.md, all of one commit: each part into out/tables/COMMIT/PART.md, stamped with commit, machine,
# load and date. What follows from them is written by hand, so the pages are not overwritten; `stale.sh` says which of them
# are older than the code that they measure.
#
# usage: all.sh [PART...]    only these parts, by the names below. A part that is there is not made again, so that a run that
#                            was interrupted goes on; --list prints the parts
#
# PYTHON is a Python with the packages of benchmarks/requirements.txt and the judge's (default .venv/bin/python), PYTORCH one
# with torch and onnx as well: what needs it is left out without it, and named. BUDGET is the seconds of an image (3).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PARTS=(patching-images patching pictures paper-tables nearest repair strategies planted operators
    operators-vs-ort inputs verdicts-random verdicts-known-sat verdicts-unsat audit conformance)

python=${PYTHON:-.venv/bin/python}
pytorch=${PYTORCH:-}
budget=${BUDGET:-3}
instances=${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks}
data=${PAPER_DATA:-$instances/../paper_data}
campaign=${COUNTERPATCH_JUDGE:-$instances/../judge}/campaign.py
claims=${CLAIMS:-$instances/../claims_2025/claims.csv}
binary=target/release/counterpatch

# The networks that are trained here, once a commit: --activations and --imagenette for what takes them. None without torch.
trained() {
    [ -n "$pytorch" ] || return 0
    [ -e "$folder/activations" ] ||
        "$pytorch" benchmarks/patching/activations.py "$data/mnist/images.npz" --output "$folder/activations" >&2
    [ -e "$folder/imagenette" ] ||
        "$pytorch" benchmarks/attack/imagenette.py "$data/imagenette/images_64x64_hwc.npz" --output "$folder/imagenette" >&2
    printf '%s\n' "--$1" "$folder/$1"
}

part_patching_images() {
    mapfile -t networks < <(trained activations && trained imagenette)
    "$python" benchmarks/patching/images.py "$data" --binary "$binary" --work "$folder/patching-images" --budget "$budget" \
        --protocol "${PROTOCOL:-1}" --all-by-default "${networks[@]}"
}

part_patching() {
    BINARY=$binary PYTHON=$python PYTORCH=$pytorch PARTS=$folder/patching IMAGES=$folder/patching-images.md SECONDS_EACH=${SECONDS_EACH:-1} \
        OUTPUT=/dev/stdout benchmarks/patching/run.sh
}

part_pictures() {
    "$python" benchmarks/attack/pictures.py "$data" --budget "$budget" --work "$folder/pictures" --out "$folder/pictures.table" >&2
    cat "$folder/pictures.table"
}

part_paper_tables() {
    mapfile -t networks < <(trained imagenette)
    "$python" benchmarks/attack/paper_tables.py "$data" --budget "$budget" --work "$folder/paper-tables" \
        --pytorch "$pytorch" --out "$folder/paper-tables.table" "${networks[@]}" >&2
    cat "$folder/paper-tables.table"
}

part_nearest() { "$python" benchmarks/nearest/measure.py "$binary" --data "$data" --benchmarks "$instances"; }

part_repair() {
    "$python" benchmarks/repair/measure.py "$data" --seconds 8 --out "$folder/repair.table" >&2
    cat "$folder/repair.table"
}

part_strategies() {
    local plan
    for plan in alone ablation; do
        "$binary" campaign run "benchmarks/plans/$plan.toml" "$instances/instances.csv" "$instances/../planted/instances.csv" \
            --sample "${SAMPLE:-20}" --jobs 1 --output "$folder/$plan" --quiet >&2
        "$binary" campaign collect "$folder/$plan" --csv "$folder/$plan.csv" >&2
        "$python" benchmarks/campaign_table.py "$folder/$plan.csv"
    done
}

# Networks with planted counterexamples: those handed out beside the instances, where they are, and the families made anew.
# The campaign ends with a status of its own where something is wrong: its table says so.
part_planted() {
    "$python" benchmarks/planted/generate.py "$folder/planted-made" --seeds "${SEEDS:-0,1,2}"
    ln -sfn "$(realpath -m "$instances/../planted")" "$folder/planted-handed"
    for source in handed made; do
        [ -e "$folder/planted-$source/instances.csv" ] || continue
        "$python" "$campaign" "$folder/planted-$source" --truth sat --timeout "${LIMIT:-60}" --jobs 1 --out "$folder/planted-$source.csv" || true
    done
}

part_operators() { benchmarks/operators/run.sh "$instances"; }

part_operators_vs_ort() {
    cargo build --release --locked --quiet --example probe
    "$python" -W ignore benchmarks/operators_vs_ort.py --count "${COUNT:-14000}"
}

# The environments are kept from one commit to the next.
part_inputs() { benchmarks/inputs/run.sh "${INPUTS:-build/inputs}"; }

part_verdicts_random() { cargo run --release --locked --quiet --example verdicts -- networks "${COUNT:-10000}" "${SEED:-1}"; }

# of TRUTH LIMIT FOLDER: a campaign, and what its answers rest on.
of() {
    "$python" benchmarks/certificates.py run "$instances" "$campaign" "$folder/$3" --truth "$1" --timeout "$2" --jobs 2 \
        --out "$folder/$3.csv"
    "$python" benchmarks/certificates.py certainty "$folder/$3"
}

part_verdicts_known_sat() { of sat 60 known-sat; }

part_verdicts_unsat() {
    of unsat,unknown 3 unsat
    "$python" benchmarks/certificates.py check "$instances" "$folder/unsat"
    "$python" benchmarks/certificates.py mutate "$instances" "$folder/unsat" --count 1000 --seed 1
}

part_audit() { "$binary" audit "$claims" --benchmarks "$instances" --budget 1.5s --quiet; }

part_conformance() { scripts/satisfactory.sh; }

parts=("$@")
case "${1:-}" in
    --list) printf '%s\n' "${PARTS[@]}"; exit ;;
    '') parts=("${PARTS[@]}") ;;
esac
for part in "${parts[@]}"; do
    case " ${PARTS[*]} " in
        *" $part "*) ;;
        *) printf 'no part %s; there are: %s\n' "$part" "${PARTS[*]}" >&2; exit 2 ;;
    esac
done

. scripts/env.sh
cargo build --release --locked --quiet
commit=$(git rev-parse --short HEAD)
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit+=-changed
folder=out/tables/$commit
mkdir -p "$folder"
[ -n "$pytorch" ] || printf '*** networks that need torch are left out: PYTORCH names no Python that has it ***\n' >&2

stamp() {
    printf 'Commit %s, %s, %s, %s cores, load %s.\n\n' "$commit" "$(date -u +%F)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(cut -d ' ' -f 1 /proc/loadavg)"
}

failed=()
for part in "${parts[@]}"; do
    if [ -e "$folder/$part.md" ]; then
        printf '== %s: there already\n' "$part" >&2
        continue
    fi
    printf '== %s\n' "$part" >&2
    stamp >"$folder/$part.part"
    if "part_${part//-/_}" >>"$folder/$part.part"; then
        mv "$folder/$part.part" "$folder/$part.md"
    else
        failed+=("$part")
    fi
done
if [ ${#failed[@]} != 0 ]; then
    printf 'not made: %s\n' "${failed[*]}" >&2
    exit 1
fi
