"""The `.latent` file: one zip that holds a model, and everything needed to trust it.

    manifest.json      what the model is called, whose it is, what it is for, and the sha256 of each other member
    decoder.onnx       int8; input `z` float32 (n, 32), output `spectrum` float32 (n, 1233)
    decoder.fp32.onnx  the same in float32, where it is worth carrying (optional)
    encoder.onnx       input `spectrum` float32 (n, 1233), output `mean` float32 (n, 32)
    atlas.npy          float32 (places, 32): training sounds, encoded; real places to start from
    golden.npz         latents, the spectra they must give, and how far off is still right
    CARD.md            the model card

The file comes from elsewhere, so nothing in it is believed before it was checked, nothing is ever unpacked
to disk, and no number in a header decides how much memory is taken.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from appliance.errors import DamagedError, ModelError
from appliance.folders import shown, write_whole
from appliance.model import archive
from appliance.model.manifest import FORMAT, LATENT_SIZE, Manifest, Member, SpectrumLayout, Statistics
from appliance.model.outside import SIZE_LIMIT
from appliance.spectrum.codec import BINS, Floats

__all__ = [
    "Bundle",
    "Manifest",
    "Member",
    "Parts",
    "SpectrumLayout",
    "Statistics",
    "parse",
    "read",
    "write",
]

MEMBER_LIMIT: Final = 64 * 2**20
_LONGEST_PROBLEM: Final = 300
_MANIFEST: Final = "manifest.json"
_DECODER: Final = "decoder.onnx"
_DECODER_FP32: Final = "decoder.fp32.onnx"
_ENCODER: Final = "encoder.onnx"
_ATLAS: Final = "atlas.npy"
_GOLDEN: Final = "golden.npz"
_CARD: Final = "CARD.md"
_REQUIRED: Final = frozenset({_DECODER, _ENCODER, _ATLAS, _GOLDEN, _CARD})
_KNOWN: Final = _REQUIRED | {_MANIFEST, _DECODER_FP32}
_GOLDEN_ARRAYS: Final = frozenset({"latents.npy", "spectra.npy", "tolerance_db.npy"})

# A tensor kept outside the file names that file in a key `location` (onnx.proto, TensorProto.external_data), and
# onnxruntime looks for nothing else. A protobuf string is its bytes after its length, 8, which may also be spelt
# with idle continuation bytes; so this finds every such key without parsing the file.
_EXTERNAL: Final = re.compile(rb"(?:\x08|\x88\x80*\x00)location")


@dataclass(frozen=True, eq=False)
class Parts:
    """What a `.latent` file carries besides its manifest.

    Attributes
    ----------
    decoder, encoder : bytes
        ONNX.
    decoder_fp32 : bytes or None
        ONNX; played where the int8 decoder fails its golden spectra.
    atlas : (places, 32) float32
    golden_latents : (g, 32) float32
    golden_spectra : (g, 1233) float32 in 0..1
    golden_tolerance_db : float
        Largest RMS difference in dB at which a decoder still counts as right.
    card : str
        Markdown.
    """

    decoder: bytes
    decoder_fp32: bytes | None
    encoder: bytes
    atlas: Floats
    golden_latents: Floats
    golden_spectra: Floats
    golden_tolerance_db: float
    card: str


@dataclass(frozen=True, eq=False)
class Bundle:
    """A `.latent` file that was read and checked; `digest` is the sha256 of the whole file, in hex."""

    path: Path
    manifest: Manifest
    parts: Parts
    digest: str


def write(path: Path, manifest: Manifest, parts: Parts) -> Bundle:
    """Write a `.latent` file; the same content always gives the same bytes.

    Parameters
    ----------
    path : Path
        Replaced in one move; its folder is made where it is missing.
    manifest : Manifest
        Its `members` are filled in here, whatever they were.
    parts : Parts

    Returns
    -------
    Bundle
        As `read` would give it, with the members filled in.

    Raises
    ------
    ModelError
        If the parts are such that `read` would refuse them, or the file cannot be written.
    """
    members = _pack(parts)
    sealed = {name: Member(sha256=_sha256(content), size=len(content)) for name, content in members.items()}
    manifest = manifest.model_copy(update={"members": sealed})
    data = archive.pack({_MANIFEST: manifest.model_dump_json(indent=1).encode(), **members})
    bundle = parse(path, data)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(data))
    except OSError as error:
        raise ModelError(
            f"{path} could not be written ({error.strerror}); choose a folder you may write to with room in it."
        ) from error
    return bundle


def read(path: Path) -> Bundle:
    """Read a `.latent` file and check all of it, except what only running the decoder can tell.

    Raises
    ------
    ModelError
        If it is missing, damaged, of a newer format, or holds anything that is not to be trusted.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name a .latent file.")
    if not path.exists():
        raise ModelError(f"{path} does not exist; check how it is spelt.")
    if not path.is_file():
        raise ModelError(f"{path} is not a plain file; name a .latent file.")
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ModelError(f"{path} could not be read ({error.strerror}); check its permissions and its disk.") from error
    if not data:
        raise DamagedError(f"{path} is empty; copy it again.")
    return parse(path, data)


def parse(path: Path, data: bytes) -> Bundle:
    """Check the bytes of a `.latent` file as `read` does; ``path`` is what sentences call it, and is not looked at.

    Raises
    ------
    DamagedError
        If bytes are missing or damaged.
    ModelError
        For anything else that is not to be trusted.
    """
    try:
        members = archive.unpack(data, known=_KNOWN, member_limit=MEMBER_LIMIT, total_limit=SIZE_LIMIT)
        manifest = _manifest(members)
        _check_members(manifest, members)
        parts = _unpack(members)
    except archive.ArchiveError as error:
        kind = ModelError if error.whole else DamagedError
        # It may quote what the file says.
        problem = shown(str(error))
        problem = problem if len(problem) <= _LONGEST_PROBLEM else problem[:_LONGEST_PROBLEM] + "..."
        raise kind(f"{shown(path)} {problem}; {error.remedy}.") from error
    return Bundle(path, manifest, parts, _sha256(data))


def _manifest(members: dict[str, bytes]) -> Manifest:
    if _MANIFEST not in members:
        raise archive.ArchiveError(f"has no {_MANIFEST}, so it is no model")
    try:
        content = json.loads(members[_MANIFEST])
    except (ValueError, RecursionError) as error:
        raise archive.ArchiveError(f"has a {_MANIFEST} that is not JSON") from error
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise archive.ArchiveError(
            f"has format {version} and this program knows formats up to {FORMAT}",
            "update the program, or export the model with this one",
        )
    try:
        return Manifest.model_validate_json(members[_MANIFEST])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"]) or "its top level"
        problem = first["msg"].removeprefix("Value error, ")
        raise archive.ArchiveError(f"has a {_MANIFEST} that is wrong at {field} ({problem})") from error


def _check_members(manifest: Manifest, members: dict[str, bytes]) -> None:
    held = members.keys() - {_MANIFEST}
    missing = sorted((_REQUIRED | manifest.members.keys()) - held)
    if missing:
        raise archive.ArchiveError(f"lacks {', '.join(missing)}")
    for name in sorted(held):
        promised = manifest.members.get(name)
        if promised is None:
            raise archive.ArchiveError(f"holds {name}, which its manifest does not list")
        if promised != Member(sha256=_sha256(members[name]), size=len(members[name])):
            raise archive.ArchiveError(f"is damaged: {name} is not what its checksum says", whole=False)


def _pack(parts: Parts) -> dict[str, bytes]:
    golden = {
        "latents.npy": archive.pack_array(parts.golden_latents),
        "spectra.npy": archive.pack_array(parts.golden_spectra),
        "tolerance_db.npy": archive.pack_array(np.array([parts.golden_tolerance_db], dtype=np.float32)),
    }
    members = {
        _DECODER: parts.decoder,
        _DECODER_FP32: parts.decoder_fp32,
        _ENCODER: parts.encoder,
        _ATLAS: archive.pack_array(parts.atlas),
        _GOLDEN: archive.pack(golden),
        _CARD: parts.card.encode(),
    }
    return {name: content for name, content in members.items() if content is not None}


def _unpack(members: dict[str, bytes]) -> Parts:
    for name in (_DECODER, _DECODER_FP32, _ENCODER):
        if _EXTERNAL.search(members.get(name, b"")):
            raise archive.ArchiveError(f"keeps weights of {name} in another file, which is not allowed")
    golden = archive.unpack(
        members[_GOLDEN], known=_GOLDEN_ARRAYS, member_limit=MEMBER_LIMIT, total_limit=MEMBER_LIMIT, inside=_GOLDEN
    )
    if golden.keys() != _GOLDEN_ARRAYS:
        raise archive.ArchiveError(f"lacks one of {', '.join(sorted(_GOLDEN_ARRAYS))} in {_GOLDEN}")
    latents = archive.unpack_array(golden["latents.npy"], "golden latents", (None, LATENT_SIZE))
    spectra = archive.unpack_array(golden["spectra.npy"], "golden spectra", (len(latents), BINS))
    tolerance_db = archive.unpack_array(golden["tolerance_db.npy"], "golden tolerance", (1,))
    if tolerance_db[0] <= 0.0:
        raise archive.ArchiveError("has a golden tolerance that is not above 0 dB")
    try:
        card = members[_CARD].decode()
    except UnicodeDecodeError as error:
        raise archive.ArchiveError(f"has a {_CARD} that is not UTF-8 text") from error
    return Parts(
        decoder=members[_DECODER],
        decoder_fp32=members.get(_DECODER_FP32),
        encoder=members[_ENCODER],
        atlas=archive.unpack_array(members[_ATLAS], _ATLAS, (None, LATENT_SIZE)),
        golden_latents=latents,
        golden_spectra=spectra,
        golden_tolerance_db=float(tolerance_db[0]),
        card=card,
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
