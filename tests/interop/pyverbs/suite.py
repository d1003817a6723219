"""Runs rdma-core's own Python tests (the distribution's, unmodified, not kept here) on rocelab and compares what came of
each with expected.txt: suite.py ROCELAB [--update]. Prints passed, failed, skipped, and each skip's reason.

The tests come with the package rdma-core, in its doc folder; they are unpacked into a folder of their own and run by
the distribution's Python with its pyverbs, without capabilities, under `rocelab run`. Vendors' tests are left out.
"""
import glob
import gzip
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)
import expected  # noqa: E402
import sides  # noqa: E402

SKIPPED = 77
PYTHON = "/usr/bin/python3"  # python3-pyverbs is the distribution's and so for this one
SOURCE = "/usr/share/doc/rdma-core/tests"
VERSION = "44."  # of the tests that expected.txt is about
VENDORS = ("test_mlx5", "test_efa")
SUITE_HANGS_AFTER_S = 400
DEATHS_MAX = 10


def missing():
    """Why the tests can't run here, or nothing."""
    if not os.path.exists(PYTHON):
        return f"there is no {PYTHON}"
    if subprocess.run([PYTHON, "-c", "import pyverbs.device"], capture_output=True, check=False).returncode != 0:
        return "package python3-pyverbs is not installed"
    if not glob.glob(f"{SOURCE}/test_qp.py*"):
        return f"package rdma-core is not installed, or its documentation is left out ({SOURCE})"
    for package in ("rdma-core", "python3-pyverbs"):
        known = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
        if not known.stdout.startswith(VERSION):
            return f"{package} is of version {known.stdout or 'unknown'}, expected.txt is about {VERSION}x"
    return None


def become_root(machine):
    """As user number 0, which the tests of raw packets look at, and without any right of root's."""
    if os.getuid() == 0:
        machine.drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        os.chown(machine.folder, 0, 0)
    elif subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode == 0:
        machine.drop = ["unshare", "-Ur"]
    return " ".join(machine.drop) or "as an ordinary user: raw packets are skipped"


def unpack(target):
    os.makedirs(target)
    for path in glob.glob(f"{SOURCE}/*.py*"):
        name = os.path.basename(path)
        if name.startswith(VENDORS):
            continue
        opened = gzip.open(path, "rb") if name.endswith(".gz") else open(path, "rb")
        with opened as source, open(os.path.join(target, name.removesuffix(".gz")), "wb") as out:
            shutil.copyfileobj(source, out)


def read_results(path, results):
    """Adds what is in the file; returns the position and id of the test that began last, and whether all came to an end."""
    at, name, complete = 0, "", False
    with open(path, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if "at" in line:
                at, name = line["at"], line["id"]
            elif "end" in line:
                complete = True
            else:
                results[line["id"]] = (line["outcome"], line["why"])
    return at, name, complete


def run_all(machine, folder):
    results, first = {}, 0
    for _ in range(DEATHS_MAX):
        record = os.path.join(machine.folder, f"results-{first}")
        process = machine.start(PYTHON, [os.path.join(folder, "collect.py"), os.path.join(folder, "tests"), record, str(first)])
        try:
            output, _ = process.communicate(timeout=SUITE_HANGS_AFTER_S)
        except subprocess.TimeoutExpired:
            sides.show_stacks(process)
            process.kill()
            output, _ = process.communicate()
        print(output, end="", flush=True)
        if not os.path.exists(record):
            raise sides.Failure(f"the tests did not start (status {process.returncode})")
        at, name, complete = read_results(record, results)
        if complete:
            if process.returncode != 0:
                raise sides.Failure(f"all tests ran, then the process ended with status {process.returncode}")
            return results
        results[name] = ("fail", f"{output[-4000:]}\nthe process ended with status {process.returncode}")
        first = at + 1
    raise sides.Failure(f"the process died in {DEATHS_MAX} tests")


def main():
    rocelab, update = sys.argv[1], "--update" in sys.argv[2:]
    why_not = missing()
    if why_not:
        print(f"SKIP: {why_not}")
        sys.exit(SKIPPED)
    with sides.Machine(rocelab) as machine:
        print("the tests run:", become_root(machine))
        folder = os.path.join(machine.folder, "suite")
        unpack(os.path.join(folder, "tests"))
        shutil.copy(os.path.join(HERE, "collect.py"), folder)
        machine.environment["PYTHONDONTWRITEBYTECODE"] = "1"
        results = run_all(machine, folder)
    for name, (outcome, why) in sorted(results.items()):
        if outcome == "skip":
            print(f"skipped: {name}: {why}")
        elif outcome == "fail":
            print(f"FAILED: {name}\n{why}")
    count = {kind: sum(1 for outcome, _ in results.values() if outcome == kind) for kind in ("pass", "fail", "skip")}
    print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    listed = os.path.join(HERE, "expected.txt")
    wanted = expected.read(listed) if os.path.exists(listed) else {}
    if update:
        expected.write(listed, wanted, results)
        print("written:", listed)
        return
    wrong = expected.differences(wanted, results)
    for line in wrong:
        print("DIFFERENT:", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    try:
        main()
    except (sides.Failure, ValueError) as failure:
        sys.exit(f"FAILED: {failure}")
