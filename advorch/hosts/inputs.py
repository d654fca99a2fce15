"""What every host opens its ports with."""

from advorch.kit.inputs import OpenModel, open_data, open_model

__all__ = ["OpenModel", "open_data", "open_model"]
