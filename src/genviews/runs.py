"""Run folders: what a command writes, and who may write there."""

from pathlib import Path

import yaml

from .errors import RunError

CONFIG = "config.yaml"


def claim(out: Path, config: str, resume: bool) -> None:
    """Takes a folder for a run and writes its resolved configuration there.

    Args:
        out: The folder; new, empty, or that of this very run.
        config: YAML of the options; running it again repeats the run.
        resume: Whether `out` may hold this run already.

    Raises:
        RunError: If it holds another run, or something else.
    """
    path = out / CONFIG
    others = sorted(entry.name for entry in out.iterdir() if entry != path) if out.is_dir() else []
    if others and not path.exists():
        raise RunError(f"{out} holds {others[0]} but no run; choose an empty folder with --out")
    if not others:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(config)
        return
    if not resume:
        raise RunError(f"{out} holds a run already; go on with it by --resume, or choose another folder with --out")
    before, now = _flat(yaml.safe_load(path.read_text())), _flat(yaml.safe_load(config))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise RunError(f"{out} holds a run with {key}={before.get(key)}, not {now.get(key)}; resume it as it began, or choose another --out")


def _flat(options: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in options.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
