"""What can go wrong and be put right by the person who reads the message.

::

    ModemapError             1  the base; never raised itself
    ├── ParamsError          2  params.yaml or an argument breaks a rule
    ├── DataError            3  the data cannot be read or breaks its contract
    ├── GateRefusedError          6  the gate stopped a release
    ├── ReleaseError         7  a release is missing, damaged or not the one expected
    ├── RegistryError        8  the tracking store or registry refused or contradicts itself
    └── StageError           9  a stage was stopped, timed out, met a lock, or the system refused it

Exit codes 4 and 5 belong to drift checks: drift found, and not checkable.
"""

__all__ = [
    "DataError",
    "GateRefusedError",
    "ModemapError",
    "ParamsError",
    "RegistryError",
    "ReleaseError",
    "StageError",
]


class ModemapError(Exception):
    """An error that says where, which rule broke, what was found and what to do next."""

    exit_code = 1

    def __init__(self, place: object, rule: str, *, found: object, hint: str) -> None:
        self.place, self.rule, self.found, self.hint = str(place), rule, str(found), hint
        super().__init__(f"{place}: {rule}\n  found: {found}\n  hint: {hint}")

    def __reduce__(self) -> tuple[object, ...]:
        """Cross from one process to another with all four parts."""
        return _told_again, (type(self), self.place, self.rule, self.found, self.hint)


def _told_again(
    kind: type[ModemapError], place: str, rule: str, found: str, hint: str
) -> ModemapError:
    error = kind.__new__(kind)
    ModemapError.__init__(error, place, rule, found=found, hint=hint)
    return error


class ParamsError(ModemapError, ValueError):
    """A setting in params.yaml or an argument of a command breaks a rule."""

    exit_code = 2


class DataError(ModemapError, ValueError):
    """A data file cannot be read, or its rows break the contract."""

    exit_code = 3


class GateRefusedError(ModemapError):
    """The gate stopped a release; the champion stays."""

    exit_code = 6


class ReleaseError(ModemapError, ValueError):
    """A release is missing, incomplete, damaged, or not the one that was asked for."""

    exit_code = 7


class RegistryError(ModemapError):
    """The tracking store or the registry cannot be used as it is."""

    exit_code = 8


class StageError(ModemapError, RuntimeError):
    """A stage did not finish for a reason that lies outside the data and the params."""

    exit_code = 9
