"""What each key is for, in a sentence; the tables of `advorch.spec` say what it takes, not why."""

from collections.abc import Mapping
from types import MappingProxyType

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "pipeline": "The whole file.",
        "params": "Values that expressions read as `params.NAME`, and profiles and `-S params.NAME=...` change.",
        "dataset": "Under `data:`, by a name of your choice. A stage reads one split as `NAME.SPLIT`.",
        "stage": "Under `stages:`, by a name of your choice.",
        "resources": "What one worker holds while the stage runs.",
        "retry": "Whether a stage that failed is tried again; it goes on from its last checkpoint.",
        "tracking": "Where a run is recorded besides its own journal.",
        "mlflow": "In place of a map, `false` switches MLflow off.",
        "tune": "A search for the best parameters of a stage, or of inner stages; what wins is handed on. "
        "See [sweeps.md](sweeps.md).",
        "dimension": "One thing that is searched: exactly one distribution, with its arguments in a list.",
        "objective": "What is best. A list of them searches for the trade-off.",
        "search": "How the next trial is chosen, and when to end.",
        "scheduler": "When a trial is stopped early.",
        "budget": "What the whole search may spend.",
        "promote": "Which configuration is the result.",
        "refit": "Train the winner again.",
    }
)

KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "pipeline": {
            "version": "of the file format",
            "name": "what runs and the MLflow experiment are called; by default the file's name",
            "seed": "the root of every random number",
            "include": "files that are merged first, in order; this file wins",
            "params": "values for expressions",
            "data": "what is trained, attacked and judged on",
            "defaults": "for every stage that does not say otherwise",
            "profiles": "by name, changes that `--profile` applies; they may set only what the file declares",
            "tracking": "MLflow",
            "limits": "shared amounts by a name of your choice, such as licences: stages take from them while they run",
            "env": "environment variables that expressions may read as `env.NAME`, but not under `with:`",
            "address": "of a Ray cluster; without one, a private Ray on this machine",
            "dashboard": "of that cluster, for submitting",
            "storage": "where results are kept: a folder or `s3://bucket/prefix`; by default in the workspace",
            "deadline": "for the whole run; it ends with exit code 7",
            "stages": "what is to be done",
        },
        "dataset": {
            "uses": "a dataset component",
            "with": "its parameters",
            "splits": "names for parts of the component's splits, such as `{fit: \"train[:55000]\"}`",
        },
        "stage": {
            "uses": "the component: kind and name",
            "in": "what its ports read: a reference, or a list of them where the port takes many",
            "with": "its parameters, and those of its kind; see the components",
            "matrix": "axes by name, each a list of values; one cell a combination, read as `${matrix.AXIS}`. "
            "`exclude` lists combinations that are left out",
            "when": "run it only if this holds; it may read metrics of earlier stages",
            "needs": "stages that must end well first, although nothing of them is read",
            "resources": "what one worker holds",
            "timeout": "after which the stage has failed",
            "retry": "whether it is tried again",
            "on_failure": "`continue` lets the rest of the run go on; the run then ends with exit code 5",
            "limits": "how much it takes of the pipeline's `limits:`",
            "seed": "another draw of the same stage",
            "tune": "makes the stage a sweep",
            "stages": "the inner stages of a sweep",
            "out": "what a sweep with inner stages hands on, such as `{model: train.model}`",
        },
        "resources": {
            "cpus": "cores, and the threads that torch may use",
            "gpus": "may be a fraction",
            "memory": "what Ray reserves",
            "workers": "more than one makes a training stage a gang under Ray Train; results of attacks and "
            "evaluations do not depend on it",
            "placement": "`pack` keeps a gang on few nodes, `spread` puts workers on different ones where it can; "
            "results do not depend on it",
        },
        "retry": {
            "max": "how often",
            "on": "after which classes of error",
            "delay": "before the first",
            "factor": "by which the delay grows",
            "longest": "delay",
        },
        "tracking": {"mlflow": "on by default, in a database of the workspace"},
        "mlflow": {
            "enabled": "whether it is used",
            "experiment": "by default the pipeline's name",
            "uri": "of a tracking server; by default a database in the workspace",
            "models": "stages whose models are logged so that `mlflow.pytorch.load_model` opens them; "
            "by default those that no other stage reads",
            "log_samples": "whether data and adversarial samples may be copied to MLflow",
        },
        "tune": {
            "space": "what is searched, by the name under which expressions read it: `${trial.NAME}`",
            "objective": "what is best",
            "constraints": "conditions that a trial must meet to win",
            "search": "how",
            "scheduler": "when to stop a trial early",
            "budget": "how much may be spent",
            "promote": "which configuration is the result",
        },
        "dimension": {
            "uniform": "`[low, high]`",
            "loguniform": "`[low, high]`, evenly in the logarithm",
            "quniform": "`[low, high, step]`",
            "int": "`[low, high]`, whole numbers, both ends included",
            "logint": "`[low, high]`, whole numbers, evenly in the logarithm",
            "normal": "`[mean, deviation]`",
            "choice": "one of these",
            "grid": "each of these in turn",
            "const": "this value",
            "when": "draw it only where this holds of the other dimensions",
        },
        "objective": {"metric": "of a stage of the sweep", "goal": "which way is better; it has no default"},
        "search": {
            "algorithm": "how the next trial is chosen",
            "trials": "how many at most",
            "concurrency": "trials at a time; by default as many as there is room for",
            "warmup": "random trials before the algorithm begins",
        },
        "scheduler": {
            "type": "the rule",
            "metric": "by default the objective's",
            "goal": "of that metric",
            "time": "what counts time: the name of the metric, such as `epoch`",
            "max": "time of a trial that is never stopped",
            "grace": "time that every trial has",
            "reduction": "of how many trials one goes on",
            "interval": "time between decisions",
            "quantile": "share of the trials that copy a better one",
            "resample": "chance that a copied value is drawn afresh",
        },
        "budget": {
            "trials": "how many",
            "wall": "time on the clock",
            "gpu_hours": "GPUs times hours",
        },
        "promote": {
            "select": "who wins: the `best`, so many of the best (`{top_k: 3}`), or all whom none beats in every "
            "objective (`pareto`, of several objectives the only way); the first is handed on, and all where a port "
            "takes many",
            "refit": "train it again; without this its trial's artifact is the result",
        },
        "refit": {
            "seeds": "how many; the result is that of the median objective",
            "with": "parameters that change, such as `train.epochs`",
        },
    }
)  # fmt: skip

OPERATORS = (
    ("`a if c else b`", "a choice; only the chosen side is computed"),
    ("`or`, `and`, `not`", "of true and false alone"),
    ("`==` `!=` `<` `<=` `>` `>=`", "may be chained: `0 < a < 1`"),
    ("`+` `-` `*` `/` `//` `%` `**`", "of numbers; minus needs spaces, for names may hold a hyphen"),
    ("`( )`", "grouping"),
)

NAMESPACES: Mapping[str, str] = MappingProxyType(
    {
        "params": "the file's `params:`",
        "matrix": "the axes of the stage's own `matrix:`",
        "trial": "what a sweep draws",
        "run": "`run.name` and `run.seed`",
        "env": "variables that `env:` declares; not under `with:`, for nothing of the machine enters a key",
    }
)

FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "min": "the smallest of several numbers, or of a list",
        "max": "the largest of several numbers, or of a list",
        "round": "to a whole number, or to so many digits",
        "abs": "the distance from zero",
        "len": "of a text, a list or a map",
        "log10": "the decimal logarithm",
        "sqrt": "the square root",
    }
)
