"""Runs one house rule over the tree: run.py RULE ROOT. Exit status 1 and one line a violation when it is broken."""
import sys

import house

RULES = {"includes": house.check_includes, "calls": house.check_calls, "files": house.check_files,
         "readmes": house.check_readmes, "packages": house.check_packages}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in RULES:
        sys.exit(f"usage: run.py {{{','.join(RULES)}}} ROOT")
    bad = RULES[sys.argv[1]](sys.argv[2])
    for line in bad:
        print(line)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
