#!/bin/sh
# VNN-COMP: prepare_instance.sh v1 CATEGORY ONNX VNNLIB. There is nothing to prepare; it only says early that the
# tool is not built. A missing network or property is left to run_instance.sh, which answers for that one instance:
# a failure here can end a whole benchmark.
if [ "$1" != v1 ] || [ $# -ne 4 ]; then
    echo "prepare_instance: expected 'v1 CATEGORY ONNX VNNLIB', got '$*'" >&2
    exit 1
fi
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
# build/counterpatch is a link that stands there only if scripts/build.sh was led elsewhere by cargo's configuration.
binary=$here/../build/counterpatch
[ -x "$binary" ] || binary=${CARGO_TARGET_DIR:-$here/../target}/release/counterpatch
binary=${COUNTERPATCH_BINARY:-$binary}
if [ ! -x "$binary" ]; then
    echo "prepare_instance: $binary is missing; run scripts/install_tool.sh v1" >&2
    exit 1
fi

# A second tool (see run_instance.sh) may have something to prepare; whether it can is its own affair.
case ${COUNTERPATCH_THEN:-} in
    */*)
        second=${COUNTERPATCH_THEN%/*}/prepare_instance.sh
        if [ -x "$second" ] && ! "$second" "$@"; then
            echo "prepare_instance: $second failed" >&2
        fi
        ;;
esac
exit 0
