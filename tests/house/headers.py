"""Compiles every header alone: headers.py ROOT BUILD_DIR. A header that needs another one before it fails, by name.

Each header becomes a translation unit of one include, with the flags its folder's own sources are compiled with (from
compile_commands.json); syntax only, all processors. A header whose folder builds nothing gets the flags of src/base.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

import house


def flags_by_folder(root, build_dir):
    """Folder -> (compiler, include paths, defines and machine options)."""
    flags = {}
    for entry in json.loads(pathlib.Path(build_dir, "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if source.suffix not in (".cc", ".cpp") or root not in source.parents:
            continue
        words = [w for w in shlex.split(entry["command"]) if w != "ccache"]
        keep = [w for i, w in enumerate(words[1:], 1)
                if w.startswith(("-I", "-D", "-std=", "-isystem", "-m", "-W", "-f")) or words[i - 1] in ("-include", "-isystem")
                or w == "-include"]
        keep = [w for w in keep if not w.startswith(("-fsanitize", "-MF"))]
        flags.setdefault(source.parent.relative_to(root), (words[0], keep))
    return flags


def main():
    root, build_dir = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    flags = flags_by_folder(root, build_dir)
    base = flags[pathlib.Path("src/base")]

    def compile_alone(path):
        compiler, options = flags.get(path.parent) or flags.get(path.parent.parent) or base
        unit = f'#include "{root / path}"\n'
        done = subprocess.run([compiler, *options, "-I", str(root / "src"), "-I", str(root), "-fsyntax-only",
                               "-fdiagnostics-color=never", "-x", "c++", "-", "-o", os.devnull],
                              input=unit, cwd=build_dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, errors="replace", check=False)
        return path, done.returncode, done.stderr

    headers = [f for f in house.code_files(root) if f.suffix == ".h"]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, output in pool.map(compile_alone, headers):
            if status != 0:
                failed += 1
                print(f"{path}: does not compile alone:\n" + "\n".join(output.splitlines()[:6]))
    print(f"{len(headers)} headers, {failed} do not compile alone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
