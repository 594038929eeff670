"""coverage.py BUILD LEAST [-v]: adds up what gcov says of every object in BUILD; exit code 1 under LEAST percent."""
import collections
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

ISA = re.compile(r"_(sse2|avx2|avx512|avx512bf16|vpopcnt|amx|neon|dotprod|i8mm)\.c$|/amx_emulated\.h$")


def notes(build):
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcno") and "/src/" in os.path.join(folder, name):
                yield os.path.abspath(os.path.join(folder, name))


def main():
    build, least = sys.argv[1], float(sys.argv[2])
    root = os.getcwd()
    lines = collections.defaultdict(dict)  # file: line: times
    with tempfile.TemporaryDirectory() as room:
        for i, path in enumerate(notes(build)):
            here = os.path.join(room, str(i))
            os.mkdir(here)
            subprocess.run(["gcov", "--json-format", path], cwd=here, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            for name in os.listdir(here):
                with gzip.open(os.path.join(here, name), "rt") as f:
                    report = json.load(f)
                for file in report["files"]:
                    name = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]), root)
                    if not name.startswith("src/") or ISA.search(name):
                        continue
                    for line in file["lines"]:
                        n = line["line_number"]
                        lines[name][n] = lines[name].get(n, 0) + line["count"]
    folders = collections.defaultdict(lambda: [0, 0])
    shares = []
    for name, counts in lines.items():
        reached = sum(1 for c in counts.values() if c)
        for key in (name.split("/")[1], "all"):
            folders[key][0] += reached
            folders[key][1] += len(counts)
        shares.append((100 * reached / len(counts), name, len(counts) - reached))
    if "-v" in sys.argv:
        for share, name, missed in sorted(shares):
            print(f"{share:6.1f} % {name}: {missed} lines not reached:",
                  *(n for n, c in sorted(lines[name].items()) if not c))
    for key, (reached, total) in sorted(folders.items()):
        if key != "all":
            print(f"{key:6} {100 * reached / total:5.1f} % of {total} lines")
    reached, total = folders["all"]
    print(f"coverage: {100 * reached / max(total, 1):.1f} % of {total} lines outside the files of instruction sets")
    return not (total and 100 * reached / total >= least)


sys.exit(main())
