"""A screen for benchmarks of the window, also where there is none."""

import os
import shutil
import subprocess
import sys


def need_screen() -> None:
    """Where there is no screen, run this command again on a virtual one and exit as that does.

    Raises
    ------
    SystemExit
        With its exit status, or because there is no Xvfb either.
    """
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    program = shutil.which("xvfb-run")
    if program is None:
        raise SystemExit("there is no screen: set DISPLAY, or install Xvfb")
    environment = os.environ | {"LIBGL_ALWAYS_SOFTWARE": "1"}
    screen = ["-a", "-s", "-screen 0 1366x768x24"]
    raise SystemExit(subprocess.run([program, *screen, sys.executable, *sys.argv], env=environment).returncode)
