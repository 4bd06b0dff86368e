"""Build wheel and source archive, install the wheel into a clean environment and try it; run by tox -e package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IN_WHEEL = ["napari_aitrain/napari.yaml", "napari_aitrain/py.typed", "napari_aitrain/cli/main.py"]
IN_ARCHIVE = ["napari.yaml", "src/napari_aitrain/napari.yaml", "pyproject.toml", "LICENSE", "README.md", "tox.ini"]


def run(*command: str | Path) -> str:
    """Run a command outside the source tree and return what it printed."""
    sys.stdout.write(f"$ {' '.join(map(str, command))}\n")
    sys.stdout.flush()
    done = subprocess.run(list(map(str, command)), cwd=ROOT.parent, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def check_contents(dist: Path) -> Path:
    """Check that both archives hold what they must, and return the wheel."""
    (wheel,), (archive,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    source = ROOT / "src"
    wanted = [*IN_WHEEL, *(p.relative_to(source).as_posix() for p in source.rglob("*.py"))]
    wanted += [p.relative_to(source).as_posix() for p in source.rglob("*.j2")]
    starters = [path for path in (source / "napari_aitrain" / "starters").rglob("*") if path.is_file()]
    wanted += [path.relative_to(source).as_posix() for path in starters]
    missing = [name for name in wanted if name not in names]
    with tarfile.open(archive) as tar:
        files = {name.partition("/")[2]: tar.getmember(name) for name in tar.getnames()}
    archived = [*IN_ARCHIVE, *(path.relative_to(ROOT).as_posix() for path in starters)]
    missing += [name for name in archived if name not in files or not (files[name].size or files[name].issym())]
    if missing:
        sys.exit(f"missing from the archives: {', '.join(missing)}")
    return wheel


def main(folder: Path) -> None:
    """Build, look inside, install and try."""
    shutil.rmtree(folder, ignore_errors=True)
    dist, clean = folder / "dist", folder / "clean"
    run(sys.executable, "-m", "build", "--outdir", dist, ROOT)
    wheel = check_contents(dist)
    run(sys.executable, "-m", "virtualenv", clean)
    scripts = clean / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, "npe2")
    for command in (["demo"], ["check"], ["train"], ["predict"], ["evaluate"], ["jobs"], ["models"], []):
        run(scripts / "napari-aitrain", *command, "--help")
    run(scripts / "npe2", "validate", "napari-aitrain")
    sys.stdout.write(f"{wheel.name} is whole and runs\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
