"""Fetches the chart library with `npm ci`, in the build folder, as ~/.npmrc and the environment say. Called by meson.

usage: fetch.py NPM PACKAGE_JSON PACKAGE_LOCK WORK_FOLDER OUTPUT
"""
import os
import pathlib
import shutil
import subprocess
import sys


def main():
    npm, package, lock, work, output = sys.argv[1:]
    folder = pathlib.Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(package, folder / "package.json")
    shutil.copy(lock, folder / "package-lock.json")
    # Few retries: a machine without a registry is to learn it in seconds, not minutes. Packages already in npm's cache
    # are taken from there.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=2",
               "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--fetch-timeout=60000"]
    run = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, env=dict(os.environ, NO_COLOR="1"))
    library = folder / "node_modules/echarts/dist/echarts.min.js"
    if run.returncode != 0 or not library.is_file():
        sys.stderr.write(run.stdout)
        sys.exit("error: the chart library of `rocelab report` could not be fetched: `npm ci` failed (see above). It needs "
                 "an npm registry, as ~/.npmrc names it.\n"
                 "       Without one: meson configure BUILD_FOLDER -Dreport=disabled builds everything but the page.")
    shutil.copy(library, output)


main()
