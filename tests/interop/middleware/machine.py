"""What the tests of this folder share: the machine of ../sides.py, and proof that packets really went over rocelab."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import sides  # noqa: E402  (found through the line above)

SKIPPED = 77


def skip_unless(*programs):
    """Ends this test when one of them is not installed: pairs of a program and its package."""
    for program, package in programs:
        if not shutil.which(program):
            print(f"SKIP: {program} is not installed (package {package})")
            sys.exit(SKIPPED)


def skip_unless_library(name, package):
    """The same for a shared library that the dynamic linker knows."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    if name not in listing:
        print(f"SKIP: {name} is not installed (package {package})")
        sys.exit(SKIPPED)


def counters(machine):
    """The first device's counters, over all processes that ever used it."""
    text = subprocess.run([*machine.drop, machine.rocelab, "dev", "--counters"], env=machine.environment,
                          capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in re.findall(r"^\s+(\w+)\s+(\d+)$", text, re.MULTILINE)}


def grown(before, after, name):
    """By how much a counter has grown."""
    return after.get(name, 0) - before.get(name, 0)


def main(test):
    """Runs `test(machine)`, which returns a list of what is wrong."""
    try:
        with sides.Machine(sys.argv[1]) as machine:
            print("programs run", machine.user, flush=True)
            wrong = test(machine)
    except (sides.Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"FAILED: {failure}")
    for line in wrong:
        print("WRONG:", line)
    sys.exit(1 if wrong else 0)
