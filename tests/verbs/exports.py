"""Compares what our libibverbs.so.1 exports with the distribution's: exports.py OUR_LIBRARY. Prints what is missing and
what is too much, with versions; both must be empty. Skips (77) without the distribution's library or readelf."""
import pathlib
import shutil
import subprocess
import sys

DIRECTORIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]

PRIVATE = "ROCELAB_PRIVATE"  # the node of what our own preload shim uses


def exported(library):
    """Names as readelf prints them: symbol@VERSION, symbol@@VERSION for the default one. The nodes themselves too."""
    lines = subprocess.run(["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    fields = [line.split() for line in lines]
    return {f[7] for f in fields if len(f) >= 8 and f[0].rstrip(":").isdigit() and f[6] != "UND"
            and f[4] in ("GLOBAL", "WEAK") and not f[7].endswith(PRIVATE)}


def main():
    theirs = next((path for d in DIRECTORIES if (path := pathlib.Path(d, "libibverbs.so.1")).exists()), None)
    if theirs is None or shutil.which("readelf") is None:
        print("SKIP: the distribution's libibverbs.so.1 or readelf is not installed")
        sys.exit(77)
    ours_set, theirs_set = exported(sys.argv[1]), exported(theirs)
    missing, extra = sorted(theirs_set - ours_set), sorted(ours_set - theirs_set)
    for title, names in (("missing", missing), ("exported without need", extra)):
        for name in names:
            print(f"{title}: {name}")
    print(f"{len(theirs_set)} symbols in {theirs}, {len(missing)} missing, {len(extra)} too many")
    sys.exit(1 if missing or extra else 0)


main()
