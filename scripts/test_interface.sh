#!/usr/bin/env bash
# Tests the three VNN-COMP scripts with the release binary on the shipped networks: relative paths, decimal
# timeouts, bad arguments, missing files, a missing binary. Each case states the first line of the results file.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r tests/data "$work/data"
# The competition calls the scripts from its own folder, with relative paths.
cd "$work"
passed=0
failed=0

report() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s: expected %s, got %s\n' "$1" "$2" "$3" >&2
    fi
}

# check NAME EXPECTED ONNX VNNLIB TIMEOUT: the first line of the results file, one of the words `a|b`; the exit status
# must be 0.
check() {
    local status=0 word=
    rm -f out.txt
    "$root/scripts/run_instance.sh" v1 some_category "$3" "$4" out.txt "$5" >/dev/null 2>stderr.txt || status=$?
    [ -f out.txt ] && read -r word <out.txt
    case "|$2|" in
        *"|$word|"*) report "$1" 0 "$status" ;;
        *) report "$1" "0 $2" "$status $word" ;;
    esac
}

# fails NAME SCRIPT ARGUMENT...: the script must refuse with a message.
fails() {
    local name=$1 script=$2 status=0
    shift 2
    "$root/scripts/$script" "$@" >/dev/null 2>stderr.txt || status=$?
    report "$name" 'refused with a message' \
        "$([ $status != 0 ] && [ -s stderr.txt ] && echo 'refused with a message' || echo "status $status")"
}

status=0
"$root/scripts/prepare_instance.sh" v1 some_category data/digits_mlp.onnx data/digits_mlp_easy.vnnlib || status=$?
report 'prepare' 0 "$status"

while IFS=, read -r network property truth _; do
    case $truth in
        sat) check "$property" sat "./data/$network" "./data/$property" 20.0 ;;
        *) check "$property" 'unsat|unknown|timeout' "data/$network" "data/$property" 2.5 ;;
    esac
done < <(tail -n +2 data/instances.csv)

check 'no such network' error none.onnx data/sign.vnnlib 5
check 'no such property' error data/sign.onnx none.vnnlib 5
check 'a property of another network' error data/sign.onnx data/digits_mlp_easy.vnnlib 5
check 'a timeout that is no number' 'error|unknown' data/sign.onnx data/sign.vnnlib soon
COUNTERPATCH_BINARY=/does/not/exist check 'no binary' error data/sign.onnx data/sign.vnnlib 5

fails 'another interface version' run_instance.sh v2 c data/sign.onnx data/sign.vnnlib out.txt 5
fails 'too few arguments' run_instance.sh v1 c data/sign.onnx data/sign.vnnlib
fails 'an unwritable results file' run_instance.sh v1 c data/sign.onnx data/sign.vnnlib no/such/folder/out.txt 5
fails 'another version to prepare' prepare_instance.sh v2 c data/sign.onnx data/sign.vnnlib
fails 'another version to install' install_tool.sh v2

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
