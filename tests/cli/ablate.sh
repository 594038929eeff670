#!/bin/sh
# tests/bench/ablate.sh with a tiny budget: all tables, means that are means, and a second call that trains only what is
# missing.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$1"
    tail -5 "$work/log"
    exit 1
}
mkdir "$work/val"
"$program" downscale data/hr/cat.png "$work/val/cat.png" -s 4 || fail "downscale"
ablate() {
    tests/bench/ablate.sh "$program" "$work/out" --data data/hr --val "$work/val" --net tests/train/tiny.net \
        --sbn-net tests/train/tiny-sbn.net --steps 4 --seeds 1,2 -- --batch 2 --patch 17 --val-every 4 -j 1 >"$work/log" 2>&1
}
ablate || fail "ablate.sh failed"
[ "$(grep -c '^== ' "$work/log")" = 39 ] || fail "$(grep -c '^== ' "$work/log") runs, not 39"
[ "$(wc -l <"$work/out/tables.csv")" = 70 ] || fail "tables.csv has $(wc -l <"$work/out/tables.csv") lines"
[ "$(wc -l <"$work/out/cost.csv")" = 10 ] || fail "cost.csv has $(wc -l <"$work/out/cost.csv") lines"
for table in parts temperature sbn method; do
    grep -q '<svg' "$work/out/gap-$table.html" || fail "no curves of $table"
done
awk -F, 'FNR == NR { if ($1 == "dorefa-2-32" && $4 == 3) { sum += $5; n++ } next }
         $2 == "dorefa-2/32" && $3 == 3 { ok = n == 2 && $4 == 2 && (sum / n - $5) ^ 2 < 1e-6 } END { exit !ok }' \
    "$work/out/runs.csv" "$work/out/tables.csv" || fail "the mean of dorefa-2/32 is wrong"
cp "$work/out/tables.csv" "$work/before"
rm "$work/out/runs/slb-4-32-s2.safetensors"
ablate || fail "a second time it failed"
[ "$(grep -c '^== ' "$work/log")" = 1 ] || fail "the second time $(grep -c '^== ' "$work/log") runs, not 1"
cmp -s "$work/before" "$work/out/tables.csv" || fail "the second time gave other tables"
tests/bench/ablate.sh "$program" "$work/out" --data data/hr 2>"$work/log"
[ $? = 2 ] || fail "without --val: not refused"
exit 0
