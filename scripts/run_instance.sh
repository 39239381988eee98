#!/bin/sh
# VNN-COMP: run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT
#
# Runs the tool and leaves a complete results file and exit status 0, whatever happens: the competition ignores the
# file of a run that fails. Paths may be relative (nothing here changes directory), TIMEOUT may be a decimal, and
# ONNX may be a list of networks in one argument; all of it goes to the tool as it came. CATEGORY is not used.
# COUNTERPATCH_ARGS holds further options of the tool, parted by blanks, such as `--threads 4 --seed 1`.
# COUNTERPATCH_THEN names a second tool that gets the rest of the time: `marabou`, or the path of its run_instance.sh.
# Plain sh without a subprocess before the tool, because its start-up counts as run time.

if [ "$1" != v1 ] || [ $# -ne 6 ]; then
    echo "run_instance: expected 'v1 CATEGORY ONNX VNNLIB RESULTS TIMEOUT', got '$*'" >&2
    exit 1
fi
results=$5

# The file is complete from here on, even if this script itself is killed.
if ! echo unknown >"$results"; then
    echo "run_instance: cannot write the results file $results" >&2
    exit 1
fi

case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
# build/counterpatch is a link that stands there only if scripts/build.sh was led elsewhere by cargo's configuration.
binary=$here/../build/counterpatch
[ -x "$binary" ] || binary=${CARGO_TARGET_DIR:-$here/../target}/release/counterpatch
binary=${COUNTERPATCH_BINARY:-$binary}
if [ ! -x "$binary" ]; then
    echo "run_instance: $binary is missing; run scripts/install_tool.sh v1" >&2
    echo error >"$results"
    exit 0
fi

# Words of their own, but no patterns for file names.
set -f
# shellcheck disable=SC2086 # words are meant
set -- "$@" ${COUNTERPATCH_ARGS:-}
set +f
category=$2 network=$3 property=$4 timeout=$6
shift 6

# In the background, so that a signal to this script reaches the tool, which then ends with a complete file.
case ${COUNTERPATCH_THEN:-} in
    '') "$binary" verify "$network" "$property" --timeout "$timeout" --results-file "$results" "$@" & ;;
    marabou) "$binary" pair "$network" "$property" --timeout "$timeout" --results-file "$results" --then marabou "$@" & ;;
    *) "$binary" pair "$network" "$property" --timeout "$timeout" --results-file "$results" \
        --then-script "$COUNTERPATCH_THEN" --category "$category" "$@" & ;;
esac
tool=$!
trap 'kill -TERM "$tool" 2>/dev/null' TERM INT HUP
wait "$tool"
status=$?
# A wait that a signal ended says nothing of the tool: wait for it again.
while kill -0 "$tool" 2>/dev/null; do
    wait "$tool"
    status=$?
done
# 2: the options (COUNTERPATCH_ARGS) are wrong, and nothing was searched.
if [ "$status" -ge 126 ] || [ "$status" = 2 ]; then
    echo "run_instance: $binary ended with status $status" >&2
    echo error >"$results"
fi
exit 0
