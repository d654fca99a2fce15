"""A run as one HTML page that needs nothing but itself and the files beside it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advorch.tracking.lines import duration
from advorch.tracking.runs import RunRecord

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ record.pipeline }} {{ record.run }}</title>
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .9em; }
.failed { color: #c0392b; font-weight: 600; } .cached, .skipped, .pending { opacity: .7; }
</style>
</head>
<body>
<h1>{{ record.pipeline }}</h1>
<p>Run <code>{{ record.run }}</code>: {{ record.state.value }}{% if record.exit_code is not none %}, exit code
{{ record.exit_code }}{% endif %}, {{ duration(record.seconds) }}, started {{ started }}.<br>
File <code>{{ record.file }}</code>{% if record.profile %}, profile <code>{{ record.profile }}</code>{% endif %},
executor {{ record.executor }}, advorch {{ record.version }}.</p>
{% if links %}<h2>Reports</h2>
<ul>{% for link in links %}
<li><a href="{{ link.href }}">{{ link.cell }}: {{ link.name }}</a></li>{% endfor %}
</ul>{% endif %}
<h2>Cells</h2>
<div class="scroll"><table>
<tr><th>cell</th><th>component</th><th>status</th><th>time</th><th>key</th>
{%- for metric in metrics %}<th>{{ metric }}</th>{% endfor %}</tr>
{% for cell in record.cells.values() %}
<tr><td>{{ cell.cell }}</td><td>{{ cell.component }}</td>
<td class="{{ cell.status }}">{{ cell.status }}{% if cell.error_class %} ({{ cell.error_class }}){% endif %}</td>
<td class="number">{{ duration(cell.seconds) }}</td><td><code>{{ cell.key[:12] }}</code></td>
{%- for metric in metrics %}<td class="number">
{%- if metric in cell.metrics %}{{ "%.4g" % cell.metrics[metric] }}{% endif %}</td>{% endfor %}</tr>
{% if cell.message %}<tr><td></td><td colspan="{{ 4 + metrics | length }}">{{ cell.message }}</td></tr>{% endif %}
{%- endfor %}
</table></div>
{% if record.params %}<h2>Parameters</h2>
<div class="scroll"><table>{% for name, value in params.items() %}
<tr><td>{{ name }}</td><td><code>{{ value }}</code></td></tr>{% endfor %}
</table></div>{% endif %}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A file of a cell, relative to the page."""

    cell: str
    name: str
    href: str


def render_page(record: RunRecord, links: Sequence[Link], params: Mapping[str, str]) -> str:
    """The page's text; everything that comes from the run is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    metrics = list(dict.fromkeys(name for cell in record.cells.values() for name in cell.metrics))
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started))
    return environment.from_string(_PAGE).render(
        record=record, links=links, params=params, metrics=metrics, started=started, duration=duration
    )
