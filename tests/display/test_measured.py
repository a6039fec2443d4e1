"""Numbers of seeds, in words."""

from poseur_study.display.words import seed_words


def test_seeds_are_said_row_by_row_only_where_they_differ():
    assert seed_words({"a": 1}) == "1 seed" and seed_words({"a": 3, "b": 3}) == "3 seeds"
    assert seed_words({"a": 3, "b": 1, "c": 3}) == "1 seed (b), 3 seeds (a; c)"
