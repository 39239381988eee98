#!/bin/sh
# What highs-sys asks for HiGHS (HOST_PKG_CONFIG in .cargo/config.toml, for builds that are not cross-builds): the one that
# setup.sh has built, where there is one, whatever PKG_CONFIG_PATH says. So HiGHS is not built anew for each profile on
# machines that set it, pkg-config need not be installed, and a path may have blanks. All else goes to pkg-config itself.
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
highs=$here/build/highs
asked=false version=false
for argument in "$@"; do
    case $argument in
        highs | 'highs '*) asked=true ;;
        --modversion) version=true ;;
    esac
done
if $asked && [ -e "$highs/complete" ]; then
    # The link's end, so that checkouts which share a cache share what cargo keeps of it.
    highs=$(cd "$highs" && pwd -P) || exit 1
    if $version; then
        basename "$highs" | sed 's/^highs-//'
    else
        quoted=$(printf '%s' "$highs" | sed 's/[^A-Za-z0-9_.,:/@+-]/\\&/g')
        printf '%s\n' "-I$quoted/include/highs -L$quoted/lib -lhighs -lstdc++"
    fi
    exit 0
fi
command -v pkg-config >/dev/null 2>&1 && exec pkg-config "$@"
exec pkgconf "$@"
