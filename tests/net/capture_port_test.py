"""capture_port_test.py PORT_TOOL WORK_FOLDER: what a tap writes is what tshark reads: both directions of every packet."""
import os
import shutil
import subprocess
import sys

import tshark_test

COUNT = 30


def main():
    if shutil.which("tshark") is None:
        print("SKIP: tshark is not installed")
        sys.exit(77)
    tool, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    capture = os.path.join(folder, "tap.pcapng")
    subprocess.run([tool, "capture", capture, str(COUNT)], check=True)
    fields = ["frame.interface_name", "frame.packet_flags_direction", "infiniband.bth.psn", "_ws.malformed"]
    rows = tshark_test.tshark(capture, fields)
    wrong = []
    for number, row in enumerate(rows):
        outgoing, inward = 2, 1
        direction = int(row[1], 0)
        expected = ["loopback", outgoing if number % 2 == 0 else inward, str(number // 2), ""]
        if [row[0], direction, row[2], row[3]] != expected:
            wrong.append(f"packet {number + 1}: expected {expected}, tshark says {row}")
    if len(rows) != 2 * COUNT:
        wrong.append(f"expected {2 * COUNT} packets, tshark sees {len(rows)}")
    print("\n".join(wrong) or f"{len(rows)} packets, both directions of each")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
