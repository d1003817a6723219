"""Open MPI over UCX over rocelab: openmpi.py ROCELAB RANKS TRANSPORTS. Compiles collective.c with mpicc and runs it on this
machine with neither shared memory nor TCP to fall back on; it checks all contents, and our counters show where they went."""
import os
import subprocess
import sys

from machine import counters, grown, main, skip_unless

import sides

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "collective.c")
# Four sums of 1 to 32 Ki elements and one of 1 Mi: every rank sends at least its part of the largest once.
BYTES_MIN_A_RANK = 8 << 20


def compile_program(machine):
    program = os.path.join(machine.folder, "collective")
    built = subprocess.run(["mpicc", "-Wall", "-Wextra", "-Werror", "-O2", "-o", program, PROGRAM], capture_output=True,
                           text=True, check=False)
    if built.returncode != 0:
        raise sides.Failure("mpicc: " + built.stdout + built.stderr)
    os.chmod(program, 0o755)
    return program


def collective(machine, ranks, transports):
    # mpirun keeps its files in TMPDIR; the user whom we become has no home.
    machine.environment.update(TMPDIR=machine.folder, HOME=machine.folder, UCX_TLS=transports, UCX_LOG_LEVEL="warn",
                               UCX_NET_DEVICES="rocelab0:1")
    program = compile_program(machine)
    before = counters(machine)
    output = machine.run_alone("mpirun", ["--allow-run-as-root", "--oversubscribe", "-n", str(ranks), "--mca", "pml", "ucx",
                                          "--mca", "osc", "ucx", "--mca", "btl", "self", program])
    after = counters(machine)
    print({name: grown(before, after, name) for name in after if grown(before, after, name)})
    wrong = [f"rank {rank} did not say that all is right" for rank in range(ranks)
             if f"rank {rank} of {ranks}: all right" not in output]
    wrong += [line for line in output.splitlines() if "UCX  ERROR" in line or "WRONG" in line]
    if grown(before, after, "sent_bytes") < BYTES_MIN_A_RANK * ranks:
        wrong.append(f"sent_bytes grew by {grown(before, after, 'sent_bytes')} only: the messages went another way")
    return wrong


if __name__ == "__main__":
    skip_unless(("mpirun", "openmpi-bin"), ("mpicc", "libopenmpi-dev"), ("ucx_info", "ucx-utils"))
    main(lambda machine: collective(machine, int(sys.argv[2]), sys.argv[3]))
