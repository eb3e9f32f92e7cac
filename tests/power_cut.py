"""A disk that loses its power: everything that may lie on it after each single operation, whatever was not yet safe.

What runs inside `recorded` works on a real folder, and what it does to files is looked at as it does it. The disk is
taken for as bad as it may be. Until a file was synced, it holds what it held before, all of what was written, the first
half of it, or zeros. Until a folder was synced, each of its names stands for anything that it stood for since, each
name for itself, whatever the order; only that one name goes from one file to another in one move is relied on.
"""

import contextlib
import itertools
import math
import os
import random
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# All operations by which names and what is safe change; what is written in between is seen with the next of them.
_OPERATIONS = (
    "open",
    "close",
    "rename",
    "replace",
    "unlink",
    "remove",
    "link",
    "symlink",
    "mkdir",
    "rmdir",
    "truncate",
)
# What names stand for: the path below the folder, and the content, None for a folder.
Tree = tuple[tuple[str, bytes | None], ...]
_MOST_TREES = 100


@dataclass
class _Node:
    """A file or a folder: what is safe comes first, what is there now last."""

    contents: list[bytes] | None = None
    names: dict[str, list[int | None]] = field(default_factory=dict)

    def copy(self) -> "_Node":
        return _Node(self.contents and list(self.contents), {name: list(kept) for name, kept in self.names.items()})


class Moment:
    """What was safe and what was not at some moment; ``label`` is what was under way."""

    def __init__(self, label: str, root: int, nodes: dict[int, _Node]) -> None:
        self.label = label
        self._root = root
        self._nodes = {number: node.copy() for number, node in nodes.items()}

    def trees(self) -> list[Tree]:
        """Give all that may lie on the disk once the power comes back; of very many, some."""
        return self._folder(self._root, "")

    def _folder(self, number: int, path: str) -> list[Tree]:
        each = [self._named(kept, f"{path}{name}") for name, kept in sorted(self._nodes[number].names.items())]
        if math.prod(map(len, each)) <= _MOST_TREES:
            picked = list(itertools.product(*each))
        else:
            chance = random.Random(7)
            picked = [tuple(chance.choice(some) for some in each) for _ in range(_MOST_TREES)]
        return list(dict.fromkeys(tuple(itertools.chain(*parts)) for parts in picked))

    def _named(self, kept: list[int | None], path: str) -> list[Tree]:
        found: list[Tree] = []
        for number in kept:
            if number is None:
                found.append(())
            elif (contents := self._nodes[number].contents) is None:
                found += [((path, None), *tree) for tree in self._folder(number, f"{path}/")]
            else:
                found += [((path, content),) for content in _torn(contents)]
        return list(dict.fromkeys(found))


def _torn(contents: list[bytes]) -> list[bytes]:
    """Give what a file may hold: the first content is safe, the others were written since."""
    found = list(contents)
    for content in contents[1:]:
        found += [b"", content[: len(content) // 2], bytes(len(content))]
    return list(dict.fromkeys(found))


class Recorder:
    """Keeps a `Moment` after every operation below a folder; ``label`` is for the caller to set."""

    def __init__(self, root: Path) -> None:
        self.label = ""
        self.moments: list[Moment] = []
        self._root = root
        self._nodes: dict[int, _Node] = {}
        # Held open, so that no number is given to another file.
        self._held: list[int] = []
        self._open = os.open
        self._look()
        for number in list(self._nodes):
            self._settle(number)

    def note(self) -> None:
        """Keep how things are now."""
        self._look()
        self.moments.append(Moment(self.label, self._root.stat().st_ino, self._nodes))

    def sync(self, handle: int) -> None:
        """Take what is open for safe; what is in a folder is not safe because the folder is."""
        self.note()
        self._settle(os.fstat(handle).st_ino)
        self.note()

    def close(self, real_close: Callable[[int], None]) -> None:
        for handle in self._held:
            real_close(handle)

    def _settle(self, number: int) -> None:
        node = self._nodes.get(number)
        if node is None:
            return
        if node.contents is not None:
            del node.contents[:-1]
        node.names = {name: kept[-1:] for name, kept in node.names.items() if kept[-1] is not None}

    def _look(self) -> None:
        for folder, folders, files in os.walk(self._root):
            node = self._node(Path(folder))
            now = {name: (Path(folder) / name).lstat().st_ino for name in (*folders, *files)}
            for name in now.keys() | node.names.keys():
                kept = node.names.setdefault(name, [None])
                if kept[-1] != now.get(name):
                    kept.append(now.get(name))
            for name in files:
                self._read(Path(folder) / name)

    def _read(self, path: Path) -> None:
        contents = self._node(path).contents
        content = path.read_bytes()
        if contents is not None and contents[-1] != content:
            contents.append(content)

    def _node(self, path: Path) -> _Node:
        there = path.lstat()
        if not (stat.S_ISDIR(there.st_mode) or stat.S_ISREG(there.st_mode)):
            raise NotImplementedError(f"{path} is neither file nor folder")
        if there.st_ino not in self._nodes:
            self._held.append(self._open(path, os.O_RDONLY | os.O_NOFOLLOW))
            self._nodes[there.st_ino] = _Node(None if stat.S_ISDIR(there.st_mode) else [b""])
        return self._nodes[there.st_ino]


@contextlib.contextmanager
def recorded(root: Path) -> Iterator[Recorder]:
    """Record what this process does below a folder that exists; what is in it is safe."""
    recorder = Recorder(root)
    busy = False

    def watched(real: Callable[..., Any], after: Callable[..., object]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            nonlocal busy
            result = real(*words, **named)
            if not busy:
                busy = True
                try:
                    after(*words)
                finally:
                    busy = False
            return result

        return call

    reals = {name: getattr(os, name) for name in (*_OPERATIONS, "fsync", "fdatasync")}
    try:
        for name in _OPERATIONS:
            setattr(os, name, watched(reals[name], lambda *_: recorder.note()))
        os.fsync = os.fdatasync = watched(lambda _: None, recorder.sync)
        yield recorder
    finally:
        # Somebody may have kept one of them, to call it later.
        busy = True
        for name, real in reals.items():
            setattr(os, name, real)
        recorder.close(reals["close"])


def laid_out(tree: Tree, folder: Path) -> None:
    """Put what may lie on the disk into a folder that is made for it."""
    folder.mkdir()
    for name, content in tree:
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
