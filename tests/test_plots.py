"""Plots: what is drawn is what was measured, in either language, and nothing is told by colour alone."""

from __future__ import annotations

import inspect
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_fr as tg
from examples import plots as lesson
from tinygrad_fr import nn
from tinygrad_fr.datasets import digits
from tinygrad_fr.diagnosis import diagnose
from tinygrad_fr.visual import plots

LANGUAGES = pytest.mark.parametrize("lang", ["en", "fr"])


@pytest.fixture(autouse=True)
def matplotlib() -> Any:
    return pytest.importorskip("matplotlib")


def network(activation: Any = nn.Tanh) -> nn.Sequential:
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), activation(), nn.Linear(3, 1), nn.Sigmoid())


def written(drawing: Any) -> str:
    """All that can be read in a figure, the numbers on its axes included."""
    return "\n".join(text.get_text() for text in texts(drawing))


def texts(drawing: Any) -> list[Any]:
    """The pieces of text in a figure, laid out."""
    drawing.draw_without_rendering()
    return [text for text in drawing.findobj(pytest.importorskip("matplotlib.text").Text) if text.get_text()]


def legend(drawing: Any) -> list[str]:
    boxes = [*drawing.legends, *(axes.get_legend() for axes in drawing.axes)]
    return [text.get_text() for box in boxes if box for text in box.get_texts()]


POINTS, CLASSES = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])


def every_plot(lang: str) -> dict[str, Any]:
    """A figure of each kind."""
    net, (images, labels) = network(), digits()[1]
    report = diagnose(net, net(tg.from_numpy(POINTS)).pow(2).mean(), lang=lang)
    return {
        "loss": plots.loss_curve({"0.1": [1, 0.5, 0.25], "1000": [1, 50, math.nan]}, lang=lang),
        "activations": plots.activations(["sigmoid", nn.ReLU()], lang=lang),
        "boundary": plots.decision_boundary(net, POINTS, CLASSES, points=20, lang=lang),
        "histograms": plots.histograms(report),
        "norms": plots.gradient_norms(report),
        "predictions": plots.predictions(images[:3], [7, 9, 5], labels[:3], lang=lang),
        "weights": plots.weight_images(nn.Linear(64, 5), lang=lang),
    }


# -- all of them -----------------------------------------------------------------------------------------------------------


def test_each_plot_is_in_its_language_and_can_be_read_from_afar() -> None:
    drawings = every_plot("fr")
    english, french = ({name: written(d) for name, d in found.items()} for found in (every_plot("en"), drawings))
    for name, text in french.items():
        assert text != english[name], f"{name} says the same in both languages"
        assert min(text.get_fontsize() for text in texts(drawings[name])) >= 12
        assert not re.search(r"\d\.\d", text.replace("0.1", "")), f"a decimal point in French: {text}"
    assert "," in french["histograms"] and "." in english["histograms"] and "−" in english["histograms"]


def test_a_plot_is_saved_where_it_is_told_and_is_the_same_each_time(tmp_path: Path) -> None:
    for ending in ("png", "svg", "pdf"):
        first, second = tmp_path / f"1.{ending}", tmp_path / f"2.{ending}"
        for path in (first, second):
            with plots.page(5, 4, path=path, lang="fr") as drawing:
                plots.decision_boundary(network(), POINTS, CLASSES, points=10, axes=drawing.subplots(), lang="fr")
        assert first.read_bytes() == second.read_bytes(), f"{ending} differs from run to run"


@LANGUAGES
def test_without_matplotlib_the_error_says_what_to_install(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    drawing = [f for name, f in vars(plots).items() if inspect.isfunction(f) and "path" in inspect.signature(f).parameters]
    assert len([f for f in drawing if f.__name__[0] != "_"]) == 9
    with pytest.raises(ImportError, match="python -m pip install matplotlib") as caught:
        plots.loss_curve([1.0], lang=lang)
    assert str(caught.value).startswith({"en": "No picture: ", "fr": "Pas d'image : "}[lang])


def test_words_are_there_in_both_languages() -> None:
    assert plots.WORDS["en"].keys() == plots.WORDS["fr"].keys()


def test_several_plots_share_a_page() -> None:
    net = network()
    with plots.page(14, 6, lang="fr") as drawing:
        left, right = drawing.subplots(1, 2)
        assert plots.loss_curve([0.5, 0.25], axes=left, lang="fr") is drawing
        assert plots.decision_boundary(net, POINTS, CLASSES, axes=right, points=20, lang="fr") is drawing
    assert "époque" in written(drawing) and legend(drawing)[:2] == ["classe 0", "classe 1"]
    assert "0,5" in written(drawing)


# -- one by one ------------------------------------------------------------------------------------------------------------


def test_losses_have_names_dashes_and_an_end() -> None:
    drawing = plots.loss_curve(
        {"a": [3, 2, 1], "b": [3, 4, 5], "c": [1, math.nan, 2], "d": [1, 9, math.inf], "e": [1, math.nan, math.nan]}, log=True
    )
    (axes,) = drawing.axes
    named = {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
    assert len({line.get_linestyle() for line in list(named.values())[:4]}) == 4 and legend(drawing) == list("abcde")
    assert axes.get_yscale() == "log" and list(named["a"].get_xdata()) == [1, 2, 3]
    crosses = [line for line in axes.lines if line.get_marker() == "X"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(2, 9), (1, 1)]
    assert {"NaN", "∞"} <= set(written(drawing).split("\n"))
    axes = plots.loss_curve([2, 1], x=[10, 20], xlabel="pas").axes[0]
    assert list(axes.lines[0].get_xdata()) == [10, 20] and axes.get_ylim()[0] == 0
    plots.loss_curve([], lang="en")


def test_a_logarithmic_scale_has_plain_numbers_or_powers_of_ten() -> None:
    near = written(plots.loss_curve([0.7, 0.3, 0.15], log=True, lang="fr")).splitlines()
    assert {"0,2", "0,3", "0,5"} <= set(near) and not any("10" in text for text in near)
    far = written(plots.loss_curve([1, 1e-6], log=True, lang="fr"))
    assert "10^{-3}" in far and "0,001" not in far


def test_functions_are_drawn_with_the_derivative_of_autograd() -> None:
    bell, cube = lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, lambda x: 3 * x**2
    drawing = plots.activations(["sigmoid", nn.LeakyReLU(0.1), lambda x: x**3], low=-2, high=2, lang="fr")
    assert [axes.get_title() for axes in drawing.axes] == ["sigmoïde", "Leaky ReLU", "<lambda>", ""]
    for axes, slope in zip(drawing.axes, (bell, None, cube), strict=False):
        value, derivative = axes.lines[:2]
        assert value.get_linestyle() != derivative.get_linestyle()
        if slope is not None:
            x = derivative.get_xdata()
            np.testing.assert_allclose(derivative.get_ydata(), slope(x), atol=1e-9)
    y = drawing.axes[1].lines[1].get_ydata()
    assert np.isnan(y).sum() == 1 and set(y[~np.isnan(y)]) == {0.1, 1.0}, "the line is lifted where the derivative jumps"
    assert [a.get_title() for a in plots.activations({"moi": tg.tanh}).axes] == ["moi"]
    with pytest.raises(AttributeError):
        plots.activations("rilu")


def test_boundaries_of_two_classes_and_of_many() -> None:
    """Each point of the plane has the class that the model gives it; markers, hatches and a line tell them apart."""
    for model, count in (
        (lambda x: x[:, 0] * 0.5 + 0.25, 2), (lambda x: tg.stack([-x[:, 0], x[:, 0] - 1, x[:, 1] * 3 - 2], dim=1), 3),
    ):  # fmt: skip
        drawing = plots.decision_boundary(model, tg.tensor(POINTS), CLASSES, classes=list("xyz")[:count], margin=0.5, points=40)
        (axes,) = drawing.axes
        markers = [line.get_marker() for line in axes.lines if len(line.get_xdata())]
        assert len(set(markers)) == 2 and legend(drawing) == list("xyz")[:count]
        regions = [c for c in axes.collections if getattr(c, "hatches", None) and c.filled]
        assert len({region.hatches[0] for region in regions}) == count
        plane = np.stack(np.meshgrid(np.linspace(-0.4, 1.4, 6), np.linspace(-0.45, 1.45, 6)), axis=-1).reshape(-1, 2)
        outputs = np.asarray(model(tg.tensor(plane.astype(np.float32)))).reshape(len(plane), -1)
        wanted = outputs.argmax(1) if count > 2 else (outputs[:, 0] > 0.5).astype(int)
        for point, number in zip(plane, wanted, strict=True):
            inside = [path.contains_point(point) for region in regions[number : number + 1] for path in region.get_paths()]
            assert any(inside), (point, number)
        lines = [c for c in axes.collections if not getattr(c, "filled", True)]
        assert lines and all(line.get_linewidths()[0] >= 2 for line in lines)


def test_a_model_is_asked_without_leaving_a_trace() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    net[2].eval()
    before = [p.tolist() for p in (*net.parameters(), *net.buffers())]
    tg.manual_seed(7)
    plots.decision_boundary(net, POINTS, CLASSES, points=10, beside={"itself": net}, threshold=0)
    assert tg.rand(2).tolist() == (tg.manual_seed(7), tg.rand(2))[1].tolist()
    assert [p.tolist() for p in (*net.parameters(), *net.buffers())] == before
    assert [module.training for module in net.modules()] == [True, True, True, False, True]
    assert all(p.grad is None for p in net.parameters())


def test_layers_have_histograms_of_weights_values_and_gradients() -> None:
    net = network()
    report = diagnose(net, net(tg.from_numpy(POINTS)).pow(2).mean(), lang="fr")
    drawing = plots.histograms(report, bins=5)
    assert len(drawing.axes) == 12
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in drawing.axes]
    assert counts == [9, 12, 12, 0, 12, 12, 4, 4, 4, 0, 4, 4]
    assert "aucun" in written(drawing) and "0\nLinear" in written(drawing)
    report.snapshot = None
    with pytest.raises(ValueError, match="let go of its graph"):
        plots.histograms(report)


def test_norms_show_what_is_ill() -> None:
    tg.manual_seed(0)
    net = nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.Sigmoid())], nn.Linear(8, 1))
    report = diagnose(net, net(tg.randn(20, 8)).pow(2).mean(), lang="en")
    (axes,) = plots.gradient_norms(report).axes
    ill = {verdict.layer for verdict in report.verdicts}
    crosses = next(line for line in axes.lines if line.get_label() == "ill layer")
    assert len(crosses.get_xdata()) == len(ill) > 2 and crosses.get_marker() == "X"
    wanted = [layer.gradient for layer in report.layers if layer.parameters]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), wanted)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(2 * i) for i in range(9)]
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    nn.init.constant_(net[0].bias, -50.0)
    drawing = plots.gradient_norms(diagnose(net, net(tg.randn(20, 8)).pow(2).mean(), lang="en"))
    assert legend(drawing) == ["ill layer", "gradient 0"]
    with pytest.raises(ValueError, match="no layer has a gradient"):
        plots.gradient_norms(diagnose(nn.Sequential(), tg.ones(2, requires_grad=True).sum()))


def test_right_and_wrong_are_told_apart_without_colour() -> None:
    images, labels = digits()[1]
    drawing = plots.predictions(tg.from_numpy(images[:3]), tg.tensor([7, 9, 5]), labels[:3], columns=2, lang="fr")
    assert [axes.get_title() for axes in drawing.axes] == ["✓ 7", "✓ 9", "✗ 5, c'est 4", ""]
    widths = [axes.spines["left"].get_linewidth() for axes in drawing.axes]
    assert widths[2] > 4 * widths[0] and drawing.axes[2].title.get_fontweight() == "bold"
    np.testing.assert_array_equal(drawing.axes[0].images[0].get_array(), images[0].reshape(8, 8))
    assert not drawing.axes[3].spines["left"].get_visible()
    with pytest.raises(ValueError, match="no image"):
        plots.image_grid([])
    with pytest.raises(ValueError, match="is no square"):
        plots.image_grid([np.zeros(7)])


def test_weights_as_images_have_one_scale_around_zero() -> None:
    layer = nn.Linear(6, 3)
    drawing = plots.weight_images(layer, shape=(2, 3), columns=2, lang="en")
    shown = [axes.images[0] for axes in drawing.axes if axes.images]
    largest = layer.weight.abs().max().item()
    assert len(shown) == 3 and all(image.get_clim() == (-largest, largest) for image in shown)
    np.testing.assert_array_equal(shown[1].get_array(), layer.weight[1].detach().numpy().reshape(2, 3))
    for wrong, why in ((layer.bias, "a row for each neuron"), (layer, "is no square")):
        with pytest.raises(ValueError, match=why):
            plots.weight_images(wrong)
    with pytest.raises(ValueError, match="no image of 4 × 4 pixels"):
        plots.weight_images(layer, shape=(4, 4))


def test_shapes_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="examples of two numbers"):
        plots.decision_boundary(network(), np.zeros((3, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="the model must give"):
        plots.decision_boundary(lambda x: x.sum(), POINTS, CLASSES, points=5)


def test_the_example_draws_each_plot_or_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson.main("fr", tmp_path, steps=2)
    said = capsys.readouterr().out
    assert all(2_000 < file.stat().st_size < 150_000 for file in tmp_path.iterdir())
    names = sorted(file.stem for file in tmp_path.iterdir())
    assert names == sorted({"losses", "boundary", "activations", "histograms", "norms", "predictions", "weights"})
    assert all(lesson.WORDS["fr"][name] in said for name in names)
    assert lesson.WORDS["en"].keys() == lesson.WORDS["fr"].keys()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lesson.main("fr", tmp_path, steps=1)
    assert capsys.readouterr().out == plots.WORDS["fr"]["no matplotlib"] + "\n"


def test_the_pictures_of_the_pages_are_there_in_both_languages_and_small() -> None:
    docs = Path(__file__).resolve().parent.parent / "docs"
    names = {lang: {file.name for file in (docs / "pictures" / lang).iterdir()} for lang in ("en", "fr")}
    assert names["en"] == names["fr"] and len(names["en"]) > 10
    assert all(file.stat().st_size < 100_000 for file in docs.glob("pictures/*/*"))
    for page, lang in (("teaching.md", "en"), ("enseigner.md", "fr")):
        shown = set(re.findall(rf"\(pictures/{lang}/([\w.]+)\)", (docs / page).read_text(encoding="utf-8")))
        assert shown == names[lang]
