"""Grading pairs: `gradus verify pairs` in the mode math beside Math-Verify, one core each, in one run.

    python verify_speed.py [PAIRS.jsonl] [--rows 2000] [--cpu 1] [--gradus PATH] [--out FILE]

PAIRS.jsonl has rows with `gold` and `pred`. Without it, the golds of GSM8K and
MATH under GRADUS_TEST_DATA (else ../../shared/data) are paired with themselves in
another spelling, with another gold, and with a copy in which one digit differs.
Math-Verify runs with its defaults (parse of both, then verify). A row that raises
counts as False there. CPU seconds of the whole process are compared, its start
with no rows subtracted. Prints one JSON line with the pairs for each CPU second,
the ratio, and how many verdicts agree.
"""

import argparse
import importlib.metadata
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from train_speed import HERE, cpu_name


def pairs(rows):
    data = Path(os.environ.get("GRADUS_TEST_DATA", HERE / "../../shared/data"))
    read = lambda name: [json.loads(line) for line in (data / name).open()]
    golds = [row["answer"].rsplit("#### ", 1)[1] for row in read("gsm8k/test.jsonl")[:500]]
    golds += [row["answer"] for row in read("math500/test.jsonl")]
    draw = random.Random(7)
    found = []
    for gold in golds:
        digits = [at for at, sign in enumerate(gold) if sign.isdigit()]
        changed = gold
        if digits:
            at = draw.choice(digits)
            changed = gold[:at] + str((int(gold[at]) + 1) % 10) + gold[at + 1:]
        spelled = "\\boxed{" + gold.replace("\\frac", "\\dfrac") + "}"
        found += [(gold, spelled), (gold, draw.choice(golds)), (gold, changed)]
    draw.shuffle(found)
    return [{"gold": f"${gold}$", "pred": pred if "boxed" in pred else f"${pred}$"}
            for gold, pred in found[:rows]]


def worker(path):
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    for line in open(path):
        row = json.loads(line)
        try:
            correct = bool(verify(parse(row["gold"]), parse(row["pred"])))
        except Exception:
            correct = False
        print(json.dumps({"verdict": "correct" if correct else "incorrect"}))


def timed(command, cpu):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", nargs="?")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--cpu", type=int, default=1)
    parser.add_argument("--gradus", default=str(HERE / "../target/release/gradus"))
    parser.add_argument("--out")
    asked = parser.parse_args()
    if asked.worker:
        return worker(asked.pairs)

    if asked.pairs:
        rows = [json.loads(line) for line in open(asked.pairs)][:asked.rows]
        rows = [{"gold": row["gold"], "pred": row["pred"]} for row in rows]
    else:
        rows = pairs(asked.rows)
    with tempfile.TemporaryDirectory() as folder:
        write = lambda name, rows: (Path(folder, name).write_text(
            "".join(json.dumps(row) + "\n" for row in rows)), str(Path(folder, name)))[1]
        none, once = write("none.jsonl", rows[:1]), write("once.jsonl", rows)
        # So fast a program is timed on the same rows many times over.
        often = write("often.jsonl", rows * asked.repeats)
        gradus = lambda path: [asked.gradus, "verify", "pairs", path, "--mode", "math", "--json"]
        peer = lambda path: [sys.executable, __file__, path, "--worker"]
        idle, _ = timed(gradus(none), asked.cpu)
        ours, our_verdicts = timed(gradus(often), asked.cpu)
        peer_idle, _ = timed(peer(none), asked.cpu)
        theirs, their_verdicts = timed(peer(once), asked.cpu)
    speed = len(rows) * asked.repeats / max(ours - idle, 1e-9)
    peer_speed = len(rows) / (theirs - peer_idle)
    agree = sum((ours == "correct") == (theirs == "correct")
                for ours, theirs in zip(our_verdicts, their_verdicts))
    row = dict(bench="verify_speed", cpu=cpu_name(),
               math_verify=importlib.metadata.version("math-verify"), rows=len(rows), repeats=asked.repeats,
               pairs=asked.pairs and Path(asked.pairs).name or "gsm8k and math500",
               pairs_per_cpu_second=dict(gradus=round(speed), math_verify=round(peer_speed)),
               ratio_to_math_verify=round(speed / peer_speed), same_verdict=agree)
    print(json.dumps(row))
    if asked.out:
        with Path(asked.out).open("a") as file:
            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
