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
base:::
img:base:png.h jpeglib.h jerror.h zlib.h stb_image_write.h stb/stb_image_write.h
net:base quant/levels.h:cjson/cJSON.h zlib.h
quant:base net/model.h net/graph.h:
kern:base quant:
infer:base img net quant kern slbsr.h:
train:base img net quant kern:zlib.h mpi.h
cli:base img net quant kern infer train:cjson/cJSON.h
'
# Headers of the C library, the kernel, the compiler: everything else between < > is a library.
system='[a-z0-9_]*\.h|sys/[a-z]*\.h|linux/[a-z]*\.h|asm/[a-z]*\.h'
libraries='png.h|jpeglib.h|jerror.h|zlib.h|stb_image_write.h|cjson/cJSON.h|stb/stb_image_write.h|mpi.h'

allowed() { # word list
    for word in $2; do
        case $1 in "$word" | "$word"/*) return 0 ;; esac
    done
    return 1
}

folders=
while IFS=: read -r folder friends libs; do
    [ -n "$folder" ] || continue
    folders="$folders $folder"
    grep -nHE '^ *# *include' "src/$folder"/*.[ch] >/tmp/layout.$$ 2>/dev/null
    while IFS=: read -r file line text; do
        name=$(printf '%s' "$text" | sed -E 's/.*["<]([^">]*)[">].*/\1/')
        case $text in
        *\"*)
            [ -e "src/$name" ] || complain "$file:$line: includes $name, which is not under src/"
            allowed "$name" "$folder $friends" || complain "$file:$line: $folder/ must not include $name"
            ;;
        *)
            if printf '%s' "$name" | grep -qxE "$libraries" || ! printf '%s' "$name" | grep -qxE "$system"; then
                allowed "$name" "$libs" || complain "$file:$line: $folder/ must not use $name"
            fi
            ;;
        esac
    done </tmp/layout.$$
    rm -f /tmp/layout.$$
done <<RULES
$rules
RULES

for path in src/*/; do
    folder=$(basename "$path")
    allowed "$folder" "$folders" || complain "src/$folder: a folder without a rule; add one to $0"
done

# Everything at the top of the tree but what .gitignore names.
top='.ci .clang-format .git .github .gitignore CHANGELOG.md CMakeLists.txt LICENSE README.md data nets src tests weights'
for path in * .[!.]*; do
    case $path in build* | run) continue ;; esac
    allowed "$path" "$top" || complain "$path: does not belong at the top of the tree"
done
for path in $top; do
    [ "$path" = .git ] || [ -e "$path" ] || complain "$path: is missing"
done

exit $bad
