#!/bin/sh
# data/fetch_div2k.sh against a server on this machine: a download that breaks off goes on, damage
# is noticed, what is complete is left alone.
set -u
script=$(realpath "$(dirname "$0")/../../data/fetch_div2k.sh")
picture=$(realpath "$(dirname "$0")/../../data/cat.png")
for tool in curl unzip zip python3; do
    command -v $tool >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done
work=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$work"' EXIT
cd "$work" || exit 1

mkdir -p site/DIV2K_small_HR
for i in 1 2 3; do cp "$picture" site/DIV2K_small_HR/000$i.png; done
(cd site && zip -qr DIV2K_small_HR.zip DIV2K_small_HR && rm -r DIV2K_small_HR)

# A server that knows ranges; it writes its port and, for every request, the range asked for.
cat >server.py <<'P'
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = "site" + self.path
        if not os.path.exists(path):
            return self.send_error(404)
        data = open(path, "rb").read()
        asked = self.headers.get("Range", "bytes=0-")
        start = int(asked.split("=")[1].split("-")[0])
        open("requests", "a").write("%d\n" % start)
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.end_headers()
        self.wfile.write(data[start:])
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port.new", "w").write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
P
python3 server.py &
server=$!
for _ in $(seq 100); do [ -e port ] && break; sleep 0.05; done
export DIV2K_URL="http://127.0.0.1:$(cat port)" DIV2K_PARTS=DIV2K_small_HR:3
export no_proxy=127.0.0.1

expect() { # what code
    sh "$script" set >output 2>&1
    code=$?
    [ $code = "$2" ] || { echo "$1: exit code $code, expected $2"; cat output; exit 1; }
}

# Half of it is there already.
mkdir set
size=$(wc -c <site/DIV2K_small_HR.zip)
head -c $((size / 2)) site/DIV2K_small_HR.zip >set/DIV2K_small_HR.zip.part
expect "going on" 0
[ "$(cat requests)" = $((size / 2)) ] || { echo "did not go on from the half: $(cat requests)"; exit 1; }
cmp "$picture" set/DIV2K_small_HR/0003.png || exit 1
[ "$(ls -A set)" = DIV2K_small_HR ] || { echo "left over: $(ls -A set)"; exit 1; }

expect "again" 0
[ "$(wc -l <requests)" = 1 ] || { echo "fetched again what was complete"; exit 1; }

# Whole but not unpacked when it was stopped: nothing more to fetch.
rm -r set && mkdir set && cp site/DIV2K_small_HR.zip set/DIV2K_small_HR.zip.part
expect "whole already" 0

# Damaged on the way.
rm -r set && mkdir set
python3 - <<'P'
data = bytearray(open("site/DIV2K_small_HR.zip", "rb").read())
data[len(data) // 2] ^= 1
open("set/DIV2K_small_HR.zip.part", "wb").write(data)
P
expect "damaged" 3
[ ! -e set/DIV2K_small_HR ] || { echo "damaged pictures were unpacked"; exit 1; }

# One picture too few, no such file.
export DIV2K_PARTS=DIV2K_small_HR:4
rm -r set
expect "too few" 3
export DIV2K_PARTS=DIV2K_other_HR:4
expect "not there" 3
expect_usage=$(sh "$script" 2>&1)
[ $? = 2 ] || { echo "usage: $expect_usage"; exit 1; }
