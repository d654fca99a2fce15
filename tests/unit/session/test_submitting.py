"""What is checked before anything is sent to a cluster, and under which names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.engine.ray import jobs as ray_jobs
from advorch.engine.ray.jobs import Order, check_dashboard, is_here
from advorch.errors import AdvorchError, InfrastructureError, InvalidPipeline, UsageError
from advorch.plan.build import build_plan
from advorch.plan.plan import Plan
from advorch.plan.selection import Selection
from advorch.registry.discovery import discover
from advorch.session.mustering import check_driver
from advorch.session.naming import check_run_id, new_run_folder
from advorch.session.secrets import secrets_of
from advorch.session.submitting import Wish, entrypoint, submit
from advorch.session.workspace import Workspace
from advorch.spec.load import load_pipeline
from advorch.tracking.submission import FORGOTTEN, Job, read_job, read_submission, write_job

LAB = Path(__file__).parents[2] / "lab"
HERE, AWAY = "http://127.0.0.1:8265", "http://192.0.2.77:8265"


class Cluster:
    """A cluster that remembers what it was sent."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.files: list[set[str]] = []
        self.jobs: dict[str, Job] = {}

    def __call__(self, dashboard: str) -> "Cluster":
        return self

    def find(self, id: str) -> Job | None:
        return self.jobs.get(id)

    def submit(self, order: Order) -> None:
        self.orders.append(order)
        self.files.append({path.name for path in order.folder.rglob("*")})
        self.jobs[order.id] = Job(status="PENDING", options=order.options, content=order.content)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(ray_jobs, "Jobs", found)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / ".advorch")


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    def made(head: str = "") -> Plan:
        path = tmp_path / "p.yaml"
        path.write_text(
            f"version: 1\n{head}data: {{d: {{uses: digits, splits: {{fit: train}}}}}}\nstages:\n"
            "  a: {uses: train/erm, in: {data: d.fit}, with: {model: {uses: linear}}}\n"
        )
        return build_plan(load_pipeline(path), discover(), digests=None)

    return made


def refused(plan: Plan, workspace: Workspace, wish: Wish) -> AdvorchError:
    with pytest.raises(AdvorchError) as caught:
        submit(plan, workspace, wish)
    return caught.value


def test_what_is_sent_and_what_is_kept(plan: Callable[..., Plan], workspace: Workspace, cluster: Cluster) -> None:
    options = ("-S", "params.name=it's", "--executor", "ray")
    folder = submit(plan(), workspace, Wish(dashboard=HERE + "/", run="mine", options=options))
    assert folder == workspace.runs / "mine"
    [order] = cluster.orders
    assert order.id == "mine"
    assert cluster.files == [{"p.yaml"}]
    assert "exec python -m advorch pipeline run p.yaml --run-id mine --events --address auto" in order.entrypoint
    assert "'params.name=it'\"'\"'s'" in order.entrypoint
    assert f'storage="{workspace.store_url}"' in order.entrypoint
    kept = read_submission(folder)
    assert kept is not None
    assert entrypoint(kept) == order.entrypoint
    assert read_job(folder) == cluster.jobs["mine"]


def test_the_same_again_is_found_and_anything_else_refused(
    plan: Callable[..., Plan], workspace: Workspace, cluster: Cluster, tmp_path: Path
) -> None:
    wish = Wish(dashboard=HERE, run="mine")
    submit(plan(), workspace, wish)
    submit(plan(), workspace, wish)
    submit(plan(), Workspace(tmp_path / ".advorch"), wish)
    assert len(cluster.orders) == 1
    assert "other options" in refused(plan(), workspace, Wish(dashboard=HERE, run="mine", options=("-k",))).message
    assert "a run on" in refused(plan(), workspace, Wish(dashboard="http://localhost:1", run="mine")).message
    assert "other files" in refused(plan("name: other\n"), workspace, wish).message
    cluster.jobs["theirs"] = Job(status="RUNNING", options="x", content="y")
    assert "a job of the cluster" in refused(plan(), workspace, Wish(dashboard=HERE, run="theirs")).message
    (workspace.runs / "local").mkdir()
    assert "started here" in refused(plan(), workspace, Wish(dashboard=HERE, run="local")).message
    cluster.jobs.clear()
    submit(plan(), workspace, wish)
    assert len(cluster.orders) == 2, "a cluster that has forgotten the run gets it again"
    cluster.jobs.clear()
    write_job(workspace.runs / "mine", Job(status=FORGOTTEN))
    submit(plan(), workspace, wish)
    assert len(cluster.orders) == 3, "also when that is known already"


def test_a_folder_of_this_machine_is_no_storage_for_another(
    plan: Callable[..., Plan], workspace: Workspace, cluster: Cluster
) -> None:
    error = refused(plan(), workspace, Wish(dashboard=AWAY))
    assert isinstance(error, InvalidPipeline)
    assert "the store of this workspace" in error.render()
    named = refused(plan("storage: results\n"), workspace, Wish(dashboard=AWAY))
    assert "p.yaml:2:10" in named.render()
    assert not cluster.orders
    submit(plan("storage: 's3://bucket/x'\n"), workspace, Wish(dashboard=AWAY))
    assert 'storage="s3://bucket/x"' in cluster.orders[0].entrypoint


def test_where_to_is_asked_of_the_file_too(plan: Callable[..., Plan], workspace: Workspace, cluster: Cluster) -> None:
    assert "--dashboard" in refused(plan(), workspace, Wish()).hint
    submit(plan(f"dashboard: {HERE}\n"), workspace, Wish())
    assert len(cluster.orders) == 1


def test_the_address_of_ray_is_no_dashboard() -> None:
    with pytest.raises(UsageError, match="'head:6379' is not the address of a dashboard"):
        check_dashboard("head:6379")


@pytest.mark.parametrize(("url", "here"), [(HERE, True), ("http://localhost:1", True), (AWAY, False)])
def test_what_is_here(url: str, here: bool) -> None:
    assert is_here(url) is here


@pytest.mark.parametrize("name", ["last", "../x", "", "a b", "-x", "x" * 101])
def test_names_that_no_run_can_have(name: str, workspace: Workspace) -> None:
    with pytest.raises(UsageError):
        check_run_id(name)


def test_a_name_is_used_once(workspace: Workspace) -> None:
    folder = new_run_folder(workspace, "mine")
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").touch()
    with pytest.raises(UsageError, match="there is a run 'mine' already"):
        new_run_folder(workspace, "mine")


def test_secrets_are_found_by_name_where_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LAB))
    path = tmp_path / "p.yaml"
    path.write_text(
        "version: 1\nstages:\n  a: {uses: train/walk, with: {password: {secret: OUTER}}}\n"
        "  b:\n    tune: {space: {s: {uniform: [0, 1]}}, objective: {metric: w.end, goal: maximize},"
        " search: {algorithm: random, trials: 2}}\n"
        "    stages: {w: {uses: train/walk, with: {start: '${trial.s}', password: {secret: INNER}}}}\n"
        "    out: {table: w.table}\n"
    )
    spec = load_pipeline(path)
    assert secrets_of(build_plan(spec, discover(), digests=None)) == ("INNER", "OUTER")
    alone = build_plan(spec, discover(), digests=None, selection=Selection(only=("a",)))
    assert secrets_of(alone) == ("OUTER",)
    monkeypatch.delenv("OUTER", raising=False)
    with pytest.raises(InfrastructureError, match="does not have the secrets OUTER"):
        check_driver(alone)
    monkeypatch.setenv("OUTER", "x")
    check_driver(alone)
