"""A list of modules of one class, for type checkers; in a state dict it is a `ModuleList`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, cast

from torch import nn

from export.wrap import ModuleT


class Modules(nn.ModuleList, Generic[ModuleT]):
    """A `ModuleList` that knows the class of its modules."""

    def __init__(self, modules: Iterable[ModuleT] = ()) -> None:
        super().__init__(modules)

    def __iter__(self) -> Iterator[ModuleT]:
        return cast("Iterator[ModuleT]", super().__iter__())
