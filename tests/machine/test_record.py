"""What the installer does to files of others, and that its record undoes it; no root and no systemd is needed."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOT = "[pi4]\narm_boost=1\n"


def do(folder: Path, script: str) -> str:
    """Run a script with the installer's functions, whose record lies in this folder."""
    whole = f"""
set -euo pipefail
root={ROOT}
. "$root/deploy/lib.sh"
. "$root/deploy/box.sh"
record={folder}/record
touch "$record"
changed=
{script}
"""
    done = subprocess.run(["bash", "-c", whole], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("before", [BOOT, "", BOOT.rstrip("\n")])
def test_lines_in_a_file_of_others_go_and_leave_what_came_later(tmp_path: Path, before: str) -> None:
    config = tmp_path / "config.txt"
    config.write_text(before)
    do(tmp_path, f"add_block {config} <<<'dtparam=spi=on'")
    assert config.read_text().splitlines() == [
        *before.splitlines(),
        "# Latent begins.",
        "dtparam=spi=on",
        "# Latent ends.",
    ]
    assert (tmp_path / "config.txt.before-latent").read_text() == before

    with config.open("a") as file:
        file.write("dtoverlay=hifiberry-dacplus\n")
    do(tmp_path, f"undo block {config}")
    assert config.read_text().splitlines() == [*before.splitlines(), "dtoverlay=hifiberry-dacplus"]
    assert (tmp_path / "record").read_text() == ""
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.txt", "record"]


def test_a_file_that_was_there_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "latent.conf"
    path.write_text("theirs\n")
    do(tmp_path, f"put {path} <<<ours; put {path} <<<'ours, newer'")
    assert path.read_text() == "ours, newer\n"
    do(tmp_path, f"undo backup {path}")
    assert path.read_text() == "theirs\n"


def test_a_file_that_held_the_very_same_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "latent.conf"
    path.write_text("the same\n")
    path.chmod(0o644)
    assert do(tmp_path, f"put {path} <<<'the same'; echo \"$changed\"") == "\n"
    assert (tmp_path / "record").read_text() == ""


def test_what_was_made_is_removed_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "made/by us/latent.conf"
    do(tmp_path, f"put '{path}' <<<ours")
    assert path.read_text() == "ours\n"
    noted = (tmp_path / "record").read_text().splitlines()
    assert noted[0] == f"file {path}"
    for line in (noted[0], *reversed(noted[1:])):
        what, _, where = line.partition(" ")
        do(tmp_path, f"undo {what} '{where}'")
    assert [each.name for each in tmp_path.iterdir()] == ["record"]


def test_a_mask_that_somebody_replaced_stays(tmp_path: Path) -> None:
    unit = tmp_path / "pulseaudio.socket"
    do(tmp_path, f"mask {unit}")
    assert str(unit.readlink()) == "/dev/null"
    unit.unlink()
    unit.write_text("[Socket]\n")
    do(tmp_path, f"undo mask {unit}")
    assert unit.read_text() == "[Socket]\n"
