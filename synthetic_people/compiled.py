"""Compilation of the pixel loops."""

import inspect
from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile with numba, as a part of the compiled functions that call it, and keep the result on disk.

    Whatever wraps the function (the tests' shape checker) is taken off first: numba compiles plain functions only.
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(inspect.unwrap(function))
