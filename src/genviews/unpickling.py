"""An unpickler that runs nothing of the file it reads.

A pickle is a program. Here every instruction of it that could call something is replaced: an object of an unknown class becomes
an `Inert` holder of its state, a call of anything but the rebuilders listed in `_CALLS` is refused.
"""

import io
import math
import pickle
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar, NoReturn

import numpy as np
import torch
from torch import Tensor

from .errors import CheckpointError, UnsafeFileError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file by torch.save before PyTorch 1.6."""

_MAX_TUPLES = 10_000
"""Tuples and frozensets in one, each as often as it is met; to hash more may overflow the stack or never end."""

_MAX_EXPANDED = 1 << 20
"""Numbers of a tensor that repeats those stored (one that was expanded)."""


@dataclass(frozen=True)
class Global:
    """A class or function that a file names, "module.name"; it is never imported and never called."""

    origin: str


@dataclass(eq=False)
class Inert:
    """An object of a class that is not run.

    Attributes:
        origin: Its class, "module.name".
        args: What its constructor would have been given.
        state: What its `__setstate__` would have been given; for a module its attributes.
        items: What would have been set as its items, for a subclass of dict.
    """

    origin: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value


def read(file: IO[bytes]) -> Any:
    """The content of an open file by torch.save, of today's format or that before PyTorch 1.6, by np.save, or of a plain pickle.

    Raises:
        UnsafeFileError: If it would call something.
        Exception: Anything, if it is truncated or no such file.
    """
    if zipfile.is_zipfile(file):
        return _read_zip(file)
    file.seek(0)
    if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
        return _read_npy(file)
    file.seek(0)
    content = Unpickler(file).load()
    return _read_legacy(file) if type(content) is int and content == _LEGACY_MAGIC else content


def _bounded(size: int, file: IO[bytes]) -> None:
    """Refuses a file that would become larger in memory than it is."""
    position = file.tell()
    length = file.seek(0, io.SEEK_END)
    file.seek(position)
    if size > length:
        raise pickle.UnpicklingError(f"it would take {size:,} bytes of memory, being {length:,} itself")


def _read_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        _bounded(sum(entry.file_size for entry in archive.infolist()), file)
        pickled = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if pickled is None:
            raise CheckpointError("a zip file without a data.pkl")
        folder = pickled.removesuffix("data.pkl")
        return Unpickler(archive.open(pickled), lambda key, size: bytearray(archive.read(f"{folder}data/{key}"))).load()


def _read_npy(file: IO[bytes]) -> Any:
    """An array; what np.save wraps in an array without dimensions, such as a dict, comes without the array."""
    file.seek(0)
    read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = read_header[np.lib.format.read_magic(file)[0]](file)
    if dtype.hasobject:
        content = Unpickler(file).load()
        return content.item() if isinstance(content, np.ndarray) and content.ndim == 0 else content
    size, data = math.prod(shape) * _plain(dtype).itemsize, file.read()
    if len(data) < size:
        raise EOFError("it ends within an array")
    return _numbers(data[:size], dtype).reshape(shape, order="F" if fortran else "C")


def _read_legacy(file: IO[bytes]) -> Any:
    """After the magic number: version, system, content and storage keys, a pickle each, then each storage's length and bytes."""
    _version, _system = Unpickler(file).load(), Unpickler(file).load()

    def open_storage(key: str, size: int) -> bytearray:
        _bounded(size + sum(map(len, reader.storages.values())), file)
        return bytearray(size)

    reader = Unpickler(file, open_storage)
    content = reader.load()
    for key in map(_string, Unpickler(file).load()):
        file.read(8)
        data = file.read(len(reader.storages[key]))
        if len(data) < len(reader.storages[key]):
            raise EOFError("it ends within a tensor")
        reader.storages[key][:] = data
    return content


def _counted(load_tuple: Callable[..., None]) -> Callable[..., None]:
    def load(unpickler: "Unpickler") -> None:
        load_tuple(unpickler)
        made, tuples = unpickler.stack[-1], unpickler.tuples
        tuples[id(made)] = 1 + sum(tuples[id(item)] for item in made if type(item) in (tuple, frozenset) and item)
        if tuples[id(made)] > _MAX_TUPLES:
            raise pickle.UnpicklingError(f"it has more than {_MAX_TUPLES} tuples in one")

    return load


class Unpickler(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """An unpickler whose calling instructions (REDUCE, BUILD, NEWOBJ, NEWOBJ_EX, INST, OBJ) and look-ups run no foreign code.

    All others only make numbers, strings and containers. PyTorch writes tensors as references to storages, which `open_storage`
    (key, size in bytes) opens.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, file: IO[bytes], open_storage: Callable[[str, int], bytearray] | None = None):
        super().__init__(file, encoding="latin1")
        self.open_storage = open_storage
        self.storages: dict[str, bytearray] = {}
        self.tuples: dict[int, int] = {}  # how many there are in each, by its id

    def find_class(self, module: str, name: str) -> Any:
        origin = f"{_RENAMED.get(module, module)}.{name}"
        return _DTYPES.get(origin, Global(origin))

    def persistent_load(self, reference: tuple[Any, ...]) -> Any:
        match reference:
            case ("module", cls, _file, _source):  # the format before 1.6 carries the source text of a pickled module's class
                return cls
            case ("storage", torch.dtype() as dtype, str(key), _device, int(numel), *view) if self.open_storage is not None:
                if key not in self.storages:
                    self.storages[key] = self.open_storage(key, numel * dtype.itemsize)
                storage = torch.from_numpy(np.frombuffer(self.storages[key], np.uint8)).view(dtype)
                match view:
                    case [(_key, offset, size)]:
                        return storage[offset : offset + size]
                return storage
        raise pickle.UnpicklingError(f"it refers to a {type(reference).__name__} that is no stored tensor")

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        if not isinstance(function, Global):
            _refuse(getattr(function, "origin", type(function).__name__))
        if function.origin not in _CALLS:
            _refuse(function.origin)
        return _CALLS[function.origin](*args)

    def _instantiate(self, cls: Any, args: list[Any]) -> None:  # INST and OBJ
        self.stack.append(self.call(cls, tuple(args)))

    def load_reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = _inert(self.stack[-1], *args)

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_newobj()

    def load_build(self) -> None:
        state = self.stack.pop()
        match self.stack[-1]:
            case Inert(state=None) as inert:
                inert.state = state
            case Inert(origin=origin):  # the first state may have replaced __setstate__, which the second would then call
                _refuse(f"{origin}.__setstate__")
            case np.ndarray() as array:
                version, shape, dtype, fortran, data = state
                if _plain(dtype, objects=True).hasobject and len(data) != math.prod(shape):  # numpy would read past the last
                    raise pickle.UnpicklingError(f"it holds {len(data)} objects as an array of another size")
                array.__setstate__((version, shape, dtype, fortran, data))
            case np.dtype() if state[1] != ">":
                pass
            case OrderedDict():  # a state dict's _metadata
                pass
            case other:
                raise pickle.UnpicklingError(f"it sets the state of a {type(other).__name__}")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
    for opcode in (pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.FROZENSET):
        dispatch[opcode[0]] = _counted(dispatch[opcode[0]])


def _refuse(origin: str) -> NoReturn:
    raise UnsafeFileError(f"would call {origin!r:.120} when read; nothing was run, ask its author for a plain state dict")


def _inert(cls: Any, *args: Any) -> Inert:
    if not isinstance(cls, Global):
        raise pickle.UnpicklingError(f"it makes an object of a {type(cls).__name__}, which is no class")
    return Inert(cls.origin, args)


def _plain(dtype: Any, objects: bool = False) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufcSU" + "O" * objects:
        what = getattr(dtype, "name", type(dtype).__name__)
        raise pickle.UnpicklingError(f"it holds an array of {what}; arrays of numbers, strings and plain objects can be read")
    return dtype


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__} where a name belongs")
    return value


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if math.prod(size) > max(storage.numel(), _MAX_EXPANDED):
        raise pickle.UnpicklingError(f"it repeats {storage.numel()} numbers to a tensor of {tuple(size)}")
    return storage.as_strided(size, stride, offset)


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data


def _stored(data: bytes) -> Tensor:
    content = read(io.BytesIO(data))
    if not isinstance(content, Tensor):
        raise pickle.UnpicklingError(f"it stores a {type(content).__name__} as a tensor")
    return content


def _dtype(name: str, *_: Any) -> np.dtype[Any]:
    return _plain(np.dtype(_string(name)), objects=True)


def _numbers(data: bytes, dtype: np.dtype[Any]) -> np.ndarray:
    return np.frombuffer(bytearray(data), _plain(dtype))


_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}

_STORAGES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}

_DTYPES = {f"torch.{name}Storage": dtype for name, dtype in _STORAGES.items()} | {str(d): d for d in _STORAGES.values()}

_CALLS: dict[str, Callable[..., Any]] = {
    "builtins.bytes": lambda: b"",  # how protocols 0 to 2 write empty ones
    "builtins.set": set,
    "collections.Counter": Counter,
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": lambda text, _encoding: text.encode("latin1"),
    "copyreg._reconstructor": lambda cls, _base, _state: _inert(cls),
    "torch.device": torch.device,
    "torch.Size": torch.Size,
    "torch.storage._load_from_bytes": _stored,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch_utils.persistence._reconstruct_persistent_obj": lambda meta: Inert(_string(meta["class_name"]), state=meta["state"]),
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": lambda *_: np.empty(0),
    "numpy._core.multiarray.scalar": lambda dtype, data: _numbers(data, dtype)[0],
    "numpy._core.numeric._frombuffer": lambda data, dtype, shape, order: _numbers(data, dtype).reshape(shape, order=order),
}
