"""The versions that a cluster must have: those that are installed here."""

from importlib.metadata import version

from advorch import __version__


def ray_version() -> str:
    """Read from the metadata, as importing Ray costs half a second."""
    return version("ray")


def default_image() -> str:
    """Nobody publishes it: it is built once, as the manifest's first lines say."""
    return f"advorch:{__version__}"
