"""The ONNX graphs do what the torch modules do, on the runtime that plays them."""

import numpy as np
import onnx
import pytest
import torch

from appliance.model.decoder import Decoder as Player
from appliance.model.decoder import Encoder as Listener
from appliance.studio.corpus import Corpus
from appliance.studio.exporting import graph
from appliance.studio.exporting.atlas import NEPERS, AtlasSettings, LendingDecoder, choose, total_power
from appliance.studio.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def model(corpus: Corpus, checkpoint: Checkpoint) -> LendingDecoder:
    places, spectra = choose(corpus, checkpoint.encoder, AtlasSettings(places=16))
    return LendingDecoder(checkpoint.decoder, places, spectra, AtlasSettings(places=16))


@pytest.fixture(scope="module")
def latents(model: LendingDecoder) -> np.ndarray:
    drawn = torch.randn(60, 32, generator=torch.Generator().manual_seed(1))
    return torch.cat([model.places, model.places + 0.1 * drawn[:16], drawn]).numpy()


def test_float32_is_torch(model: LendingDecoder, latents: np.ndarray) -> None:
    assert np.abs(Player(graph.decoder_onnx(model, None)).decode(latents) - model.decode(latents)).max() < 1e-4


def test_int8_is_near_float32_and_smaller(model: LendingDecoder, latents: np.ndarray) -> None:
    plain, small = (graph.decoder_onnx(model, seen) for seen in (None, graph.calibrate(model, model.places)))
    off_db = (Player(small).decode(latents) - Player(plain).decode(latents)) * 96.0
    assert 0.0 < np.sqrt(np.mean(off_db**2)) < 0.5
    assert len(small) < len(plain)


def test_a_row_does_not_depend_on_the_rows_beside_it(model: LendingDecoder) -> None:
    player = Player(graph.decoder_onnx(model, graph.calibrate(model, model.places)))
    far = 2.0 * np.random.default_rng(5).standard_normal((400, 32)).astype(np.float32)
    latents = np.concatenate([model.places.numpy(), far])
    alone = np.concatenate([player.decode(row[np.newaxis]) for row in latents])
    # The ceiling must be at work, or its rounding would not be seen.
    power = total_power(torch.from_numpy(alone)).numpy()
    assert np.mean(power > model.loudest - 0.001 / NEPERS) > 0.05
    for first in range(0, len(latents) - 2, 7):
        assert np.array_equal(player.decode(latents[first : first + 64]), alone[first : first + 64])


def test_whole_numbers_fit_sixteen_bit_sums(model: LendingDecoder) -> None:
    content = onnx.load_from_string(graph.decoder_onnx(model, graph.calibrate(model, model.places)))
    multiplied = {node.input[1] for node in content.graph.node if node.op_type == "MatMulInteger"}
    weights = [onnx.numpy_helper.to_array(c) for c in content.graph.initializer if c.name in multiplied]
    assert len(weights) == 2
    assert all(np.abs(weight.astype(int)).max() * 255 * 2 < 2**15 for weight in weights)


def test_the_encoder_is_torch_but_for_its_int8_weights(corpus: Corpus, checkpoint: Checkpoint) -> None:
    spectra = corpus.of("held_out")
    with torch.no_grad():
        wanted = checkpoint.encoder(torch.from_numpy(spectra))[0].numpy()
    got = Listener(graph.encoder_onnx(checkpoint.encoder)).encode(spectra)
    assert np.sqrt(np.mean((got - wanted) ** 2)) < 0.02 * wanted.std()
