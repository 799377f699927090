"""Two-parameter item response models: gradus beside a reference in numpy.

usage: difficulty.py KNOWN_ANSWERS [--rounds 3] [--core 0] [--out FILE] [--sizes a,b,c,d] [--girth a]

KNOWN_ANSWERS is the folder with irt_synth_gen.py (which makes the data) and irt_ref_em.py
(the reference: EM on equally spaced nodes, one BLAS thread). All run pinned to one core, in turns;
compared are CPU seconds of the fit alone, which the programs count themselves.
girth (its twopl_mml), where it can be imported, runs in the same turns on the sizes of --girth; its
likelihood is integrated over 41 nodes, so that its estimates are compared by their errors only.
The data's checksums are compared with irt_synth_manifest.txt.
"""
import argparse, hashlib, importlib, importlib.util, json, os, pathlib, platform, re, statistics, subprocess, sys, tempfile

SIZES = {"a": (1000, 100, 401), "b": (5000, 1000, 401), "c": (1000, 12000, 401), "d": (20000, 500, 101)}
TARGET = {"a": 0.05, "b": 1.0, "c": 3.0, "d": 2.0}
HERE = pathlib.Path(__file__).resolve().parent


GIRTH = """
import json, resource, sys, time
import numpy as np
from girth import twopl_mml
folder, size = sys.argv[1:]
matrix = np.load(f"{folder}/{size}_2pl.npy").T.astype(int)
matrix[matrix < 0] = -99999
known = np.loadtxt(f"{folder}/{size}_2pl_params.csv", delimiter=",", skiprows=1)
twopl_mml(matrix[:5, :100])  # compiles
start = time.process_time()
found = twopl_mml(matrix)
rmse = lambda name, column: float(np.sqrt(np.mean((found[name] - known[:, column]) ** 2)))
print(json.dumps({"cpu": time.process_time() - start, "rmse_a": rmse("Discrimination", 0), "rmse_b": rmse("Difficulty", 1),
    "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known_answers", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", default="0")
    parser.add_argument("--out")
    parser.add_argument("--sizes", default="a,b,c,d")
    parser.add_argument("--girth", default="a", help="sizes that girth runs on too; larger ones take minutes to hours")
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
        for size in args.sizes.split(","):
            nodes = SIZES[size][2]
            matrix, _, slope, difficulty, lower = generator.make(size, "2pl")
            checksum = hashlib.sha256(matrix.tobytes()).hexdigest()[:16]
            assert re.search(rf"^{size}_2pl .* sha {checksum}$", manifest, re.M), f"{size}: other data than the manifest's"
            np.save(f"{folder}/{size}_2pl.npy", matrix)
            np.savetxt(f"{folder}/{size}_2pl_params.csv", np.c_[slope, difficulty, lower], delimiter=",", header="a,b,c", comments="", fmt="%.10g")
            ours, errors, reference, peer = [], [], [], []
            for _ in range(args.rounds):
                call = pinned + [args.program, "fit", f"{folder}/{size}_2pl.npy"]
                ours.append(json.loads(subprocess.check_output(call)))
                errors.append(json.loads(subprocess.check_output(call + ["--errors"])))
                call = pinned + [sys.executable, str(args.known_answers / "irt_ref_em.py"), size, str(nodes), "1", "60", folder]
                text = subprocess.check_output(call, env=environment, text=True).splitlines()[-1]
                value = lambda name: float(re.search(rf"\b{name} (-?[\d.]+)", text).group(1))
                reference.append({name: value(name) for name in ["cpu", "ll", "rmse_b", "rmse_a", "rss"]})
                if size in args.girth.split(",") and importlib.util.find_spec("girth"):
                    call = pinned + [sys.executable, "-c", GIRTH, folder, size]
                    peer.append(json.loads(subprocess.check_output(call, env=environment, stderr=subprocess.DEVNULL)))
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
            if peer:
                row |= {
                    "girth_cpu_seconds": round(median(peer, "cpu"), 3), "girth_peak_mb": round(max(run["rss"] for run in peer), 1),
                    "girth_rmse_difficulty": round(peer[0]["rmse_b"], 4), "girth_rmse_discrimination": round(peer[0]["rmse_a"], 4),
                    "times_faster_than_girth": round(median(peer, "cpu") / max(row["cpu_seconds"], 0.005), 1),
                }
            rows.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        pathlib.Path(args.out).write_text("".join(json.dumps(row) + "\n" for row in rows))


main()
