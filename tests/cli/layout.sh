#!/bin/sh
# Holds the shape of the project: which folder of src/ may include which, which libraries a folder may use, and what
# stands at the top of the tree. Prints every line that breaks a rule.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
complain() {
    echo "$1"
    bad=1
}

# folder: folders (or single headers) it may include besides itself: libraries it may include. net and quant
# meet in two headers: model files hold packed levels, requant works on the parameters of a convolution.
rules='
base::cpuid.h
img:base:png.h jpeglib.h jerror.h zlib.h stb_image_write.h stb/stb_image_write.h lcms2.h lcms2_plugin.h
net:base quant/levels.h:cjson/cJSON.h zlib.h
quant:base net/model.h net/graph.h:
kern:base quant:immintrin.h emmintrin.h arm_neon.h
infer:base img net quant kern slbsr.h:omp.h
train:base img net quant kern:zlib.h mpi.h omp.h
cli:base img net quant kern infer train:cjson/cJSON.h
'
# Headers of the C library, which all may use: everything else between < > is a library.
system='(assert|ctype|dirent|errno|fcntl|inttypes|limits|locale|malloc|math|poll|pthread|sched|setjmp|signal|stdarg)\.h'
system="$system|(stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|unistd)\.h|(sys|linux|asm)/[a-z]*\.h"

allowed() { # word list
    for word in $2; do
        case $1 in "$word" | "$word"/*) return 0 ;; esac
    done
    return 1
}

# One process for all: a word matches itself and, being a folder, what is in it.
printf '%s\n' "$rules" | awk -F: -v system_headers="^($system)\$" '
function allowed(name, list, words, n, i) {
    n = split(list, words, " ")
    for (i = 1; i <= n; i++)
        if (name == words[i] || index(name, words[i] "/") == 1) return 1
    return 0
}
function complain(what) {
    print FILENAME ":" FNR ": " what
    bad = 1
}
FILENAME == "-" {
    friends[$1] = $1 " " $2
    libs[$1] = $3
    next
}
/^ *# *include/ {
    split(FILENAME, path, "/")
    folder = path[2]
    name = $0
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*/, "", name)
    if ($0 ~ /"/) {
        if ((getline line <("src/" name)) < 0) complain("includes " name ", which is not under src/")
        close("src/" name)
        if (!allowed(name, friends[folder])) complain(folder "/ must not include " name)
    } else if (name !~ system_headers && !allowed(name, libs[folder])) {
        complain(folder "/ must not use " name)
    }
}
END { exit bad }' - src/*/*.[ch] || bad=1

folders=$(printf '%s\n' "$rules" | cut -d: -f1 | tr '\n' ' ')
for path in src/*/; do
    folder=$(basename "$path")
    allowed "$folder" "$folders" || complain "src/$folder: a folder without a rule; add one to $0"
done

# Everything at the top of the tree: what git knows or, where there is no git, all but builds.
top='.ci .clang-format .git .github .gitignore CHANGELOG.md CMakeLists.txt LICENSE README.md data nets src tests weights'
for path in $(if git rev-parse --git-dir >/dev/null 2>&1; then git ls-files | cut -d/ -f1 | sort -u
              else ls -A | grep -v '^build\|^run$'; fi); do
    allowed "$path" "$top" || complain "$path: does not belong at the top of the tree"
done
for path in $top; do
    [ "$path" = .git ] || [ -e "$path" ] || complain "$path: is missing"
done

exit $bad
