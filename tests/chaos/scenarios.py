"""What may happen to a room, a line each."""

from dataclasses import dataclass

from chaos import engines, hands, surroundings, vandal
from chaos.harm import Act

__all__ = ["SCENARIOS", "Scenario"]

_LITTLE = "reserve_s = 2.0"
_OWN_MODEL = 'model = "{home}/own.latent"'


@dataclass(frozen=True)
class Scenario:
    """One line of the table.

    Attributes
    ----------
    act : callable
        Does it to a room that plays; told whether to be short.
    prepare : callable or None
        Done before `latent play` starts.
    hole_s : float
        The longest hole allowed.
    seamless : bool
        Whether no step or click may be larger than the music's own; else a hole is to end with a fade.
    turns : bool
        Whether the mood is moved, so that the music is to be compared with that of other moods too.
    card, music : str
        Lines of the settings.
    short : bool
        Whether the short version has it.
    """

    name: str
    act: Act
    prepare: Act | None = None
    hole_s: float = 0.005
    seamless: bool = True
    turns: bool = False
    card: str = ""
    music: str = ""
    short: bool = True


SCENARIOS = (
    Scenario("undisturbed", surroundings.undisturbed),
    Scenario("engine killed", engines.engine_killed, turns=True),
    Scenario("engine killed up the ladder", engines.engine_climbs, short=False),
    Scenario("engine stopped", engines.engine_stopped, short=False),
    Scenario("engine stopped, 2 s reserve", engines.engine_stopped, card=_LITTLE, short=False),
    Scenario("engine cannot start", engines.engine_locked_out, short=False),
    # It has to be the first of its room.
    Scenario("first boot without engine", engines.engine_at_last, engines.first_boot, card=_LITTLE),
    Scenario("engine cannot start, 2 s reserve", engines.engine_locked_out, card=_LITTLE),
    Scenario("every engine stopped", engines.engines_stopped, card=_LITTLE),
    Scenario("model broken", engines.model_broken, engines.own_model, card=_LITTLE, music=_OWN_MODEL, short=False),
    Scenario("six busy loops", surroundings.cores_busy),
    Scenario("disk full", surroundings.disk_full, surroundings.fill_disk, turns=True),
    Scenario("clock +-10 years", surroundings.clock_steps, surroundings.fake_clock),
    Scenario("mood moved", hands.mood_moves, turns=True),
    Scenario("ring scribbled on once: NaN", vandal.once_nan),
    Scenario("ring scribbled on once: noise", vandal.once_noise),
    Scenario("ring scribbled on again and again", vandal.for_a_while),
    Scenario("ring scribbled on, history too", vandal.everything),
    Scenario("ring's header scribbled on", vandal.header, seamless=False, hole_s=2.0),
    Scenario("player killed", surroundings.player_killed, seamless=False, hole_s=2.0),
    Scenario("sound server killed", surroundings.server_killed, seamless=False, hole_s=5.0),
)
