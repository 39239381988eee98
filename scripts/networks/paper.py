"""The worked examples of Khan, Madhukar and Sharma, "Efficient Adversarial Input Generation via Neural Net Patching"
(arXiv 2211.16808), as networks.

The equations that the paper prints determine its Fig. 1: that network is in src/search/patch/tests/worked_example.rs.
`fig1` here is another one, made before we had seen that: an exact search over small whole weights for a network,
without biases, on which the printed second-layer patch, the printed first-layer values and the printed adversarial input
follow from each other. It holds in fractions (checked below). `fig3` is a network of our own for the simplification by marking.
"""

from fractions import Fraction as F

import common

FIG1 = ([[1, 4], [2, -1]], [[3, -5], [1, 2]], [[2, -1], [1, 0]])
FIG1_INPUT = (F(1), F(1))
FIG1_PATCH = ((F(-9, 8), F(-17, 4)), (F(-5, 4), F(-1, 4)))
FIG1_FIRST_LAYER = (F(1, 4), F(1, 8))
FIG1_ADVERSARIAL = (F(1, 12), F(1, 24))

# Output marked "increment": hidden neurons of layer 2 get +, -; of layer 1 get +, -, and neutral (both paths).
FIG3 = ([[1, 2], [3, -1], [-1, 1]], [[2, -1, 1], [-1, 1, 2]], [[1, -1]])


def times(matrix, vector):
    return tuple(sum(F(w) * v for w, v in zip(row, vector)) for row in matrix)


def relu(vector):
    return tuple(max(v, F(0)) for v in vector)


def check_fig1():
    """Every printed number, exactly."""
    first, second, last = FIG1
    hidden = relu(times(first, FIG1_INPUT))
    patched = tuple(tuple(w + e for w, e in zip(*rows)) for rows in zip(second, FIG1_PATCH))
    target = times(patched, hidden)
    before = times(last, relu(times(second, hidden)))
    after = times(last, relu(target))
    assert before[0] > before[1] and after[0] < after[1], "the patch changes the decision"
    assert all(t > 0 for t in target), "and keeps the phases"
    assert times(second, FIG1_FIRST_LAYER) == target, "c realises the patched layer's values"
    assert times(first, FIG1_ADVERSARIAL) == FIG1_FIRST_LAYER, "the adversarial input realises c"
    assert times(last, relu(times(second, relu(times(first, FIG1_ADVERSARIAL))))) == after


def zero_biases(matrices):
    return [(matrix, [0] * len(matrix)) for matrix in matrices]


def make():
    check_fig1()
    common.save("paper_fig1", common.fully_connected("paper_fig1", zero_biases(FIG1)), 0, 1, seed=1)
    common.vnnlib(
        "paper_fig1",
        ["The decision at (1, 1) is output 0; here output 1 is at least as large.",
         "The box leaves out the origin, where both are 0."],
        [0.01] * 2, [1.0] * 2, 2, ["(<= Y_0 Y_1)"],
    )
    common.save("paper_fig3", common.fully_connected("paper_fig3", zero_biases(FIG3)), 0, 1, seed=2)
    common.vnnlib(
        "paper_fig3",
        ["The output at (1, 1) is 4; here it is at least 5.2. The largest is 16/3, at (1/3, 1)."],
        [0.0] * 2, [1.0] * 2, 1, ["(>= Y_0 5.2)"],
    )
    yield "paper_fig1", "paper_fig1", "sat", "the paper's adversarial input (1/12, 1/24)"
    yield "paper_fig3", "paper_fig3", *fig3_truth()


def fig3_truth():
    """The largest output, over a fine grid that holds the vertices of most regions."""
    grid = [F(i, 24) for i in range(25)]
    best = max((fig3((a, b)), a, b) for a in grid for b in grid)
    assert best[0] == F(16, 3) and fig3((F(1), F(1))) == 4, best
    return "sat", f"({best[1]}, {best[2]}) gives {best[0]}"


def fig3(point):
    first, second, last = FIG3
    return times(last, relu(times(second, relu(times(first, point)))))[0]
