"""Makes or repairs .venv: python scripts/setup.py [cpu] [dev] [listen] [services] [browser]. Needs only the standard
library.

`services` and `browser` are not Python packages but programs from Debian packages (debian.py).

If it is interrupted, the next run continues. A group counts as installed only if it has an entry in the stamp. The
entry is removed before the group's packages are changed, and written when all of them are installed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from debian import install_packages, missing_packages, run_quietly
from environment import Environment, check_disk, check_platform, locked_names
from interpreter import SetupError
from stamp import digest, read_stamp, stale, write_stamp

GROUPS = ("cpu", "dev", "listen")
PROGRAMS = ("services", "browser")
STAMP = "setup-stamp.json"
NEEDED_GB = 4.0
# The size of each group's download, for the message only.
ABOUT = {"cpu": "about 500 MB", "dev": "about 80 MB", "listen": "about 200 MB"}


class Workplace(Protocol):
    """What the set-up needs of an Environment."""

    folder: Path

    @property
    def version(self) -> str: ...
    def works(self) -> bool: ...
    def make(self) -> None: ...
    def repair(self) -> list[str]: ...
    def install_torch(self, requirements: Path) -> None: ...
    def install_lock(self, lock: Path) -> None: ...
    def install_project(self) -> None: ...
    def drop_cuda_libraries(self) -> None: ...
    def check(self) -> None: ...


@dataclass(frozen=True)
class Step:
    """A piece of the work."""

    title: str
    work: Callable[[], None]
    # The group that is completely installed afterwards.
    completes: str | None = None


def digests(root: Path, version: str) -> dict[str, str]:
    """For each group a digest of everything that its installation depends on."""
    files = {group: [f"{group}.txt"] for group in GROUPS}
    files["cpu"] += ["torch.txt", "build.txt"]
    made = {
        group: digest([version.encode(), *((root / "requirements" / name).read_bytes() for name in names)])
        for group, names in files.items()
    }
    # The root is part of the digest: the project is installed in place, so a moved checkout must be installed again.
    projects = [(folder / "pyproject.toml").read_bytes() for folder in (root, root / "clients")]
    made["project"] = digest([version.encode(), os.fsencode(root), *projects])
    return made


def plan(environment: Workplace, root: Path, todo: Sequence[str], say: Callable[[str], None]) -> list[Step]:
    """The steps that install the groups of `todo`, in order."""
    requirements = root / "requirements"

    def prepare() -> None:
        if not environment.works():
            environment.make()
        broken = environment.repair()
        if broken:
            say(f"left by an interruption, to be installed again: {', '.join(broken)}")
        environment.install_lock(requirements / "build.txt")

    def packages(group: str) -> Callable[[], None]:
        def work() -> None:
            environment.install_lock(requirements / f"{group}.txt")
            environment.drop_cuda_libraries()

        return work

    def title(group: str) -> str:
        count = len(locked_names((requirements / f"{group}.txt").read_text("utf-8")))
        return f"{count} packages of requirements/{group}.txt, {ABOUT[group]}"

    steps = [Step("Python environment in .venv", prepare)]
    if "cpu" in todo:
        torch = requirements / "torch.txt"
        name = next(line.rstrip(" \\") for line in torch.read_text("utf-8").splitlines() if line.startswith("torch=="))
        steps += [
            Step(f"{name}, about 200 MB", lambda: environment.install_torch(torch)),
            Step(title("cpu"), packages("cpu")),
            Step("trying the packages", environment.check, completes="cpu"),
        ]
    steps += [Step(title(group), packages(group), completes=group) for group in ("dev", "listen") if group in todo]
    if "project" in todo:
        steps.append(Step("this project, in place", environment.install_project, completes="project"))
    return steps


def set_up(environment: Workplace, root: Path, groups: Sequence[str], say: Callable[[str], None]) -> None:
    """Installs `groups` and the project in `environment`, if they are not installed yet. Raises SetupError."""
    stamp = environment.folder / STAMP
    wanted = [*groups, "project"]
    done = read_stamp(stamp)
    version = environment.version
    todo = stale(wanted, digests(root, version), done)
    if version and not todo:
        return
    if environment.works():
        done = {group: value for group, value in done.items() if group not in todo}
        write_stamp(stamp, done)
    else:
        check_disk(root, NEEDED_GB)
        done, todo = {}, wanted
    steps = plan(environment, root, todo, say)
    for number, step in enumerate(steps, 1):
        say(f"[{number}/{len(steps)}] {step.title}")
        started_s = time.monotonic()
        step.work()
        say(f"done in {time.monotonic() - started_s:.0f} s")
        if step.completes is not None:
            done[step.completes] = digests(root, environment.version)[step.completes]
            write_stamp(stamp, done)


@contextmanager
def alone_in(folder: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Waits until no other set-up works in `folder`. Yields the lock's file descriptor. If a set-up is killed, its pip
    holds the lock until it ends."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this folder, or one that was stopped is ending: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def show(line: str) -> None:
    """Prints to standard error, because standard output belongs to the command that follows."""
    print(line if line.startswith("[") else f"      {line}", file=sys.stderr, flush=True)


def parse_groups(arguments: Sequence[str]) -> list[str]:
    """The groups of Python packages to install, `cpu` first. Raises SetupError for an unknown name."""
    known = (*GROUPS, *PROGRAMS)
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise SetupError(f"Expected groups out of {', '.join(known)}; found {', '.join(unknown)}.")
    return [group for group in GROUPS if group == "cpu" or group in arguments]


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    root = Path(__file__).resolve().parent.parent
    try:
        groups = parse_groups(arguments)
        check_platform()
        with alone_in(root, show) as lock:
            set_up(Environment(root, show, [lock]), root, groups, show)
            missing = [name for group in PROGRAMS if group in arguments for name in missing_packages(root, group)]
            install_packages(missing, show, run_quietly, os.geteuid() == 0)
    except SetupError as error:
        print(f"\nsetup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted. Run the same command again: it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
