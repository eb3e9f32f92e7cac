"""An instrument: a model that is ready to be played, and who composes for it."""

from appliance.engine.opening import space_of
from appliance.model.bundle import Bundle
from appliance.score.skim import Composer
from appliance.score.taste import Taste
from appliance.score.territory import Bounds

__all__ = ["Instrument"]


class Instrument:
    """A model that is ready to be played. One thread at a time.

    Parameters
    ----------
    bundle : Bundle
    bounds : Bounds
        Within which the score stays.

    Attributes
    ----------
    model : str
        Digest of the bundle.
    name : str
        As its manifest says.
    space : Space
    bounds : Bounds
    composer : Composer

    Raises
    ------
    ModelError
        If its decoder cannot be played on this machine.
    """

    def __init__(self, bundle: Bundle, bounds: Bounds) -> None:
        self.model = bundle.digest
        self.name = bundle.manifest.name
        self.space = space_of(bundle)
        self.bounds = bounds
        self.composer = Composer(self.space, bounds)

    def adopt(self, taste: Taste) -> None:
        """From now on play to another taste."""
        self.space = self.space.tasting(taste)
        self.composer.adopt(taste)
