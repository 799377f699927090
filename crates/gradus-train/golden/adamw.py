"""Writes adamw.json: six steps of PyTorch's AdamW with gradient clipping.

python adamw.py > adamw.json        (needs torch; made with 2.15.0)
"""

import json

import torch

MAX_GRAD_NORM = 1.0
RATES = [1e-3, 2e-3, 3e-3, 2e-3, 1e-3, 5e-4]

torch.manual_seed(0)
matrix = torch.nn.Parameter(torch.randn(2, 3))
norm = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.AdamW(
    [{"params": [matrix], "weight_decay": 0.01}, {"params": [norm], "weight_decay": 0.0}],
    lr=1.0,
    betas=(0.9, 0.98),
    eps=1e-8,
)


def flat(*tensors):
    return [value for tensor in tensors for value in tensor.detach().flatten().tolist()]


weights = flat(matrix, norm)
steps = []
for step, rate in enumerate(RATES):
    # The third step has tiny gradients, which clipping must leave alone.
    scale = 1e-3 if step == 2 else 1.0
    matrix.grad = scale * torch.randn(2, 3)
    norm.grad = scale * torch.randn(3)
    gradients = flat(matrix.grad, norm.grad)
    total = torch.nn.utils.clip_grad_norm_([matrix, norm], MAX_GRAD_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    steps.append(
        {
            "learning_rate": rate,
            "gradients": gradients,
            "grad_norm": total.item(),
            "weights": flat(matrix, norm),
        }
    )
print(json.dumps({"torch": torch.__version__, "decaying": 6, "weights": weights, "steps": steps}))
