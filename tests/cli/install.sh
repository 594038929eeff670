#!/bin/sh
# Installs the build into a folder and tries what is there: the program from there, the man pages (mandoc's
# complaints), the completions typed into real shells. A shell or tool that this machine lacks is left out, saying so.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
complain() {
    echo "$1"
    bad=1
}
have() {
    command -v "$1" >/dev/null || { echo "no $1 here: left out"; return 1; }
}

cmake --install "$(dirname "$program")" --prefix "$work/usr" >"$work/log" || { cat "$work/log"; exit 1; }
share=$work/usr/share
"$work/usr/bin/slbsr" upscale "$source/data/cat.png" "$work/large.png" || complain "the installed program fails"
for file in bash-completion/completions/slbsr zsh/site-functions/_slbsr fish/vendor_completions.d/slbsr.fish \
    man/man1/slbsr.1 doc/slbsr/LICENSE; do
    [ -s "$share/$file" ] || complain "$file: is not installed"
done

# A page for each command of --help, and none for anything else.
"$program" --help | awk '/^commands:/ { on = 1; next } /^$/ { on = 0 } on { print "slbsr-" $1 ".1" }' >"$work/commands"
echo slbsr.1 >>"$work/commands"
sort "$work/commands" >"$work/wanted"
(cd "$share/man/man1" && printf '%s\n' *) | sort >"$work/pages"
diff "$work/wanted" "$work/pages" || complain "pages and commands differ"
for page in "$share"/man/man1/*.1; do
    [ "$(grep -cE '^\.SH (NAME|OPTIONS|EXIT STATUS|EXAMPLES|COMMANDS)' "$page")" = 4 ] || complain "$page: lacks a section"
done
if have mandoc; then
    mandoc -Tlint "$share"/man/man1/*.1 || complain "mandoc complains"
    mandoc -Tascii -Owidth=78 "$share/man/man1/slbsr-upscale.1" | col -b | grep -q -- '-s, --scale N' ||
        complain "slbsr-upscale(1): --scale is missing"
fi

# Types into an interactive shell, where slbsr is a function that prints its arguments between < and >.
cat >"$work/type.py" <<'PYTHON'
import os, pty, re, select, sys, time
typed, wanted, command = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen = b""
def read_until(mark, seconds):
    global seen
    end = time.time() + seconds
    while not re.search(mark, seen) and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: seen += os.read(fd, 4096)
            except OSError: break
    return re.search(mark, seen) is not None
ok = read_until(b"READY> ", 60)
for i, part in enumerate(typed.split("\\t")):
    if i: os.write(fd, b"\t"); read_until(b"(?!)", 0.5)
    os.write(fd, part.encode())
os.write(fd, b"\n")
ok = ok and read_until(wanted.encode(), 20)
os.close(fd)
if not ok: print("typed %r, wanted %s, seen:\n%s" % (typed, wanted, seen.decode(errors="replace")))
sys.exit(not ok)
PYTHON
mkdir -p "$work/home/pictures of mine" && cp "$source/data/cat.png" "$work/home/holiday.png"
cat >"$work/bashrc" <<EOF
PS1='READY> '
slbsr() { printf '<%s>' "\$@"; echo; }
. "$share/bash-completion/completions/slbsr"
EOF
mkdir "$work/zsh"
cat >"$work/zsh/.zshrc" <<EOF
PS1='READY> '
slbsr() { printf '<%s>' "\$@"; echo; }
fpath=("$share/zsh/site-functions" \$fpath)
autoload -U compinit && compinit -u -D
EOF
shells() { # typed (\t is the key), a regular expression for what is printed
    (cd "$work/home" && HOME=$work/home TERM=dumb INPUTRC=/dev/null \
        python3 "$work/type.py" "$1" "$2" bash --noprofile --rcfile "$work/bashrc" -i) || complain "bash: $1"
    [ -z "$zsh" ] || (cd "$work/home" && HOME=$work/home ZDOTDIR=$work/zsh TERM=dumb \
        python3 "$work/type.py" "$1" "$2" zsh -i) || complain "zsh: $1"
}
if ! python3 -c 'import os; os.openpty()' 2>/dev/null; then
    echo "no python3 or no pseudo-terminals here: completions of bash and zsh are left out"
elif have bash; then
    zsh=
    have zsh && zsh=yes
    shells 'slbsr upsc\t--mo\tvdsr-w3\tholi\t' '<upscale><--model(><|=)vdsr-w32><holiday.png>'
    shells 'slbsr downscale --ed\trepl\t' '<downscale><--edge(><|=)replicate>'
    shells 'slbsr eval --protocol=v\t' '<eval><--protocol=vdsr>'
    shells 'slbsr eval -d pict\t' '<eval><-d><pictures of mine/?>'
    shells 'slbsr bench tr\t' '<bench><train>'
    shells 'slbsr hel\tdownsc\t' '<help><downscale>'
fi
if have fish; then
    offers() { # line, word that is offered
        (cd "$work/home" && HOME=$work/home fish --no-config -c \
            "source '$share/fish/vendor_completions.d/slbsr.fish'; complete -C '$1'") >"$work/offers" 2>&1
        cut -f1 "$work/offers" | grep -qxF -- "$2" || { complain "fish: $1: no $2"; cat "$work/offers"; }
    }
    offers 'slbsr ups' upscale
    offers 'slbsr hel' help
    offers 'slbsr help downsc' downscale
    offers 'slbsr upscale --mo' --model
    offers 'slbsr upscale --model vd' vdsr-w2
    offers 'slbsr upscale holi' holiday.png
    offers 'slbsr downscale --edge ' replicate
    offers 'slbsr eval -d pic' 'pictures of mine/'
fi
exit $bad
