"""Install what Qt needs from the system to open a window without a display, where that is allowed.

Run by tox before the tests. It only ever adds packages, on Debian and its kin, as root or with a sudo that asks no
password. Elsewhere, and where it fails, it prints the one line to run; tests that need no window run all the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = [
    "xvfb",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libxkbcommon-x11-0",
    "libdbus-1-3",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxcb-xfixes0",
    "libfontconfig1",
]


def missing_packages() -> list[str]:
    """Return the packages that are not installed; none where there is no dpkg."""
    if shutil.which("dpkg-query") is None:
        return []
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *PACKAGES]
    listed = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in listed.splitlines() if line.endswith(" installed")}
    return [name for name in PACKAGES if name not in installed]


def privilege() -> list[str] | None:
    """Return what to put before a command to run it as root, or None where that is not allowed."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "--non-interactive"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0:
        return sudo
    return None


def install(packages: list[str], prefix: list[str]) -> bool:
    """Run apt-get and say whether it worked; it waits for no answer, and half a minute for its lock."""
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    apt = [*prefix, *environment, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=30"]
    for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", "--yes", *packages]):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode:
            return False
    return True


def main() -> None:
    """Install what is missing, or print the line that does."""
    missing = missing_packages()
    if not missing:
        return
    prefix = privilege() if shutil.which("apt-get") else None
    if prefix is None or not install(missing, prefix):
        line = f"sudo apt-get install --no-install-recommends --yes {' '.join(missing)}"
        sys.stdout.write(f"Tests that open a window need system packages. To install them, run\n  {line}\n")


if __name__ == "__main__":
    main()
