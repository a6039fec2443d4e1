"""What counts as an image: every way to give one leads to the same RGB pixels, or to an error that names it."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.predict.rgb import as_rgb
from tests.predict.conftest import noise, write_image

ORIENTATIONS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}
ORIENTATION_TAG = 0x112


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_path_pillow_and_array_are_the_same_pixels(tmp_path, suffix):
    path = write_image(tmp_path / f"image.{suffix}", noise())
    from_path = as_rgb(path)
    assert np.array_equal(from_path, as_rgb(str(path)))
    assert np.array_equal(from_path, as_rgb(Image.open(path)))
    assert np.array_equal(from_path, as_rgb(np.asarray(Image.open(path))))
    assert np.array_equal(from_path, read_image(path))  # what evaluation reads


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied_by_file_and_by_pillow(tmp_path, orientation):
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(noise()).save(path, exif=exif)
    upright = ORIENTATIONS[orientation](noise())
    assert np.array_equal(as_rgb(path), upright)
    assert np.array_equal(as_rgb(Image.open(path)), upright)


def test_exif_orientation_of_a_phone_s_jpeg(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    path = tmp_path / "phone.jpg"
    Image.fromarray(noise()).save(path, exif=exif, quality=95)
    assert as_rgb(path).shape == (80, 60, 3)
    assert np.array_equal(as_rgb(path), as_rgb(Image.open(path)))


def test_grey_and_transparency():
    grey, alpha = noise()[..., 0], np.dstack([noise(), noise()[..., :1]])
    assert np.array_equal(as_rgb(grey), np.dstack([grey] * 3))
    assert np.array_equal(as_rgb(grey[..., None]), as_rgb(Image.fromarray(grey)))
    assert np.array_equal(as_rgb(alpha), noise())
    assert np.array_equal(as_rgb(Image.fromarray(alpha)), noise())


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (noise().astype(np.float32) / 255, "dtype float32"),
        (noise().transpose(2, 0, 1), r"shape \(3, 60, 80\)"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (Image.new("F", (4, 4)), "mode 'F': give its path"),
        (Image.new("LAB", (4, 4)), "mode 'LAB': give its path"),
        (torch.zeros(3, 4, 4), "is a Tensor"),
        ("/no/such/photo.jpg", "/no/such/photo.jpg: image cannot be read"),
    ],
)
def test_what_is_refused_is_named(image, message):
    with pytest.raises(UserError, match=message):
        as_rgb(image)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bits_are_scaled_by_those_that_hold_the_values(tmp_path, bits):
    values = (np.arange(60 * 80).reshape(60, 80) % 2**bits).astype(np.uint16)
    values[0, 0] = 2**bits - 1
    expected = np.rint(values / (2**bits - 1) * 255).astype(np.uint8)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), values)
    for image in (values, np.dstack([values] * 3), Image.fromarray(values), path, values.astype(np.int32)):
        assert np.array_equal(as_rgb(image)[..., 0], expected)
    with pytest.raises(UserError, match="dtype int32"):
        as_rgb(values.astype(np.int32) - 2**bits)


@pytest.mark.parametrize("mode", ["L", "I;16", "CMYK", "RGBA", "P", "RGB"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_tiff_is_the_same_by_its_path_and_by_pillow(tmp_path, mode, orientation):
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    grey = Image.fromarray(colours).convert("L")
    image = Image.fromarray(np.array(grey).astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(colours)
    path = tmp_path / "turned.tif"
    (image if mode == "I;16" else image.convert(mode)).save(path, tiffinfo={274: orientation})
    assert as_rgb(path).shape == ((30, 20, 3) if orientation == 6 else (20, 30, 3))
    with Image.open(path) as opened:
        assert np.abs(as_rgb(opened).astype(int) - as_rgb(path)).max() <= 1
        assert opened.filename == str(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_of_transparent_pixels_are_kept(tmp_path, suffix):
    clear = np.full((4, 5, 4), 90, np.uint8)
    clear[..., 3] = 0
    Image.fromarray(clear).save(tmp_path / f"clear.{suffix}")
    assert (as_rgb(tmp_path / f"clear.{suffix}") == 90).all()
    assert (as_rgb(Image.open(tmp_path / f"clear.{suffix}")) == 90).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_pillow_s_half_of_16_bits_a_colour_is_taken_where_it_is_all(tmp_path, suffix):
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint16)
    path = str(tmp_path / f"deep.{suffix}")
    cv2.imwrite(path, colours * 257)
    assert np.array_equal(as_rgb(Image.open(path)), as_rgb(path))
    cv2.imwrite(path, colours * 16)
    assert as_rgb(path).mean() > 90
    with pytest.raises(UserError, match=r"16 bits a colour and does not use them all.*give its path"):
        as_rgb(Image.open(path))
