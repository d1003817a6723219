"""smoke.py [--canary TEXT] [--runs N] [--max-len N] TARGET MAKE_CORPUS KIND WORK: a short run of one fuzz target.

MAKE_CORPUS writes the corpora, KIND names the one to start from (frames, captures). The run has a fixed seed and a fixed
number of inputs. With --canary the target has a planted bug: the fuzzer must end with a report that contains TEXT and
keep the input; without, it must find nothing. New inputs stay in WORK.
"""
import argparse
import os
import shutil
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canary", metavar="TEXT")
    parser.add_argument("--runs", type=int, default=20000)
    parser.add_argument("--max-len", type=int, default=2048)
    parser.add_argument("target")
    parser.add_argument("make_corpus")
    parser.add_argument("kind")
    parser.add_argument("work")
    options = parser.parse_args()

    shutil.rmtree(options.work, ignore_errors=True)
    found, artifacts = os.path.join(options.work, "found"), os.path.join(options.work, "artifacts") + "/"
    os.makedirs(found)
    os.makedirs(artifacts)
    subprocess.run([options.make_corpus, options.work], check=True)
    command = [options.target, f"-runs={options.runs}", f"-max_len={options.max_len}", "-seed=1", "-timeout=60",
               "-rss_limit_mb=2048", f"-artifact_prefix={artifacts}", found, os.path.join(options.work, options.kind)]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace")
    report = run.stdout + run.stderr
    kept = os.listdir(artifacts)
    if options.canary is None:
        if run.returncode == 0 and not kept:
            print(report.rstrip().split("\n")[-1])
            return 0
        print(report[-8000:])
        print(f"{options.target} found something: repeat it with\n  {options.target} {artifacts}{(kept or ['?'])[0]}")
        return 1
    if run.returncode != 0 and options.canary in report and kept:
        print(f"the planted bug was found and reported as {options.canary}: {kept[0]}")
        return 0
    print(report[-8000:])
    print(f"the planted bug was not reported as {options.canary} (exit status {run.returncode}, kept: {kept})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
