"""Products with a matrix of weights on a CPU, for few rows.

A step for a few streams reads all weights once, and reading takes longer than multiplying. Where every weight is exact
in 16 bits, as in checkpoints that are published so, FBGEMM reads 16 bits and multiplies and adds in float32. That gives
the same numbers up to the order of sums. With many rows oneDNN is faster.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

# [rows, in] -> [rows, out]: the product with a matrix, plus its bias.
Product = Callable[[Tensor], Tensor]

# Up to so many rows weights in 16 bits are faster. For the embedded talker's 25 products, on an AMD core with AVX2,
# they take 0.54 of oneDNN's time with 1 row, 0.6 with 8 and 0.8 with 32; with 60 it is 1.28.
FEW_ROWS = 32


def for_few_rows(weight: Tensor, bias: Tensor | None) -> Product | None:
    """The product with `weight` [out, in], read in 16 bits. None where that would change a weight, or where this
    processor cannot do it."""
    if weight.device.type != "cpu" or weight.dtype is not torch.float32 or not _exact_in_half(weight):
        return None
    try:
        packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)
    except RuntimeError:  # FBGEMM needs AVX2
        return None
    multiply = torch.ops.quantized.linear_dynamic_fp16.default

    def product(x: Tensor) -> Tensor:
        out: Tensor = multiply(x, packed)
        return out

    return product


def few_row_products(modules: list[nn.Module]) -> dict[nn.Module, Product]:
    """By module, for those that have one. To be made before vLLM rearranges the weights for itself."""
    made = {module: for_few_rows(module.weight, module.bias) for module in modules}  # type: ignore[arg-type]
    return {module: product for module, product in made.items() if product is not None}


def _exact_in_half(weight: Tensor) -> bool:
    return bool((weight.half().float() == weight).all())
