"""Runs an unmodified program of the distribution on rocelab, both sides as a user without any capability, and checks
what it printed: programs.py ROCELAB [VARIABLE=value]... PROGRAM ARGUMENTS... Started by meson, once a line of programs.txt.
"""
import os
import re
import subprocess
import sys

import expect
import sides

SKIPPED = 77


def main():
    rocelab, words, variables = sys.argv[1], sys.argv[2:], {}
    while re.match(r"[A-Z_]+=", words[0]):
        name, value = words.pop(0).split("=", 1)
        variables[name] = value
    program, arguments = words[0], words[1:]
    if os.sep in program:  # one of ours: the sides run in a folder of their own
        program = os.path.abspath(program)
    missing = sides.missing_program(program)
    if missing:
        print(f"SKIP: {missing} is not installed")
        sys.exit(SKIPPED)
    with sides.Machine(rocelab) as machine:
        print("both sides run", machine.user)
        machine.environment.update(variables)
        indexes = sides.gid_indexes(machine)
        arguments = [indexes.get(a, a) for a in arguments]
        if os.path.basename(program) in ("ibv_devices", "ibv_devinfo"):
            outputs = [machine.run_alone(program, arguments)]
        else:
            outputs = machine.run_pair(program, arguments)
    wrong = expect.problems(os.path.basename(program), arguments, outputs)
    for line in wrong:
        print("WRONG:", line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    try:
        main()
    except (sides.Failure, subprocess.SubprocessError, re.error) as failure:
        sys.exit(f"FAILED: {failure}")
