"""The wiring found from the equations, and its picture."""

import xml.etree.ElementTree as ElementTree

import pytest

from seedbed.model import model_names, read_model
from seedbed.model.diagram import draw, words
from seedbed.model.influences import Wiring


def found(model):
    return {(i.source, i.target): i.sign for i in Wiring(model).influences()}


def test_signs_of_a_small_model(small):
    assert found(read_model(small.path)) == {("drug", "tumor"): -1}


def test_signs_that_a_physician_expects():
    signs = found(read_model("asct_cart"))
    expected = {
        ("IL15_plasma", "cart_effector"): 1,
        ("t_regulatory", "cart_effector"): -1,
        ("tumor_double_positive", "cart_effector"): 1,
        ("t_memory", "IL15_plasma"): -1,
        ("cart_total", "IL15_plasma"): -1,
        ("tissue_injury", "IL15_plasma"): 1,
        ("cart_killers", "tumor_double_positive"): -1,
        ("macrophage_activated", "IL6_plasma"): 1,
        ("dexamethasone_effect", "macrophage_activated"): -1,
        ("interferon_gamma_plasma", "marrow_inflammation"): 1,
        ("marrow_inflammation", "neutrophil_progenitor"): -1,
        ("cart_effector_cns", "tumor_cns_positive"): -1,
        ("thymus_function", "t_naive"): 1,
        ("anti_pd1_effect", "cart_exhausted"): -1,
        ("IL6_receptor_occupancy", "IL6_plasma"): 1,
    }
    assert {pair: signs.get(pair) for pair in expected} == expected


@pytest.mark.parametrize("name", model_names())
def test_every_model_can_be_drawn(name):
    model = read_model(name)
    text = draw(model)
    root = ElementTree.fromstring(text)
    shown = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {words(state) for state in model.states} <= shown
    assert {mechanism.content.title for mechanism in model.mechanisms if mechanism.states} <= shown


def test_nothing_is_drawn_outside_the_page():
    root = ElementTree.fromstring(draw(read_model("asct_cart")))
    width, height = float(root.get("width")), float(root.get("height"))
    for box in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.get("x", 0)) + float(box.get("width")) <= width
        assert float(box.get("y", 0)) + float(box.get("height")) <= height
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        if text.get("text-anchor") is None:
            assert float(text.get("x")) + 5.5 * len(text.text) <= width
