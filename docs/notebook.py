# %% [markdown]
# # advorch in a notebook
#
# The same as on the command line, with the results as DataFrames and figures. Open this file as a notebook (VS Code,
# Jupytext, Spyder and PyCharm read the `# %%` marks), or run it: `python docs/notebook.py`.

# %%
from pathlib import Path

import advorch

try:
    folder = Path(__file__).parent
except NameError:  # a notebook's cells have no file
    folder = Path.cwd()

# %% [markdown]
# A file is read and checked at once: a mistake in it is an exception that shows the line. What `-S` takes on the
# command line is a mapping here: a quick look, without MLflow.

# %%
quick = {"params.epochs": 3, "mixture.with.steps": 100, "tracking.mlflow": False}
pipeline = advorch.load(folder.parent / "pipelines" / "quickstart.yaml", overrides=quick)
planned = pipeline.plan()
planned.cells

# %% [markdown]
# Inline means in this process: nothing is started, and torch's threads and random state are as before afterwards.
# Without it the stages run on Ray; a Ray that the notebook has started already is used as it is. Ctrl-C, or the stop
# button, lets running stages commit what they have; run the cell again and it goes on from there.

# %%
run = planned.run(advorch.Options(executor="inline", quiet=True)).check()
print(f"{run.id}: {len(run.statuses)} cells")

# %% [markdown]
# One row a cell, with everything that it measured.

# %%
frame = run.frame()
print(frame[["status", "clean_accuracy", "robust_accuracy"]].dropna().round(3))

# %% [markdown]
# What an evaluation found: its table, its figures, and the whole report as one page.

# %%
table = run.table("report")
print(table.round(3).to_string(index=False))

# %%
figures = run.figures("report")
print(", ".join(figures))

# %%
try:
    from IPython.display import Image, display
except ImportError:
    print(f"the whole report: {run.report('report')}")
else:
    display(*(Image(str(path)) for path in figures.values()))

# %% [markdown]
# Another epsilon costs only what depends on it: the plain model and the mixture are taken from the cache.

# %%
wider = advorch.load(pipeline.spec.path, overrides={**quick, "params.epsilon": 0.2}).plan()
again = wider.run(advorch.Options(executor="inline", quiet=True)).check()
print(again.frame().groupby("status").size())

# %%
both = frame[["robust_accuracy"]].assign(at_two_tenths=again.frame()["robust_accuracy"])
print(both.dropna().round(3))
