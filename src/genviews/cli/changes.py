"""Options of dataclasses, changed by their names."""

from argparse import ArgumentError
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser

from ..errors import OptionError, require_options


def changed(settings: Any, changes: Mapping[str, Any]) -> Any:
    """A dataclass or dict with other values; "encoder.steps" is one within its `encoder`, itself a dataclass or a dict.

    Raises:
        OptionError: If there is no such field, or the value is none of its type.
    """
    if not isinstance(changes, Mapping):
        raise OptionError(f"{type(settings).__name__} cannot be {changes!r}; change its options by their names")
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        if isinstance(settings, Mapping):
            old = settings.get(head)
            if rest and old is None:
                raise OptionError(f"{name!r} is within {head!r}, which is none of {', '.join(settings)}")
            if rest or (is_dataclass(old) and isinstance(value, Mapping)):
                value = changed(old, {rest: value} if rest else value)
            settings = {**settings, head: value}
            continue
        if not is_dataclass(settings) or isinstance(settings, type):
            raise OptionError(f"{settings!r} has no option {name!r}; leave it out")
        require_options(type(settings), [head])
        kind = get_type_hints(type(settings))[head]
        if rest or is_dataclass(kind):
            value = changed(getattr(settings, head), {rest: value} if rest else value)
        else:
            value = _typed(head, kind, value)
        settings = replace(settings, **{head: value})
    return settings


def _typed(name: str, kind: Any, value: Any) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{name}", type=kind)
    try:
        return parser.instantiate_classes(parser.parse_object({name: value}))[name]
    except ArgumentError as error:
        raise OptionError(f"{name} cannot be {value!r}: {error}") from None
