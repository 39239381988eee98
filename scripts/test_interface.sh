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

check 'two networks' sat "[('f', 'data/smooth.onnx'), ('g', './data/smooth.onnx')]" data/smooth_monotone.vnnlib 20
check 'no such network' error none.onnx data/sign.vnnlib 5
check 'no such property' error data/sign.onnx none.vnnlib 5
check 'a property of another network' error data/sign.onnx data/digits_mlp_easy.vnnlib 5
check 'a timeout that is no number' 'error|unknown' data/sign.onnx data/sign.vnnlib soon
COUNTERPATCH_BINARY=/does/not/exist check 'no binary' error data/sign.onnx data/sign.vnnlib 5

# What the competition's harness does, or has done in some year.
check 'a path with ./ and doubled slashes' sat ./data//digits_mlp.onnx ./data/./digits_mlp_easy.vnnlib 20
cp data/digits_mlp.onnx data/digits_mlp_easy.vnnlib .
check 'files in the working directory' sat digits_mlp.onnx digits_mlp_easy.vnnlib 20
gzip -c data/digits_mlp.onnx >packed.onnx.gz
gzip -c data/digits_mlp_easy.vnnlib >packed.vnnlib.gz
check 'gz beside a missing plain file' sat ./packed.onnx ./packed.vnnlib 20
check 'gz by its own name' sat packed.onnx.gz packed.vnnlib.gz 20
check 'a list of networks' sat "[('f', './data/digits_mlp.onnx')]" data/digits_mlp_easy.vnnlib 20
cat >second.vnnlib <<'QUERY'
(vnnlib-version <2.0>)
(declare-network f (declare-input X float32 [2]) (declare-output Y float32 [2]))
(assert (and (<= X[0] 1.0) (>= X[0] 0.01) (<= X[1] 1.0) (>= X[1] 0.01)))
(assert (<= Y[0] Y[1]))
QUERY
check 'a property that exists as 2.0 only' 'sat|unknown' data/toy.onnx second.vnnlib 5
check 'a list for a property in 2.0' 'sat|unknown' "[('f', 'data/toy.onnx')]" second.vnnlib 5
check 'a list with a network too many' 'error|unknown' "[('f', 'data/toy.onnx'), ('g', 'none.onnx')]" second.vnnlib 5
check 'a tiny limit' 'unknown|timeout|sat|unsat' data/digits_mlp.onnx data/digits_mlp_robust.vnnlib 0.3

# run NAME EXPECTED COMMAND...: as check, for a command of its own that writes out.txt.
run() {
    local name=$1 expected=$2 status=0 word=
    shift 2
    "$@" >/dev/null 2>stderr.txt || status=$?
    [ -f out.txt ] && read -r word <out.txt
    report "$name" "0 $expected" "$status $word"
}
easy=(data/digits_mlp.onnx data/digits_mlp_easy.vnnlib out.txt 20)
printf 'sat\nleft over\n' >out.txt
run 'a results file left over' error "$root/scripts/run_instance.sh" v1 c none.onnx none.vnnlib out.txt 5
echo no_result_in_file >out.txt
run 'the placeholder of the harness' sat "$root/scripts/run_instance.sh" v1 c "${easy[@]}"
run 'no standard input' sat sh -c "exec \"\$0\" \"\$@\" <&-" "$root/scripts/run_instance.sh" v1 c "${easy[@]}"
run 'standard input from nowhere' sat sh -c "exec \"\$0\" \"\$@\" </dev/null" "$root/scripts/run_instance.sh" v1 c "${easy[@]}"
run 'traced by the harness' sat env SHELLOPTS=xtrace bash "$root/scripts/run_instance.sh" v1 c "${easy[@]}"
# shellcheck disable=SC2016 # the dollar is part of the odd name
run 'an odd category' sat "$root/scripts/run_instance.sh" v1 '../odd "category" $HOME; *' "${easy[@]}"
run 'an empty category' sat "$root/scripts/run_instance.sh" v1 '' "${easy[@]}"
mkdir -p 'a folder'
cp data/digits_mlp.onnx 'a folder/a network.onnx'
run 'blanks in paths' sat "$root/scripts/run_instance.sh" v1 c 'a folder/a network.onnx' data/digits_mlp_easy.vnnlib out.txt 20
run 'the harness in the tool'"'"'s own folder' sat sh -c "cd \"\$1\" && scripts/run_instance.sh v1 c tests/data/digits_mlp.onnx tests/data/digits_mlp_easy.vnnlib \"\$2\" 20" sh "$root" "$work/out.txt"

# A run that is told to end still answers.
rm -f out.txt
status=0
timeout 2 "$root/scripts/run_instance.sh" v1 c data/digits_mlp.onnx data/digits_mlp_robust.vnnlib out.txt 600 \
    >/dev/null 2>&1 || status=$?
case "$status $(head -1 out.txt)" in
    '124 unknown' | '0 unsat' | '0 sat') report 'ended by the harness' ok ok ;;
    *) report 'ended by the harness' 'an answer' "$status $(head -1 out.txt)" ;;
esac

# A second tool for what our search leaves open.
cat >second.sh <<'TOOL'
#!/bin/sh
echo unsat >"$5"
TOOL
chmod +x second.sh
printf '#!/bin/sh\necho "$@" >prepared\n' >prepare_instance.sh
chmod +x prepare_instance.sh
COUNTERPATCH_THEN=$work/second.sh run 'a second tool that is not needed' sat "$root/scripts/run_instance.sh" v1 c "${easy[@]}"
COUNTERPATCH_THEN=$work/second.sh run 'a second tool is prepared' sat "$root/scripts/prepare_instance.sh" v1 c "${easy[@]:0:2}"
report 'what the second tool is given' "v1 c ${easy[*]:0:2}" "$(cat prepared)"

fails 'another interface version' run_instance.sh v2 c data/sign.onnx data/sign.vnnlib out.txt 5
fails 'too few arguments' run_instance.sh v1 c data/sign.onnx data/sign.vnnlib
fails 'an unwritable results file' run_instance.sh v1 c data/sign.onnx data/sign.vnnlib no/such/folder/out.txt 5
fails 'another version to prepare' prepare_instance.sh v2 c data/sign.onnx data/sign.vnnlib
fails 'another version to install' install_tool.sh v2

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
