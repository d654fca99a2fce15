import pytest
from PIL import Image

from advorch_builtins.datasets.netpbm import is_whole, mended

# Newlines, carriage returns and both in a row among the pixels, as real images have them.
PIXELS = bytes([10, 13, 10, 13, 10, 10, 0, 255, 13, 13, 10, 7] * 4)
WHOLE = b"P6\n4 4\n255\n" + PIXELS


@pytest.mark.parametrize("content", [WHOLE, WHOLE.replace(b"\n", b"\r\n")], ids=["whole", "copied as text"])
def test_a_copy_as_text_is_undone_to_the_byte(content: bytes) -> None:
    assert mended(content).read() == WHOLE
    assert Image.open(mended(content)).tobytes() == PIXELS


def test_what_no_copy_explains_is_left_to_the_reader() -> None:
    assert mended(WHOLE[:-5]).read() == WHOLE[:-5]
    assert not is_whole(WHOLE[:-5])
    assert not is_whole(b"\x89PNG\r\n\x1a\n")


def test_a_comment_in_the_header() -> None:
    assert is_whole(b"P6\n# made by hand\n4 4\n255\n" + PIXELS)
