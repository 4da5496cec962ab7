"""Where the workers are: a cluster that runs, or one that is started on this machine."""

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modemap.engine.dask import DaskEngine, Tell
from modemap.engine.problems import absent, other_version, unreachable
from modemap.engine.worker import identity, processor
from modemap.estimators.checks import check_threads

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["dask_engine"]

CONNECT_SECONDS = 10.0

logger = logging.getLogger(__name__)


@contextmanager
def dask_engine(
    scheduler: str | None = None,
    n_workers: int | None = None,
    memory: int | None = None,
    tell: Tell | None = None,
) -> Iterator[DaskEngine]:
    """Yield an engine on a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler. If None it is what ``DASK_SCHEDULER_ADDRESS`` says; without that, a
        cluster is started on this machine, and stopped at the end.
    n_workers : int, optional
        Processes of such a cluster, each with one thread; one for each core if None.
    memory : int, optional
        Bytes for rows on each machine, of which its workers keep half between passes.
    tell : callable, optional
        Called with the number of the pass, how many blocks are done, and how many there are.

    Raises
    ------
    ParamsError
        If Dask is not installed.
    StageError
        If no scheduler answers, or a worker has other packages than this process.
    """
    try:
        import dask  # noqa: PLC0415
        import distributed  # noqa: F401, PLC0415
    except ImportError:
        raise absent() from None
    address = scheduler or dask.config.get("scheduler-address", None)
    with ExitStack() as opened:
        is_ours = address is None
        if is_ours:
            address = opened.enter_context(_started(n_workers or check_threads(-1)))
        client = opened.enter_context(_connected(address))
        check_workers(client)
        engine = DaskEngine(client, _room(client, memory, is_ours=is_ours), tell)
        if not is_ours:
            opened.callback(engine.close)
        yield engine


@contextmanager
def _started(n_workers: int) -> Iterator[str]:
    from distributed import LocalCluster  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory(prefix="modemap-dask-") as folder,
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": ":0"},  # any port
            memory_limit=None,  # how much rows may take is said with the work
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@contextmanager
def _connected(address: str) -> Iterator["Client"]:
    from distributed import Client  # noqa: PLC0415

    try:
        client = Client(address, set_as_default=False, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise unreachable(address, error) from None
    with client:
        yield client


def check_workers(client: "Client") -> None:
    """Refuse a cluster in which a process has other packages than this one.

    Raises
    ------
    StageError
        If one has.
    """
    for address, found in client.run(identity, on_error="return").items():
        if isinstance(found, Exception) or found != identity():
            raise other_version(f"the Dask worker at {address}", found)
    mine = processor()
    others = sorted(set(client.run(processor).values()) - {mine})
    if others:
        logger.warning(
            "workers have other processors (%s) than this machine (%s): last digits may differ",
            ", ".join(others),
            mine,
        )


def _room(client: "Client", memory: int | None, *, is_ours: bool) -> int | None:
    """Return how many bytes of rows a worker keeps."""
    if memory is None and is_ours:
        from distributed.system import MEMORY_LIMIT  # noqa: PLC0415

        memory = MEMORY_LIMIT // 2
    hosts = Counter(urlsplit(address).hostname for address in client.nthreads())
    return None if memory is None else memory // (2 * max(hosts.values(), default=1))
