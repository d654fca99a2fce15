"""Small colour images in a hundred fine classes (Krizhevsky 2009)."""

from advorch.api import expand
from advorch.kit.data import Data
from advorch_builtins.datasets.catalog import ImagesParams
from advorch_builtins.datasets.cifar import load_rows
from advorch_builtins.datasets.listing import CIFAR100_FILES, cifar100_root
from advorch_builtins.datasets.reading import arranged, check_split

_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
_WHERE = "unpack the binary version of CIFAR-100 (train.bin, test.bin) into `root`"


def load(params: ImagesParams, split: str) -> Data:
    """One split; a row has its coarse label first and its fine label, which is ours, second."""
    root = cifar100_root(expand(params.root))
    return arranged(
        load_rows([root / name for name in CIFAR100_FILES[check_split(split)]], 2, _CLASSES, _WHERE, params.canvas),
        params,
    )
