"""Two players for the data at hand, as a method's parameters ask for them."""

import math
from collections.abc import Callable

from torch import nn

from advorch.api import ErrorClass, Signature, StageFailed
from advorch.kit.adversary.game import Build, Order
from advorch.kit.adversary.lipschitz import normalise_spectra
from advorch.kit.adversary.optimizers import adam, linear_decay, rmsprop, sgd
from advorch.kit.adversary.pair import Pair, Terms
from advorch.kit.adversary.space import Space
from advorch_builtins.generators.conditions import AuxiliaryCritic, ConcatCritic, Critic, ProjectionCritic, Told
from advorch_builtins.generators.convolutions import Norm, PictureGenerator, picture_trunk, suits, trunk_size
from advorch_builtins.generators.params import Conditioning, PlayersParams
from advorch_builtins.generators.perceptrons import FlatGenerator, perceptron

_LARGEST_FLAT, _PICTURE = 64, 100  # latent sizes


def players(
    params: PlayersParams,
    signature: Signature,
    *,
    norm: Norm = "none",
    conditioning: Conditioning = "none",
    spectral: int = 0,
) -> Pair:
    """Generator and critic; `norm` is that of a convolutional critic, `spectral` its power iterations, 0 for none."""
    space, pictures = Space(signature), _pictures(params, signature)
    classes = 0 if conditioning == "none" else len(signature.classes)
    _check_classes(conditioning, classes)
    latent = params.latent or (_PICTURE if pictures else min(math.prod(signature.shape), _LARGEST_FLAT))
    generator: nn.Module
    if pictures:
        generator = PictureGenerator(latent + classes, params.width, space)
    else:
        generator = FlatGenerator(latent + classes, params.hidden, space)
    critic = _critic(
        *_trunk(params, signature, classes if conditioning == "concat" else 0, norm), conditioning, classes
    )
    if spectral:
        normalise_spectra(critic, spectral)
    return Pair(
        generator=Told(generator, classes) if classes else generator,
        critic=critic,
        space=space,
        latent=latent,
        classes=classes,
        classify=critic.classify if isinstance(critic, AuxiliaryCritic) else None,
    )


def optimizer(params: PlayersParams, lr: float) -> Build:
    """The one that the parameters name."""
    if params.optimizer == "adam":
        return adam(lr, params.betas)
    return rmsprop(lr) if params.optimizer == "rmsprop" else sgd(lr, params.momentum)


def terms(
    params: PlayersParams, schedule: Order | Callable[[int], Order], settle: Callable[[], None] | None = None
) -> Terms:
    """How both learn, as the parameters have it."""
    return Terms(
        critic=optimizer(params, params.lr_critic),
        generator=optimizer(params, params.lr_generator),
        schedule=schedule,
        ema=params.ema,
        rate=linear_decay if params.decay == "linear" else None,
        settle=settle,
    )


def in_turn(k: int) -> Order:
    """So many critic steps, then one of the generator."""
    return ("critic",) * k + ("generator",)


def _pictures(params: PlayersParams, signature: Signature) -> bool:
    """Whether the players are convolutional; what only others would use is refused."""
    fitting = suits(signature.shape)
    if params.network == "convolution" and not fitting:
        message = (
            f"convolutional players make pictures whose sides can be halved twice, and samples are {signature.shape}"
        )
        raise StageFailed(message, error_class=ErrorClass.USER, hint="set network: perceptron")
    found = fitting if params.network == "auto" else params.network == "convolution"
    idle, kind = ("hidden", "convolutional") if found else ("width", "fully connected")
    if params.changed(idle):
        message = f"`{idle}` is not used: for samples of shape {signature.shape} the players are {kind}"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="leave it out, or set `network`")
    return found


def _check_classes(conditioning: Conditioning, classes: int) -> None:
    if conditioning != "none" and classes < 2:
        message = f"conditioning '{conditioning}' needs data of two classes or more"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="set conditioning: none")


def _trunk(params: PlayersParams, signature: Signature, planes: int, norm: Norm) -> tuple[nn.Module, int]:
    """The critic up to its features, and how many these are."""
    shape = signature.shape
    if _pictures(params, signature):
        return picture_trunk(shape, planes, params.width, norm), trunk_size(shape, params.width)
    body = perceptron(math.prod(shape) + planes, params.hidden)
    return nn.Sequential(nn.Flatten(), body), params.hidden[-1]


def _critic(trunk: nn.Module, features: int, conditioning: Conditioning, classes: int) -> Critic:
    makers = {"concat": ConcatCritic, "projection": ProjectionCritic, "auxiliary": AuxiliaryCritic}
    if conditioning == "none":
        return Critic(trunk, features)
    return makers[conditioning](trunk, features, classes)
