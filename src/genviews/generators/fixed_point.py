"""Inverting x + g(x) for a contraction g, with derivatives of every order by the implicit function theorem."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# torch.compile records a `while` that depends on data only as this operator, whose home PyTorch has not made public yet.
from torch._higher_order_ops import while_loop
from torch.autograd import Function

_MOST_ITERATIONS = 500


def invert(g: Callable[..., Tensor], y: Tensor, *context: Tensor) -> Tensor:
    """The x of x + g(x, *context) = y, where g contracts in x.

    Derivatives solve their own linear fixed point instead of running back through the iterations. They compose in any order but
    forward mode over forward mode, which PyTorch does not carry through a `torch.autograd.Function`.

    Args:
        g: Of x and the context, whose samples lie along the first dimension and do not see each other.
        y: (B, ...).
        context: (B, ...) each: what else g depends on and derivatives are to reach.

    Returns:
        x (B, ...), of y's shape. The iteration x <- y - g(x) ends, for each sample by itself, when it moves no number by more
        than eight units of rounding of the sample's largest.
    """
    x = _Solve.apply(g, y.detach(), *(tensor.detach() for tensor in context))
    return _Implicit.apply(g, y - g(x, *context), *context)


class _PerSample(Function):
    """A function of samples along the first dimension; `vmap` gives it more of them."""

    @classmethod
    def vmap(cls, info: Any, in_dims: tuple[int | None, ...], g: Callable[..., Tensor], *tensors: Tensor) -> tuple[Tensor, int]:
        n = info.batch_size
        stacked = (t.expand(n, *t.shape) if d is None else t.movedim(d, 0) for t, d in zip(tensors, in_dims[1:], strict=True))
        return cls.apply(g, *(tensor.flatten(0, 1) for tensor in stacked)).unflatten(0, (n, -1)), 0


class _Solve(_PerSample):
    """x by iteration, without derivatives."""

    @staticmethod
    def forward(g: Callable[..., Tensor], y: Tensor, *context: Tensor) -> Tensor:
        own = tuple(range(1, y.ndim))
        tolerance = 8 * torch.finfo(y.dtype).eps

        def unfinished(count: Tensor, x: Tensor, done: Tensor) -> Tensor:
            return (count < _MOST_ITERATIONS) & ~done.all()

        def step(count: Tensor, x: Tensor, done: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            new = torch.where(done, x, y - g(x, *context))
            moved, size = (new - x).abs().amax(own, keepdim=True), new.abs().amax(own, keepdim=True)
            return count + 1, new, ~(moved > tolerance * size)

        count = torch.zeros((), dtype=torch.int64, device=y.device)
        state = count, y.clone(), torch.zeros_like(y.amax(own, keepdim=True), dtype=torch.bool)
        if torch.compiler.is_compiling():
            return while_loop(unfinished, step, state)[1]
        while unfinished(*state):
            state = step(*state)
        return state[1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is kept."""


class _Implicit(_PerSample):
    """The identity at x = y - g(x), whose derivative is (I + dg/dx)^-1."""

    @staticmethod
    def forward(g: Callable[..., Tensor], x: Tensor, *context: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.g, _, *context = inputs
        ctx.save_for_backward(output, *context)
        ctx.save_for_forward(output, *context)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        def pull(cotangent: Tensor, x: Tensor, *context: Tensor) -> Tensor:
            return torch.func.vjp(lambda x: ctx.g(x, *context), x)[1](cotangent)[0]

        x, *context = ctx.saved_tensors
        return None, invert(pull, cotangents[0], x, *context), *(None for _ in context)

    @staticmethod
    def jvp(ctx: Any, _: None, tangent: Tensor, *others: Tensor | None) -> Tensor:
        def push(tangent: Tensor, x: Tensor, *context: Tensor) -> Tensor:
            return torch.func.jvp(lambda x: ctx.g(x, *context), (x,), (tangent,))[1]

        x, *context = ctx.saved_tensors
        return invert(push, tangent, x, *context)
