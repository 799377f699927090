"""How soon gradus answers, and how much memory many rows take.

    python footprint.py [--gradus target/release/gradus] [--starts 30] [--out FILE]

Start-up is the wall time to the end of `gradus list` and to the first byte of
`gradus run easy-to-hard`, medians over the starts. Memory is the largest
resident set of `gradus search` over 1,000,000 rows: 4,000 problems with 250
scored samples each, made here from a fixed seed. Prints one JSON line.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from train_speed import HERE, cpu_name

PROBLEMS, SAMPLES = 4000, 250


def milliseconds(command, folder, first_byte):
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    if first_byte:
        process.stdout.read(1)
        seconds = time.perf_counter() - started
        process.kill()
        process.communicate()
    else:
        process.communicate()
        seconds = time.perf_counter() - started
    return 1000 * seconds


def write_rows(path):
    draw = random.Random(1)
    with open(path, "w") as file:
        for problem in range(PROBLEMS):
            for sample in range(SAMPLES):
                answer = min(int(draw.expovariate(0.4)), 20)
                file.write(json.dumps({
                    "problem": f"p{problem}", "sample": sample, "level": 1 + problem % 5,
                    "answer": str(answer), "correct": answer == 1,
                    "scores": [round(draw.random(), 6) for _ in range(8)]}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gradus", default=HERE.parent / "target/release/gradus")
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    gradus = os.path.abspath(args.gradus)
    with tempfile.TemporaryDirectory() as folder:
        rows = os.path.join(folder, "rows.jsonl")
        write_rows(rows)
        listing = [milliseconds([gradus, "list"], folder, False) for _ in range(args.starts)]
        running = [
            milliseconds([gradus, "run", "easy-to-hard", "--no-progress",
                          "--out", f"run{start}"], folder, True)
            for start in range(args.starts)]
        started = time.perf_counter()
        command = [gradus, "search", rows, "--n", "1,4,16,64,250", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit(f"gradus search ended with {status}")
    row = {
        "bench": "footprint", "cpu": cpu_name(), "starts": args.starts,
        "version": subprocess.run([gradus, "--version"], capture_output=True, text=True,
                                  check=True).stdout.strip(),
        "milliseconds": {"list": round(statistics.median(listing), 1),
                         "run, first output": round(statistics.median(running), 1)},
        "search": {"rows": PROBLEMS * SAMPLES, "peak_mb": round(usage.ru_maxrss / 1024),
                   "seconds": round(seconds, 1),
                   "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1)}}
    line = json.dumps(row)
    print(line)
    if args.out:
        args.out.write_text(line + "\n")


if __name__ == "__main__":
    main()
