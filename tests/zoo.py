"""Bad `.latent` files of every kind, each with the words of its refusal; most are made from the good `small_model`.

`ZOO` maps names to animals.
"""

import dataclasses
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator
from small_model import Members, decode, decoder, good, good_bytes, sealed, unzipped
from zoo_networks import (
    chance,
    claims,
    edited,
    flow,
    grown,
    heavy,
    mixed,
    narrow,
    noise,
    outer,
    outside,
    outside_elsewhere,
    renamed,
    scaled,
    shared,
    trained,
    weights,
    whistle,
)
from zoo_zips import bomb, crowd, encrypted, one_folder, overlapping, symbolic, twice

from appliance.model import archive
from appliance.spectrum import codec

__all__ = ["MEMBERS", "ZOO", "Animal"]

MEMBERS = ("manifest.json", "decoder.onnx", "decoder.fp32.onnx", "encoder.onnx", "atlas.npy", "golden.npz", "CARD.md")

Page = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Animal:
    """A bad file: how it is made in a folder, what its refusal says, and whether copying it again could mend it.

    ``alone`` is True where only a process of its own may look at it.
    """

    build: Callable[[Path], Path]
    says: str
    whole: bool = True
    alone: bool = False


# Tools


def _whole(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """A file of which all bytes were changed."""

    def build(folder: Path) -> Path:
        path = folder / "bad.latent"
        path.write_bytes(change(good_bytes()))
        return path

    return build


def _members(change: Callable[[Members], object]) -> Callable[[Path], Path]:
    """A file of which members were changed in place, all in order by its manifest."""

    def changed(data: bytes) -> bytes:
        members = unzipped(data)
        change(members)
        return sealed(members)

    return _whole(changed)


def _page(change: Callable[[Page], object]) -> Callable[[Path], Path]:
    """A file of which the manifest's page was changed in place."""

    def changed(data: bytes) -> bytes:
        members = unzipped(data)
        page = json.loads(members["manifest.json"])
        change(page)
        return archive.pack({**members, "manifest.json": json.dumps(page).encode()})

    return _whole(changed)


def _told(**told: float) -> Callable[[Path], Path]:
    return _page(lambda page: page["statistics"].update(told))


def _played(make: Callable[[], onnx.ModelProto | bytes], name: str = "decoder.onnx") -> Callable[[Path], Path]:
    """A file with another network in place of one of its own."""

    def change(members: Members) -> None:
        network = make()
        members[name] = network if isinstance(network, bytes) else network.SerializeToString()
        if name == "decoder.onnx":
            del members["decoder.fp32.onnx"]

    return _members(change)


def _heard(make: Callable[[], onnx.ModelProto]) -> Callable[[Path], Path]:
    """A file with another decoder, and golden spectra that agree with it."""

    def change(members: Members) -> None:
        del members["decoder.fp32.onnx"]
        model = make()
        members["decoder.onnx"] = model.SerializeToString()
        members["golden.npz"] = _golden(members, lambda latents: ReferenceEvaluator(model).run(None, {"z": latents})[0])

    return _members(change)


def _golden(members: Members, run: Callable[[np.ndarray], np.ndarray], tolerance_db: float = 0.1) -> bytes:
    with np.load(io.BytesIO(members["golden.npz"])) as golden:
        latents = golden["latents"]
    return archive.pack(
        {
            "latents.npy": archive.pack_array(latents),
            "spectra.npy": archive.pack_array(run(latents)),
            "tolerance_db.npy": archive.pack_array(np.array([tolerance_db])),
        }
    )


def _at(data: bytes, name: str) -> tuple[int, int]:
    """Where a stored member's content begins, and how long it is."""
    content = unzipped(data)[name]
    return data.index(content, data.index(name.encode())), len(content)


def _cut(name: str) -> Callable[[Path], Path]:
    def change(data: bytes) -> bytes:
        start, size = _at(data, name)
        return data[: start + size // 2]

    return _whole(change)


def _flipped(name: str) -> Callable[[Path], Path]:
    def change(data: bytes) -> bytes:
        start, size = _at(data, name)
        place = start + size // 2
        return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

    return _whole(change)


def _zipped(add: Callable[[zipfile.ZipFile], object], **kwargs: Any) -> Callable[[Path], Path]:
    """The good members, and what is added to them, by Python's own means."""

    def change(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", **kwargs) as file:
            add(file)
            for name, content in unzipped(data).items():
                if name not in file.namelist():
                    file.writestr(name, content)
        return out.getvalue()

    return _whole(change)


def _named(name: str) -> Callable[[Path], Path]:
    return _zipped(lambda file: file.writestr(name, b"x"))


def _file(name: str, content: bytes) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return build


# Files that are no bundles


def _folder(folder: Path) -> Path:
    path = folder / "folder.latent"
    path.mkdir()
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "pipe.latent"
    os.mkfifo(path)
    return path


def _link(folder: Path) -> Path:
    path = folder / "link.latent"
    path.symlink_to(good(folder))
    return path


def _heavy_file(turns: int) -> Callable[[Path], Path]:
    def change(members: Members) -> None:
        members["decoder.onnx"] = heavy(turns).SerializeToString()
        del members["decoder.fp32.onnx"]

    return _members(change)


def _tolerance(db: float) -> Callable[[Path], Path]:
    return _members(lambda members: members.update({"golden.npz": _golden(members, decode, db)}))


def _not_golden(members: Members) -> None:
    members["golden.npz"] = _golden(members, lambda latents: np.full((len(latents), codec.BINS), 0.5))


def _array(values: np.ndarray) -> Callable[[Path], Path]:
    out = io.BytesIO()
    np.save(out, values)
    return _members(lambda members: members.update({"atlas.npy": out.getvalue()}))


ZOO: dict[str, Animal] = {
    **{f"cut short at {name}": Animal(_cut(name), "is cut short", whole=False) for name in MEMBERS},
    **{f"a bit flipped in {name}": Animal(_flipped(name), "is damaged", whole=False) for name in MEMBERS},
    "without its end": Animal(_whole(lambda data: data[:-1]), "is cut short", whole=False),
    "all zeros": Animal(_file("zeros.latent", bytes(5000)), "is cut short", whole=False),
    "two bytes": Animal(_file("two.latent", b"PK"), "is cut short", whole=False),
    "empty": Animal(_file("empty.latent", b""), "is empty", whole=False),
    "missing": Animal(lambda folder: folder / "missing.latent", "could not be opened"),
    "a text": Animal(_file("notes.latent", b"just some text\n"), "is not a zip"),
    "a page of a web site": Animal(_file("page.latent", b"<!DOCTYPE html><html>404 Not Found</html>"), "is not a zip"),
    "a picture": Animal(_file("photo.latent", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(99)), "is not a zip"),
    "a network alone": Animal(_file("net.latent", decoder().SerializeToString()), "is not a zip"),
    "a name of two lines": Animal(_file("two\nlines\x1b[2J.latent", b"text"), "is not a zip"),
    "a folder": Animal(_folder, "is a folder"),
    "a pipe": Animal(_pipe, "is not a plain file"),
    "a device": Animal(lambda _: Path("/dev/zero"), "is not a plain file"),
    "a link": Animal(_link, "is a link"),
    "a zip of a folder": Animal(_whole(one_folder), "'models/', which no model has"),
    "a bomb of 4 GB": Animal(_whole(lambda _: bomb("CARD.md")), "too large once unpacked"),
    "a bomb within": Animal(
        _members(lambda members: members.update({"golden.npz": bomb("latents.npy")})), "too large once unpacked"
    ),
    "a link within": Animal(_zipped(symbolic), "as a link"),
    "an absolute path": Animal(_named("/etc/cron.d/evil"), "which no model has"),
    "a path upwards": Animal(_named("../../evil"), "which no model has"),
    "one member too many": Animal(_named("run.sh"), "which no model has"),
    "a member twice": Animal(_whole(twice), "holds CARD.md twice"),
    "members that overlap": Animal(_whole(overlapping), "overlap", whole=False),
    "encrypted": Animal(_whole(encrypted), "is encrypted"),
    "packed in another way": Animal(_zipped(lambda _: None, compression=zipfile.ZIP_LZMA), "a way that is not known"),
    "100,000 members": Animal(_whole(crowd), "far more entries"),
    "without a decoder": Animal(_members(lambda members: members.pop("decoder.onnx")), "lacks decoder.onnx"),
    "without a manifest": Animal(
        _whole(lambda data: archive.pack({"CARD.md": unzipped(data)["CARD.md"]})), "has no manifest.json"
    ),
    "a manifest that is no JSON": Animal(
        _whole(lambda data: archive.pack({**unzipped(data), "manifest.json": b"{,"})), "is not JSON"
    ),
    "a future format": Animal(_page(lambda page: page.update(format=7)), "update the program"),
    "a key of two lines": Animal(_page(lambda page: page.update({"a\nb" * 999: 1})), "is wrong at a\\nb"),
    "a name that is a path": Animal(_page(lambda page: page.update(name="../x")), "is wrong at name"),
    "a size that lies": Animal(
        _page(lambda page: page["members"]["CARD.md"].update(size=1)), "not what its checksum says", whole=False
    ),
    "a checksum that lies": Animal(
        _page(lambda page: page["members"]["atlas.npy"].update(sha256="0" * 64)), "its checksum says", whole=False
    ),
    "a member unlisted": Animal(_page(lambda page: page["members"].pop("CARD.md")), "does not list"),
    "a mean that lies": Animal(
        _page(lambda page: page["statistics"]["trait_mean"].update(pitch=12.0)), "says that its mean pitch is 12"
    ),
    "a spread that lies": Animal(
        _page(lambda page: page["statistics"]["trait_sd"].update(tonality=1e6)), "says that its tonality spreads"
    ),
    "a trait untold": Animal(
        _page(lambda page: [page["statistics"][key].pop("level") for key in ("trait_mean", "trait_sd")]),
        "does not say how its sounds are spread in level",
    ),
    "a wiggle too fast": Animal(_told(wiggle_speed=1e9), "wiggle_speed of 1e+09"),
    "a wiggle too slow": Animal(_told(wiggle_speed=1e-9), "wiggle_speed of 1e-09"),
    "a scale that lies": Animal(_page(lambda page: page["pca_scale"].__setitem__(3, 1e12)), "along axis 4"),
    "axes askew": Animal(_page(lambda page: page["pca_axes"].__setitem__(0, page["pca_axes"][1])), "right angles"),
    "axes without end": Animal(_page(lambda page: page["pca_axes"].__setitem__(0, [1e300] * 32)), "right angles"),
    "few axes": Animal(
        _page(lambda page: [page.update({key: page[key][:4]}) for key in ("pca_axes", "pca_scale")]),
        "has 4 principal axes",
    ),
    "a direction without end": Animal(
        _page(lambda page: page["directions"].update(pitch=[1e300] * 32)), "a direction of pitch"
    ),
    "golden spectra of another": Animal(_members(_not_golden), "off its golden spectra"),
    "no tolerance": Animal(_tolerance(0.0), "tolerance that is not above 0"),
    "any tolerance": Animal(_tolerance(1000.0), "golden tolerance of 1e+03 dB"),
    "an atlas of NaN": Animal(_array(np.full((3, 32), np.nan, dtype=np.float32)), "not finite"),
    "an atlas of other shape": Animal(_array(np.zeros((3, 31), dtype=np.float32)), "3 x 31 values"),
    "an atlas that runs code": Animal(_array(np.array([print], dtype=object)), "no plain float32 array"),
    "a pickle for an atlas": Animal(
        _members(lambda members: members.update({"atlas.npy": pickle.dumps(print)})), "no plain float32 array"
    ),
    "a card in another tongue": Animal(
        _members(lambda members: members.update({"CARD.md": b"\xff\xfe"})), "is not UTF-8"
    ),
    "a decoder of noise": Animal(_played(lambda: np.random.default_rng(0).bytes(4000)), "that is not ONNX"),
    "an encoder of noise": Animal(
        _played(lambda: np.random.default_rng(0).bytes(4000), "encoder.onnx"), "holds encoder.onnx that is not ONNX"
    ),
    "a decoder for an encoder": Animal(_played(decoder, "encoder.onnx"), "input of the encoder is not"),
    "a decoder of other shape": Animal(_played(narrow), "1000 wide where 1233 belong"),
    "an input of another name": Animal(_played(edited(renamed)), "named z"),
    "weights of NaN": Animal(_played(weights(np.nan)), "not numbers (NaN)"),
    "weights without end": Animal(_played(weights(np.inf)), "finite"),
    "silent": Animal(_heard(scaled(0.0, 0.0)), "silent"),
    "nearly silent": Animal(_heard(scaled(0.1, 0.0)), "silent"),
    "ear-splitting": Animal(_heard(scaled(1.0, 0.5)), "ear-splitting"),
    "white noise at full level": Animal(_heard(noise), "ear-splitting"),
    "a whistle": Animal(_heard(whistle), "above 5 kHz"),
    "out of range": Animal(_heard(scaled(100.0, 0.0)), "where spectra have 0 to 1"),
    "always the same": Animal(_heard(scaled(0.0, 0.6)), "the same sound wherever"),
    "rows that mix": Animal(_heard(mixed), "decoded together"),
    "a loop without end": Animal(_played(flow("Loop")), "control flow ('Loop')"),
    "a branch": Animal(_played(flow("If")), "control flow ('If')"),
    "chance": Animal(_played(chance("RandomNormalLike")), "chance ('RandomNormalLike')"),
    "chance from a draw": Animal(_played(chance("Bernoulli")), "chance ('Bernoulli')"),
    "chance from training": Animal(_played(trained), "chance ('Dropout')"),
    "weights in another file": Animal(_played(edited(outside)), "in another file"),
    "weights elsewhere": Animal(_played(edited(outside_elsewhere)), "in another file"),
    "weights of an encoder in another file": Animal(
        _played(lambda: edited(outside)(), "encoder.onnx"), "weights of encoder.onnx in another file"
    ),
    "a future opset": Animal(
        _played(lambda: decoder(opset_imports=[helper.make_opsetid("", 99)])), "of opset 99 where"
    ),
    "an opset of old": Animal(_played(lambda: decoder(opset_imports=[helper.make_opsetid("", 3)])), "of opset 3 where"),
    "a future ONNX": Animal(_played(lambda: decoder(ir_version=99)), "IR version 99"),
    "no opset": Animal(_played(edited(lambda model: model.ClearField("opset_import"))), "does not say its opset"),
    "an operator of its own": Animal(_played(shared("evil.Run")), "operators of 'evil'"),
    "an operator of one vendor": Animal(_played(shared("com.microsoft.Gelu")), "operators of 'com.microsoft'"),
    "an operator that nobody knows": Animal(_played(shared("Explode")), "operator 'Explode'"),
    "a function of its own": Animal(_played(shared("evil.Run", function=True)), "functions"),
    "weights of 2^40 values": Animal(_played(edited(claims([2**20, 2**20]))), "a size that cannot be"),
    "weights of a negative size": Animal(_played(edited(claims([-1, 1233]))), "a size that cannot be"),
    "fewer weights than it says": Animal(_played(edited(claims([97, 1233]))), "more or fewer values"),
    "a tensor of 10 GB": Animal(_played(grown(constant=True)), "a tensor of 2500000000 values"),
    "memory by ear": Animal(_played(grown(constant=False)), "decides how much memory"),
    "a memory hog": Animal(_played(outer), "needs more memory", alone=True),
    "too slow": Animal(_heavy_file(400), "too slow for this machine", alone=True),
    "endless": Animal(_heavy_file(4000), "takes longer than", alone=True),
}
