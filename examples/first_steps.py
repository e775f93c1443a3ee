"""First steps: what a gradient is, how it is asked for, kept, cleared, avoided, and differentiated again.

    python examples/first_steps.py [--lang en|fr] [--quick]

Replace the first import by `import torch` and the program prints the same numbers.
"""

import argparse

import tinygrad_fr as torch

WORDS = {
    "en": {
        "neuron": "A neuron, z = w·x + b",
        "backward": "after z.backward(): ∂z/∂w = x and ∂z/∂b = 1",
        "again": "a second backward adds to the first: gradients accumulate",
        "cleared": "w.grad = None clears them",
        "descent": "Gradient descent on (w·x + b − 3)², each step under no_grad",
        "step": "step {step:2d}  loss {loss:.6f}",
        "second": "The second derivative of x³ at x = 2 is 6x",
    },
    "fr": {
        "neuron": "Un neurone, z = w·x + b",
        "backward": "après z.backward() : ∂z/∂w = x et ∂z/∂b = 1",
        "again": "un second backward s'ajoute au premier : les gradients s'accumulent",
        "cleared": "w.grad = None les efface",
        "descent": "Descente de gradient sur (w·x + b − 3)², chaque pas sous no_grad",
        "step": "pas {step:2d}  perte {loss:.6f}",
        "second": "La dérivée seconde de x³ en x = 2 est 6x",
    },
}


def main(lang: str, steps: int) -> None:
    words = WORDS[lang]

    print(words["neuron"])
    x = torch.tensor([1.0, 2.0, -1.0])
    w = torch.tensor([0.5, -0.3, 0.8], requires_grad=True)
    b = torch.tensor(0.1, requires_grad=True)
    z = w @ x + b
    print("  z =", z)
    z.backward()
    print(f"  {words['backward']}:", w.grad, b.grad)
    (w @ x + b).backward()
    print(f"  {words['again']}:", w.grad, b.grad)
    w.grad = b.grad = None
    print(f"  {words['cleared']}:", w.grad)

    print(f"\n{words['descent']}")
    for step in range(1, steps + 1):
        loss = (w @ x + b - 3) ** 2
        dw, db = torch.autograd.grad(loss, [w, b])
        with torch.no_grad():
            w -= 0.05 * dw
            b -= 0.05 * db
        if step in (1, 2, 5, steps):
            print(" ", words["step"].format(step=step, loss=loss.item()))

    print(f"\n{words['second']}")
    t = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(t**3, t, create_graph=True)
    (second,) = torch.autograd.grad(first, t)
    print("  3x² =", first.item(), "  6x =", second.item())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="First steps with gradients.")
    parser.add_argument("--lang", choices=("en", "fr"), default="en")
    parser.add_argument("--quick", action="store_true", help="fewer steps, for CI")
    options = parser.parse_args()
    main(options.lang, steps=5 if options.quick else 20)
