"""`advorch schema`: what an editor needs to complete and check a pipeline file."""

import json
import sys
from typing import Annotated, Any

import typer


def schema_command(
    no_plugin: Annotated[list[str], typer.Option(help="do not load this plugin")] = [],  # noqa: B006
) -> None:
    """Print the JSON Schema of pipelines, with the parameters of every installed component."""
    from advorch.registry.discovery import discover
    from advorch.spec.schema import pipeline_schema

    registry = discover(disabled=no_plugin)
    components: dict[str, dict[str, Any]] = {
        id: registry.component(id).schema().model_json_schema(by_alias=True) for id in registry.ids()
    }
    sys.stdout.write(json.dumps(pipeline_schema(components), indent=2) + "\n")
