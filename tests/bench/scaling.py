#!/usr/bin/env python3
"""How training scales: measured on this machine, and projected for several.

scaling.py SLBSR DATA [--batch N] [--net NET] [--repeat N] [--bandwidth GB/s] [--latency us] [--json FILE]

The first table has a step of `slbsr bench train` for 1, 2, 4, 8 and 16 cores, as far as this machine has them: in
one process with that many threads and, if the program has MPI and mpirun is there, in that many processes of one
thread. The second table is worked out from the first and from the sizes of the messages; src/train/README.md has its
assumptions. Run it on a machine that does nothing else. With --json, the output of `slbsr bench train --json`, only
the second table is made, from that.
"""
import argparse
import json
import os
import shutil
import subprocess

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]


def bench(options, processes, threads):
    """The JSON of bench train."""
    command = [options.slbsr, "bench", "train", "--data", options.data, "--net", options.net,
               "--batch", str(options.batch), "--repeat", str(options.repeat), "-j", str(threads), "--json"]
    if processes > 1:
        command = MPIRUN + ["-np", str(processes)] + command
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def name_of(step):
    return f"{step['net']} {step['precision']} {step['bits']} bits"


def measure(options):
    """Prints the first table; the steps of one process with all cores, and of one core."""
    cores = os.cpu_count()
    info = subprocess.run([options.slbsr, "info"], check=True, stdout=subprocess.PIPE, text=True).stdout
    mpi = "without MPI" not in info and shutil.which("mpirun")
    one = bench(options, 1, 1)["steps"]
    print("| step | cores | threads: ms | times as fast | processes: ms | times as fast | sent, MB | waited, ms |")
    print("|---|---|---|---|---|---|---|---|")
    most = one
    for count in [n for n in (1, 2, 4, 8, 16) if n <= cores]:
        threads = bench(options, 1, count)["steps"] if count > 1 else one
        ranks = bench(options, count, 1)["steps"] if mpi and count > 1 else None
        for i, step in enumerate(threads):
            base = one[i]["step_ms"]
            row = f"| {name_of(step)} | {count} | {step['step_ms']:.1f} | {base / step['step_ms']:.2f} |"
            if ranks:
                rank = ranks[i]
                row += (f" {rank['step_ms']:.1f} | {base / rank['step_ms']:.2f} | {rank['sent_bytes'] / 1e6:.2f} |"
                        f" {rank['exchange_waited']:.1f} |")
            else:
                row += " | | | |"
            print(row)
        most = threads
    return most


def exposed_ms(step, nodes, options):
    """What the exchange adds to the step: gradients are ready one after the other, from the last convolution to the
    first, in the backward pass of the last picture of each thread; one link carries them in this order."""
    sizes = step["gradient_bytes"]
    window = step["backward"] / (options.batch / step["threads"])  # backward pass of one picture, ms
    per_byte = 2 * (nodes - 1) / nodes / (options.bandwidth * 1e9) * 1e3
    per_array = 2 * options.latency * 1e-3 + 2 * (nodes - 1) * options.overhead * 1e-3
    ready = link = 0.0
    for size in reversed(sizes):
        ready += window * size / sum(sizes)
        link = max(link, ready) + per_array + size * per_byte
    return link - ready


def project(steps, options):
    print("| step | machines | same batch: ms | times as fast | batch grows: times as many pictures a second |")
    print("|---|---|---|---|---|")
    for step in steps:
        fixed = step["weights"] + step["gradients"] + step["update"]
        work = step["step_ms"] - fixed
        parts = options.batch if options.batch <= 16 else max(16, min(256, options.batch // 4))
        for nodes in (1, 2, 4, 8, 16, 32, 64):
            largest = -(-parts // nodes) / parts  # of the machine with most parts
            strong = weak = step["step_ms"]
            if nodes > 1:
                strong = fixed + work * largest + exposed_ms(step, nodes, options)
                weak = step["step_ms"] + exposed_ms(step, nodes, options)
            same = f"{strong:.1f} | {step['step_ms'] / strong:.2f}" if nodes <= parts else " | "
            print(f"| {name_of(step)} | {nodes} | {same} | {nodes * step['step_ms'] / weak:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slbsr")
    parser.add_argument("data")
    parser.add_argument("--net", default="vdsr")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--bandwidth", type=float, default=1.25, help="GB/s that a machine sends and receives")
    parser.add_argument("--latency", type=float, default=30, help="us from one machine to another")
    parser.add_argument("--overhead", type=float, default=2, help="us that a message costs its sender")
    parser.add_argument("--json", metavar="FILE", help="take the times of one machine from here")
    options = parser.parse_args()
    if options.json:
        with open(options.json) as file:
            one = json.load(file)
        steps, threads = one["steps"], one["threads"]
    else:
        steps, threads = measure(options), min(os.cpu_count(), 16)
    for step in steps:
        step["threads"] = threads
    print(f"\nProjected for machines like this one, {options.bandwidth:g} GB/s, {options.latency:g} us:\n")
    project(steps, options)


main()
