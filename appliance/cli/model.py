"""``latent model``."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from appliance.cli.model_engine import EngineModel, engine_model, heard
from appliance.cli.model_rows import Row, megabytes, rows_of, table
from appliance.cli.words import day
from appliance.errors import ModelError, SettingsError, UsageError
from appliance.folders import shown
from appliance.model.choice import Choice, Pointer
from appliance.model.library import DEFAULT, digest, find, folders, place_of, pointer_to, shipped
from appliance.model.store import Store
from appliance.model.verdict import Verdict
from appliance.service.arriving.incoming import parted
from appliance.settings import Settings
from appliance.settings_file import read_settings

__all__ = ["model"]

_SUFFIX = ".latent"
_CARD_LINES = 12

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")
_config = click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="The settings; else those in the usual place."
)


@click.group()
def model() -> None:
    """Choose which model plays, and look after those on this machine.

    New ones are copied to the incoming folder, and are tried there before they play.

    \b
    Example:
      latent model list
      latent model use glass
    """


@model.command("list")
@_json
def list_(as_json: bool) -> None:
    """Show all models: the shipped ones, and those that were copied here.

    The one that plays is marked with >; the one that is chosen, and does not play yet, with *.

    Example: latent model list
    """
    store, engine = _store(), engine_model()
    base = _base_or_default()
    rows, choice = rows_of(store, engine, base), store.choice()
    trouble = (engine or {}).get("trouble")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "models": [row.as_json() for row in rows],
                    "plays": engine and {name: engine.get(name) for name in ("name", "digest")},
                    "current": choice.current and choice.current.model_dump(),
                    "previous": choice.previous and choice.previous.model_dump(),
                    "settings": base,
                    "trouble": trouble,
                }
            )
        )
        return
    click.echo(table(rows))
    if engine and not any(row.plays for row in rows):
        click.echo(f"{shown(str(engine.get('name')))} plays, which is none of these.")
    elif choice.current is None and not any({"plays", "chosen"} & {*row.states} for row in rows):
        click.echo(f"The settings choose {shown(base)}.")
    # What the engine is in trouble about may be why one failed.
    for why in dict.fromkeys(filter(None, [*(row.failed for row in rows), trouble])):
        click.echo(shown(why))


@model.command()
@click.argument("name")
@_json
def info(name: str, as_json: bool) -> None:
    """Show what is known of model NAME.

    Example: latent model info glass
    """
    from appliance.model.bundle import read

    store = _store()
    pointer = _pointer(name, store)
    rows = rows_of(store, engine_model(), _base_or_default())
    row = next(row for row in rows if (row.digest, row.shipped) == (pointer.digest, pointer.shipped))
    verdict = None if pointer.shipped else store.find(pointer.digest).verdict
    bundle = read(place_of(pointer, store))
    page = bundle.manifest
    known = {"name": page.name, "licence": page.licence, "author": page.author, "created": page.created}
    scores = page.statistics.scores
    if as_json:
        told = verdict and verdict.model_dump()
        click.echo(json.dumps({**known, **row.as_json(), "scores": scores, "verdict": told, "card": bundle.parts.card}))
        return
    measured = {} if verdict is None else _measured(verdict)
    click.echo(_page(known | _facts(row) | measured))
    lines = bundle.parts.card.strip().splitlines()
    click.echo("\n".join(["", *map(shown, lines[:_CARD_LINES]), *(["..."] if len(lines) > _CARD_LINES else [])]))
    if scores:
        click.echo("\n" + _page({each: _rounded(score) for each, score in scores.items()}))


@model.command()
@click.argument("file", type=click.Path(path_type=Path))
@_json
@click.pass_context
def check(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Try the model in FILE on this machine, as is done with those that are copied to the incoming folder.

    It needs no engine, so it can be done on a laptop before copying; how fast a model is depends on the machine.

    Example: latent model check mine.latent
    """
    from appliance.service.arriving.trial import tried

    verdict = tried(file, shown(file))
    if as_json:
        click.echo(verdict.model_dump_json())
        ctx.exit(0 if verdict.accepted else 1)
    if not verdict.accepted:
        raise ModelError(verdict.reason)
    known = {"name": verdict.name, "licence": verdict.licence, "author": verdict.author, "created": verdict.created}
    click.echo(f"{shown(file)} can be played here.")
    click.echo(_page(known | {"digest": verdict.digest, "MB": megabytes(verdict.size)} | _measured(verdict)))


@model.command()
@click.argument("name")
@_config
@_json
def use(name: str, config: Path | None, as_json: bool) -> None:
    """Let model NAME play, and wait until it does.

    NAME is that of the model, or that of its file, or the first four or more digits of its digest; "default" is the one
    that is shipped so. Without an engine it plays from the next start on.

    Example: latent model use glass
    """
    store = _store()
    pointer = _pointer(name, store)
    place_of(pointer, store)
    settings, before = read_settings(config), engine_model()
    if not pointer.shipped:
        # Somebody wants to hear it again.
        store.fail(pointer.digest, "")
    _tell(store.choose(pointer, settings.music.model), store, settings, before, as_json)


@model.command()
@_config
@_json
def rollback(config: Path | None, as_json: bool) -> None:
    """Let the model play that played before, and wait until it does; twice is back again.

    Example: latent model rollback
    """
    store = _store()
    settings, before = read_settings(config), engine_model()
    # What cannot be found is not gone back to.
    _wanted(store.choice().gone_back(stay=True), store, settings)
    _tell(store.go_back(), store, settings, before, as_json)


@model.command()
@click.argument("name")
@_json
def remove(name: str, as_json: bool) -> None:
    """Throw model NAME away, unless it plays or would be gone back to.

    Example: latent model remove glass
    """
    store = _store()
    pointer = _pointer(name, store)
    if pointer.shipped:
        raise ModelError(f"{pointer.name} came with the program, and stays.")
    if (engine_model() or {}).get("digest") == pointer.digest:
        raise ModelError(f"{shown(pointer.name)} plays; choose another with latent model use first.")
    with contextlib.suppress(ModelError):
        if find(_base_or_default()) == store.path(pointer.digest):
            raise UsageError(f"{shown(pointer.name)} is the model of the settings; name another there first.")
    store.remove(pointer.digest)
    told = {"name": pointer.name, "digest": pointer.digest}
    click.echo(json.dumps(told) if as_json else f"{shown(pointer.name)} is removed.")


def _store() -> Store:
    return Store(folders()[0])


def _base_or_default() -> str:
    """Give the model of the settings; who only looks is not to be kept from it by what is wrong there."""
    try:
        return read_settings(None).music.model
    except SettingsError:
        return DEFAULT


def _pointer(word: str, store: Store) -> Pointer:
    # The name that the file had is as good as the model's, with its ending or without.
    name, suffix = parted(word)
    if "/" in word or (suffix and name not in shipped() and store.match(name) is None):
        raise UsageError(
            f"{shown(word)} is a file, and here a model of this machine is wanted: copy it to the incoming folder, or"
            " name one that latent model list shows."
        )
    return pointer_to(name, store)


def _wanted(choice: Choice, store: Store, settings: Settings) -> str:
    """Give the digest of the model that is chosen. Raises ModelError if it is not here."""
    if choice.current is None:
        return digest(find(settings.music.model))
    place_of(choice.current, store)
    return choice.current.digest


def _overtaken(choice: Choice, store: Store, settings: Settings) -> str:
    """Say why what was chosen is no longer to play; empty as long as it is."""
    wanted, now = choice.current, store.choice().current
    if now == wanted:
        return ""
    failed = (entry.failed for entry in store.entries() if wanted is not None and entry.digest == wanted.digest)
    name = settings.music.model if now is None else now.name
    return shown(next(filter(None, failed), f"Another model was chosen meanwhile: {name}."))


def _tell(choice: Choice, store: Store, settings: Settings, before: EngineModel | None, as_json: bool) -> None:
    """Say what was chosen, and once it plays, that it does."""
    pointer = choice.current
    name = shown(settings.music.model if pointer is None else pointer.name)
    wanted = _wanted(choice, store, settings)
    if not as_json and before is not None and before.get("digest") != wanted:
        click.echo(f"{name} is chosen.")
    plays = heard(name, wanted, before, settings.model.crossfade_s, lambda: _overtaken(choice, store, settings))
    if as_json:
        click.echo(json.dumps({"name": name, "digest": wanted, "plays": plays}))
    else:
        click.echo(f"{name} plays." if plays else f"No engine is running; {name} plays from the next start on.")


def _page(facts: dict[str, Any]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{what:<{width}}  {shown(str(fact))}" for what, fact in facts.items())


def _facts(row: Row) -> dict[str, Any]:
    came = {"came": "shipped"}
    if row.arrived_at is not None:
        came = {"file": row.file + _SUFFIX, "came": f"copied {day(row.arrived_at)}"}
    told = {"failed": row.failed} if row.failed else {}
    return {"digest": row.digest, "MB": megabytes(row.size), **came, "state": ", ".join(row.states) or "-", **told}


def _measured(verdict: Verdict) -> dict[str, Any]:
    """Tell what was measured on this machine."""
    measured = {
        "speed": (verdict.realtime_factor, "times real time"),
        "memory": (verdict.memory_mb, "MB"),
        "loudness": (verdict.loudness_lufs, "LUFS"),
    }
    told = {what: f"{_rounded(value)} {unit}" for what, (value, unit) in measured.items() if value is not None}
    return {"decoder": verdict.precision or "-"} | told


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.3g}"
