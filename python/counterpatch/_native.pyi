from os import PathLike
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from ._arguments import AttackOptions, Limits, Pictures, ReadingOptions, RepairOptions

_Path = Union[str, "PathLike[str]"]
_Given = tuple[Optional[str], Union[bytes, _Path]]
_Numbers = npt.NDArray[np.float64]

class Task:
    @staticmethod
    def of_text(networks: list[_Given], text: str, dims: dict[str, int]) -> Task: ...
    @staticmethod
    def of_file(networks: list[_Given], path: _Path, dims: dict[str, int]) -> Task: ...
    @staticmethod
    def within(
        network: _Given,
        lower: _Numbers,
        upper: _Numbers,
        unsafe_sets: list[list[tuple[list[float], float]]],
        dims: dict[str, int],
    ) -> Task: ...
    @staticmethod
    def around(
        network: _Given,
        point: _Numbers,
        reach: list[float],
        valid: tuple[float, float],
        label: Optional[int],
        dims: dict[str, int],
    ) -> Task: ...
    def doubts(self) -> list[str]: ...
    def falsify(self, limits: Limits) -> dict[str, Any]: ...
    def nearest(self, point: Optional[_Numbers], norm: str, gap: float, limits: Limits) -> dict[str, Any]: ...
    def radius(self, most: float, gap: float, each: float, limits: Limits) -> dict[str, Any]: ...
    def repair(
        self, bytes: bytes, points: list[list[float]], options: RepairOptions, limits: Limits
    ) -> dict[str, Any]: ...
    def check_file(self, path: _Path) -> dict[str, Any]: ...
    def check_text(self, text: str) -> dict[str, Any]: ...

def attack(
    network: _Given, pictures: Pictures, reading: ReadingOptions, options: AttackOptions, dims: dict[str, int]
) -> dict[str, Any]: ...
def command_line(itself: list[str], arguments: list[str]) -> int: ...
