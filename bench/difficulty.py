"""Two-parameter item response models: gradus beside a reference in numpy.

usage: difficulty.py KNOWN_ANSWERS [--rounds 3] [--core 0] [--out FILE]

KNOWN_ANSWERS is the folder with irt_synth_gen.py (which makes the data) and irt_ref_em.py
(the reference: EM on equally spaced nodes, one BLAS thread). All run pinned to one core, in turns;
compared are CPU seconds of the fit alone, which the programs count themselves.
The data's checksums are compared with irt_synth_manifest.txt.
"""
import argparse, hashlib, importlib, json, os, pathlib, platform, re, statistics, subprocess, sys, tempfile

SIZES = {"a": (1000, 100, 401), "b": (5000, 1000, 401), "c": (1000, 12000, 401), "d": (20000, 500, 101)}
TARGET = {"a": 0.05, "b": 1.0, "c": 3.0, "d": 2.0}
HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known_answers", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", default="0")
    parser.add_argument("--out")
    parser.add_argument("--program", default=str(HERE / "target/release/difficulty"))
    args = parser.parse_args()
    sys.path.insert(0, str(args.known_answers))
    import numpy as np
    generator = importlib.import_module("irt_synth_gen")
    manifest = (args.known_answers / "irt_synth_manifest.txt").read_text()
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    pinned = ["taskset", "-c", args.core]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size, (_, _, nodes) in SIZES.items():
            matrix, _, slope, difficulty, lower = generator.make(size, "2pl")
            checksum = hashlib.sha256(matrix.tobytes()).hexdigest()[:16]
            assert re.search(rf"^{size}_2pl .* sha {checksum}$", manifest, re.M), f"{size}: other data than the manifest's"
            np.save(f"{folder}/{size}_2pl.npy", matrix)
            np.savetxt(f"{folder}/{size}_2pl_params.csv", np.c_[slope, difficulty, lower], delimiter=",", header="a,b,c", comments="", fmt="%.10g")
            ours, errors, reference = [], [], []
            for _ in range(args.rounds):
                call = pinned + [args.program, "fit", f"{folder}/{size}_2pl.npy"]
                ours.append(json.loads(subprocess.check_output(call)))
                errors.append(json.loads(subprocess.check_output(call + ["--errors"])))
                call = pinned + [sys.executable, str(args.known_answers / "irt_ref_em.py"), size, str(nodes), "1", "60", folder]
                text = subprocess.check_output(call, env=environment, text=True).splitlines()[-1]
                value = lambda name: float(re.search(rf"\b{name} (-?[\d.]+)", text).group(1))
                reference.append({name: value(name) for name in ["cpu", "ll", "rmse_b", "rmse_a", "rss"]})
            median = lambda runs, name: statistics.median(run[name] for run in runs)
            row = {
                "size": size, "respondents": SIZES[size][0], "items": SIZES[size][1], "scores": ours[0]["scores"],
                "cpu_seconds": round(median(ours, "cpu_seconds"), 3), "target_seconds": TARGET[size],
                "cpu_seconds_with_standard_errors": round(median(errors, "cpu_seconds"), 3),
                "reference_cpu_seconds": median(reference, "cpu"),
                "peak_mb": round(max(run["peak_mb"] for run in errors), 1), "reference_peak_mb": max(run["rss"] for run in reference),
                "log_likelihood": ours[0]["log_likelihood"], "reference_log_likelihood": reference[0]["ll"],
                "rmse_difficulty": round(ours[0]["rmse_difficulty"], 4), "reference_rmse_difficulty": reference[0]["rmse_b"],
                "rmse_discrimination": round(ours[0]["rmse_discrimination"], 4), "reference_rmse_discrimination": reference[0]["rmse_a"],
                "machine": platform.processor() or platform.machine(), "numpy": np.__version__, "rounds": args.rounds,
            }
            row["times_faster"] = round(row["reference_cpu_seconds"] / max(row["cpu_seconds"], 0.005), 1)
            rows.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        pathlib.Path(args.out).write_text("".join(json.dumps(row) + "\n" for row in rows))


main()
