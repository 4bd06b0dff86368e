"""Run the benchmarks one after the other, with settings that let all of them end within minutes.

``python -m benchmarks`` runs those of `QUICK`; ``python -m benchmarks training_speed --rounds 30`` runs one with its
own settings. The figures in docs/benchmarks.md are of the scripts with their defaults.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
QUICK: dict[str, list[str]] = {
    "training_speed": [
        "--cases",
        "2d-small",
        "2d-large",
        "3d-small-anisotropic",
        "3d-large-isotropic",
        "--rounds",
        "7",
    ],
    "prediction_speed": ["--rounds", "3", "--shrink", "2"],
    "first_preview": [],
    "memory": ["--gib", "0.5"],
    "large": ["--extent", "96", "384", "384", "--rounds", "1", "--pieces", "5000000"],
    "strokes_quality": ["--seeds", "0"],
}
NEEDS_DATA = {"strokes_quality"}


def has_data() -> bool:
    """Tell whether the data sets are there."""
    sys.path.insert(0, str(FOLDER))
    from data import data_folder

    try:
        data_folder("em-membranes-isbi2012")
    except SystemExit as absent:
        print(absent, file=sys.stderr)
        return False
    return True


def main() -> int:
    """Run what is asked for; return 1 if one of them failed."""
    scripts = {path.stem for path in FOLDER.glob("[a-z]*.py")}
    if sys.argv[1:] and sys.argv[1] in scripts:
        return subprocess.call([sys.executable, str(FOLDER / f"{sys.argv[1]}.py"), *sys.argv[2:]])
    if sys.argv[1:]:
        print(f"there is no benchmark {sys.argv[1]!r}; there are {', '.join(sorted(scripts))}", file=sys.stderr)
        return 2
    failed = []
    for name, settings in QUICK.items():
        if name in NEEDS_DATA and not has_data():
            print(f"{name} is left out", file=sys.stderr)
        elif subprocess.call([sys.executable, str(FOLDER / f"{name}.py"), *settings]):
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
