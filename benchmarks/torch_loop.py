"""The baseline's training step in PyTorch as it runs fastest on a CPU: channels last, bfloat16 autocast."""

import os
from collections.abc import Callable

import torch
from torch import nn

from siamese_utils.config import Experiment, Profile
from siamese_utils.data.dataset import Split
from siamese_utils.data.pairs import draw_pairs, gather


def build(experiment: Experiment, profile: Profile) -> tuple[nn.Sequential, nn.Linear]:
    """Build the backbone and the head of a convolutional experiment, initialized as by Keras."""
    recipe, side, channels = experiment.recipe, profile.image_size, 1
    stack: list[nn.Module] = []
    for number, filters in enumerate(recipe.filters):
        stack.append(nn.Conv2d(channels, filters, recipe.kernel_size, padding=profile.padding))
        if number == 0 and recipe.relu_before_norm:
            stack.append(nn.ReLU())
        stack += [nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.ReLU(), nn.MaxPool2d(2)]
        stack.append(nn.Dropout(recipe.dropout))
        side = (side if profile.padding == "same" else side - recipe.kernel_size + 1) // 2
        channels = filters
    stack += [nn.Flatten(), nn.Linear(side * side * channels, recipe.embedding), nn.Sigmoid()]
    backbone, head = nn.Sequential(*stack), nn.Linear(recipe.embedding, 1)
    for layer in (*backbone, head):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return backbone.to(memory_format=torch.channels_last), head


def stepper(experiment: Experiment, profile: Profile, split: Split) -> Callable[[int], float]:
    """Make the function that takes the training step of a number, on this package's batches, and returns its loss."""
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    recipe, (backbone, head) = experiment.recipe, build(experiment, profile)
    weights = [*backbone.parameters(), *head.parameters()]
    kernels = [weight for weight in weights if weight.ndim > 1]
    rate, batch_size = recipe.learning_rate, profile.batch_size or recipe.batch_size
    optimizer = torch.optim.Adam(weights, lr=rate.initial, eps=1e-7)

    def embed(picks) -> torch.Tensor:
        images = torch.from_numpy(gather(split.images, picks)).permute(0, 3, 1, 2)
        return backbone(images.float().contiguous(memory_format=torch.channels_last)).float()

    def step(number: int) -> float:
        pairs = draw_pairs(split, batch_size, [0, number])
        if rate.decay_rate is not None:
            decayed = rate.initial * rate.decay_rate ** (number / profile.scaled(rate.decay_steps))
            optimizer.param_groups[0]["lr"] = decayed
        with torch.autocast("cpu", dtype=torch.bfloat16):
            left, right = embed(pairs.left), embed(pairs.right)
        similarity = head((left - right).abs())[:, 0]
        labels = torch.from_numpy(pairs.labels)
        loss = nn.functional.binary_cross_entropy_with_logits(similarity, labels)
        loss = loss + recipe.l2 * sum(kernel.square().sum() for kernel in kernels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
