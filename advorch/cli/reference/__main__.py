"""Print the reference, as `docs/yaml.md` has it."""

import sys

from advorch.cli.reference.page import page
from advorch.registry.discovery import discover

if __name__ == "__main__":
    sys.stdout.write(page(discover()))
