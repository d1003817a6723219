"""Checks the formatting of all C and C++ files against .clang-format: format.py ROOT. Other major versions of
clang-format lay some lines out differently, so the check is skipped, with a reason, unless version 14 is there."""
import re
import shutil
import subprocess
import sys

import house

VERSION = "14"
SKIPPED = 77


def find_tool():
    for name in ("clang-format-" + VERSION, "clang-format"):
        if shutil.which(name):
            said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout
            if re.search(r"version " + VERSION + r"\.", said):
                return name
    return None


def main():
    tool = find_tool()
    if tool is None:
        print(f"SKIP: clang-format {VERSION} is not installed")
        sys.exit(SKIPPED)
    root = sys.argv[1]
    paths = [f.as_posix() for f in house.code_files(root)]
    done = subprocess.run([tool, "--dry-run", "-Werror", *paths], cwd=root, capture_output=True, text=True, check=False)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    for path in wrong:
        print(f"{path}: not formatted: run {tool} -i {path}")
    if done.returncode != 0 and not wrong:
        print(done.stderr)
    print(f"{len(paths)} files, {len(wrong)} not formatted")
    sys.exit(1 if done.returncode else 0)


if __name__ == "__main__":
    main()
