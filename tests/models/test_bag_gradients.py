"""Sums of rows against the matrix that they mean: values, gradients, and what is refused."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.models.poseur.bag_gradients import sum_bags
from tests.study.projects import REPOSITORY


def inputs(bags, per_bag, cells, channels, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(cells, channels, generator=generator, dtype=dtype).requires_grad_()
    rows = torch.randint(cells, (bags, per_bag), generator=generator)
    weights = torch.randn(bags, per_bag, generator=generator, dtype=dtype).requires_grad_()
    return values, rows, weights


def by_matrix(values, rows, weights):
    return weights.new_zeros(len(rows), len(values)).scatter_add(1, rows, weights) @ values


@settings(max_examples=60)
@given(*(st.integers(1, most) for most in (9, 12, 30, 5)), st.integers(0, 2**16))
def test_sums_and_gradients_are_those_of_the_matrix(bags, per_bag, cells, channels, seed):
    """Rows come more than once in a bag, and where cells are many, some in none."""
    values, rows, weights = inputs(bags, per_bag, cells, channels, seed)
    sums, expected = sum_bags(values, rows, weights), by_matrix(values, rows, weights)
    torch.testing.assert_close(sums, expected)
    towards = torch.randn(sums.shape, generator=torch.Generator().manual_seed(seed), dtype=sums.dtype)
    gradients = (torch.autograd.grad(of, (values, weights), towards) for of in (sums, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_by_differences():
    values, rows, weights = inputs(4, 6, 9, 3)
    assert torch.autograd.gradcheck(lambda v, w: sum_bags(v, rows, w), (values, weights))


def test_each_gradient_alone():
    """One of the two may not be asked for: a frozen backbone's, say."""
    values, rows, weights = inputs(5, 7, 11, 3)
    both = torch.autograd.grad(sum_bags(values, rows, weights).sum(), (values, weights))
    (of_values,) = torch.autograd.grad(sum_bags(values, rows, weights.detach()).sum(), values)
    (of_weights,) = torch.autograd.grad(sum_bags(values.detach(), rows, weights).sum(), weights)
    assert torch.equal(of_values, both[0]) and torch.equal(of_weights, both[1])


def test_the_same_inputs_give_the_same_bits():
    values, rows, weights = inputs(200, 64, 500, 32, dtype=torch.float32)
    first, again = (torch.autograd.grad(sum_bags(values, rows, weights).sum(), (values, weights)) for _ in range(2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_a_value_that_is_not_finite_reaches_the_gradients_it_should():
    values, rows, weights = inputs(2, 3, 8, 2)
    rows = torch.tensor([[0, 1, 2], [3, 4, 5]])
    spoilt = values.detach().clone()
    spoilt[1] = torch.nan
    spoilt.requires_grad_()
    of_values, of_weights = torch.autograd.grad(sum_bags(spoilt, rows, weights).sum(), (spoilt, weights))
    assert of_values.isfinite().all()
    assert of_weights.isfinite().tolist() == [[True, False, True], [True, True, True]]


def test_second_derivatives_are_refused():
    values, rows, weights = inputs(2, 3, 4, 2)
    (first,) = torch.autograd.grad(sum_bags(values, rows, weights).square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_no_warning_of_torch_s_is_heard_and_no_filter_of_python_s_touched():
    """A filter set in a backward pass would be set in all threads, and make what was said once be said again."""
    code = (
        "import warnings, torch\n"
        "from poseur_lib.models.poseur.bag_gradients import sum_bags\n"
        "warnings.simplefilter('error')\n"
        "warnings.catch_warnings = None\n"
        "sum_bags(torch.rand(9, 3), torch.zeros(2, 4).long(), torch.rand(2, 4).requires_grad_()).sum().backward()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
