"""The instruments of the corpus: which General MIDI programs, and which of them the model never sees.

Only programs whose notes last while they are held: the codec throws time away, so a plucked or struck
sound would become a wrong one.
"""

__all__ = ["HARSH", "HELD_OUT", "NAMES", "TUNE", "split"]

NAMES: dict[int, str] = {
    16: "drawbar organ", 17: "percussive organ", 18: "rock organ", 19: "church organ", 20: "reed organ",
    21: "accordion", 22: "harmonica", 23: "bandoneon",
    40: "violin", 41: "viola", 42: "cello", 43: "contrabass", 44: "tremolo strings",
    48: "strings", 49: "slow strings", 50: "synth strings 1", 51: "synth strings 2",
    52: "choir aahs", 53: "voice oohs", 54: "synth voice",
    56: "trumpet", 57: "trombone", 58: "tuba", 59: "muted trumpet", 60: "french horn", 61: "brass section",
    62: "synth brass 1", 63: "synth brass 2",
    64: "soprano sax", 65: "alto sax", 66: "tenor sax", 67: "baritone sax", 68: "oboe", 69: "english horn",
    70: "bassoon", 71: "clarinet",
    72: "piccolo", 73: "flute", 74: "recorder", 75: "pan flute", 76: "bottle", 77: "shakuhachi",
    78: "whistle", 79: "ocarina",
    80: "square lead", 81: "saw lead", 82: "calliope lead", 83: "chiff lead", 84: "charang lead",
    85: "voice lead", 86: "fifths lead",
    88: "fantasia pad", 89: "warm pad", 90: "polysynth pad", 91: "space voice pad", 92: "bowed glass pad",
    93: "metal pad", 94: "halo pad", 95: "sweep pad",
    97: "soundtrack", 101: "echo voice", 109: "bagpipe", 110: "fiddle",
}  # fmt: skip

# One or two of each family, so that the score asks for an unheard instrument, not for an unheard kind of sound.
HELD_OUT = (20, 42, 50, 53, 60, 71, 74, 94)
# What is chosen by trying (sizes, weights, when to stop) is chosen on these, so that the score stays clean.
TUNE = (21, 41, 51, 69, 79, 91)

# Worth learning from, but no place to rest at for an afternoon.
HARSH = (22, 56, 59, 62, 64, 65, 81, 83, 84, 86, 109)


def split(program: int) -> str:
    """Whether a program is trained on, tuned on or held out, in all soundfonts alike: they share samples."""
    return "held_out" if program in HELD_OUT else "tune" if program in TUNE else "train"
