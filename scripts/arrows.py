"""Prints which parts of a package import which: arrows.py [--root DIR] [--depth N] [--no-cycles] PACKAGE.

A part (room) is a file or folder at the package's root, or N levels below it. An arrow A -> B means that A imports
from B; its count is the number of such import statements. A cycle is a set of rooms that can all reach each other. It
needs only the standard library and does not run the source, so it works on any checkout (--root).
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Arrow = tuple[str, str]


def modules(root: Path, package: str) -> dict[str, Path]:
    """Every module of `package` under `root`, by its dotted name."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules out of `known` that each import statement of `source` names, once a statement."""
    for node in ast.walk(ast.parse(source)):
        names: set[str] = set()
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from package import name`: the name is a module, or else it stands in the package's __init__.
            names = {name if name in known else node.module for name in inside}
        yield from sorted(names & set(known))


def room(module: str, depth: int) -> str:
    """The room that a module is in: up to `depth` names after the package's; the package's own file is __init__."""
    return ".".join(module.split(".")[1 : depth + 1]) or "__init__"


def arrows(root: Path, package: str, depth: int) -> tuple[set[str], Counter[Arrow]]:
    """All rooms, and each arrow between two of them with its count."""
    known = modules(root, package)
    counts: Counter[Arrow] = Counter()
    for module, path in known.items():
        for target in imported(path.read_text("utf-8"), known):
            if room(module, depth) != room(target, depth):
                counts[room(module, depth), room(target, depth)] += 1
    rooms = {room(module, depth) for module, path in known.items() if path.stat().st_size}  # not an empty __init__
    return rooms, counts


def cycles(links: Iterable[Arrow]) -> list[list[str]]:
    """The sets of more than one room in which each room reaches every other."""
    direct: dict[str, set[str]] = {}
    for source, target in links:
        direct.setdefault(source, set()).add(target)

    def reached(start: str) -> frozenset[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in direct.get(todo.pop(), set()) - seen:
                seen.add(target)
                todo.append(target)
        return frozenset(seen)

    reach = {source: reached(source) for source in direct}
    # A room reaches itself only through another one, so each group has at least two.
    groups = {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in direct if a in reach[a]}
    return sorted(sorted(group) for group in groups)


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help="a folder of the checkout, such as rtserver")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="another checkout")
    parser.add_argument("--depth", type=int, default=1, help="levels below the package that are rooms (default 1)")
    parser.add_argument("--no-cycles", action="store_true", help="exit with status 1 when there is a cycle")
    args = parser.parse_args(arguments)
    if not (args.root / args.package).is_dir():
        parser.error(f"expected a package, found no folder {args.root / args.package}")
    if args.depth < 1:
        parser.error(f"expected a depth of at least 1, found {args.depth}")
    rooms, counts = arrows(args.root, args.package, args.depth)
    for source in sorted(rooms):
        targets = [f"{target} ({count})" for (a, target), count in sorted(counts.items()) if a == source]
        print(f"{source} -> {', '.join(targets) or 'nothing'}")
    found = cycles(counts)
    for group in found:
        print(f"cycle: {', '.join(group)}")
    print(f"{len(rooms)} rooms, {len(counts)} arrows, {len(found)} cycles")
    return int(args.no_cycles and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
