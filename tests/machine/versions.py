"""Versions to install: this one, as deploy/bundle packs it, and others made of it."""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["OF_THIS_MACHINE", "another", "unpacked"]

ROOT = Path(__file__).parents[2]
OF_THIS_MACHINE = ("--arch", platform.machine(), "--python", f"{sys.version_info.major}.{sys.version_info.minor}")
"""Options of deploy/bundle for packages that go with this very Python."""


def unpacked(folder: Path, *options: str) -> Path:
    """Make with deploy/bundle what it makes with these options, and unpack it there; gives its folder `latent`.

    Raises
    ------
    AssertionError
        If it cannot be made; with what was said.
    """
    bundle = folder / "latent.tar"
    done = subprocess.run([ROOT / "deploy/bundle", *options, bundle], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "-C", folder, "-xf", bundle], check=True)
    bundle.unlink()
    return folder / "latent"


def another(version: Path, folder: Path, number: str, wheels: str, added: Mapping[str, str]) -> Path:
    """Make another version of an unpacked one.

    Parameters
    ----------
    version, folder : Path
        The one, and where the other is made; nothing may be there yet.
    number : str
        Its version.
    wheels : str
        Where the box finds the same packages.
    added : mapping
        What is added to the ends of which files, as "appliance/errors.py".
    """
    shutil.copytree(version, folder, ignore=shutil.ignore_patterns("wheels"))
    (folder / "wheels").symlink_to(wheels)
    project = folder / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"', f'version = "{number}"', project.read_text()))
    for name, text in added.items():
        with (folder / name).open("a") as file:
            file.write(text)
    return folder
