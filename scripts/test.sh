#!/usr/bin/env bash
# All checks, as CI runs them: format, lints, tests, documentation, release build, the scripts, and a smoke run on real
# competition instances where they are at hand (COUNTERPATCH_BENCHMARKS, or ../shared/benchmarks).
# What they need is looked for, installed or named before anything is built (setup.sh --for-tests).
#
# usage: test.sh [STEP...]    only these steps, by the names below: `test.sh needs format`
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

readonly STEPS=(needs format lints nodes tests documentation python release book setup_scripts competition_scripts conformance operators instances tables)

# Where cargo builds.
readonly TARGET=${CARGO_TARGET_DIR:-target}

needs() { ./scripts/setup.sh --for-tests; }

format() { cargo fmt --all --check; }

lints() {
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
    # What a program that uses the library compiles: without the command line and all that only it needs.
    cargo clippy --locked --lib --examples --no-default-features -- -D warnings
    # The fuzz targets are a workspace of their own, which nothing else compiles.
    cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "$TARGET" -- -D warnings
    if command -v shellcheck >/dev/null 2>&1; then
        shellcheck scripts/*.sh benchmarks/*.sh .ci/run
    else
        printf '*** SKIPPED: shellcheck is not installed: the shell scripts are not linted ***\n' >&2
    fi
}

# The node tests of the ONNX project.
nodes() { ./scripts/node_tests.sh; }

tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --workspace
    else
        cargo test --locked --workspace --lib --bins --tests
    fi
    cargo test --locked --workspace --doc
    # With the whole workspace, so that its dependencies need not be compiled once more with fewer features.
    cargo test --locked --workspace --features vnnlib/serde --test tree
    tests_with_data
}

# Tests of which each needs something that not every machine has are ignored by name; those whose need is met run here. Where it
# is not, the run above has counted them as skipped.
tests_with_data() {
    local benchmarks=${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks}
    [ -e build/onnx-node-tests/complete ] && ignored_tests --test conformance -- fast_engine reference_engine
    if command -v chromium >/dev/null 2>&1; then
        # What the pages look like, for people and for CI to keep.
        export COUNTERPATCH_SCREENSHOTS=${COUNTERPATCH_SCREENSHOTS:-$PWD/out/screenshots}
        ignored_tests --test integration -- the_report_renders_loads_its_images_and_sorts an_audit_can_be_read_at_three_widths \
            an_attack_can_be_read_at_three_widths an_answer_can_be_read_at_three_widths an_overview_of_limits_can_be_read_at_three_widths \
            a_campaign_can_be_read_at_three_widths
    fi
    can_mount && ignored_tests --test integration -- a_full_disk_loses_nothing_that_was_done a_unit_that_had_no_room_to_work_in_has_not_failed
    [ -e "$benchmarks/../claims_2025/claims.csv" ] && ignored_tests --test integration -- public_witnesses_get_their_official_verdicts
    command -v slurmctld >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ] && ignored_tests --test integration -- campaigns_run_on_slurm
    [ -e "$benchmarks/instances.csv" ] && ignored_tests --workspace --test benchmarks -- all_files_of_the_competition_are_accepted_and_printed_back
    return 0
}

# Whether this process may mount a file system in memory: root often may, root of a container often not.
can_mount() {
    local folder mounted=1
    folder=$(mktemp -d)
    if mount -t tmpfs -o size=64k none "$folder" 2>/dev/null; then
        umount "$folder" && mounted=0
    fi
    rmdir "$folder"
    return $mounted
}

# Runs ignored tests of one target, each name with all that begin so. A name that no test has is an error: cargo would run nothing and be content.
ignored_tests() {
    local target=() name said status=0
    while [ "$1" != -- ]; do target+=("$1") && shift; done
    shift
    for name in "$@"; do
        said=$(cargo test --locked "${target[@]}" -- --ignored "$name") || status=$?
        printf '%s\n' "$said"
        case "$status $said" in
            '0 '*'test result: ok. '[1-9]*) ;;
            *) die "the test $name did not pass" ;;
        esac
    done
}

# The pages of the library, and that its examples answer as they say.
documentation() {
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
    says 'sat: ' falsify
    says correct check
    says 'replayed: the property holds there' repair
}

# Runs an example; a line of what it prints begins with these words.
says() {
    local said
    said=$(cargo run --locked --quiet --example "$2")
    printf '%s\n' "$said" | grep -q "^$1" || die "the example $2 does not say \`$1\` but: $said"
}

# The Python package: lints, a wheel in the development profile, its tests in an environment of their own. In a shell of its
# own, because the target folder is told to all cargos: what the main workspace has compiled need not be compiled again.
python() (
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    pip=(.venv-python/bin/pip --quiet --disable-pip-version-check)
    [ -x .venv-python/bin/pip ] || python3 -m venv .venv-python
    if ! "${pip[@]}" install 'maturin>=1.9.4,<2' jsonschema kubernetes-validate mypy numpy onnx pyarrow pytest pyyaml; then
        printf '*** SKIPPED: the Python package: jsonschema, kubernetes-validate, maturin, mypy, numpy, onnx, pyarrow, pytest and pyyaml cannot be had ***\n' >&2
        exit 0
    fi
    (cd python && cargo fmt --check && cargo clippy --locked -- -D warnings)
    rm -f "$CARGO_TARGET_DIR"/wheels/counterpatch-*.whl
    (cd python && ../.venv-python/bin/maturin build --quiet --locked --profile dev --out "$CARGO_TARGET_DIR/wheels")
    "${pip[@]}" install --force-reinstall --no-deps "$CARGO_TARGET_DIR"/wheels/counterpatch-*.whl
    .venv-python/bin/mypy --strict --no-error-summary python/counterpatch
    .venv-python/bin/python -m pytest --quiet python
)

release() { ./scripts/build.sh; }

book() { ./scripts/book.sh --if-possible; }

setup_scripts() { ./scripts/test_setup.sh; }

competition_scripts() { ./scripts/test_interface.sh; }

# The conformance suite of VNN-LIB 2.0.
conformance() { ./scripts/satisfactory.sh; }

# The judge's Python, where its list of packages is at hand; says whether ONNX Runtime is there.
has_runtime() {
    local requirements=${COUNTERPATCH_JUDGE:-${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks}/../judge}/requirements.txt
    if ! .venv-judge/bin/python -c 'import numpy, onnx, onnxruntime, vnnlib' 2>/dev/null; then
        [ -f "$requirements" ] || return 1
        python3 -m venv .venv-judge
        .venv-judge/bin/pip install --quiet --requirement "$requirements"
    fi
}

# Single operators beside ONNX Runtime.
operators() {
    if ! has_runtime; then
        printf '*** SKIPPED: single operators beside ONNX Runtime: no .venv-judge and no list of its packages ***\n' >&2
        return
    fi
    # In the profile of the tests: optimised at link time the build takes minutes, and the comparison takes seconds either way.
    cargo build --locked --example probe
    PROBE=$TARGET/debug/examples/probe .venv-judge/bin/python -W ignore benchmarks/operators_vs_ort.py --count 1000 --seed 7 --quiet
}

instances() {
    local benchmarks=${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks} judge families
    judge=${COUNTERPATCH_JUDGE:-$benchmarks/../judge}
    if [ ! -f "$benchmarks/instances.csv" ] || [ ! -f "$judge/campaign.py" ] || ! has_runtime; then
        printf '*** SKIPPED: real instances: no %s or no %s ***\n' "$benchmarks/instances.csv" "$judge/campaign.py" >&2
        return
    fi
    families='acasxu|rl_|safenlp|reach_prob|mnist_?fc|cora|linearizenn|tllverify'
    mkdir -p out
    .venv-judge/bin/python "$judge/campaign.py" "$benchmarks" --bench "$families" --truth sat \
        --per-bench 3 --timeout 10 --out out/smoke-sat.csv
    .venv-judge/bin/python "$judge/campaign.py" "$benchmarks" --bench "$families" --truth unsat,unknown \
        --per-bench 1 --timeout 2 --out out/smoke-unsat.csv
    .venv-judge/bin/python scripts/smoke_verdict.py out/smoke-sat.csv out/smoke-unsat.csv
}

# Which of the documents' tables are older than what they measure.
tables() { ./benchmarks/stale.sh; }

steps=("${STEPS[@]}")
if [ $# != 0 ]; then steps=("$@"); fi
for step in "${steps[@]}"; do
    case " ${STEPS[*]} " in
        *" $step "*) ;;
        *) die "no step $step; there are: ${STEPS[*]}" ;;
    esac
done
for step in "${steps[@]}"; do
    printf '\n== %s\n' "${step//_/ }" >&2
    "$step"
done
