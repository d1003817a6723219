"""unprivileged_test.py LINK_PEER: two processes over memif as an ordinary user without any capability."""
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

NOBODY = 65534


def main():
    peer = sys.argv[1]
    prefix = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            print("SKIP: setpriv is not installed, and this is root")
            sys.exit(77)
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all",
                  "--bounding-set=-all", "--no-new-privs"]
    with tempfile.TemporaryDirectory(prefix="rocelab-net-") as folder:
        # The build tree may be closed to others: run a copy.
        program = shutil.copy(peer, folder)
        if prefix:
            os.chown(folder, NOBODY, NOBODY)
        os.chmod(folder, 0o700)
        socket = os.path.join(folder, "link")
        server = subprocess.Popen([*prefix, program, socket, "server", "echo"], stdout=subprocess.PIPE, cwd=folder)
        try:
            client = subprocess.run([*prefix, program, socket, "client", "ping", "2000", "4096"], cwd=folder, check=False)
            with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
                status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        finally:
            server.kill()
            server.wait()
        capabilities = int(status["CapEff"], 16) if prefix else 0
        who = pwd.getpwuid(int(status["Uid"].split()[0])).pw_name
        print(f"2000 frames there and back as {who}, capabilities {capabilities:#x}: exit status {client.returncode}")
        sys.exit(0 if client.returncode == 0 and capabilities == 0 else 1)


if __name__ == "__main__":
    main()
