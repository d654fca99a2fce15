from advorch.kit.evaluation.attack_figures import accuracy_dots, ordered
from advorch.kit.evaluation.statistics import Proportion

SERIES = {
    "plain": {"fgsm": Proportion(5, 10), "pgd": Proportion(1, 10), "noise": Proportion(9, 10)},
    "robust": {"pgd": Proportion(7, 10), "fgsm": Proportion(8, 10), "cw": Proportion(0, 0)},
}


def test_attacks_are_ordered_by_what_they_leave_on_average() -> None:
    assert ordered(SERIES) == ["noise", "fgsm", "pgd", "cw"]


def test_the_picture_is_the_same_twice_and_grows_with_the_attacks() -> None:
    clean = {"plain": Proportion(10, 10), "robust": Proportion(9, 10)}
    picture = accuracy_dots(SERIES, clean)
    assert picture.startswith(b"\x89PNG")
    assert picture == accuracy_dots(SERIES, clean)
    assert picture != accuracy_dots({"plain": SERIES["plain"]}, clean)
