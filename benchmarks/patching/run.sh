#!/usr/bin/env bash
# Writes benchmarks/patching.md (or OUTPUT): every table in it is made here. Needs the instances (COUNTERPATCH_BENCHMARKS, or
# ../shared/benchmarks) and, for the planted formulas, Python (PYTHON) with scripts/networks/requirements.txt.
# SECONDS_EACH is the processor time of a strategy on an instance, SEEDS how many runs on ACAS Xu (elsewhere two), PARTS a
# folder that keeps the tables: one that is there is not made again, so that a run that was interrupted goes on. All times
# are processor times, but those on images, which are of the clock. TOOL names the program where it is built already.
# PAPER_DATA is the paper's networks and images (../shared/paper_data), BINARY counterpatch itself, BUDGET its seconds an image,
# PROTOCOL the images of each class for readings other than the default, PYTORCH a Python with torch and onnx for the networks of
# activations.py and ../attack/imagenette.py (without it they are left out). IMAGES names the table on images where it is made already.
set -euo pipefail
cd "$(dirname "$0")/../.."
each=${SECONDS_EACH:-5}
seeds=${SEEDS:-5}
tool=${TOOL:-}
if [ -z "$tool" ]; then
    cargo build --release --quiet --example patching
    tool=${CARGO_TARGET_DIR:-target}/release/examples/patching
fi
parts=${PARTS:-}
if [ -z "$parts" ]; then
    parts=$(mktemp -d)
    trap 'rm -rf "$parts"' EXIT
fi
mkdir -p "$parts"
# Literals that mislead (bias 0.5), corners that trap (weight 2): the script's defaults.
"${PYTHON:-python3}" scripts/networks/planted_sat.py --output "$parts/smooth" >&2
"${PYTHON:-python3}" scripts/networks/planted_sat.py --steep --variables 20 --clauses 84 --output "$parts/steep" >&2
"${PYTHON:-python3}" scripts/networks/planted_sat.py --steep --count 4 --output "$parts/steeper" >&2

# The first is the yardstick of evaluations.
strong=(region-walk facet-walk line-sweep target-propagation minorant phase-milp sample pgd apgd)

# part NAME ARGUMENTS...: the table of one command, made once.
part() {
    local name=$1
    shift
    if [ ! -e "$parts/$name.md" ]; then
        "$tool" "$@" >"$parts/$name.part"
        mv "$parts/$name.part" "$parts/$name.md"
    fi
    cat "$parts/$name.md"
}

images() {
    local more=()
    if [ -e "${IMAGES:-}" ]; then
        cat "$IMAGES"
        return
    fi
    if [ -n "${PYTORCH:-}" ]; then
        [ -e "$parts/activations" ] ||
            "$PYTORCH" benchmarks/patching/activations.py "$data/mnist/images.npz" --output "$parts/activations" >&2
        [ -e "$parts/imagenette" ] ||
            "$PYTORCH" benchmarks/attack/imagenette.py "$data/imagenette/images_64x64_hwc.npz" --output "$parts/imagenette" >&2
        more=(--activations "$parts/activations" --imagenette "$parts/imagenette")
    fi
    "${PYTHON:-python3}" benchmarks/patching/images.py "$data" --binary "$binary" --work "$parts/images" \
        --budget "${BUDGET:-10}" --protocol "${PROTOCOL:-3}" --all-by-default "${more[@]}"
}

data=${PAPER_DATA:-../shared/paper_data}
binary=${BINARY:-}
if [ -z "$binary" ]; then
    cargo build --release --quiet --bin counterpatch
    binary=${CARGO_TARGET_DIR:-target}/release/counterpatch
fi

{
printf '# What patching finds\n\nMade by `SECONDS_EACH=%s SEEDS=%s benchmarks/patching/run.sh` (release build).\n' "$each" "$seeds"
printf 'Commit %s, %s, %s, load %s.\n' "$(git rev-parse --short HEAD)" "$(date -u +%F)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(cut -d ' ' -f 1 /proc/loadavg)"
cat <<'TEXT'
Times are processor times of the one thread. Inside the box always; a witness is one that plain evaluation confirms
in single and in double precision.

## On images, reading by reading

TEXT
images
cat <<'TEXT'
## The paper's method on properties, reading by reading

Algorithm 1 and `mod2adv` from the centre of the box and five sampled points of it. *found* counts starts, *no answer
at* the edge layer whose program was infeasible (counted from 1) or the last step, *no witness* inputs that were
found and do not violate. The readings go from the letter of the paper to the default; each is spelt out in `readings`
of `src/search/strategy/patch/journey.rs`, and what its parts mean in `src/search/strategy/patch/reading.rs`.

TEXT
for family in acasxu_2023 mnist_fc_2022+mnistfc_2021; do
    printf '### %s\n\n' "$family"
    part "readings-$family" readings "$family"
    printf '\n'
done
cat <<'TEXT'
With phases held the method finds next to nothing. On ACAS Xu no change of the fourth of seven edge layers can flip the
outcome while all neurons behind it keep their phases, and where it can, the next layers cannot produce what it asks for.
On the images the first edge layer is where most starts end. Linear bounds in place of phases remove the infeasibility, and
the inputs that they lead to are no witnesses. With exact phases a pull-back that meets all sums is a violation; in an ε box,
and with fewer inputs than sums, it is seldom to be had, and what is found is found on the way, by steps that miss some.

## Strategies alone

Each seed has its own run. *runs within the first's evaluations*: how many found a witness with no more evaluations and
gradients than the region walk spent on the same instance with the same seed, whether that found one or not. *patch*
is the method as a strategy: the default reading from one start after the other, with the ray through each input that is
found.

TEXT
for family in acasxu_2023 mnist_fc_2022 mnistfc_2021; do
    printf '### %s, %s s an instance\n\n' "$family" "$each"
    [ "$family" = acasxu_2023 ] && runs=$seeds || runs=2
    part "strategies-$family" strategies "$family" "$each" "$runs" "${strong[@]}" patch
    printf '\n'
done
cat <<'TEXT'
On ACAS Xu the region walk is the best of all; the sweep of exact lines finds as much, without a program, in twice its
time. On images, with hundreds of inputs, gradients are: they find every
counterexample, target propagation three in four, and the region walk two in five; the facet walk does not apply to so
many inputs, and sampling finds nothing.

## The marked minorant without sampling

TEXT
printf 'safenlp_2024, from the centre of each box, optimum to optimum, no ray:\n\n'
part centre centre safenlp_2024
cat <<'TEXT'

## Complementarity: planted 3-SAT

TEXT
printf 'Made by scripts/networks/planted_sat.py. The first, phase-milp, is the yardstick of evaluations here; two seeds.\n\n'
for kind in smooth steep steeper; do
    case $kind in
        smooth) printf '### Smooth, 50 variables, 200 clauses, 4 s\n\n' && seconds=4 ;;
        steep) printf '### Steep, 20 variables, 84 clauses, 1 s\n\n' && seconds=1 ;;
        steeper) printf '### Steep, 50 variables, 200 clauses, 4 s\n\n' && seconds=4 ;;
    esac
    part "planted-$kind" folder "$parts/$kind" "$seconds" 2 phase-milp region-walk sample pgd apgd adam coordinate square
    printf '\n'
done
cat <<'TEXT'
The literals mislead (bias 0.5) and corners trap (weight 2). With random literals and corners of weight 1 signed momentum
solves every smooth formula in under a millisecond: there is nothing to complement there. `adam` is a comparator of this
program only.

One or two mixed-integer programs solve a smooth formula (one of the eight takes a little more than the 4 s; with 10 s
all are solved), some dozens each steep one of 20 variables. APGD and Adam find few
of either kind. Our own signed momentum does better than both, because restarts without a gradient are drawn anew. Steep
formulas of 50 variables are beyond programs, walks and gradients alike in this time. And the moves between ends of
intervals that `coordinate` and `square` try are local search on the formula itself: they solve every formula of all
kinds, faster than the programs. Formulas are no argument for programs where such moves are tried too.
TEXT
} > "$parts/patching.md"
cat "$parts/patching.md" >"${OUTPUT:-benchmarks/patching.md}"
