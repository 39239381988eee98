#!/bin/sh
# What a campaign costs beside its units: `benchmarks/scale.sh PROGRAM [UNITS]` plans, runs and collects units of a tool that
# does nothing but write its answer, with as many jobs as there are processors, and prints times, memory and size.
set -eu
program=$(realpath "$1")
units=${2:-2000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo network >n.onnx
echo property >p.vnnlib
echo "n.onnx,p.vnnlib,60" >instances.csv
cat >tool.sh <<'TOOL'
#!/bin/sh
echo unsat >$5
TOOL
chmod +x tool.sh
measured() {
    what=$1
    shift
    /usr/bin/time -f "$what: %e s wall, %U s user, %S s system, %M KiB at most" "$@" >/dev/null
}
measured plan "$program" campaign plan instances.csv --tool script:tool.sh --seeds "0..$((units - 1))" --output c
measured "the tool alone, one after the other, $units times" sh -c "for i in \$(seq $units); do ./tool.sh v1 b n p out 60; done"
measured run "$program" campaign run c --quiet
measured "run, nothing left" "$program" campaign run c --quiet
measured status "$program" campaign status c
measured collect "$program" campaign collect c --csv r.csv --parquet r.parquet --html r.html
measured "collect with all logs" "$program" campaign collect c --json r.json
du -sh c | cut -f 1
