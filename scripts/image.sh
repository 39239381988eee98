#!/usr/bin/env bash
# Builds the image of Dockerfile with docker, podman or buildah, whichever works here, and tries it: the version,
# a counterexample of a shipped network, the competition's script, and the licence texts.
#
# usage: image.sh [TAG] [OPTION...]
#   TAG       what the image is called; default: counterpatch
#   OPTION    of `docker build`, such as --build-arg DEBIAN=registry.example/debian:12
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

tag=${1:-counterpatch}
[ $# = 0 ] || shift
# docker's command may be there without the service that does the work.
if docker info >/dev/null 2>&1; then tool=docker
elif command -v podman >/dev/null; then tool=podman
elif command -v buildah >/dev/null; then tool=buildah
else die "no docker that answers, no podman and no buildah: install one of them"
fi

name_commit
commit=$COUNTERPATCH_COMMIT
case $tool in
    buildah) buildah build --layers -t "$tag" --build-arg "COMMIT=$commit" "$@" . ;;
    *) "$tool" build -t "$tag" --build-arg "COMMIT=$commit" "$@" . ;;
esac

# in_image COMMAND...: in a fresh container that sees tests/data as /work, and writes nothing.
in_image() {
    local container status=0
    case $tool in
        buildah)
            container=$(buildah from --pull-never "$tag")
            buildah run --volume "$PWD/tests/data:/work:ro" "$container" -- "$@" || status=$?
            buildah rm "$container" >/dev/null
            return "$status"
            ;;
        *) "$tool" run --rm --network none --entrypoint "" -v "$PWD/tests/data:/work:ro" "$tag" "$@" ;;
    esac
}

# expect NAME PATTERN COMMAND...: what a command prints in the image must match the pattern, a glob.
expect() {
    local name=$1 pattern=$2 text
    shift 2
    text=$(in_image "$@" 2>&1) || die "$name: $*: $text"
    # shellcheck disable=SC2053 # a pattern is meant
    [[ $text == $pattern ]] || die "$name: expected $pattern, got: $text"
    say "$name: as expected"
}

scripts=/usr/local/share/counterpatch/scripts
expect version "counterpatch [0-9]*" counterpatch --version
expect verify 'sat*' counterpatch verify digits_mlp.onnx digits_mlp_easy.vnnlib --quiet
expect competition '*sat*' sh -c "$scripts/run_instance.sh v1 any digits_mlp.onnx digits_mlp_easy.vnnlib /tmp/results 10 && cat /tmp/results"
expect licences '*HiGHS-LICENSE.txt*' ls /usr/local/share/doc/counterpatch/licences
say "image $tag: built by $tool"
