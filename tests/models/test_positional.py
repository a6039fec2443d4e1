"""Positional encodings against the formula of supp. Sec. 7, element by element."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.models.poseur.memory import MemoryEmbedding
from poseur_lib.models.poseur.positional import map_encoding, point_encoding
from poseur_lib.models.poseur.queries import KeypointEncoder
from tests.models.small import small_config


def formula(position: float, d: int) -> list[float]:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d)), pos scaled to [0, 2 pi]."""
    pos = position * 2 * math.pi
    return [(math.cos if c % 2 else math.sin)(pos / 10000 ** ((c - c % 2) / d)) for c in range(d)]


@given(st.floats(-2, 3), st.floats(-2, 3), st.sampled_from([4, 32, 256]))
def test_points(x, y, dims):
    expected = torch.tensor(formula(x, dims // 2) + formula(y, dims // 2))
    torch.testing.assert_close(point_encoding(torch.tensor([x, y]), dims), expected, atol=5e-6, rtol=0)


@pytest.mark.parametrize(("height", "width", "first"), [(1, 1, 0.5), (3, 2, 0.5), (8, 6, 0.5), (2, 4, 1.0)])
def test_maps(height, width, first):
    """Cell centres or counts, rows first; y in the first half of the channels (points have x there, as released)."""
    encoding = map_encoding(height, width, 16, first=first)
    for row in range(height):
        for column in range(width):
            expected = formula((row + first) / height, 8) + formula((column + first) / width, 8)
            torch.testing.assert_close(encoding[row * width + column], torch.tensor(expected), atol=1e-5, rtol=0)


def test_memory_rows_are_cell_plus_place_plus_level():
    embedding = MemoryEmbedding(2, 8)
    maps = [torch.randn(2, 8, 3, 2), torch.randn(2, 8, 1, 1)]
    memory = embedding(maps)
    assert memory.sizes == ((3, 2), (1, 1))
    places = map_encoding(3, 2, 8)
    expected = maps[0][1, :, 2, 1] + places[2 * 2 + 1] + embedding.level_embedding[0]
    torch.testing.assert_close(memory.values[1, 5], expected)
    expected = maps[1][0, :, 0, 0] + map_encoding(1, 1, 8)[0] + embedding.level_embedding[1]
    torch.testing.assert_close(memory.values[0, 6], expected)


def test_query_of_the_paper_is_class_embedding_plus_location():
    encoder = KeypointEncoder(small_config(query_content="paper", class_embedding="content"), 5)
    points = torch.rand(2, 3, 5, 2)
    queries = encoder(points)
    assert queries.class_embedding is None
    torch.testing.assert_close(queries.content, point_encoding(points, 32) + encoder.class_embedding)


def test_query_of_the_released_code_knows_the_point_and_the_clipped_point():
    encoder = KeypointEncoder(small_config(), 5)
    points = torch.rand(1, 1, 5, 2) * 4 - 2
    queries = encoder(points)
    both = torch.cat([point_encoding(points, 32), point_encoding(points.clamp(0, 1), 32)], dim=-1)
    torch.testing.assert_close(queries.content, encoder.location_norm(encoder.location_proj(both)))
    assert queries.class_embedding is encoder.class_embedding
    assert encoder(points.clamp(0, 1)).content.ne(queries.content).any(), "points outside are told from the border"
