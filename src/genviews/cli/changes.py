"""Options of dataclasses, changed by their names."""

from argparse import ArgumentError
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser

from ..errors import OptionError, require_options


def given(**options: Any) -> dict[str, Any]:
    """Those that the command line was told; one that it was not is None."""
    return {name: value for name, value in options.items() if value is not None}


def changed(settings: Any, changes: Mapping[str, Any]) -> Any:
    """A dataclass or dict with other values; "encoder.steps" is one within its `encoder`, itself a dataclass or a dict.

    Raises:
        OptionError: If there is no such field, or the value is none of its type.
    """
    if not isinstance(changes, Mapping):
        raise OptionError(f"{type(settings).__name__} cannot be {changes!r}; change its options by their names")
    values: dict[str, Any] = {}
    for name, value in changes.items():
        head, _, rest = str(name).partition(".")
        if isinstance(settings, Mapping):
            if head not in settings and (rest or _holds_options(settings)):
                raise OptionError(f"{head!r} is none of {', '.join(settings)}")
            old = values.get(head, settings.get(head))
            inside = is_dataclass(old) and not isinstance(value, str)
        elif is_dataclass(settings) and not isinstance(settings, type):
            require_options(type(settings), [head])
            kind, old = get_type_hints(type(settings))[head], values.get(head, getattr(settings, head))
            inside = is_dataclass(kind) or _holds_options(old)
        else:
            raise OptionError(f"{settings!r} has no option {name!r}; leave it out")
        if rest or inside:
            value = changed(old, {rest: value} if rest else value)
        elif not isinstance(settings, Mapping):
            value = _typed(head, kind, value)
        values[head] = value
    return {**settings, **values} if isinstance(settings, Mapping) else replace(settings, **values)


def _holds_options(value: Any) -> bool:
    """Whether it is a dict of dataclasses, whose names stay."""
    return isinstance(value, Mapping) and any(map(is_dataclass, value.values()))


def _typed(name: str, kind: Any, value: Any) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{name}", type=kind)
    try:
        return parser.instantiate_classes(parser.parse_object({name: value}))[name]
    except ArgumentError as error:
        raise OptionError(f"{name} cannot be {value!r}: {error}") from None
