"""The generators of many samples at once: those that `augmentation_rng` makes one by one, several times as fast.

`numpy.random.default_rng([seed, epoch, index])` mixes the three numbers by `SeedSequence` into the state of a PCG64.
Both are fixed by numpy's promise that streams do not change; most of the time goes into making the objects. Here the
states of a batch are mixed together (the algorithm of `numpy/random/bit_generator.pyx`, after O'Neill's `seed_seq`) and
one generator takes one state after the other.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt32, UInt64

from poseur_lib.data.augment import augmentation_rng

WORD = 2**32
POOL = 4  # words of the entropy pool
INIT_A, MULT_A, INIT_B, MULT_B = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
MIX_LEFT, MIX_RIGHT, SHIFT = 0xCA01F9DD, 0x4973F715, 16
PCG_MULTIPLIER, PCG_MASK = 0x2360ED051FC65DA44385DF649FCCF645, 2**128 - 1


def sample_streams(seed: int, keys: Sequence[tuple[int, int]]) -> Iterator[np.random.Generator]:
    """The generators `augmentation_rng(seed, epoch, index)` of some (epoch, index); each is good until the next one."""
    words = np.array([(seed % WORD, *key) for key in keys], np.int64).reshape(-1, 3)
    if not 0 <= seed < WORD or (words >= WORD).any() or (words < 0).any():  # another number of words, or none
        yield from (augmentation_rng(seed, *key) for key in keys)
        return
    generator = np.random.Generator(np.random.PCG64(0))
    for high, low, increment_high, increment_low in _seed_states(words.astype(np.uint32)).tolist():
        increment = (((increment_high << 64) | increment_low) << 1 | 1) & PCG_MASK
        state = ((((high << 64) | low) + increment) * PCG_MULTIPLIER + increment) & PCG_MASK
        generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": increment},
            "has_uint32": 0,
            "uinteger": 0,
        }
        yield generator


def _seed_states(words: UInt32[np.ndarray, "B 3"]) -> UInt64[np.ndarray, "B 4"]:
    """`SeedSequence(row).generate_state(4, np.uint64)` of every row."""
    constant = INIT_A
    pool = []
    for column in (*words.T, np.zeros(len(words), np.uint32)):
        word, constant = _hash(column, constant, MULT_A)
        pool.append(word)
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                word, constant = _hash(pool[source], constant, MULT_A)
                mixed: np.ndarray = np.uint32(MIX_LEFT) * pool[target] - np.uint32(MIX_RIGHT) * word
                pool[target] = mixed ^ (mixed >> np.uint32(SHIFT))
    constant, drawn = INIT_B, []
    for position in range(2 * POOL):
        word, constant = _hash(pool[position % POOL], constant, MULT_B)
        drawn.append(word)
    return np.stack(drawn, axis=1).view("<u8").astype(np.uint64)


def _hash(words: UInt32[np.ndarray, "B"], constant: int, multiplier: int) -> tuple[UInt32[np.ndarray, "B"], int]:
    """One hashing step of 32-bit words, and the constant of the next one."""
    following = constant * multiplier % WORD
    hashed = (words ^ np.uint32(constant)) * np.uint32(following)
    return hashed ^ (hashed >> np.uint32(SHIFT)), following
