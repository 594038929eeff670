#!/bin/sh
# What matters in the search of low-bit weights: the tables that the reviewers of the paper asked for. Every variant is
# trained with several seeds and the same number of steps, from the same float model.
#
# usage: tests/bench/ablate.sh PROGRAM OUT --data DIR --val DIR [OPTION...] [-- TRAIN-OPTION...]
#
#   --data DIR       pictures to train on (as of slbsr train); may be repeated
#   --val DIR        pictures to validate on: all figures are of these
#   --init FILE      the float model to start from; without it one is trained first, of --pretrain steps
#   --steps N        budget of each run [default: 6000]
#   --pretrain N     steps of the float model [default: that of --steps]
#   --seeds LIST     [default: 1,2,3]
#   --tables LIST    of parts,temperature,sbn,method,cost [default: all]
#   --net NET        [default: vdsr]; --sbn-net NET: the same with norm sbn [default: vdsr-sbn]
#   TRAIN-OPTION     for all runs alike, such as --batch 8 --precision bf16 -j 2
#
# OUT gets runs/ (models and logs; what is finished is not done again, what was stopped goes on), runs.csv (a row a
# run), tables.csv (mean and standard deviation of PSNR over the seeds), cost.csv (time and memory of a step by bits)
# and gap-TABLE.html (PSNR of the weights of training, W_c, and of inference, W_q, over the runs of the first seed).
set -u
usage() {
    sed -n 's/^# \{0,1\}//; /^usage/,/^  TRAIN/p' "$0" >&2
    exit 2
}
fail() {
    echo "ablate.sh: $1" >&2
    exit 1
}

[ $# -ge 2 ] || usage
program=$1
out=$2
shift 2
data= val= init= steps=6000 pretrain= seeds=1,2,3 tables=parts,temperature,sbn,method,cost net=vdsr sbn_net=vdsr-sbn
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --data) data="$data --data $2" ;; # no blanks in names
    --val) val=$2 ;;
    --init) init=$2 ;;
    --steps) steps=$2 ;;
    --pretrain) pretrain=$2 ;;
    --seeds) seeds=$2 ;;
    --tables) tables=$2 ;;
    --net) net=$2 ;;
    --sbn-net) sbn_net=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[ $# -gt 0 ] && shift
[ -n "$data" ] && [ -n "$val" ] || usage
pretrain=${pretrain:-$steps}
every=$((steps / 10 > 0 ? steps / 10 : 1))
mkdir -p "$out/runs" || exit 1

# What each row of the tables is: table, variant, run, W/A.
rows() {
    cat <<'END'
parts slb slb-1-32
parts no-annealing slb-1-32-flat
parts no-hard-weights-while-training slb-1-32-soft
parts no-scale slb-1-32-scaleless
parts no-float-start slb-1-32-random
temperature exp slb-1-32
temperature cos slb-1-32-cos
temperature linear slb-1-32-linear
temperature sgdr slb-1-32-sgdr
temperature exp-soft-to-the-end slb-1-32-soft
sbn scale-alone slb-1-32
sbn calibrated sbn-calibrated
sbn dual sbn-dual
sbn none sbn-none
method float-32/32 float-32
method slb-1/32 slb-1-32
method dorefa-1/32 dorefa-1-32
method slb-2/32 slb-2-32
method dorefa-2/32 dorefa-2-32
method slb-4/32 slb-4-32
method dorefa-4/32 dorefa-4-32
method slb-1/1 slb-1-1
method dorefa-1/1 dorefa-1-1
END
}

# The options of a run. Logits want a higher rate than the weights that DoReFa rounds.
options() {
    case $1 in
    float-32) echo --bits 32 ;;
    slb-1-32) echo --bits 1 --act-bits 32 --logit-lr 8 ;;
    slb-1-32-cos) echo "$(options slb-1-32)" --tschedule cos ;;
    slb-1-32-linear) echo "$(options slb-1-32)" --tschedule linear ;;
    slb-1-32-sgdr) echo "$(options slb-1-32)" --tschedule sgdr ;;
    slb-1-32-flat) echo "$(options slb-1-32)" --tmax 1 ;;
    slb-1-32-scaleless | slb-1-32-random) options slb-1-32 ;;
    slb-1-32-soft) echo "$(options slb-1-32)" --anneal-to 1 ;;
    sbn-*) echo "$(options slb-1-32)" --sbn "${1#sbn-}" ;;
    slb-2-32) echo --bits 2 --act-bits 32 --logit-lr 15 ;;
    slb-4-32) echo --bits 4 --act-bits 32 --logit-lr 15 ;;
    slb-1-1) echo --bits 1 --act-bits 1 --logit-lr 8 ;;
    dorefa-*) echo --method dorefa --bits "$(echo "$1" | cut -d- -f2)" --act-bits "$(echo "$1" | cut -d- -f3)" ;;
    esac
}

# train NAME NET STEPS SEED OPTION...: unless it is done.
train() {
    model=$out/runs/$1-s$4.safetensors
    [ -e "$model" ] && return 0
    name=$1 its_net=$2 its_steps=$3 seed=$4
    shift 4
    echo "== $name, seed $seed"
    # shellcheck disable=SC2086
    "$program" train $data --val "$val" --val-every "$every" --net "$its_net" --steps "$its_steps" --seed "$seed" \
        --out "$model" "$@" || fail "$name, seed $seed: training failed or was stopped; the same command goes on"
}

# The network without learned scales.
scaleless() {
    file=$net
    [ -e "$file" ] || file=$(dirname "$0")/../../nets/$net.net
    sed 's/ norm//' "$file" >"$out/scaleless.net" || exit 1
    echo "$out/scaleless.net"
}

wanted() {
    rows | awk -v tables=",$tables," 'index(tables, "," $1 ",") { print }'
}

first=${seeds%%,*}
if [ -z "$init" ]; then
    train start "$net" "$pretrain" "$first" --bits 32 "$@"
    init=$out/runs/start-s$first.safetensors
fi
for run in $(wanted | awk '{ print $3 }' | sort -u); do
    for seed in $(echo "$seeds" | tr , ' '); do
        its_net=$net
        its_init="--init $init"
        case $run in
        sbn-*) its_net=$sbn_net ;;
        *-scaleless) its_net=$(scaleless) ;;
        *-random) its_init= ;;
        esac
        # shellcheck disable=SC2046,SC2086
        train "$run" "$its_net" "$steps" "$seed" $(options "$run") $its_init "$@"
    done
done

# The last validation of every run, by the names of the columns of its log.
{
    echo "run,seed,steps,scale,psnr,psnr_soft,bicubic"
    for run in $(wanted | awk '{ print $3 }' | sort -u); do
        for seed in $(echo "$seeds" | tr , ' '); do
            awk -F, -v run="$run" -v seed="$seed" '
                NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
                { for (s = 2; s <= 4; s++) if (("psnr_x" s) in column && $column["psnr_x" s] != "")
                      last[s] = $1 "," s "," $column["psnr_x" s] "," $column["psnr_soft_x" s] "," $column["bicubic_x" s] }
                END { for (s = 2; s <= 4; s++) if (s in last) print run "," seed "," last[s] }
            ' "$out/runs/$run-s$seed.safetensors.csv" || fail "$run, seed $seed: no log"
        done
    done
} >"$out/runs.csv.new" && mv "$out/runs.csv.new" "$out/runs.csv" || exit 1

wanted | awk -F, '
    BEGIN { print "table,variant,scale,seeds,psnr_mean,psnr_deviation,gain_over_bicubic" }
    FNR == NR { if (FNR > 1) { at = $1 "," $4; n[at]++; sum[at] += $5; square[at] += $5 * $5; bicubic[at] = $7 } next }
    { split($0, row, " ")
      for (s = 2; s <= 4; s++) {
          at = row[3] "," s
          if (!(at in n)) continue
          mean = sum[at] / n[at]
          v = n[at] > 1 ? (square[at] - n[at] * mean * mean) / (n[at] - 1) : 0
          printf "%s,%s,%d,%d,%.4f,%.4f,%.4f\n", row[1], row[2], s, n[at], mean, sqrt(v > 0 ? v : 0), mean - bicubic[at]
      } }
' "$out/runs.csv" - >"$out/tables.csv.new" && mv "$out/tables.csv.new" "$out/tables.csv" || exit 1

# Time and memory: what slbsr train --dry-run measures, without validation pictures.
case ,$tables, in *,cost,*)
    echo "run,step_s,weights_s,peak_mib,values_mib" >"$out/cost.csv.new"
    for run in float-32 slb-1-32 slb-2-32 slb-4-32 dorefa-1-32 dorefa-2-32 dorefa-4-32 sbn-calibrated sbn-dual; do
        its_net=$net
        case $run in sbn-*) its_net=$sbn_net ;; esac
        # shellcheck disable=SC2046,SC2086
        "$program" train $data --net "$its_net" --steps "$steps" --out "$out/runs/dry" --dry-run $(options "$run") "$@" \
            2>/dev/null | awk -v run="$run" '
                $1 == "memory" { peak = $2; for (i = 3; i <= NF; i++) if ($i ~ /^copies/) values = $(i + 1) }
                $1 == "step" { step = $2; for (i = 3; i <= NF; i++) if ($i == "optimizer") weights = $(i + 1) }
                END { if (step == "") exit 1; print run "," step "," weights "," peak "," values }
            ' >>"$out/cost.csv.new" || fail "$run: no cost"
    done
    mv "$out/cost.csv.new" "$out/cost.csv" || exit 1
    ;;
esac

for table in parts temperature sbn method; do
    logs=
    for run in $(wanted | awk -v table=$table '$1 == table && $3 ~ /^(slb|sbn)/ { print $3 }'); do
        logs="$logs $out/runs/$run-s$first.safetensors.csv"
    done
    # shellcheck disable=SC2086
    [ -z "$logs" ] || "$program" plot $logs --html "$out/gap-$table.html" -y || fail "no plot"
done
cat "$out/tables.csv"
