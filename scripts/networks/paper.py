"""The worked examples of Khan, Madhukar and Sharma, "Efficient Adversarial Input Generation via Neural Net Patching"
(arXiv 2211.16808), as networks, and two of our own in their manner.

`paper_fig1` is the paper's: the equations that it prints determine the network of its Fig. 1 and 2. The weights of Fig. 3 and 4 are in
its drawings alone; `paper_fig3` is the simplest network that has their printed values. Both are tested number by number in
src/search/strategy/patch/tests/worked_example.rs.

`toy` was found by an exact search over small whole weights for a network, without biases, on which the printed second-layer
patch, the printed first-layer values and the printed adversarial input follow from each other as well. It holds in fractions
(checked below). `marked` is for the simplification by marking.
"""

from fractions import Fraction as F

import common

# At (1/2, 1/2): values (1, 1/2), (7/2, 3/2), (-5, -13/2).
FIG1 = ([[1, 1], [-1, 2]], [[2, 3], [1, 1]], [[2, -8], [-4, 5]])
# At (3, 4): -2 and 2.
FIG3 = ([[-1, 1], [-1, 1]], [[-1, -1], [1, 1]])

TOY = ([[1, 4], [2, -1]], [[3, -5], [1, 2]], [[2, -1], [1, 0]])
TOY_INPUT = (F(1), F(1))
PATCH = ((F(-9, 8), F(-17, 4)), (F(-5, 4), F(-1, 4)))
FIRST_LAYER = (F(1, 4), F(1, 8))
ADVERSARIAL = (F(1, 12), F(1, 24))

# Output marked "increment": hidden neurons of layer 2 get +, -; of layer 1 get +, -, and neutral (both paths).
MARKED = ([[1, 2], [3, -1], [-1, 1]], [[2, -1, 1], [-1, 1, 2]], [[1, -1]])


def times(matrix, vector):
    return tuple(sum(F(w) * v for w, v in zip(row, vector)) for row in matrix)


def relu(vector):
    return tuple(max(v, F(0)) for v in vector)


def check_figures():
    """The printed values."""
    first, second, last = FIG1
    hidden = times(first, (F(1, 2), F(1, 2)))
    assert hidden == (1, F(1, 2)) and times(second, hidden) == (F(7, 2), F(3, 2))
    assert times(last, times(second, hidden)) == (-5, F(-13, 2))
    at = times(last, relu(times(second, relu(times(first, ADVERSARIAL)))))
    assert at == (F(-1, 2), F(-3, 8)), "the order of the outputs flips"
    assert times(FIG3[1], relu(times(FIG3[0], (F(3), F(4))))) == (-2, 2)


def check_toy():
    """Every printed number that holds there, exactly."""
    first, second, last = TOY
    hidden = relu(times(first, TOY_INPUT))
    patched = tuple(tuple(w + e for w, e in zip(*rows)) for rows in zip(second, PATCH))
    target = times(patched, hidden)
    before = times(last, relu(times(second, hidden)))
    after = times(last, relu(target))
    assert before[0] > before[1] and after[0] < after[1], "the patch changes the decision"
    assert all(t > 0 for t in target), "and keeps the phases"
    assert times(second, FIRST_LAYER) == target, "c realises the patched layer's values"
    assert times(first, ADVERSARIAL) == FIRST_LAYER, "the adversarial input realises c"
    assert times(last, relu(times(second, relu(times(first, ADVERSARIAL))))) == after


def zero_biases(matrices):
    return [(matrix, [0] * len(matrix)) for matrix in matrices]


def decision(name, matrices, comment, lower, upper, unsafe, outputs=2, seed=1):
    """A network with its property."""
    common.save(name, common.fully_connected(name, zero_biases(matrices)), 0, 1, seed=seed)
    common.vnnlib(name, comment, [lower] * 2, [upper] * 2, outputs, [unsafe])


def make():
    check_figures()
    check_toy()
    decision("paper_fig1", FIG1, ["The decision at (1/2, 1/2) is output 0; here output 1 is larger by 1/8 or more."],
             0.0, 1.0, "(>= Y_1 (+ Y_0 0.125))")
    decision("paper_fig3", FIG3, ["The outputs at (3, 4) are -2 and 2; here output 0 is larger."], -4.0, 4.0, "(>= Y_0 (+ Y_1 1.0))")
    decision("toy", TOY, ["The decision at (1, 1) is output 0; here output 1 is at least as large.",
                          "The box leaves out the origin, where both are 0."], 0.01, 1.0, "(<= Y_0 Y_1)")
    decision("marked", MARKED, ["The output at (1, 1) is 4; here it is at least 5.2. The largest is 16/3, at (1/3, 1)."],
             0.0, 1.0, "(>= Y_0 5.2)", outputs=1, seed=2)
    yield "paper_fig1", "paper_fig1", "sat", "the paper's adversarial input (1/12, 1/24)"
    yield "paper_fig3", "paper_fig3", "unsat", "output 0 is never positive and output 1 never negative"
    yield "toy", "toy", "sat", "the paper's adversarial input (1/12, 1/24)"
    yield "marked", "marked", *marked_truth()


def marked_truth():
    """The largest output, over a fine grid that holds the vertices of most regions."""
    grid = [F(i, 24) for i in range(25)]
    best = max((marked((a, b)), a, b) for a in grid for b in grid)
    assert best[0] == F(16, 3) and marked((F(1), F(1))) == 4, best
    return "sat", f"({best[1]}, {best[2]}) gives {best[0]}"


def marked(point):
    first, second, last = MARKED
    return times(last, relu(times(second, relu(times(first, point)))))[0]
