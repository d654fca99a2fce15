"""A run put together: store, journal, watchers, back end and driver, opened in order and closed in reverse."""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Literal, TextIO

from advorch import __version__
from advorch.engine.backend import Backend
from advorch.engine.cell import Shop
from advorch.engine.driver import Desk, Driver, Policy
from advorch.engine.ledger import Ledger
from advorch.engine.slots import TURNS, Slots
from advorch.errors import AdvorchError, Stopped, UsageError
from advorch.events import Event, RunFinished, RunStarted
from advorch.plan.plan import Plan
from advorch.registry.registry import Registry
from advorch.session.environment import environment
from advorch.session.logs import Echo, LoggedChannel, no_echo
from advorch.session.mustering import check_cluster, check_driver, lower_flags
from advorch.session.naming import name_run, new_run_folder
from advorch.session.signals import Signals, interrupt
from advorch.session.workspace import Workspace
from advorch.store.api import DurableHook, Owner, Store
from advorch.store.backend import nothing
from advorch.store.opening import open_store
from advorch.tracking.console import open_console
from advorch.tracking.journal import Journal
from advorch.tracking.liveness import write_driver
from advorch.tracking.outbox import MlflowJob, Outbox
from advorch.tracking.sinks import Fanout, Sink
from advorch.tracking.stream import EventStream
from advorch.tuning.runner import run_sweep

MLFLOW_SINK = "advorch.session.mlflow_sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run a plan."""

    executor: Literal["ray", "inline"] = "ray"
    policy: Policy = Policy()
    wait: bool = True
    quiet: bool = False
    disabled: tuple[str, ...] = ()
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    on_durable: DurableHook = nothing
    at_second_signal: Callable[[int], None] = interrupt
    run: str = ""
    address: str = ""
    events: EventStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a run ended."""

    run: str
    folder: Path
    exit_code: int
    ledger: Ledger
    store_url: str
    cells: tuple[str, ...] = ()


class Running:
    """One run of one plan in one workspace."""

    def __init__(self, plan: Plan, registry: Registry, workspace: Workspace, options: Options) -> None:
        self._plan = plan
        self._registry = registry
        self._workspace = workspace
        self._options = options
        self.id = options.run or name_run(time.time())
        self.folder = new_run_folder(workspace, self.id)

    def run(self) -> Finished:
        """Drive the plan to its end; what was opened is closed however it ends."""
        store = open_store(self._store_url(), on_durable=self._options.on_durable)
        with ExitStack() as opened:
            signals = opened.enter_context(Signals(self._options.stream, self._options.at_second_signal))
            emit = self._telling(self._open_sinks(opened))
            lower_flags(store, self.id)  # of a run of this name that was killed
            opened.callback(lower_flags, store, self.id)
            emit(self._started())
            driver = Driver(
                self._plan, Desk(store, emit), open_shop=partial(self._open_shop, store, emit, signals, opened),
                policy=self._options.policy, stop=signals.stop,
            )  # fmt: skip
            code = self._drive(driver, emit)
        ledger = driver.ledger
        if ledger.bug is not None:
            raise ledger.bug
        return Finished(
            run=self.id, folder=self.folder, exit_code=code, ledger=ledger, store_url=self._store_url(),
            cells=tuple(self._plan.cells),
        )  # fmt: skip

    def _drive(self, driver: Driver, emit: Callable[[Event], None]) -> int:
        """The exit code; the journal gets it whatever happens."""
        started, code = time.monotonic(), 1
        try:
            driver.run()
            code = driver.ledger.exit_code(late=driver.late)
        except AdvorchError as error:
            code = error.exit_code
            raise
        except SystemExit as error:  # Ray's own answer to SIGTERM, for as long as it starts
            code = Stopped.exit_code
            raise Stopped("stopped before the cluster was joined") from error
        except KeyboardInterrupt:
            code = Stopped.exit_code
            raise
        finally:
            emit(RunFinished(run=self.id, exit_code=code, seconds=time.monotonic() - started))
        return code

    def _open_sinks(self, opened: ExitStack) -> Sink:
        write_driver(self.folder)
        watchers: list[Sink] = [open_console(self._options.stream, os.environ, quiet=self._options.quiet)]
        if self._options.events:
            watchers.append(self._options.events)
        if self._is_tracked():
            job = mlflow_job(self._plan, self._workspace, self._store_url(), self._options.disabled)
            watchers.append(Outbox(self.folder, job, entry=MLFLOW_SINK))
        fanout = Fanout(Journal(self.folder, on_durable=self._options.on_durable), *watchers)
        opened.callback(fanout.close)
        return fanout

    def _telling(self, sinks: Sink) -> Callable[[Event], None]:
        def emit(event: Event) -> None:
            sinks.emit(event)
            self._registry.observe(event)

        return emit

    def _is_tracked(self) -> bool:
        """A run that tells its events to a follower leaves a database on a disk to whoever follows."""
        tracking = self._plan.spec.tracking
        return tracking.enabled and (bool(tracking.uri) or self._options.events is None)

    def _store_url(self) -> str:
        return self._plan.spec.storage or self._workspace.store_url

    def _started(self) -> RunStarted:
        spec = self._plan.spec
        return RunStarted(
            run=self.id, pipeline=spec.name, file=str(spec.path), profile=spec.profile,
            executor=self._options.executor, storage=self._store_url(), version=__version__,
            params=self._plan.params, cells=tuple(self._plan.cells),
        )  # fmt: skip

    def _open_shop(self, store: Store, emit: Callable[[Event], None], signals: Signals, opened: ExitStack) -> Shop:
        if self._is_on_cluster():
            check_driver(self._plan)
        backend = self._backend()
        opened.callback(backend.close)
        signals.install()
        if self._address():
            check_cluster(self._plan, self._registry, store, self.id, self._options.disabled)
        plugins = self._registry.fingerprint()
        policy = self._options.policy
        slots = Slots(backend.capacity(), _limits(policy, backend.capacity()))
        backend.serve(slots)
        return Shop(
            run=self.id,
            store=store,
            backend=backend,
            owner=_owner(self.id),
            emit=emit,
            channel_for=lambda cell: LoggedChannel(cell, self.folder, emit, self._echo()),
            stopping=signals.stop.is_set,
            forces=policy.forces,
            slots=slots,
            search=run_sweep,
            plugins=plugins,
            environment=cache(lambda: environment(self._plan.spec.path.parent, plugins)),
            disabled=self._options.disabled,
            wait=self._options.wait,
        )

    def _backend(self) -> Backend:
        if self._options.executor == "inline":
            from advorch.engine.bench import Bench
            from advorch.engine.inline import InlineBackend

            return InlineBackend(Bench(self._registry, self._options.on_durable))
        from advorch.engine.ray.backend import RayBackend
        from advorch.engine.ray.cluster import Cluster, ClusterSettings

        return RayBackend(Cluster(ClusterSettings(address=self._address())))

    def _address(self) -> str:
        """The cluster to join; empty for one of our own, and where no Ray is used."""
        return (self._options.address or self._plan.spec.address) if self._options.executor == "ray" else ""

    def _is_on_cluster(self) -> bool:
        return bool(self._address()) or self._options.events is not None

    def _echo(self) -> Echo:
        return self._options.events.printed if self._options.events else no_echo


def _limits(policy: Policy, capacity: Mapping[str, float]) -> dict[str, float]:
    """The pipeline's own, and the cells at a time."""
    if policy.jobs is None:
        return dict(policy.limits)
    return {TURNS: min(policy.jobs, capacity.get(TURNS, policy.jobs)), **policy.limits}


def _owner(run: str) -> Owner:
    return Owner(run=run, host=platform.node(), pid=os.getpid(), started=time.time())


def mlflow_job(plan: Plan, workspace: Workspace, store: str, disabled: tuple[str, ...]) -> MlflowJob:
    """What the MLflow process of a run must know."""
    tracking = plan.spec.tracking
    local = not tracking.uri
    return MlflowJob(
        uri=workspace.mlflow_uri if local else tracking.uri,
        experiment=tracking.experiment or plan.spec.name,
        store=store,
        artifact_location=workspace.mlflow_artifacts.as_uri() if local else "",
        models=plan.logged_models(),
        log_samples=tracking.log_samples,
        disabled_plugins=disabled,
    )


def executor_named(name: str) -> Literal["ray", "inline"]:
    """The executor of that name, or a usage error that lists them."""
    if name == "ray":
        return "ray"
    if name == "inline":
        return "inline"
    raise UsageError(f"there is no executor '{name}'", hint="executors: ray, inline")
