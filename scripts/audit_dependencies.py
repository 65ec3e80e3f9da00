"""`make audit-dependencies`: the licences of all that Rote needs, and the weaknesses that are known of it.

Licences are read from what is installed. Weaknesses are asked of `pip-audit`, in an environment of its own; without
a network that is said in one line.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

_OURS = ("dev", "docs", "bench")
"""Extras for those who work on Rote; all others a person may install beside the plain package."""
_PERMITTED = re.compile(
    r"\b(apache|lesser general|lgpl\w*|0?bsd|mit|mit-\w+|isc|iscl|psf\w*|python software|mpl|mozilla|zlib|"
    r"unlicense|hpnd|cc0|public domain)\b",
    re.I,
)
"""Those under which a package may be used as it is by one under the Apache licence."""
_NOT_PERMITTED = re.compile(r"\bA?GPL|(?<!lesser )\bgeneral public|\baffero\b|\bproprietary\b", re.I)
_NVIDIA = re.compile(r"^(nvidia|cuda)-|^triton$")
"""What torch brings on some systems, under terms of its maker; it is not handed on with Rote."""
_SECONDS = 300


def main() -> None:
    """Print both, and leave with 1 for a licence that is not permitted or a weakness that is known."""
    extras = distribution("rote").metadata.get_all("Provides-Extra") or ()
    found = list_dependencies("rote", tuple(extra for extra in extras if extra not in _OURS))
    faults = [one for one in found if not is_permitted(one)]
    for one in found:
        print(f"{one.name}=={one.version}: {describe_licence(one)[:80]}")
    for one in faults:
        print(
            f"{one.name}: its licence is not one of those that are permitted; look at it, or do without",
            file=sys.stderr,
        )
    print(f"licences: {len(found)} packages, {len(faults)} not permitted", flush=True)
    sys.exit(max(bool(faults), audit(found)))


def list_dependencies(name: str, extras: tuple[str, ...]) -> list[Distribution]:
    """All that is installed of what a package needs, by name, without the package itself."""
    found: dict[str, Distribution] = {}
    left, seen = [(name, frozenset(extras))], set()
    while left:
        wanted = left.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            found[wanted[0]] = distribution(wanted[0])
        except PackageNotFoundError:  # an extra that is not installed here
            continue
        left += _list_needed(found[wanted[0]], wanted[1])
    return [one for other, one in sorted(found.items()) if other != name]


def _list_needed(one: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for needed in map(Requirement, one.requires or ()):
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield re.sub(r"[-_.]+", "-", needed.name).lower(), frozenset(needed.extras)


def describe_licence(one: Distribution) -> str:
    """What a package says of its licence: an expression, classifiers, or a few words."""
    about = one.metadata
    classifiers = [
        line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")
    ]
    said = [about[key].strip() for key in ("License-Expression", "License") if key in about]
    return ", ".join(filter(None, [*said, *classifiers])) or "unknown"


def is_permitted(one: Distribution) -> bool:
    """Whether Rote may need a package."""
    said = describe_licence(one)
    is_free = _PERMITTED.search(said) and (not _NOT_PERMITTED.search(said) or " OR " in said)
    return bool(is_free or _NVIDIA.search(one.name.lower()))


def audit(found: list[Distribution]) -> int:
    """Ask `pip-audit` about the versions that are installed; 1 for a weakness, and 0 where nobody can be asked."""
    with tempfile.TemporaryDirectory() as place:
        listed, answer, program = (Path(place) / name for name in ("listed.txt", "answer.json", "venv/bin/pip-audit"))
        listed.write_text("".join(f"{one.name}=={one.version.split('+')[0]}\n" for one in found), encoding="utf-8")
        try:
            _call([sys.executable, "-m", "venv", str(program.parents[1])])
            _call([str(program.with_name("pip")), "install", "--quiet", "--retries=1", "--timeout=20", "pip-audit"])
        except (OSError, subprocess.SubprocessError):
            print("weaknesses: not checked, as pip-audit cannot be installed (is there a network?)", file=sys.stderr)
            return 0
        flags = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", f"--output={answer}"]
        done = subprocess.run([str(program), *flags, "--requirement", str(listed)], capture_output=True, check=False)
        if not answer.is_file():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            print(f"weaknesses: not checked, as pip-audit failed ({''.join(last)})", file=sys.stderr)
            return 0
        return tell(json.loads(answer.read_text(encoding="utf-8"))["dependencies"])


def tell(asked: list[dict[str, Any]]) -> int:
    """Print what `pip-audit` knows, package by package; 1 where it knows of a weakness."""
    weak = [one for one in asked if one.get("vulns")]
    for one in weak:
        print(f"{one['name']}=={one['version']}: {', '.join(known['id'] for known in one['vulns'])}", file=sys.stderr)
    skipped = sum("skip_reason" in one for one in asked)
    unknown = f"; {skipped} are not known to the service, or it cannot be reached" if skipped else ""
    print(f"weaknesses: {len(asked)} packages, {len(weak)} with known ones{unknown}")
    return int(bool(weak))


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)


if __name__ == "__main__":
    main()
