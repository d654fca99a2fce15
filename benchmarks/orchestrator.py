"""All that the orchestrator itself costs: start-up, planning, cached runs, dispatch and recording.

    python benchmarks/orchestrator.py [--quick] [--json out.json]

Each part is a benchmark of its own: startup.py, planning.py, dispatch.py, draining.py.
"""

import dispatch
import draining
import planning
import startup
from measuring import command

if __name__ == "__main__":
    command("orchestrator", __doc__, startup.measure, planning.measure, dispatch.measure, draining.measure)
