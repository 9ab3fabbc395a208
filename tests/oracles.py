"""BERT, its losses and its optimiser in float64 NumPy: what the project is checked against.

Written from the papers, for reading rather than for speed, and without any of the
project's code. Parameters are a dict of name -> array, named by the path that leads to
them ("encoder/layers/0/attention/qkv/kernel"); a function takes the part of the dict
that is its own, which `under` cuts out.

  B batch, S sequence, H hidden, N heads, D head size, F feed-forward, V vocabulary,
  P predictions (masked positions per sequence), C classes.

Sources:
  BERT       Devlin et al. 2018, https://arxiv.org/abs/1810.04805
  Attention  Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
  LayerNorm  Ba et al. 2016, https://arxiv.org/abs/1607.06450
  GELU       Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
  ALiBi      Press et al. 2021, https://arxiv.org/abs/2108.12409
  Neighbours Johnson and Zhang 2015, https://arxiv.org/abs/1412.1058
  Adam       Kingma and Ba 2014, https://arxiv.org/abs/1412.6980
  AdamW      Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101
  Clipping   Pascanu et al. 2012, https://arxiv.org/abs/1211.5063
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Parameters = dict[str, Array]


class Architecture(NamedTuple):
    """What the shapes of the parameters do not tell."""

    num_heads: int
    activation: str = "gelu"
    layer_norm_eps: float = 1e-12
    alibi_slopes: tuple[float, ...] = ()
    neighbour_offsets: tuple[int, ...] = ()
    pooling: str = "cls"


def under(parameters: Parameters, prefix: str) -> Parameters:
    """The parameters below `prefix`, named from there on."""
    start = prefix + "/"
    return {k.removeprefix(start): x for k, x in parameters.items() if k.startswith(start)}


# ---- activations ----


def gelu(x: Array) -> Array:
    """x Phi(x), with Phi(x) = (1 + erf(x / sqrt 2)) / 2 the normal distribution."""
    return x * (1 + _erf(x / math.sqrt(2))) / 2


_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu_new(x: Array) -> Array:
    """GELU, section 2: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new, "relu": relu}


# ---- layers ----


def dense(p: Parameters, x: Array) -> Array:
    """x W + b."""
    return x @ p["kernel"] + p["bias"]


def layer_norm(p: Parameters, x: Array, eps: float) -> Array:
    """LayerNorm, equation 4, with eps under the root: each vector to mean 0, variance 1."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return p["gamma"] * centred / np.sqrt(variance + eps) + p["beta"]


def softmax(x: Array) -> Array:
    """exp(x_i) / sum_j exp(x_j) over the last axis; the greatest x is taken off first."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# ---- encoder ----


def embeddings(
    p: Parameters, a: Architecture, input_ids: Array, mask: Array, segment_ids: Array
) -> Array:
    """BERT, figure 2: word + position + segment [B, S, H], normalised.

    With neighbours, to each token is added what those that many places on say, if they are
    there and visible.
    """
    positions = p["position"][: input_ids.shape[1]]
    x = p["word"][input_ids] + positions + p["segment"][segment_ids]
    length = input_ids.shape[1]
    for table, offset in enumerate(a.neighbour_offsets):
        for row, here in np.ndindex(input_ids.shape):
            there = here + offset
            if 0 <= there < length and mask[row, there] == 1:
                x[row, here] += p[f"neighbours/tables/{table}"][input_ids[row, there]]
    return layer_norm(under(p, "norm"), x, a.layer_norm_eps)


def attention_maps(
    p: Parameters, x: Array, mask: Array, num_heads: int, slopes: tuple[float, ...] = ()
) -> list[Array]:
    """Attention, equation 1: softmax(Q K^T / sqrt D) of each head, N times [B, S, S].

    Keys where `mask` [B, S] is 0 get no weight. ALiBi takes slope |i - j| off the score
    of query i and key j. The columns of `qkv` are those of the queries (head 0, 1, ...),
    then those of the keys, then those of the values.
    """
    position = np.arange(x.shape[1])
    distance = np.abs(position[:, None] - position)  # [S, S]
    maps = []
    for head in range(num_heads):
        query, key, _ = _head(p, x, head, num_heads)
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])  # [B, S, S]
        if slopes:
            scores = scores - slopes[head] * distance
        maps.append(softmax(np.where(mask[:, None, :] == 1, scores, -np.inf)))
    return maps


def attention(
    p: Parameters, x: Array, mask: Array, num_heads: int, slopes: tuple[float, ...] = ()
) -> Array:
    """Attention, section 3.2.2: each head's map times its values, side by side, times W."""
    maps = attention_maps(p, x, mask, num_heads, slopes)
    values = [_head(p, x, head, num_heads)[2] for head in range(num_heads)]
    context = np.concatenate([m @ v for m, v in zip(maps, values, strict=True)], axis=-1)
    return dense(under(p, "output"), context)  # [B, S, H]


def _head(p: Parameters, x: Array, head: int, num_heads: int) -> list[Array]:
    """Query, key and value of one head, [B, S, D] each."""
    hidden = x.shape[-1]
    size = hidden // num_heads
    kernel, bias = p["qkv/kernel"], p["qkv/bias"]
    starts = [which * hidden + head * size for which in range(3)]
    return [x @ kernel[:, i : i + size] + bias[i : i + size] for i in starts]


def block(p: Parameters, x: Array, mask: Array, a: Architecture) -> Array:
    """Attention, section 3.1: LayerNorm(x + sublayer(x)), for attention and feed-forward."""
    attended = attention(under(p, "attention"), x, mask, a.num_heads, a.alibi_slopes)
    x = layer_norm(under(p, "attention_norm"), x + attended, a.layer_norm_eps)
    inner = ACTIVATIONS[a.activation](dense(under(p, "intermediate"), x))  # [B, S, F]
    fed = dense(under(p, "output"), inner)
    return layer_norm(under(p, "output_norm"), x + fed, a.layer_norm_eps)


def hidden_states(
    p: Parameters, a: Architecture, input_ids: Array, mask: Array, segment_ids: Array
) -> list[Array]:
    """The embeddings and what each block makes of them, [B, S, H] each."""
    states = [embeddings(under(p, "embeddings"), a, input_ids, mask, segment_ids)]
    while layer := under(p, f"layers/{len(states) - 1}"):
        states.append(block(layer, states[-1], mask, a))
    return states


# ---- heads ----


def mlm_head(p: Parameters, x: Array, word: Array, a: Architecture) -> Array:
    """[..., H] -> [..., V]: a dense layer, LayerNorm, and the word embeddings as output.

    Of google-research/bert, run_pretraining.py, get_masked_lm_output.
    """
    x = ACTIVATIONS[a.activation](dense(under(p, "transform"), x))
    return layer_norm(under(p, "norm"), x, a.layer_norm_eps) @ word.T + p["bias"]


def cls_pooler(p: Parameters, x: Array) -> Array:
    """tanh(W x + b) of each sequence's first vector (google-research/bert, modeling.py)."""
    return np.tanh(dense(under(p, "dense"), x[:, 0]))


def mean_pooler(x: Array, mask: Array) -> Array:
    """The mean of each sequence's vectors where `mask` is 1."""
    return np.stack([row[visible == 1].mean(0) for row, visible in zip(x, mask, strict=True)])


def detector_pooler(p: Parameters, x: Array, mask: Array) -> Array:
    """The mean of each sequence's vectors where `mask` is 1, then the largest of each of
    relu(x W) there (max-over-time pooling)."""
    seen = [row[visible == 1] for row, visible in zip(x, mask, strict=True)]
    kernel = p["detectors/kernel"]
    found = [np.maximum(row @ kernel, 0.0).max(0) for row in seen]
    return np.stack(
        [np.concatenate([row.mean(0), y]) for row, y in zip(seen, found, strict=True)]
    )


def mlm_logits(p: Parameters, a: Architecture, input_ids: Array, positions: Array) -> Array:
    """[B, P, V] for the masked positions [B, P]; nothing is padded, all is segment 0."""
    all_visible, segment_0 = np.ones_like(input_ids), np.zeros_like(input_ids)
    x = hidden_states(under(p, "encoder"), a, input_ids, all_visible, segment_0)[-1]
    masked = np.stack([row[places] for row, places in zip(x, positions, strict=True)])
    return mlm_head(under(p, "head"), masked, p["encoder/embeddings/word"], a)


def classifier_logits(
    p: Parameters, a: Architecture, input_ids: Array, mask: Array, segment_ids: Array
) -> Array:
    """[B, C]: one linear layer on the pooled sequence."""
    x = hidden_states(under(p, "encoder"), a, input_ids, mask, segment_ids)[-1]
    pooled = {
        "cls": lambda: cls_pooler(under(p, "pooler"), x),
        "mean": lambda: mean_pooler(x, mask),
        "detectors": lambda: detector_pooler(under(p, "pooler"), x, mask),
    }[a.pooling]()
    return dense(under(p, "output"), pooled)


def token_logits(
    p: Parameters, a: Architecture, input_ids: Array, mask: Array, segment_ids: Array
) -> Array:
    """[B, S, C]: one linear layer on each token (BERT, section 5.3, fine-tuned)."""
    x = hidden_states(under(p, "encoder"), a, input_ids, mask, segment_ids)[-1]
    return dense(under(p, "output"), x)


# ---- losses ----


def cross_entropy(logits: Array, labels: Array, weights: Array) -> tuple[float, float]:
    """(sum, weight): sum_i w_i (-ln softmax(logits_i)[label_i]), and sum_i w_i."""
    greatest = logits.max(-1)
    log_normaliser = greatest + np.log(np.exp(logits - greatest[:, None]).sum(-1))
    losses = log_normaliser - logits[np.arange(len(labels)), labels]
    return float((losses * weights).sum()), float(weights.sum())


def accuracy(logits: Array, labels: Array, weights: Array) -> tuple[float, float]:
    """(sum, weight): the weight of the rows whose greatest logit is the label's."""
    return float(weights[logits.argmax(-1) == labels].sum()), float(weights.sum())


def mlm_loss(
    p: Parameters,
    a: Architecture,
    input_ids: Array,
    positions: Array,
    ids: Array,
    weights: Array,
) -> float:
    """The mean cross-entropy of the masked tokens; weight 0 is filling."""
    logits = mlm_logits(p, a, input_ids, positions)
    total, weight = cross_entropy(
        logits.reshape(-1, logits.shape[-1]), ids.ravel(), weights.ravel()
    )
    return total / weight


def classifier_loss(
    p: Parameters,
    a: Architecture,
    input_ids: Array,
    mask: Array,
    segment_ids: Array,
    labels: Array,
    weights: Array,
) -> float:
    """The mean cross-entropy of the texts; weight 0 is filling."""
    total, weight = cross_entropy(
        classifier_logits(p, a, input_ids, mask, segment_ids), labels, weights
    )
    return total / weight


def regressor_loss(
    p: Parameters,
    a: Architecture,
    input_ids: Array,
    mask: Array,
    segment_ids: Array,
    targets: Array,
    weights: Array,
) -> float:
    """The mean squared error of a classifier's one number; weight 0 is filling."""
    numbers = classifier_logits(p, a, input_ids, mask, segment_ids)[:, 0]
    return float((weights * (numbers - targets) ** 2).sum() / weights.sum())


def token_classifier_loss(
    p: Parameters,
    a: Architecture,
    input_ids: Array,
    mask: Array,
    segment_ids: Array,
    labels: Array,
    weights: Array,
) -> float:
    """The mean cross-entropy of the tokens; weight 0 has no label."""
    logits = token_logits(p, a, input_ids, mask, segment_ids)
    rows = logits.reshape(-1, logits.shape[-1]), labels.ravel(), weights.ravel()
    total, weight = cross_entropy(*rows)
    return total / weight


# ---- optimiser ----


def schedule(step: Array, peak: float, total: int, warmup: int, power: float) -> Array:
    """peak min((s + 1) / W, ((T - s) / (T - W))^power), W = warmup and T = total steps.

    Up to the end of the warmup the first is at most 1 and the second at least, after it
    the other way round.
    """
    rise = (step + 1) / warmup if warmup else np.inf
    return peak * np.minimum(rise, ((total - step) / (total - warmup)) ** power)


def global_norm(gradients: Iterable[Array]) -> float:
    """The length of all gradients laid end to end."""
    return float(np.linalg.norm(np.concatenate([g.ravel() for g in gradients])))


def clip(gradients: Parameters, most: float) -> Parameters:
    """Clipping, algorithm 1: g most / |g| where the global norm |g| is above `most`."""
    norm = global_norm(gradients.values())
    return {k: g * most / norm for k, g in gradients.items()} if norm > most else gradients


class AdamW:
    """AdamW, algorithm 2; beta1^t and beta2^t correct the bias of moments that start at 0.

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        x = x - rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + decay x)

    The decay is multiplied by the rate, and spares vectors: biases, gamma and beta.
    """

    def __init__(self, beta1: float, beta2: float, eps: float, decay: float):
        self.beta1, self.beta2, self.eps, self.decay = beta1, beta2, eps, decay
        self.t = 0
        self.m: Parameters = {}
        self.v: Parameters = {}

    def update(self, parameters: Parameters, gradients: Parameters, rate: float) -> Parameters:
        """The parameters after one more step."""
        self.t += 1
        return {k: self._update(k, x, gradients[k], rate) for k, x in parameters.items()}

    def _update(self, name: str, x: Array, g: Array, rate: float) -> Array:
        m = self.m[name] = self.beta1 * self.m.get(name, 0) + (1 - self.beta1) * g
        v = self.v[name] = self.beta2 * self.v.get(name, 0) + (1 - self.beta2) * g**2
        m_hat, v_hat = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
        decay = self.decay if x.ndim > 1 else 0
        return x - rate * (m_hat / (np.sqrt(v_hat) + self.eps) + decay * x)


class Lamb(AdamW):
    """LAMB, algorithm 2 with phi(z) = z: r is Adam's step, and lambda the decay.

        x = x - rate |x| / |r + lambda x| (r + lambda x)

    Vectors take AdamW's step; so does what has norm 0 or is not moved.
    """

    def _update(self, name: str, x: Array, g: Array, rate: float) -> Array:
        step = x - super()._update(name, x, g, 1.0)
        norms = math.sqrt(np.sum(x**2)), math.sqrt(np.sum(step**2))
        ratio = norms[0] / norms[1] if x.ndim > 1 and all(norms) else 1.0
        return x - rate * ratio * step


# ---- gradients ----

Loss = Callable[[Parameters], float]


def partial_derivative(
    loss: Loss, parameters: Parameters, name: str, index: tuple[int, ...], h: float = 1e-5
) -> float:
    """(loss(x + h) - loss(x - h)) / 2h for one number; its error is of order h^2."""
    losses = []
    for shift in (h, -h):
        shifted = parameters[name].copy()
        shifted[index] += shift
        losses.append(loss({**parameters, name: shifted}))
    return (losses[0] - losses[1]) / (2 * h)


def gradient(loss: Loss, parameters: Parameters) -> Parameters:
    """All partial derivatives; affordable for a few hundred numbers."""
    gradients = {name: np.zeros_like(x) for name, x in parameters.items()}
    for name, g in gradients.items():
        for index in np.ndindex(g.shape):
            g[index] = partial_derivative(loss, parameters, name, index)
    return gradients
