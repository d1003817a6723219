"""The house rules as functions: each takes the root of a tree and returns its violations as lines `FILE:LINE: what`.

Used by run.py (the tests of suite `house`) and by selftest.py, which feeds them trees that must fail. Python's standard
library only, so that it runs on any machine that builds the project.
"""
import os
import pathlib
import re

from rules import BANNED_CALLS, LINES_MAX, MAY_USE, SYSTEM_HEADERS

CODE = {".h", ".cc", ".c", ".cpp", ".hpp"}
TEXT = CODE | {".md", ".py", ".sh", ".txt", ".build", ".toml", ".in", ".map", ".options", ".yml", ".ini", ""}
TOP_FOLDERS = ("src", "drivers", "tests", "perf", "examples")


def files(root, suffixes):
    """Paths relative to root, sorted; build trees, hidden folders (but .ci) and captured data are left out."""
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(s for s in subfolders if (s == ".ci" or not s.startswith("."))
                               and not s.startswith("build") and s not in ("__pycache__", "golden", "corpus")
                               and not os.path.exists(os.path.join(folder, s, "meson-private")))
        found += [pathlib.Path(folder, n).relative_to(root) for n in names
                  if n != ".git" and pathlib.Path(n).suffix in suffixes]
    return sorted(found)


def code_files(root):
    return [f for f in files(root, CODE) if f.parts[0] in TOP_FOLDERS]


def text(root, path):
    return pathlib.Path(root, path).read_text(encoding="utf-8", errors="replace")


def without_comments_and_strings(source):
    """Blanks them out, keeping line numbers."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'',
                       re.DOTALL)
    keep_includes = re.compile(r'^\s*#\s*include')

    def blank(match):
        return " " + "\n" * match.group(0).count("\n")

    lines = source.split("\n")
    return token.sub(blank, "\n".join("" if keep_includes.match(line) else line for line in lines))


def under(path, prefixes):
    return any(path.as_posix() == p or path.as_posix().startswith(p + "/") for p in prefixes)


def room(path):
    """The folder of the dependency table that a file belongs to, or None: src/net/dpdk/x.h -> net."""
    parts = path.parts
    name = "/".join(parts[:2]) if parts[0] == "drivers" else (parts[1] if parts[0] == "src" and len(parts) > 2 else None)
    return name if name in MAY_USE else None


def allowed(folder):
    """folder and everything it may use, directly or through those it uses."""
    seen, todo = set(), [folder]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += MAY_USE[name]
    return seen


def includes(root, path):
    for number, line in enumerate(text(root, path).split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, match.group(1), match.group(2)


def check_includes(root):
    """The dependency table, and system headers that only some folders may see."""
    bad = []
    for path in code_files(root):
        mine = room(path)
        if path.parts[0] == "src" and len(path.parts) > 2 and mine is None:
            bad.append(f"{path}:1: the folder src/{path.parts[1]} is not in the dependency table (tests/house/rules.py)")
            continue
        for number, own, system in includes(root, path):
            if own and mine:
                target = room(pathlib.Path(own if own.startswith("drivers/") else "src/" + own))
                if target is None:
                    bad.append(f'{path}:{number}: #include "{own}": includes are written from the root of src ("wire/bth.h")')
                elif target not in allowed(mine):
                    may = ", ".join(sorted(allowed(mine) - {mine})) or "nothing"
                    bad.append(f'{path}:{number}: #include "{own}": dependency table: {mine} may use {may}; not {target}')
            if own and not mine and own.startswith("../"):
                bad.append(f'{path}:{number}: #include "{own}": no relative includes')
            name = system or own
            for pattern, only, banned, rule in SYSTEM_HEADERS:
                if not re.fullmatch(pattern, name) or (own and only is None):
                    continue
                if (only is not None and not under(path, only)) or (banned is not None and under(path, banned)):
                    bad.append(f"{path}:{number}: #include <{name}>: {rule}")
    return bad


def check_calls(root):
    """Banned calls, each with its replacement."""
    bad = []
    rules = [(re.compile(pattern), where, rule) for pattern, where, rule in BANNED_CALLS]
    for path in code_files(root):
        applying = [(pattern, rule) for pattern, where, rule in rules if under(path, where)]
        if not applying:
            continue
        for number, line in enumerate(without_comments_and_strings(text(root, path)).split("\n"), 1):
            for pattern, rule in applying:
                match = pattern.search(line)
                if match:
                    bad.append(f"{path}:{number}: `{match.group(0).strip()}`: {rule}")
    return bad


def check_files(root):
    """Size, opening comment, include guard; promises left behind; paths of one machine."""
    bad = []
    promise = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    machine = re.compile(r"(?<![\w.$})/-])/(ho" r"me|ro" r"ot|wo" r"rk)/\w")
    for path in files(root, TEXT):
        if path.name in ("LICENSE", ".git") or (path.suffix == "" and b"\0" in pathlib.Path(root, path).read_bytes()[:4096]):
            continue
        lines = text(root, path).split("\n")
        for number, line in enumerate(lines, 1):
            if promise.search(line):
                bad.append(f"{path}:{number}: `{promise.search(line).group(0)}`: do it now, or write an issue")
            if machine.search(line):
                bad.append(f"{path}:{number}: a path of one machine: use a variable or a path relative to the tree")
        if path.suffix not in CODE and path.suffix not in (".py", ".sh"):
            continue
        if len(lines) - 1 > LINES_MAX:
            bad.append(f"{path}: {len(lines) - 1} lines, more than {LINES_MAX}: which noun wants its own file?")
        if path.suffix in CODE and not re.match(r"//|/\*", lines[0]):
            bad.append(f"{path}:1: a file opens with a comment: what it is, who owns it, who calls it")
        if path.suffix == ".h" and not any(line.startswith("#pragma once") for line in lines):
            bad.append(f"{path}:1: no #pragma once")
    return bad


def check_readmes(root):
    """Every folder with code or a meson.build says what is in it."""
    folders = {f.parent for f in files(root, CODE | {".py", ".build"})}
    return [f"{folder}/: no README.md: say what is in it and what it may depend on"
            for folder in sorted(folders) if not pathlib.Path(root, folder, "README.md").is_file()]


def check_packages(root):
    """docs/dependencies.md gives a reason for every package of tools/packages.txt, and for no other."""
    listing, document = "tools/packages.txt", "docs/dependencies.md"
    listed = set()
    for line in text(root, listing).split("\n"):
        line = line.split("#")[0].strip()
        if line and not line.startswith("["):
            listed |= {name.strip() for name in line.split("|") if not name.strip().startswith("command:")}
    explained = set()
    for line in text(root, document).split("\n"):
        cells = line.split("|")
        if len(cells) > 2 and not cells[1].strip().startswith("---"):
            explained |= set(re.findall(r"`([^`]+)`", cells[1]))
    return ([f"{document}:1: no reason for `{name}`, which {listing} installs" for name in sorted(listed - explained)]
            + [f"{document}:1: `{name}` is explained, but {listing} does not install it"
               for name in sorted(explained - listed)])
