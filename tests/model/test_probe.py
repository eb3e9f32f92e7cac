"""What can be told of a model without the engine; the zoo has the bad ones, here are the edges."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_model import good

from appliance.errors import DamagedError, ModelError
from appliance.model.bundle import Bundle, parse, read
from appliance.model.decoder import open_decoder
from appliance.model.probe import check_axes, check_sounds, check_statistics
from appliance.spectrum.codec import BINS, Floats

SHIPPED = sorted((Path(__file__).parents[2] / "models").glob("*.latent"))
LATENTS = np.random.default_rng(1).standard_normal((64, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return read(good(tmp_path_factory.mktemp("good")))


@pytest.fixture(scope="module")
def decode(bundle: Bundle) -> Callable[[Floats], Floats]:
    return open_decoder(bundle).decode


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_models_pass(path: Path) -> None:
    shipped = read(path)
    decode = open_decoder(shipped).decode

    check_axes(shipped)
    check_sounds(shipped, decode, LATENTS)
    check_statistics(shipped, decode)


def test_sentences_call_a_file_what_one_likes(tmp_path: Path) -> None:
    data = good(tmp_path).read_bytes()

    assert parse(Path("by any name"), data).path == Path("by any name")
    with pytest.raises(DamagedError, match=r"^by any name is cut short"):
        parse(Path("by any name"), data[:-1])


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (lambda plain, call: np.where(call, np.nan, plain), "not finite"),
        (lambda plain, call: plain + np.float32(0.001) * call, "differently each time"),
    ],
)
def test_what_it_decodes_later_counts(
    bundle: Bundle, decode: Callable[[Floats], Floats], sound: Callable, says: str
) -> None:
    calls: list[int] = []

    def fickle(latents: Floats) -> Floats:
        calls.append(1)
        return np.asarray(sound(decode(latents), len(calls) > 1), dtype=np.float32)

    with pytest.raises(ModelError, match=says):
        check_sounds(bundle, fickle, LATENTS)


def test_a_little_outside_of_the_range_is_no_harm(bundle: Bundle, decode: Callable[[Floats], Floats]) -> None:
    def wide(latents: Floats) -> Floats:
        return np.asarray(np.concatenate([decode(latents)[:, :-1], np.full((len(latents), 1), -0.2)], axis=1))

    check_sounds(bundle, wide, LATENTS)


def test_a_wide_margin_for_what_is_told(bundle: Bundle, decode: Callable[[Floats], Floats]) -> None:
    told = bundle.manifest.statistics
    rough = told.model_copy(
        update={
            "trait_mean": {name: mean + 0.3 * told.trait_sd[name] for name, mean in told.trait_mean.items()},
            "trait_sd": {name: 1.5 * spread for name, spread in told.trait_sd.items()},
        }
    )

    check_statistics(replace(bundle, manifest=bundle.manifest.model_copy(update={"statistics": rough})), decode)


def test_an_atlas_of_one_place(bundle: Bundle) -> None:
    one = replace(bundle, parts=replace(bundle.parts, atlas=bundle.parts.atlas[:1]))

    with pytest.raises(ModelError, match="along axis 1, and it is 0;"):
        check_axes(one)


def test_silence_is_silent(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="is silent"):
        check_sounds(bundle, lambda latents: np.zeros((len(latents), BINS), dtype=np.float32), LATENTS)
