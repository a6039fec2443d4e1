"""Image files: their end, their orientation and what decoders think of them, by the file's own structure."""

import ctypes
import io
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from poseur_lib.config.data import WholeImageConfig
from poseur_lib.data import decoder_words as decoder_words_module
from poseur_lib.data import images
from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople, annotation_path
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseCrops, read_person_image
from poseur_lib.data.decoder_words import heard
from poseur_lib.data.image_format import ORIENTATION, ImageHead, image_head
from poseur_lib.data.images import MAX_PIXELS, decode_image, read_image, read_labelled_image
from poseur_lib.data.whole_images import WholeImages, labelled_images
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17
from poseur_lib.predict.boxes_file import read_boxes
from poseur_lib.predict.rgb import as_rgb

PIXELS = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8 + b"\xff\xd8\xff\xda"  # also what begins a scan
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")


def encoded(form, pixels=PIXELS, orientation=None, more=(), **options):
    exif = Image.Exif()
    exif.update(more)
    if orientation is not None:
        exif[ORIENTATION] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, **options)
    return file.getvalue()


def pillow(content):
    return np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "behind", [FILM, b"\0" * 200, b"\xff\xd9", encoded("JPEG")], ids=["film", "zeros", "end", "jpeg"]
)
def test_what_stands_behind_an_image_is_not_the_image(form, behind):
    content = encoded(form)
    assert np.array_equal(decode_image(content + behind, "photo"), decode_image(content, "photo"))
    with pytest.raises(UserError, match=r"photo: image file is truncated"):
        decode_image(content[: len(content) * 3 // 4], "photo")


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 1}, {"comment": b"\xff\xd9"}])
def test_every_kind_of_jpeg_is_walked_through(options):
    content = encoded("JPEG", **options)
    assert image_head(content) == ImageHead(64, 48, 1, True)
    for cut in range(200, len(content) - 2, 97):
        head = image_head(content[:cut])
        assert head is None or not head.whole


def test_a_thumbnail_s_end_is_not_the_image_s():
    exif = Image.Exif()
    exif[0x9286] = encoded("JPEG", PIXELS[:8, :8])  # a small JPEG inside of the head
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", exif=exif)
    assert image_head(file.getvalue()) == ImageHead(64, 48, 1, True)
    assert not image_head(file.getvalue()[:-2]).whole


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation_is_applied_in_every_format(form, orientation):
    content = encoded(form, orientation=orientation)
    ours = decode_image(content, "photo")
    assert np.abs(ours.astype(int) - pillow(content)).mean() < 1
    assert image_head(content).upright_size == ours.shape[:2]


def moved_exif(png):
    """A PNG with its EXIF behind the pixels."""
    at = png.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(png[at : at + 4], "big")
    return png[:at] + png[end:-12] + png[at:end] + png[-12:]


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_is_that_which_is_applied(orientation):
    """By whichever brand of AVIF; EXIF behind a PNG's pixels too; XMP's and ImageMagick's never."""
    avif, xmp = bytearray(encoded("AVIF", orientation=orientation)), f'tiff:Orientation="{orientation}"'.encode()
    avif[8:12] = b"mif1"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    profile, raw = PngImagePlugin.PngInfo(), exif.tobytes()
    profile.add_text("Raw profile type exif", f"\nexif\n{len(raw):8}\n{raw.hex()}\n", zip=True)
    named = {ExifTags.Base.Make: "camera"}
    turned = (bytes(avif), moved_exif(encoded("PNG", orientation=orientation)))
    stored = (encoded("PNG", pnginfo=profile), *(encoded(form, xmp=xmp, more=named) for form in ("JPEG", "WEBP")))
    for content, found in (*((one, orientation) for one in turned), *((one, 1) for one in stored)):
        head, ours = image_head(content), decode_image(content, "photo")
        assert head.orientation == found and head.upright_size == ours.shape[:2]
        assert np.abs(ours.astype(int) - expected_at(found)).mean() < 12
        assert np.abs(ours.astype(int) - as_rgb(Image.open(io.BytesIO(content)))).mean() < 1


def expected_at(orientation):
    return pillow(encoded("BMP")) if orientation == 1 else pillow(encoded("PNG", orientation=orientation))


@pytest.mark.parametrize("white", [1, 31, 100, 255, 1023, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_values_of_pgm_and_ppm_are_scaled_by_their_white(kind, white):
    """As text and as bytes; also where the largest value is less than white."""
    values = np.random.default_rng(0).integers(0, white * 3 // 4 + 1, (5, 7, 3 if kind in (3, 6) else 1))
    as_bytes, as_text = values.astype(">u2" if white > 255 else "u1").tobytes(), " ".join(map(str, values.flat))
    content = b"P%d # 9 9 9\n7\t5\n%d\n%b\n" % (kind, white, as_bytes if kind > 3 else as_text.encode())
    found = decode_image(content, "scan")
    assert np.abs(found - np.repeat(values, 3 // values.shape[2], 2) * (255 / white)).max() <= 1  # OpenCV floors text
    assert np.abs(found.astype(int) - as_rgb(Image.open(io.BytesIO(content)))).max() <= 1


def heic(pixels=PIXELS, orientation=1, more=()):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file, first = io.BytesIO(), pillow_heif.from_pillow(Image.fromarray(pixels))
    for one in more:
        first.add_from_pillow(Image.fromarray(one))
    first.save(file, quality=100, chroma=444, exif=exif.tobytes())
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_phone_s_image_is_upright_once(orientation, tmp_path):
    """Its container turns it, and its EXIF orientation says the same again."""
    content = heic(orientation=orientation)
    expected = pillow(encoded("PNG", orientation=orientation))
    assert np.abs(decode_image(content, "photo").astype(int) - expected).mean() < 3
    if orientation == 1:
        assert np.array_equal(decode_image(content, "photo", turn=False), decode_image(content, "photo"))
    else:
        with pytest.raises(UserError, match=r"photo: HEIC image that is turned: .* stored pixels"):
            decode_image(content, "photo", turn=False)
    assert image_head(content) == ImageHead(expected.shape[1], expected.shape[0])
    (tmp_path / "photo.heic").write_bytes(content)
    assert read_labelled_image(tmp_path / "photo.heic").shape == expected.shape, "which frame labels are of is plain"


def test_phone_s_images_that_cannot_be_used_say_why(monkeypatch, capsys):
    content = heic(more=[PIXELS[:32]])
    assert decode_image(content, "burst").shape == PIXELS.shape
    assert "burst: the file has several images" in capsys.readouterr().err
    content = heic()
    for cut in range(0, len(content) - 8, max(len(content) // 40, 1)):
        with pytest.raises(UserError, match=r"^photo: [^\n]*\Z"):
            decode_image(content[:cut], "photo")
    monkeypatch.setattr("poseur_lib.data.images.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(UserError, match="photo: image of 64 x 48 has more than 3071 pixels"):
        decode_image(content, "photo")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match=r"photo: HEIC images need pillow-heif: pip install 'poseur_lib\[heif\]'"):
        decode_image(content, "photo")


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_file_is_no_image(form):
    content = encoded(form)
    with pytest.raises(UserError, match=r"photo: (image file is truncated|not a readable image)"):
        decode_image(content[: len(content) // 2], "photo")


def labelled(root, orientation, **info):
    """A set of one square and one wide image with an EXIF orientation, labelled in the upright frame."""
    (root / "annotations").mkdir(exist_ok=True)
    images, people = [], []
    for number, pixels in enumerate((PIXELS[:, :48], PIXELS), start=1):
        content = encoded("PNG", np.ascontiguousarray(pixels), orientation=orientation)
        height, width = pillow(content).shape[:2]
        for split in ("train", "val"):
            (root / f"{split}2017").mkdir(exist_ok=True)
            (root / f"{split}2017" / f"{number}.png").write_bytes(content)
        images.append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
        points = np.column_stack([np.linspace(10, 30, 17), np.linspace(8, 36, 17), np.full(17, 2)]).reshape(-1).tolist()
        people.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [8, 6, 26, 34],
                       "area": 500, "num_keypoints": 17, "keypoints": points})  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.names)}
    body = {"info": info, "images": images, "annotations": people, "categories": [category]}
    for split in ("train", "val"):
        annotation_path(root, split).write_text(json.dumps(body))
    return root


def crops(root):
    people = CocoPeople(root, "val", COCO_17).people()
    return [crop.images for crop in PoseCrops(people, COCO_17, (64, 48), CropRule(), None, 0)]


def test_a_person_s_image_is_read_in_the_frame_of_the_labels(tmp_path):
    person = CocoPeople(labelled(tmp_path, 3, exif_orientation="ignored"), "val", COCO_17).people()[1]
    assert np.array_equal(read_person_image(person), PIXELS)
    turned = replace(person, label_frame="applied")
    assert np.array_equal(read_person_image(turned), PIXELS[::-1, ::-1])
    with pytest.raises(UserError, match=r"2.png: image is 64 x 48, but the annotation file says 32 x 24 \(image 2\)"):
        read_person_image(replace(person, image_size=(24, 32)))


@pytest.mark.parametrize("orientation", [2, 3, 4, 6])
def test_labels_of_a_turned_image_are_of_a_frame_that_is_said(tmp_path, orientation):
    root = labelled(tmp_path, orientation)
    with pytest.raises(UserError, match=rf'1.png: image has EXIF orientation {orientation}.*"exif_orientation"'):
        crops(root)
    found = [one for one in check_dataset(root, check_images=True).problems if "EXIF" in one]
    assert len(found) == (2 if orientation == 6 else 4)  # the sides of the wide image tell of a quarter turn
    turned = crops(labelled(tmp_path, orientation, exif_orientation="applied"))
    plain = crops(labelled(tmp_path, 1))
    if orientation == 3:
        stored = crops(labelled(tmp_path, 3, exif_orientation="ignored"))
        assert all((one == other).all() for one, other in zip(stored, plain, strict=True))
        assert not any((one == other).all() for one, other in zip(turned, plain, strict=True))
    with pytest.raises(UserError, match=r'must be "applied" or "ignored", got 5'):
        crops(labelled(tmp_path, orientation, exif_orientation=5))


def test_an_image_turned_against_its_labels_says_how_to_choose(tmp_path):
    root = labelled(tmp_path, 6, exif_orientation="applied")
    file = annotation_path(root, "val")
    content = json.loads(file.read_text())
    for image in content["images"]:
        image["height"], image["width"] = image["width"], image["height"]
    file.write_text(json.dumps(content))
    said = r'2.png: image is 48 x 64, but .* 64 x 48 .* EXIF orientation is 6.*"ignored"'
    with pytest.raises(UserError, match=said):
        crops(root)
    people = CocoPeople(root, "val", COCO_17)
    whole = WholeImages(labelled_images(people), COCO_17, WholeImageConfig(), (64, 64), 0, people.label_frame)
    with pytest.raises(UserError, match=said):
        list(whole[index] for index in range(2))


def test_boxes_of_a_coco_file_are_held_against_the_images(tmp_path):
    root = labelled(tmp_path, 3)
    images = [root / "val2017" / "1.png"]
    with pytest.raises(UserError, match=r"1.png: image has EXIF orientation 3"):
        read_boxes(annotation_path(root, "val"), images)
    file = annotation_path(labelled(tmp_path, 3, exif_orientation="applied"), "val")
    assert len(read_boxes(file, images).of_image[images[0]]) == 1
    file = annotation_path(labelled(tmp_path, 1), "val")
    cv2.imwrite(str(images[0]), PIXELS[:24, :24])
    with pytest.raises(UserError, match=r"1.png: image is 24 x 24, but .* says 48 x 48"):
        read_boxes(file, images)


def damaged():
    content = bytearray(encoded("JPEG", np.kron(PIXELS, np.ones((4, 4, 1), np.uint8)), quality=95))
    middle = len(content) // 2
    content[middle : middle + 8] = b"\xff\xd0" * 4  # restarts where none belong
    return bytes(content)


def test_a_decoder_s_words_name_the_file_and_count(tmp_path, capfd):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(damaged())
        assert read_image(tmp_path / name).shape == (192, 256, 3)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[0].startswith(
        f"{tmp_path / 'a.jpg'}: image is damaged and filled in (Corrupt JPEG"
    )
    assert lines[1].startswith(f"{tmp_path / 'b.jpg'}") and "such files" in lines[1]


def test_what_others_say_meanwhile_is_passed_on(capfd):
    """Python and child processes as they speak, C's libraries when the image is decoded, whatever the length."""
    libc = ctypes.CDLL(None)
    long = b"x" * 2**17

    def others():
        print("a TIFF of mine", file=sys.stderr, flush=True)
        subprocess.run("echo child >&2", shell=True)
        assert capfd.readouterr().err == "a TIFF of mine\nchild\n"
        for line in (b"Corrupt JPEG data: 3 extraneous bytes\n", long + b"\n", b"libpng warning: iCCP: odd\n"):
            libc.fputs(line, ctypes.c_void_p.in_dll(libc, "stderr"))

    words = heard(others)[1]
    assert words == ["Corrupt JPEG data: 3 extraneous bytes"]
    assert capfd.readouterr().err == long.decode() + "\n"


def test_of_images_that_are_decoded_at_a_time_the_damaged_one_is_named(capfd, monkeypatch):
    monkeypatch.setattr(decoder_words_module, "damaged", {})
    together, decode, met = threading.Barrier(2, timeout=30), images._imdecode, set()

    def meet(content, flags):
        first = threading.get_ident() not in met
        met.add(threading.get_ident())
        for _ in range(first):
            together.wait()
        image = decode(content, flags)
        for _ in range(first):
            together.wait()
        return image

    monkeypatch.setattr(images, "_imdecode", meet)
    contents = {"sound": encoded("JPEG"), "bad": damaged()}
    threads = [threading.Thread(target=decode_image, args=(content, name)) for name, content in contents.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(decoder_words_module.damaged) == ["bad"]


@pytest.mark.parametrize("closed", ["os.close(2)", "sys.stderr = None"])
def test_images_are_read_without_an_error_stream(tmp_path, closed):
    (tmp_path / "photo.jpg").write_bytes(damaged())
    code = (
        f"import os, sys; from pathlib import Path; from poseur_lib.data.images import read_image; {closed};"
        f"print(read_image(Path({str(tmp_path / 'photo.jpg')!r})).shape, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("(192, 256, 3)\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_hears_its_own_decoders(monkeypatch):
    monkeypatch.setattr(decoder_words_module, "damaged", {})

    def fork():
        child = os.fork()
        if not child:
            decode_image(damaged(), "photo")
            os._exit(0 if list(decoder_words_module.damaged) == ["photo"] else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert fork() == 0 and heard(fork) == (0, [])


def test_a_damaged_tiff_is_noted_and_private_fields_are_not(monkeypatch, capfd):
    monkeypatch.setattr(decoder_words_module, "damaged", {})
    sound = encoded("TIFF", compression="tiff_adobe_deflate", tiffinfo={65000: "private"})
    bad = bytearray(sound)
    bad[len(bad) // 2 : len(bad) // 2 + 40] = b"\x13" * 40
    decode_image(sound, "sound")
    decode_image(bytes(bad), "bad")
    assert list(decoder_words_module.damaged) == ["bad"]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("bad: image is damaged and filled in (")


def test_endless_and_huge_files_are_refused_before_they_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, tmp_path / "a\0b.png"):
        with pytest.raises(UserError, match=r"image cannot be read: (not a regular|Is a directory|not a file's name)"):
            read_image(path)
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"not a regular file"):
        read_image(tmp_path / "zero.png")
    bomb = bytearray(encoded("PNG"))
    bomb[16:24] = (30000).to_bytes(4, "big") * 2
    with pytest.raises(UserError, match=rf"30000 x 30000 has more than {MAX_PIXELS} pixels"):
        decode_image(bytes(bomb), "bomb")
    bomb = bytearray(encoded("BMP"))
    bomb[18:26] = (30000).to_bytes(4, "little") * 2
    with pytest.raises(UserError, match=r"bomb: image has more than"):
        decode_image(bytes(bomb), "bomb")


def test_a_colour_profile_that_does_not_fit_is_no_damage(tmp_path, capfd):
    """libpng warns of it; pixels are as they are."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.full((8, 8), 90, np.uint8)).save(tmp_path / "grey.png", icc_profile=profile)
    assert (read_image(tmp_path / "grey.png") == 90).all()
    assert capfd.readouterr().err == "" and str(tmp_path / "grey.png") not in decoder_words_module.damaged


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_image_is_taken_and_that_is_said_once(form, capfd):
    """A still of the same format says nothing."""
    more = [Image.fromarray(np.roll(PIXELS, shift, 1)) for shift in (20, 40)]
    still, animation = encoded(form), encoded(form, save_all=True, append_images=more)
    assert not image_head(still).several and image_head(animation).several
    decode_image(still, f"still {form}")
    for _ in range(2):
        decode_image(animation, f"own.{form}")
    said = f"own.{form}: the file has several images, as an animation or pages: the first is taken\n"
    assert capfd.readouterr().err == said
