"""What goes wrong with a cluster, told so that a person can act on it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modemap.engine.worker import identity
from modemap.errors import ModemapError, ParamsError, StageError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["IDLE_SECONDS", "absent", "lost", "other_version", "told", "unreachable", "workerless"]

IDLE_SECONDS = 60.0  # a cluster may do nothing while workers restart
AGAIN = "then run again: nothing was written"


def absent() -> ParamsError:
    """Return the error of an installation without Dask."""
    return ParamsError(
        "params.yaml: engine",
        "`dask` needs the extra `dask`",
        found="no package distributed",
        hint="pip install 'modemap[dask]', or set `engine: local`: the models are the same",
    )


def unreachable(address: str, error: Exception) -> StageError:
    """Return the error of an address where no scheduler answers."""
    return StageError(
        f"the Dask scheduler at {address}",
        "must be running, and reachable from here",
        found=" ".join(str(error).split()) or type(error).__name__,
        hint="start it with `dask scheduler`, mend dask.scheduler or DASK_SCHEDULER_ADDRESS, or "
        "set `engine: local`: the models are the same",
    )


def workerless(client: "Client") -> StageError:
    """Return the error of a cluster without workers."""
    address = _address(client)
    return StageError(
        f"the Dask scheduler at {address}",
        "must have a worker",
        found=f"none for {IDLE_SECONDS:.0f} s",
        hint=f"start some, `dask worker {address} --nthreads 1`, {AGAIN}",
    )


def lost(client: "Client") -> StageError:
    """Return the error of a cluster that does not work on what it was given."""
    return StageError(
        f"the Dask scheduler at {_address(client)}",
        "must work on what it is given",
        found=f"nothing done for {IDLE_SECONDS:.0f} s: partitions may have gone with all workers",
        hint="spread the collection again, or run again",
    )


def other_version(place: str, theirs: Mapping[str, str] | Exception) -> StageError:
    """Return the error of a worker whose digits might be others."""
    if isinstance(theirs, Exception):
        found = " ".join(str(theirs).split()) or type(theirs).__name__
    else:
        mine = identity()
        found = ", ".join(
            f"{name} {theirs.get(name, 'none')} instead of {known}"
            for name, known in mine.items()
            if theirs.get(name) != known
        )
    return StageError(
        place,
        "must have the packages of this process, modemap to the byte",
        found=found,
        hint="install the same requirements.lock and wheel there, restart it, then run again",
    )


@contextmanager
def told(client: "Client") -> Iterator[None]:
    """Turn what Dask says of a cluster that broke into an error that a person can act on."""
    from distributed import CancelledError, KilledWorker  # noqa: PLC0415
    from distributed.client import ClosedClientError  # noqa: PLC0415

    try:
        yield
    except ModemapError:
        raise
    except KilledWorker as error:
        raise StageError(
            f"the workers of the Dask scheduler at {_address(client)}",
            "must not die again and again at the same blocks",
            found=f"{error.allowed_failures + 1} died, the last at {error.last_worker.address}",
            hint=f"read its log: it may lack memory (memory_limit); {AGAIN}",
        ) from None
    except (CancelledError, ClosedClientError, OSError) as error:
        if isinstance(error, OSError) and client.status == "running":
            raise
        raise StageError(
            f"the Dask scheduler at {_address(client)}",
            "must stay until the fit has ended",
            found=" ".join(str(error).split()),
            hint=f"start scheduler and workers, or set `engine: local`, {AGAIN}",
        ) from None


def _address(client: "Client") -> str:
    return str(client.scheduler.address) if client.scheduler else "an unknown address"
