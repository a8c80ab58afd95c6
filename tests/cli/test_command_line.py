"""What every command has in common: help, examples that parse, and bad input answered by one line and exit code 2."""

import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from genviews.cli import OVERVIEW, RUNS, VERBS, _find, _function, _parser, main
from genviews.encoders import Encoder, save

MODULES = {verb: import_module(f"genviews.cli.{verb}").COMMAND for verb in VERBS}
COMMANDS = {
    f"{verb} {sub}".strip(): _function(command)
    for verb, commands in MODULES.items()
    for sub, command in (commands.items() if isinstance(commands, dict) else [("", commands)])
}
EXAMPLES = [
    line
    for text in (OVERVIEW, *map(inspect.getdoc, COMMANDS.values()))
    for line in re.findall(r"^  genviews (.+?)(?:   .*)?$", text, re.M)
    if "VERB" not in line
]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command that is to fail, in an empty folder; returns its one line."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> str:
        assert main(shlex.split(line)) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("genviews: error: ") and err.count("\n") == 1 and err.endswith("\n")
        return err

    return run


@pytest.mark.parametrize("args", [[], ["-h"], ["--help"]])
def test_the_overview_names_every_verb(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {verb} +\w", out, re.M) for verb in VERBS) and "genviews quickstart" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_and_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*name.split(), "--help"])
    out = capsys.readouterr().out
    assert not stopped.value.code
    assert f"usage: genviews {name}" in out and f"Examples:\n  genviews {name}" in out and "Args:" not in out
    for parameter in inspect.signature(COMMANDS[name]).parameters.values():
        if parameter.kind != parameter.VAR_KEYWORD:
            assert f"\n    {parameter.name}: " in inspect.getdoc(COMMANDS[name])
        if parameter.kind != parameter.VAR_KEYWORD and parameter.default != parameter.empty:
            assert re.search(rf"^  --{parameter.name}\b", out, re.M)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if isinstance(MODULES[verb], dict)])
def test_help_of_a_verb_lists_its_commands(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    out = capsys.readouterr().out
    assert not stopped.value.code and all(re.search(rf"^  genviews {verb} {sub} +\w", out, re.M) for sub in MODULES[verb])


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_parse(example: str) -> None:
    name, command, rest = _find(shlex.split(example))
    _parser(name, command).parse_args(rest)


def test_examples_are_of_every_command() -> None:
    assert all(any(example.startswith(name) for example in EXAMPLES) for name in COMMANDS)
    assert set(COMMANDS) >= RUNS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("quikstart", "'quikstart' is no verb; choose from quickstart, generator"),
        ("--version-of-what", "'--version-of-what' is no verb"),
        ("generator", "generator takes one of info, sample, convert, train; got 'nothing'"),
        ("generator inform", "generator takes one of info, sample, convert, train; got 'inform'"),
        ("generator info", "generator info: .* required: generator; see genviews generator info --help"),
        ("generator info digits-flow --colour red", "unrecognized arguments: --colour"),
        ("generator info digits-flow again", "unrecognized arguments: again"),
        ("generator sample digits-flow --count three", "count.* Expected .*int.* Got value: three"),
        ("generator sample digits-flow --count", "--count: expected one argument"),
        ("views render digits-flow gaussian --codec gif", "codec.*'raw', 'jpeg', 'latents'.* Got value: gif"),
        ("pretrain digits --temperatur 0.1", "unrecognized arguments: --temperatur"),
        ("pretrain digits --config nope.yaml", "File does not exist: .*nope.yaml"),
        ("evaluate linear encoder digits --protocol adam", "protocol.*'lbfgs', 'sgd'.* Got value: adam"),
    ],
)
def test_what_cannot_be_parsed(line: str, message: str, refused) -> None:
    assert re.search(message, refused(line))
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("generator info nope.pt", "nope.pt is no file and none of the built-in generators: digits-flow, fashion-stylegan2"),
        ("generator info file", "file is empty; download it again"),
        ("generator sample digits-flow --count 0", "count=0 and columns=8 must be positive"),
        ("generator sample digits-flow --count -1", "count=-1 and columns=8 must be positive"),
        ("generator sample digits-flow --columns 0", "count=64 and columns=0 must be positive"),
        ("generator sample digits-flow --out file/a.png", "File exists: 'file'"),
        ("generator train --data nope", "data 'nope' is neither digits, mnist"),
        ("generator train --family burgess_vae", "32 x 32 or 64 x 64"),
        ("generator train --features nope", "nope is missing"),
        ("generator train --family icgan --instances.stored 0", "stored is 0; it must be positive"),
        ("generator train --architecture.wings 2 --features none", "RealNVP has no option 'wings'; it has image_shape, steps"),
        ("generator sample digits-flow --condition 3", "condition is 3; the generator has no conditions"),
        ("generator convert digits-flow to --options.wings 2", "RealNVP has no option 'wings'"),
        ("generator info digits-flow --options.instances features.npy", "RealNVP is conditioned on no instances"),
        ("views render digits-flow nope", "nope is missing"),
        ("views render digits-flow gaussian --pairs 0", "pairs=0, .* must be positive"),
        ("views render digits-flow gaussian --out file", "file cannot be written"),
        ("views export nope png", "nope holds no readable store"),
        ("pretrain nope", "data 'nope' is neither digits, mnist"),
        ("pretrain generated", "no generator is named; pass --generator"),
        ("pretrain digits --method viewmaker --objective.budget 0", "budget is 0; it must be positive"),
        ("evaluate linear nope digits", r"nope/model\.json is missing"),
        ("evaluate knn encoder nope", "data 'nope' is neither"),
        ("evaluate knn encoder rgba.npz", r"takes images \(B, 1, H, W\), got \(8, 4, 4, 4\)"),
        ("evaluate knn encoder digits --k 0", "k is 0"),
        ("evaluate linear encoder digits --labels_per_class 1000", "1000 labels a class were asked for"),
        ("report nope", r"nope/results\.json is missing; give the folder of a run"),
        ("navigator train digits-flow --out file", "file cannot be written"),
    ],
)
def test_what_cannot_be_done(line: str, message: str, refused) -> None:
    Path("file").touch()
    if " encoder " in line:
        save(Encoder(in_channels=1), Path("encoder"))
        np.savez("rgba.npz", images=np.zeros((10, 4, 4, 4), np.uint8), labels=np.arange(10) % 2)
    assert re.search(message, refused(line))


REQUIRED = {
    "autoencoder train": "digits",
    "autoencoder prior": "vqgan digits",
    "directions discover": "digits-flow",
    "navigator train": "digits-flow",
    "invert": "digits-flow digits",
    "pretrain": "digits",
    "evaluate detection": "encoder cells",
    "evaluate finetune": "encoder digits",
    "evaluate ood": "encoder looks.npz",
    "evaluate geometry": "encoder digits",
    "evaluate mutual-information": "encoder digits",
    "evaluate transfer": "encoder [digits]",
    "evaluate zoo": "[a,b] looks.npz",
    "latents steer": "digits-flow",
    "latents search-std": "digits-flow digits",
}


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_folder_of_another_run_is_left_alone(name: str, refused) -> None:
    first = REQUIRED.get(name, "")
    Path("run").mkdir()
    Path("run/metrics.csv").write_text("step\n")
    assert "run holds metrics.csv but no run" in refused(f"{name} {first} --out run")
    Path("run/config.yaml").write_text("out: run\nlr: 0.5\n")
    assert "run holds a run already; go on with it by --resume" in refused(f"{name} {first} --out run")
    assert re.search(
        r"run holds a run of \S+=.*, not .*; keep that, or change --out", refused(f"{name} {first} --out run --resume")
    )
    assert Path("run/config.yaml").read_text() == "out: run\nlr: 0.5\n" and len(list(Path("run").iterdir())) == 2
