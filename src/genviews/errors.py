"""Errors a user can act on: each message names the value, the place and the remedy."""

from collections.abc import Callable, Collection
from dataclasses import fields
from inspect import Parameter, signature
from numbers import Real
from typing import Any, Literal, get_args, get_origin


class GenviewsError(Exception):
    """Base of every error raised for bad input; the command line prints it as one line and exits with 2."""


class CheckpointError(GenviewsError):
    """A checkpoint that is missing, empty, truncated, or of no known family."""


class UnsafeFileError(CheckpointError):
    """A file that would execute code when read."""


class ShapeError(GenviewsError, ValueError):
    """A tensor whose shape does not fit where it enters."""


class DataError(GenviewsError, ValueError):
    """A data set that cannot be read or does not hold what a protocol needs."""


class OptionError(GenviewsError, ValueError):
    """An option whose value is unknown or impossible."""


class RunError(GenviewsError):
    """A run folder that holds another run, or a run that cannot be resumed."""


class NonFiniteError(GenviewsError, ArithmeticError):
    """A loss that became NaN or infinite."""


def require_positive(**values: float | None) -> None:
    """Refuses options that are given and no numbers above zero.

    Raises:
        OptionError: Names the first.
    """
    for name, value in values.items():
        if value is not None and not (isinstance(value, Real) and value > 0):
            raise OptionError(f"{name} is {value}; it must be positive")


def require_weights(**values: float | None) -> None:
    """Refuses weights of terms of a loss that are given and are below zero or no number.

    Raises:
        OptionError: Names the first.
    """
    for name, value in values.items():
        if value is not None and not value >= 0:
            raise OptionError(f"{name} is {value}; it must be positive, or 0 for no such term")


def require_choices(options: Any) -> None:
    """Refuses a dataclass of options with a value that is none of its field's `Literal`.

    Raises:
        OptionError: Names the first.
    """
    for field in fields(options):
        value, choices = getattr(options, field.name), get_args(field.type)
        if get_origin(field.type) is Literal and value not in choices:
            raise OptionError(f"{field.name} is {value!r}; choose {' or '.join(choices)}")


def require_options(network: Callable[..., Any], options: Collection[str]) -> None:
    """Refuses options that a network's constructor does not take.

    Raises:
        OptionError: Names the first of them, and those it takes.
    """
    kinds = {name: parameter.kind for name, parameter in signature(network).parameters.items()}
    names = [name for name, kind in kinds.items() if kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)]
    unknown = [name for name in options if name not in names]
    if unknown and Parameter.VAR_KEYWORD not in kinds.values():
        raise OptionError(f"{getattr(network, '__name__', network)} has no option {unknown[0]!r}; it has {', '.join(names)}")
