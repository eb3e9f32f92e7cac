"""A `.latent` file is read back as it was written, and a bad one is one plain sentence whatever is wrong with it."""

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import ModelError
from appliance.model import archive, bundle
from appliance.model.bundle import Manifest, Parts, read, write

Members = dict[str, bytes]
EVERY_MEMBER = [
    "manifest.json",
    "decoder.onnx",
    "decoder.fp32.onnx",
    "encoder.onnx",
    "atlas.npy",
    "golden.npz",
    "CARD.md",
]


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def reseal(path: Path, members: Members) -> None:
    """Zip the members with a manifest whose checksums are right, as somebody who means harm would."""
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in members.items()
        if name != "manifest.json"
    }
    path.write_bytes(archive.pack({**members, "manifest.json": json.dumps(manifest).encode()}))


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def with_member(path: Path, name: str, content: bytes) -> str:
    reseal(path, {**members_of(path), name: content})
    return refusal(path)


def with_manifest(path: Path, change: Callable[[dict], object]) -> str:
    members = members_of(path)
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    path.write_bytes(archive.pack({**members, "manifest.json": json.dumps(manifest).encode()}))
    return refusal(path)


def test_reads_what_was_written(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    got = read(bundle_path)
    assert got.path == bundle_path
    assert got.digest == hashlib.sha256(bundle_path.read_bytes()).hexdigest()
    assert got.manifest.model_copy(update={"members": {}}) == manifest
    assert set(got.manifest.members) == set(EVERY_MEMBER) - {"manifest.json"}
    for field in dataclasses.fields(Parts):
        np.testing.assert_array_equal(getattr(got.parts, field.name), getattr(parts, field.name))
    assert got.parts.atlas.dtype == np.float32


def test_float32_decoder_may_be_absent(tmp_path: Path, manifest: Manifest, parts: Parts) -> None:
    path = tmp_path / "small.latent"
    written = write(path, manifest, dataclasses.replace(parts, decoder_fp32=None))
    assert written.parts.decoder_fp32 is None
    assert read(path).digest == written.digest


def test_same_content_gives_same_bytes(tmp_path: Path, manifest: Manifest, parts: Parts) -> None:
    first, second = tmp_path / "first.latent", tmp_path / "second.latent"
    write(first, manifest, parts)
    write(second, manifest, parts)
    assert first.read_bytes() == second.read_bytes()


def test_another_zip_tool_may_have_packed_it(bundle_path: Path, parts: Parts) -> None:
    members = members_of(bundle_path)
    with zipfile.ZipFile(bundle_path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in sorted(members.items()):
            file.writestr(name, content)
    assert read(bundle_path).parts.decoder == parts.decoder


def test_writing_leaves_nothing_beside(bundle_path: Path, manifest: Manifest, parts: Parts) -> None:
    write(bundle_path, manifest, parts)
    assert list(bundle_path.parent.iterdir()) == [bundle_path]


def test_write_refuses_what_read_would(tmp_path: Path, manifest: Manifest, parts: Parts) -> None:
    path = tmp_path / "bad.latent"
    with pytest.raises(ModelError, match=r"atlas\.npy with values that are not finite"):
        write(path, manifest, dataclasses.replace(parts, atlas=np.full((2, 32), np.nan, dtype=np.float32)))
    assert list(tmp_path.iterdir()) == []


def test_write_says_where_it_cannot(tmp_path: Path, manifest: Manifest, parts: Parts) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="could not be written"):
        write(tmp_path / "file" / "x.latent", manifest, parts)


def test_not_a_file(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent.latent")
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.latent")
    assert "not a plain file" in refusal(tmp_path / "pipe.latent")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"just some text\n", "is not a zip"), (b"PK\x05\x06" + bytes(18), "is not a zip")],
)
def test_not_a_model(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "text.latent"
    path.write_bytes(content)
    assert says in refusal(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_cut_short(bundle_path: Path, share: float) -> None:
    data = bundle_path.read_bytes()
    bundle_path.write_bytes(data[: int(len(data) * share)])
    assert "is cut short" in refusal(bundle_path)


@pytest.mark.parametrize("name", EVERY_MEMBER)
def test_a_flipped_bit_in_any_member(bundle_path: Path, name: str) -> None:
    data = bytearray(bundle_path.read_bytes())
    content = members_of(bundle_path)[name]
    data[data.index(content) + len(content) // 2] ^= 0x10
    bundle_path.write_bytes(data)
    assert "is damaged" in refusal(bundle_path)


@pytest.mark.parametrize("name", EVERY_MEMBER[1:])
def test_a_member_that_is_not_what_the_manifest_says(bundle_path: Path, name: str) -> None:
    members = members_of(bundle_path)
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    bundle_path.write_bytes(archive.pack(members))
    assert f"{name} is not what its checksum says" in refusal(bundle_path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "decoder.onnx\0.txt", "readme.txt", "CARD.md/"])
def test_a_name_that_no_model_has(bundle_path: Path, name: str) -> None:
    members = members_of(bundle_path)
    with zipfile.ZipFile(bundle_path, "w") as file:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        file.writestr(entry, b"x")
        for known, content in members.items():
            file.writestr(known, content)
    assert "holds an entry named" in refusal(bundle_path)


def test_a_member_twice(bundle_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(bundle_path, "a") as file:
        file.writestr("CARD.md", "another")
    assert "holds CARD.md twice" in refusal(bundle_path)


@pytest.mark.parametrize(
    "name", ["decoder.onnx", "encoder.onnx", "atlas.npy", "golden.npz", "CARD.md", "manifest.json"]
)
def test_a_member_missing(bundle_path: Path, name: str) -> None:
    members = members_of(bundle_path)
    del members[name]
    bundle_path.write_bytes(archive.pack(members))
    assert name in refusal(bundle_path)


def test_a_member_that_the_manifest_does_not_list(bundle_path: Path) -> None:
    assert "does not list" in with_manifest(bundle_path, lambda page: page["members"].pop("decoder.fp32.onnx"))


def test_a_bomb_is_not_unpacked(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MEMBER_LIMIT", 2**20)
    members = members_of(bundle_path)
    with zipfile.ZipFile(bundle_path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {**members, "CARD.md": bytes(2**20 + 1)}.items():
            file.writestr(name, content)
    assert bundle_path.stat().st_size < 2**20
    assert "is too large once unpacked, at CARD.md" in refusal(bundle_path)


def test_a_bomb_that_lies_about_its_size(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MEMBER_LIMIT", 2**20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("CARD.md", bytes(2**22))
        file.infolist()[0].file_size = 10
    bundle_path.write_bytes(bomb.getvalue())
    assert "is damaged" in refusal(bundle_path)


def test_members_that_are_too_much_together(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "SIZE_LIMIT", 2**19)
    members = members_of(bundle_path)
    with zipfile.ZipFile(bundle_path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {**members, "encoder.onnx": bytes(2**18), "decoder.onnx": bytes(2**18)}.items():
            file.writestr(name, content)
    assert "is too large once unpacked" in refusal(bundle_path)


def test_a_file_that_is_too_large(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "SIZE_LIMIT", 2**10)
    assert "is larger than" in refusal(bundle_path)


def test_a_directory_of_very_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "many.latent"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(400):
            file.writestr(f"{number}", b"")
    assert "far more entries" in refusal(path)


def test_encrypted(bundle_path: Path) -> None:
    data = bytearray(bundle_path.read_bytes())
    directory = int.from_bytes(data[-6:-2], "little")
    data[6] |= 1
    data[directory + 8] |= 1
    bundle_path.write_bytes(data)
    assert "is encrypted" in refusal(bundle_path)


def test_compressed_in_another_way(bundle_path: Path) -> None:
    members = members_of(bundle_path)
    with zipfile.ZipFile(bundle_path, "w", zipfile.ZIP_LZMA) as file:
        for name, content in members.items():
            file.writestr(name, content)
    assert "compressed in a way that is not known" in refusal(bundle_path)


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


@pytest.mark.parametrize("name", ["decoder.onnx", "decoder.fp32.onnx", "encoder.onnx"])
def test_weights_in_another_file(bundle_path: Path, make_onnx: Callable, weights: np.ndarray, name: str) -> None:
    content = make_onnx(weights, "z", "spectrum", edit=outside)
    assert f"keeps weights of {name} in another file" in with_member(bundle_path, name, content)


def test_weights_in_another_file_spelt_oddly(bundle_path: Path, make_onnx: Callable, weights: np.ndarray) -> None:
    content = make_onnx(weights, "z", "spectrum", edit=outside)
    odd = content.replace(b"\x08location", b"\x88\x80\x00location")
    assert "in another file" in with_member(bundle_path, "decoder.onnx", odd)


def test_a_name_that_only_contains_location_is_no_harm(
    tmp_path: Path, manifest: Manifest, parts: Parts, make_onnx: Callable, weights: np.ndarray
) -> None:
    content = make_onnx(weights, "z", "spectrum", edit=lambda model: setattr(model, "doc_string", "the location of it"))
    write(tmp_path / "fine.latent", manifest, dataclasses.replace(parts, decoder=content))


def npy(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy(np.full((3, 32), np.inf, dtype=np.float32)), "not finite"),
        (npy(np.zeros((3, 31), dtype=np.float32)), "3 x 31 values where any x 32 belong"),
        (npy(np.zeros((0, 32), dtype=np.float32)), "0 x 32 values"),
        (npy(np.zeros(32, dtype=np.float32)), "32 values where any x 32"),
        (npy(np.zeros((3, 32))), "no plain float32 array"),
        (npy(np.zeros((3, 32), dtype=np.float32, order="F")[:, ::1]), "no plain float32 array"),
        (npy(np.array([print], dtype=object)), "no plain float32 array"),
        (npy(np.zeros((3, 32), dtype=np.float32)) + b"more", "more or fewer values"),
        (npy(np.zeros((3, 32), dtype=np.float32)).replace(b"(3, 32)", b"(999999999, 999999999)"), "no plain float32"),
        (b"no array", "no plain float32 array"),
    ],
)
def test_an_atlas_that_cannot_be(bundle_path: Path, content: bytes, says: str) -> None:
    assert says in with_member(bundle_path, "atlas.npy", content)


def test_an_atlas_that_claims_to_be_endless(bundle_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999, 32), }\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(128)
    assert "more or fewer values" in with_member(bundle_path, "atlas.npy", content)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"spectra.npy": npy(np.zeros((3, 1233), dtype=np.float32))}, "golden spectra of 3 x 1233"),
        ({"tolerance_db.npy": npy(np.zeros(1, dtype=np.float32))}, "tolerance that is not above 0"),
        ({"tolerance_db.npy": None}, "lacks one of"),
        ({"other.npy": b""}, "'other.npy', which no model has in golden.npz"),
    ],
)
def test_golden_spectra_that_cannot_be(bundle_path: Path, change: dict[str, bytes | None], says: str) -> None:
    with np.load(io.BytesIO(members_of(bundle_path)["golden.npz"])) as golden:
        arrays = {f"{name}.npy": npy(golden[name]) for name in golden.files}
    changed = {name: content for name, content in {**arrays, **change}.items() if content is not None}
    assert says in with_member(bundle_path, "golden.npz", archive.pack(changed))


def test_golden_spectra_that_are_no_zip(bundle_path: Path) -> None:
    assert "is not a zip, so it is no model in golden.npz" in with_member(bundle_path, "golden.npz", b"PK no")


def test_a_card_that_is_no_text(bundle_path: Path) -> None:
    assert "CARD.md that is not UTF-8" in with_member(bundle_path, "CARD.md", b"\xff\xfe\xff")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda page: page.update(format=2), "format 2 and this program knows formats up to 1; update"),
        (lambda page: page.update(format="one"), "wrong at format"),
        (lambda page: page.update(name="../x"), "wrong at name"),
        (lambda page: page.update(author="a\x1b[2J"), "wrong at author"),
        (lambda page: page.update(latent_size=16), "wrong at latent_size"),
        (lambda page: page["spectrum"].update(bins=1234), "wrong at spectrum (must be 1233 bins"),
        (lambda page: page["directions"].update(level=[0.0] * 31), "wrong at directions.level"),
        (lambda page: page["directions"].update(level=[0.0] * 32), "the direction of level has no length"),
        (lambda page: page["pca_scale"].pop(), "one number for each of pca_axes"),
        (lambda page: page["pca_axes"][1].__setitem__(3, float("nan")), "wrong at pca_axes.1.3"),
        (lambda page: page["statistics"].update(trait_sd={}), "must name the same traits"),
        (lambda page: page["statistics"].update(wiggle_speed=1e999), "wrong at statistics.wiggle_speed"),
        (lambda page: page.update(colour="red"), "wrong at colour"),
        (lambda page: page.pop("licence"), "wrong at licence"),
        (lambda page: page["members"]["CARD.md"].update(sha256="0"), "wrong at members.CARD.md.sha256"),
    ],
)
def test_a_manifest_that_cannot_be(bundle_path: Path, change: Callable[[dict], object], says: str) -> None:
    assert says in with_manifest(bundle_path, change)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"[]", b"null"])
def test_a_manifest_that_is_no_page(bundle_path: Path, content: bytes) -> None:
    members = members_of(bundle_path)
    bundle_path.write_bytes(archive.pack({**members, "manifest.json": content}))
    assert "manifest.json" in refusal(bundle_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_anywhere_is_a_model_error(bundle_path: Path, data: st.DataObject) -> None:
    """Bytes near the zip's own records are hit more often: those decide what zipfile does."""
    original = members_of(bundle_path)
    whole = bytearray(archive.pack({"manifest.json": original["manifest.json"], "CARD.md": original["CARD.md"]}))
    places = st.one_of(
        st.integers(0, len(whole) - 1), st.integers(len(whole) - 160, len(whole) - 1), st.integers(0, 40)
    )
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        whole[place] = value
    path = bundle_path.with_name("damaged.latent")
    path.write_bytes(whole)
    refusal(path)
