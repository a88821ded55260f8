"""What turns numbers of tokens into units that layers take. Number 0 fills up what is too short, and adds nothing.

Axes: B examples, T steps, W width.
"""

from __future__ import annotations

from torch import Tensor, nn

WINDOW = 8
"""Tokens that the scores of a position are told from: its own and those before it."""


class MeanOfTokens(nn.Module):
    """The mean of the embeddings of an example's tokens, and a bias: (B, T) int64 to (B, W).

    A text as a bag of words (fastText: Joulin et al., arXiv 1607.01759), without its n-grams.

    Args:
        vocabulary: how many tokens there are, 0 included.
        width: W.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.bias = nn.Parameter(self.embedding.weight.new_zeros(width))

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return mean(self.embedding(tokens_BT), tokens_BT) + self.bias


class WindowOfTokens(nn.Module):
    """For every position a mixture of its token and those before it: (B, T) int64 to (B·T, W), example by example.

    After Bengio et al. ("A neural probabilistic language model", 2003), who tell the next word from the embeddings of
    the last few. Deviation: these are not concatenated, but added up, each unit with a weight of its own for each place
    in the window (a causal depthwise convolution over `WINDOW` tokens); nothing stands before the first.

    Args:
        vocabulary: how many tokens there are, 0 included.
        width: W.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.window = nn.Conv1d(width, width, WINDOW, groups=width)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return self.window(before(self.embedding(tokens_BT))).mT.flatten(0, 1)


def mean(embedded_BTW: Tensor, tokens_BT: Tensor) -> Tensor:
    """The mean over tokens, but for those that fill up: (B, W); 0 where there is no other."""
    count_B1 = (tokens_BT > 0).sum(1, keepdim=True).clamp(min=1)
    return embedded_BTW.sum(1) / count_B1.to(embedded_BTW.dtype)


def before(embedded_BTW: Tensor) -> Tensor:
    """As the window's convolution takes them: (B, W, WINDOW - 1 + T), with zeros in front."""
    return nn.functional.pad(embedded_BTW.mT, (WINDOW - 1, 0))
