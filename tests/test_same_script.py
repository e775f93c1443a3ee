"""One training script, run by PyTorch and by tinygrad_fr: only the import differs, and the printed losses are the same.

What PyTorch printed is recorded, so that the promise is kept where PyTorch is not installed.
"""

from __future__ import annotations

from typing import Any

import pytest

from tinygrad_fr.datasets import digits

SCRIPT = """
import IMPORT as torch
from IMPORT import nn
from IMPORT.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.drop = nn.Dropout(0.1)
        self.output = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.output(self.drop(x))


model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
loader = DataLoader(TensorDataset(torch.from_numpy(images), torch.from_numpy(labels)), batch_size=64, shuffle=True)

step = 0
while step < 100:
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        print(f"{step} {loss.item():.5f}")
        if step == 100:
            break
    scheduler.step()
print(model)
print(f"{torch.rand(1).item():.6f}")
"""

RECORDED = {1: 2.29632, 2: 2.27136, 3: 2.24424, 10: 1.93046, 25: 0.92567, 50: 0.45593, 75: 0.52333, 100: 0.32848}


def lines(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    (images, labels), _ = digits()
    space: dict[str, Any] = {"images": images, "labels": labels}
    exec(compile(SCRIPT.replace("IMPORT", name), f"<the script on {name}>", "exec"), space)
    return capsys.readouterr().out.splitlines()


def test_the_script_prints_what_it_printed_with_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    said = lines("tinygrad_fr", capsys)
    for step, loss in RECORDED.items():
        number, printed = said[step - 1].split()
        assert int(number) == step and float(printed) == pytest.approx(loss, abs=2e-5)
    assert said[-1] == "0.114490"
    assert said[100:105] == [
        "Net(",
        "  (hidden): Linear(in_features=64, out_features=32, bias=True)",
        "  (drop): Dropout(p=0.1, inplace=False)",
        "  (output): Linear(in_features=32, out_features=10, bias=True)",
        ")",
    ]


def test_the_script_prints_the_same_with_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    ours, theirs = lines("tinygrad_fr", capsys), lines("torch", capsys)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours[:100], theirs[:100], strict=True):
        assert float(mine.split()[1]) == pytest.approx(float(other.split()[1]), abs=2e-5), (mine, other)
    assert ours[100:] == theirs[100:]  # the model as it prints, and the next random number
