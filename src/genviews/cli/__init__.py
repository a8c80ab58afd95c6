"""The command line: `genviews VERB`, each verb a typed function whose signature makes its options."""

import argparse
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import GenviewsError, OptionError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

VERBS = {
    "quickstart": "the main job in one command: navigator, pairs, encoders, probes, a page of pictures",
    "generator": "info | sample | convert | train: what renders latents",
    "autoencoder": "train | prior: latents that make generators better, in one stage or two, and priors over them",
    "navigator": "train: learns optimal positives in a generator's latent space",
    "latents": "steer | search-std: walks that edit images, the std of Gaussian steps",
    "directions": "discover | show: factors in a generator's latent space, and an encoder that tells them apart",
    "views": "render | search | perturb | export: pairs of images, or views of real images, to disk",
    "invert": "real images into a generator's latents",
    "pretrain": "an encoder from real images, rendered pairs, or pairs rendered on the fly",
    "encoder": "export: an encoder's weights for torchvision, timm or detectron2",
    "evaluate": "linear | knn | finetune | transfer | ood | zoo | detection | disentanglement | generation | geometry | ...",
    "reproduce": "a table of a paper, at the scale you choose",
    "report": "the page of a run folder, again",
}

RUNS = {
    "quickstart",
    "generator train",
    "autoencoder train",
    "autoencoder prior",
    "directions discover",
    "navigator train",
    "invert",
    "pretrain",
    "evaluate detection",
    "evaluate finetune",
    "evaluate ood",
    "evaluate mutual-information",
    "evaluate geometry",
    "evaluate transfer",
    "evaluate zoo",
    "latents steer",
    "latents search-std",
}
"""The commands that fill a run folder `out` and write their configuration there."""

FLAGS = {
    "resume": "go on with the run in the folder, to the same result",
    "gif": "animate the shifts too",
    "compiled": "run the generator under torch.compile, as CUDA graphs on a GPU: a minute at first, then faster steps",
    "decoupled": "train the encoder with a weakened decoder first, and then a full decoder for it (DAE)",
    "gromov_wasserstein": "measure distances across dimensions too: Gromov-Wasserstein and D+, a minute or two",
}
"""Options without a value, wherever a command has them."""

OVERVIEW = """usage: genviews VERB ...

Contrastive representation learning with generative models.

verbs:
{verbs}

examples:
  genviews quickstart                                  the whole way on handwritten digits, in under 5 minutes
  genviews quickstart --data mnist --generator G.pt    on your data and your generator
  genviews generator info G.pt                         what a file is
  genviews navigator train G.pt --out runs/navigator
  genviews VERB --help                                 options and examples of a verb"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 2 after printing one line about a bad input, or a file that cannot be read or written."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(OVERVIEW.format(verbs="\n".join(f"  {verb:<12}{what}" for verb, what in VERBS.items())))
        return 0
    try:
        name, command, rest = _find(args)
        _run(name, command, rest)
    except (GenviewsError, OSError) as error:
        print(f"genviews: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _find(args: list[str]) -> tuple[str, Callable[..., Any], list[str]]:
    """The command that the first one or two words name, and the remaining arguments."""
    verb, *rest = args
    if verb not in VERBS:
        raise OptionError(f"{verb!r} is no verb; choose from {', '.join(VERBS)}")
    command = importlib.import_module(f".{verb}", __name__).COMMAND
    if callable(command):
        return verb, command, rest
    if rest and rest[0] in command:
        return f"{verb} {rest[0]}", _function(command[rest[0]]), rest[1:]
    if rest and rest[0] in ("-h", "--help"):
        width = max(map(len, command))
        about = {sub: inspect.getdoc(_function(run)) or "" for sub, run in command.items()}
        lines = [f"  genviews {verb} {sub:<{width}}  {text.splitlines()[0]}" for sub, text in about.items()]
        print("\n".join([f"usage: genviews {verb} COMMAND ...", "", *lines]))
        raise SystemExit(0)
    raise OptionError(f"{verb} takes one of {', '.join(command)}; got {rest[0] if rest else 'nothing'!r}")


def _function(command: Callable[..., Any] | str) -> Callable[..., Any]:
    """A command, or that of the module of this name, whose imports take seconds."""
    return importlib.import_module(f".{command}", __name__).COMMAND if isinstance(command, str) else command


def _parser(name: str, command: Callable[..., Any]) -> "ArgumentParser":
    """The parser that a command's signature makes."""
    from jsonargparse import ArgumentParser, DefaultHelpFormatter

    class Formatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        pass

    parameters = inspect.signature(command).parameters
    about = (inspect.getdoc(command) or "").split("\nArgs:")[0]
    parser = ArgumentParser(
        prog=f"genviews {name}", description=about, formatter_class=Formatter, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", action="config", help="YAML of options, as a run folder's config.yaml")
    flags = FLAGS.keys() & parameters.keys()
    for flag in flags:
        parser.add_argument(f"--{flag}", action="store_true", help=FLAGS[flag])
    parser.add_function_arguments(command, as_positional=True, skip={*flags})
    return parser


def _run(name: str, command: Callable[..., Any], args: list[str]) -> None:
    """Parses by the command's signature, claims the run folder if there is one, and calls the command."""
    from ..runs import claim, is_first_process

    parser = _parser(name, command)
    try:
        config = parser.parse_args(args)
    except argparse.ArgumentError as error:
        raise OptionError(f"{name}: {error}; see genviews {name} --help") from None
    options = parser.instantiate_classes(config)
    del options["config"]
    if name in RUNS and is_first_process():  # the other ranks of a distributed run join the first
        del config["config"], config["resume"]
        claim(options.out, parser.dump(config, skip_validation=True), options.resume)
    command(**options)
