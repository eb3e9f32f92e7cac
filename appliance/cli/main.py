"""The command ``latent``: finds the subcommand, and turns every error into one sentence and an exit code."""

import contextlib
import difflib
import importlib
import os
import re
import signal
import sys

import click

from appliance.errors import LatentError

__all__ = ["cli", "main"]

# Subcommands are imported when they are called: `latent player` must never load what `latent studio` needs.
_COMMANDS = {
    "play": ("appliance.cli.play", "play", "Play endlessly through the sound card."),
    "render": ("appliance.cli.render", "render", "Render music to a WAV or FLAC file."),
    "mood": ("appliance.cli.mood", "mood", "Show the mood of what plays, or change it."),
    "next": ("appliance.cli.mood", "next_piece", "Begin a new piece."),
    "scene": ("appliance.cli.scene", "scene", "Keep how things stand under a name, and go back to it."),
    "place": ("appliance.cli.place", "place", "Show where among its sounds the music is drawn to, or move it."),
    "corner": ("appliance.cli.place", "corner", "Store what sounds now as a corner of the plane that x and y move on."),
    "keep": ("appliance.cli.taste", "keep", "Remember the place that sounds now."),
    "never": ("appliance.cli.taste", "never", "Ban the place that sounds now."),
    "model": ("appliance.cli.model", "model", "Choose which model plays, and look after those on this machine."),
    "controls": ("appliance.cli.controls", "controls", "Show every knob and sensor as it moves, and calibrate them."),
    "status": ("appliance.cli.status", "status", "Show how things are: what plays, and how well."),
    "top": ("appliance.cli.top", "top", "Watch how things are, as they move."),
    "doctor": ("appliance.cli.doctor", "doctor", "Check this machine, and say how to mend what it finds."),
    "evidence": ("appliance.cli.evidence", "evidence", "Show how the last months went, day by day."),
    "listen": ("appliance.cli.listen", "listen", "Send what the room hears to another program, as WAV."),
    "log": ("appliance.cli.log", "log", "Save what a render needs to play again what was heard."),
    "calibrate": ("appliance.cli.loudness", "calibrate", "Measure how loud the room is, with a sound level meter."),
    "bench": ("appliance.cli.bench", "bench", "Measure this machine: speed, latency, memory."),
    "engine": ("appliance.cli.engine", "engine", "Make the music that the player plays."),
    "player": ("appliance.cli.player", "player", "Play what the engine makes."),
    "probe": ("appliance.cli.probe", "probe", "Take in the models that are copied to this machine."),
    "settings": ("appliance.cli.settings", "settings", "Check the settings, and name all that is wrong with them."),
    "light": ("appliance.cli.light", "light", "Let a status light tell how things are."),
    "snapcast": ("appliance.cli.snapcast", "snapcast", "Send the sound to a Snapcast server, for many rooms in step."),
    "pack": ("appliance.cli.pack", "pack", "Pack settings, models and what was taught into one file."),
    "unpack": ("appliance.cli.pack", "unpack", "Make this machine what a packed one was."),
    "keeper": ("appliance.cli.keeper", "keeper", "Count the day, note how it went, and tell metrics."),
    "report": ("appliance.cli.studio", "report", "Judge a trained model; the same as 'latent studio report'."),
    "studio": ("appliance.cli.studio", "studio", "Make a model from recordings: gather, curate, train, ..."),
}
# Training takes all there are.
_MANY_THREADS = ("studio",)


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name not in _MANY_THREADS:
            # What the libraries under numpy share out among threads is rounded otherwise, and one core is enough.
            for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                os.environ[variable] = "1"
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_COMMANDS)}."
            raise click.UsageError(f"There is no command called {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="latent-appliance", prog_name="latent")
def cli() -> None:
    """Endless ambient music from a neural timbre space.

    Example: latent render night.flac --minutes 10 --seed 7
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage.

    With LATENT_DEBUG set, what nobody foresaw is shown with its traceback.
    """
    # Until a command says it is ready for it, Ctrl-C ends the process at once: raised in the middle of an import, it
    # would come out as something else.
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        code = _run(args)
    finally:
        signal.signal(signal.SIGINT, before)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    try:
        result = cli.main(args=args, prog_name="latent", standalone_mode=False)
        if sys.stdout is not None:
            # What the system cannot take should be known before the exit code is settled.
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        message = error.format_message().replace("\n", " ").strip()
        # click names the type that it looked for, as programmers call it.
        message = re.sub(r" is not a valid float( range)?\b", " is not a number", message)
        message = re.sub(r" is not a valid integer( range)?\b", " is not a whole number", message)
        return _complain(message if message.endswith((".", "?", "!")) else message + ".", error.exit_code)
    except LatentError as error:
        return _complain(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _complain("Stopped.", 1)
    except Exception as error:
        if os.environ.get("LATENT_DEBUG"):
            raise
        if isinstance(error, OSError):
            _drop_output()
        what = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        return _complain(f"That did not work ({' '.join(what.split())}); LATENT_DEBUG=1 shows where.", 1)


def _drop_output() -> None:
    """Let what could not be printed go, or Python would try once more as it ends, and complain in its own words."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(sentence: str, code: int) -> int:
    # Where nobody can be told, the exit code still says it.
    with contextlib.suppress(OSError):
        click.echo(f"latent: {sentence}", err=True)
    return code
