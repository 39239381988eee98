/* Whether a libclang can do what bindgen asks of it: be loaded, and parse what HiGHS's C interface includes.
   usage: probe_libclang LIBRARY HEADER */
#include <dlfcn.h>
#include <stdio.h>

typedef void *(*create_index)(int, int);
typedef void *(*parse_unit)(void *, const char *, const char *const *, int, void *, unsigned, unsigned);
typedef unsigned (*count)(void *);

int main(int argc, char **argv) {
    void *library, *unit;
    create_index create;
    parse_unit parse;
    count diagnostics;
    if (argc != 3) return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    create = (create_index)dlsym(library, "clang_createIndex");
    parse = (parse_unit)dlsym(library, "clang_parseTranslationUnit");
    diagnostics = (count)dlsym(library, "clang_getNumDiagnostics");
    if (!create || !parse || !diagnostics) {
        fprintf(stderr, "%s: not libclang: it has no clang_parseTranslationUnit\n", argv[1]);
        return 1;
    }
    unit = parse(create(0, 1), argv[2], NULL, 0, NULL, 0, 0);
    return !unit || diagnostics(unit) != 0;
}
