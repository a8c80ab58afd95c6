"""Run folders: what a command writes, and who may write there."""

import os
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import torch
import yaml

from .errors import RunError

CONFIG = "config.yaml"


def claim(out: Path, config: str, resume: bool) -> None:
    """Takes a folder for a run and writes its resolved configuration there.

    Args:
        out: The folder; new, empty, or that of this very run, which may have moved there.
        config: YAML of the options; running it again repeats the run.
        resume: Whether `out` may hold this run already.

    Raises:
        RunError: If it holds another run, or something else, or cannot be made.
    """
    path = out / CONFIG
    others = sorted(entry.name for entry in out.iterdir() if entry != path) if out.is_dir() else []
    if others and not path.exists():
        raise RunError(f"{out} holds {others[0]} but no run; choose an empty folder with --out")
    if not others:
        try:
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(config)
        except OSError as error:
            raise RunError(f"{out} cannot be written ({error.strerror}); choose another folder with --out") from None
        return
    if not resume:
        raise RunError(f"{out} holds a run already; go on with it by --resume, or choose another folder with --out")
    before, now = flatten(yaml.safe_load(path.read_text())), flatten(yaml.safe_load(config))
    for key in sorted((before.keys() | now.keys()) - {"out"}):
        if before.get(key) != now.get(key):
            raise RunError(f"{out} holds a run of {key}={before.get(key)}, not {now.get(key)}; keep that, or change --out")


def is_first_process() -> bool:
    """Whether this is the first process of a distributed run, or the only one."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def facts() -> dict[str, str]:
    """What a run's results say of their making: `date`, `version`, `device`."""
    threads = torch.get_num_threads()
    cpu = f"CPU, {threads} thread{'s' * (threads > 1)}"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return {"date": datetime.now().astimezone().isoformat(timespec="seconds"), "version": version("genviews"), "device": device}


def flatten(options: dict, prefix: str = "") -> dict:
    """Nested options by their dotted names."""
    flat: dict = {}
    for key, value in options.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
