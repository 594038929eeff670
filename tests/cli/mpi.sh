#!/bin/sh
# Training with several processes (SLBSR_MPI): the same bytes for any number of them, stops that all agree on,
# and a process that is killed, after which any number of processes go on.
set -u
program=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
complain() {
    echo "$1"
    tail -n 5 errors
    bad=1
}

# Threads and processes that wait without spinning: there may be more of them than processors.
export OMP_WAIT_POLICY=passive OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl=vader,self OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_btl_tcp_if_include=lo

# No paths that may have spaces.
ln -s "$source/data/hr" hr && ln -s "$source/tests/train/tiny.net" tiny.net || exit 1
options="--data hr --net tiny.net --bits 2 --batch 18 --patch 24
    --warmup 10 --lr 1e-3 --ema 0.99 --seed 3"

if "$program" info | grep -q '^processes.*built without MPI'; then
    OMPI_COMM_WORLD_SIZE=2 "$program" train $options --out m.safetensors 2>errors
    code=$?
    [ $code = 8 ] || { complain "several processes without MPI: exit code $code"; exit 1; }
    echo "skipped: a build without MPI"
    exit 77
fi
command -v mpirun >/dev/null || { echo "skipped: no mpirun"; exit 77; }

# processes, name of the model, further options. Each process leaves its id in pid.RANK.
train() {
    processes=$1 out=$2
    shift 2
    rm -f pid.* errors
    timeout 300 mpirun -np "$processes" sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$@"' sh \
        "$program" train $options --out "$out.safetensors" "$@" 2>errors
}
# The command, which the file records, differs in names of equal length only.
same() {
    sed "s/$2\.safetensors -j ./FILE/" "$2.safetensors" >b
    sed "s/$1\.safetensors -j ./FILE/" "$1.safetensors" | cmp - b || complain "$3: other bytes"
}

# Any number of processes and threads; a set of validation pictures is shared, too.
for precision in float32 bf16; do
    run="--steps 60 --val hr --val-every 30 --precision $precision"
    "$program" train $options --out alone.safetensors -j 2 $run -y 2>errors
    code=$?
    [ $code = 8 ] && { echo "$precision: not on this machine"; continue; }
    [ $code = 0 ] || complain "alone: exit code $code"
    for n in 2 4 $([ $precision = bf16 ] || echo 1 3); do
        train $n other -j $((n % 2 + 1)) $run -y || complain "$n processes: failed"
        same alone other "$precision, $n processes"
    done
done
[ "$(grep -c '^step' errors)" = 4 ] || complain "not exactly one process reports"
cmp alone.safetensors.csv other.safetensors.csv >/dev/null && complain "the logs have the same times"
cut -d, -f1,3-15 alone.safetensors.csv >a # without times and memory
cut -d, -f1,3-15 other.safetensors.csv | cmp - a || complain "the logs differ in more than times"

# A process that is killed ends all; what is left goes on, to the same bytes.
# By TCP, the library ends a process whose partner has gone, and there is no time for a last checkpoint.
run="--steps 300 --checkpoint-minutes 0.001 -y"
"$program" train $options --out whole.safetensors -j 1 $run 2>errors || complain "whole: failed"
for way in 1:vader 0:vader 1:tcp; do
    killed=${way%:*}
    export OMPI_MCA_btl="${way#*:},self"
    train 2 other -j 1 $run &
    job=$!
    while [ ! -e other.safetensors.ckpt ] && kill -0 $job 2>/dev/null; do sleep 0.05; done
    sleep 0.2
    kill -KILL "$(cat pid.$killed)"
    wait $job
    code=$?
    [ $code = 137 ] || complain "rank $way killed: exit code $code"
    [ -e other.safetensors.ckpt ] || complain "rank $way killed: no checkpoint"
    [ $way != 1:vader ] || grep -q 'the checkpoint of step [0-9]* is written' errors ||
        complain "rank $way killed: rank 0 says nothing"
    train 3 other -j 1 $run || complain "cannot go on"
    grep -q 'note: going on from step [1-9]' errors || complain "did not go on"
    same whole other "killed rank $way"
done

# A signal to one process: all finish the step, and the checkpoint is that of any run.
rm -f errors # so that the loop does not see the run before
train 3 other -j 1 $run &
job=$!
while ! grep -qs '^step' errors && kill -0 $job 2>/dev/null; do sleep 0.05; done
kill -TERM "$(cat pid.2)"
wait $job
code=$?
[ $code = 143 ] || [ $code = 1 ] || complain "SIGTERM: exit code $code"
grep -q 'stopped at step [0-9]* of' errors || complain "SIGTERM: not told"
[ -e other.safetensors.ckpt ] || complain "SIGTERM: no checkpoint"
"$program" train $options --out other.safetensors -j 1 $run 2>errors || complain "cannot go on alone"
same whole other "stopped by a signal"

# What cannot work is said once.
train 5 fails --batch 4 && complain "5 processes for 4 patches"
[ "$(grep -c '^slbsr: --batch: 4 patches' errors)" = 1 ] || complain "5 processes for 4 patches: not said once"
train 2 fails --init none && complain "--init: a file that is not there"
[ "$(grep -c '^slbsr: .*none' errors)" = 1 ] || complain "--init: not said once"
timeout 300 mpirun -np 1 "$program" train $options --out fails.safetensors --steps 5 : \
    -np 1 "$program" train $options --out fails.safetensors --steps 6 2>errors && complain "two recipes"
[ "$(grep -c '^slbsr: processes 0 and 1 differ' errors)" = 1 ] || complain "two recipes: not said once"
[ ! -e fails.safetensors ] || complain "a model of nothing"
exit $bad
