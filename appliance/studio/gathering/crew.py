"""Workers that listen to files, in many processes or on a cluster, and outlive the files that kill them.

Work is given out by joblib, which takes whatever backend is set around the call: `joblib.parallel_config("dask")` or
``"ray"`` puts a cluster to it. Which file a worker died of nobody can tell; so what was under way is listened to
again, a file at a time in a process of its own, until the one is found.
"""

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import joblib
from joblib.parallel import get_active_backend

from appliance.errors import StudioError
from appliance.folders import shown
from appliance.studio.gathering.listen import Heard, Order, listen
from appliance.studio.ledger import Entry

__all__ = ["work"]

# ffmpeg ends by itself long before; this is for a decoder that runs in circles inside a worker.
_PATIENCE_S = 300.0
_TRIES = 3


def work(orders: Sequence[Order], jobs: int | None, patience_s: float = _PATIENCE_S) -> Iterator[Heard]:
    """Listen to files.

    Parameters
    ----------
    orders : sequence of Order
    jobs : int or None
        Processes; None is one for each core, or all that a cluster has.
    patience_s : float
        How long a file may take; a cluster keeps its own time.

    Yields
    ------
    Heard
        In the order of the orders, whatever comes first. A file that ends or holds up its worker is named.

    Raises
    ------
    StudioError
        If ffmpeg is missing, or workers die that no file has killed.
    """
    done = fruitless = 0
    with contextlib.closing(_Alone(patience_s)) as alone:
        if joblib.effective_n_jobs(jobs or -1) == 1:
            yield from map(alone.listen, orders)
            return
        while done < len(orders):
            given = _Given(orders[done:])
            try:
                for heard in _shared(given, jobs, patience_s):
                    yield heard
                    done += 1
            except StudioError:
                raise
            # Every backend has errors of its own for a worker that is gone; one that is ours comes again below.
            except Exception as error:
                fruitless += 1
                for order in orders[done : done + given.count]:
                    heard = alone.listen(order)
                    yield heard
                    done += 1
                    if heard.entry.problem:
                        fruitless = 0
                        break
                if fruitless == _TRIES:
                    raise StudioError(
                        f"Workers die, though no file harms them ({error}); gather again with fewer, as in --jobs 1."
                    ) from error


class _Given:
    """Orders, counted as they are given out."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self.count = 0

    def __iter__(self) -> Iterator[Order]:
        for order in self._orders:
            self.count += 1
            yield order


def _shared(given: _Given, jobs: int | None, patience_s: float) -> Iterator[Heard]:
    timeout = patience_s if get_active_backend()[0].supports_timeout else None
    # A short queue: what waits for its turn takes memory, and is to be done again when a worker dies.
    parallel = joblib.Parallel(
        n_jobs=jobs or -1, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1, timeout=timeout
    )
    heard: Iterator[Heard] = parallel(joblib.delayed(listen)(order) for order in given)
    return heard


class _Alone:
    """A process that listens to one file at a time, and another after it when it dies."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._line: Connection | None = None
        self._process: BaseProcess | None = None

    def listen(self, order: Order) -> Heard:
        if self._line is None:
            self._begin()
        assert self._line is not None
        try:
            self._line.send(order)
            if self._line.poll(self._patience_s):
                answer = self._line.recv()
                if isinstance(answer, Exception):
                    raise answer
                heard: Heard = answer
                return heard
            problem = f"was not read within {self._patience_s:.0f} s"
        except (EOFError, ConnectionError):
            problem = "makes its reader crash"
        self.close()
        told = f"{shown(order.path.name)} {problem}; leave it out or convert it to WAV."
        return Heard(Entry(order.name, str(order.path), order.licence, problem=told))

    def _begin(self) -> None:
        # Processes begin where the libraries are loaded; a fork of the caller would copy the locks of its threads.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._line, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far,), daemon=True)
        self._process.start()
        far.close()
        try:
            # Loading libraries is no fault of the first file.
            self._line.recv()
        except EOFError as error:
            raise StudioError("No process to listen in could be started; free some memory and gather again.") from error

    def close(self) -> None:
        """End the process, though it be in the middle of a file."""
        if self._line is None or self._process is None:
            return
        self._line.close()
        self._process.kill()
        self._process.join()
        self._process.close()
        self._line = self._process = None


def _serve(line: Connection) -> None:
    """Listen to what is ordered until nobody orders any more; says first that it is there."""
    line.send(None)
    while True:
        try:
            order = line.recv()
        except EOFError:
            return
        try:
            answer: Heard | Exception = listen(order)
        # Whoever ordered raises it.
        except Exception as error:
            answer = error
        line.send(answer)
