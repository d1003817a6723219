"""Loads a library of the distribution on top of our libibverbs.so.1, all symbols bound at once: loads.py OUR_FOLDER NAME.
NAME is a shared library, or python:MODULE of the distribution's Python. Skips (77) when it is not installed."""
import ctypes
import ctypes.util
import importlib.util
import os
import sys

DISTRIBUTION_PYTHON = "/usr/bin/python3"
PLUGIN_FOLDERS = ["/usr/lib/x86_64-linux-gnu/ucx", "/usr/lib/aarch64-linux-gnu/ucx", "/usr/lib64/ucx"]


def mapped_libibverbs():
    with open("/proc/self/maps") as maps:
        return {line.split()[-1] for line in maps if "libibverbs.so" in line}


def main():
    folder, name = os.path.realpath(sys.argv[1]), sys.argv[2]
    if "LOADS_STARTED" not in os.environ:  # the library path is read by the loader at start only
        use = name.startswith("python:") and os.access(DISTRIBUTION_PYTHON, os.X_OK)
        python = DISTRIBUTION_PYTHON if use else sys.executable
        os.environ["LOADS_STARTED"] = "yes"
        os.environ["LD_LIBRARY_PATH"] = folder + ":" + os.environ.get("LD_LIBRARY_PATH", "")
        os.execv(python, [python, *sys.argv])
    if name.startswith("python:"):
        module = name.removeprefix("python:")
        if importlib.util.find_spec(module.split(".")[0]) is None:
            print(f"SKIP: no Python module {module}")
            sys.exit(77)
        importlib.import_module(module)
    else:
        try:
            name = next((path for d in PLUGIN_FOLDERS if os.path.exists(path := os.path.join(d, name))), name)
            ctypes.CDLL(name, mode=os.RTLD_NOW | os.RTLD_GLOBAL)
        except OSError as error:
            if "cannot open shared object file" in str(error) and name in str(error):
                print(f"SKIP: {name} is not installed")
                sys.exit(77)
            raise
    libraries = mapped_libibverbs()
    print(f"{name} is loaded with {libraries}")
    sys.exit(0 if libraries and all(path.startswith(folder) for path in libraries) else 1)


main()
