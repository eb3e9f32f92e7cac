"""``latent status``."""

import json

import click

from appliance.cli.status_page import page_of
from appliance.folders import runtime_folder

__all__ = ["status"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def status(as_json: bool) -> None:
    """Show how things are: what plays, and how well. It only looks, and works without engine or player too.

    \b
    Keys of the JSON object; null is what cannot be known:
      healthy, reason       whether both processes live, and why (not)
      state                 what the player does, in words
      hours, hours_sign     always, open, quiet, closed, or "untrusted clock" (then
                            the room stays open); and the same in a sentence
      next_change           when that changes: date and time at the gallery
      device, rate, channels
      reserve_s             seconds of sound ready, and
      reserve_wanted_s      how many there should be
      underruns             blocks of 512 frames that were silent for want of any
      underrun_s            sound, and the same in seconds
      holds, held_s         times and seconds that what was heard before went on,
                            because nothing fresh came
      rewinds               times that the near future was made again for a hand
      refusals              blocks that were not fit to be heard
      bad_samples           samples among them that were not finite
      cards_lost            times that the sound card went away
      knob_to_sound_ms      from the last move of a hand to its sound
      loudness_lufs         of what is being sent; -120 is silence
      volume                where the fader is to be, 0 to 1
      ceiling               what it is kept below, 0 to 1: see [exposure] in the settings
      made_frames           all that the engine has made, and
      consumed_frames       all that the card has taken
      piece, pattern, seed, boots, rung
      model, model_digest
      model_coming          from the engine: the model that is being opened, if any
      model_trouble         so too: why a model that was chosen does not play
      probation_s           so too: seconds until a new model counts as proven
      mood                  from the engine; null while it does not answer
      settings_trouble      what is wrong with the settings, and so stands at its default
      engine_health         so too: what it says of itself
      controls              so too: how many knobs, buttons and sensors are wired
      troubles              so too: those in trouble by name, and why; the sound goes on
      osc                   so too: packets received, refused, unknown, dropped
      awake                 so too: 1, or less while the room is dimmed for want of
                            visitors, down to 0
      uptime_s              seconds since the player began
      engine, player        alive, pid, uptime_s, beat_age_s (seconds since the last
                            sign of life); answers: whether the engine answered
      memory_mb             of engine and player: PSS in MB without the ring
      memory_with_ring_mb   the same with their shares of it
      today                 what the keeper counted since midnight, or for up to 24 hours
                            where the clock cannot be right; null while none runs:
                            label, observed_s, open_s, sounded_s, hushed_s, closed_s,
                            holds, held_s, silent_s, engine_restarts,
                            player_restarts, cards_lost, loudest_lufs, mean_lufs,
                            and line, which tells it in words
      room_dba              from what `latent calibrate` kept: how loud it is in the room
      exposure_dba          so too: LEX,8h of somebody who was there all day, so far
      generation            which ring this is

    Example: latent status --json
    """
    from appliance.service.status import status as look

    report = look(runtime_folder())
    click.echo(json.dumps(report, allow_nan=False) if as_json else page_of(report))
