"""Named checks of a protocol; each returns the problems it finds, with their places in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from seedbed import library
from seedbed.documents import Document, Key
from seedbed.errors import Problem, nearest
from seedbed.model import read_model
from seedbed.protocol.catalogue import DrugDoses, Product
from seedbed.protocol.elements import CarT, StemCells
from seedbed.protocol.quantities import UNITS, convertible
from seedbed.protocol.schema import Arm, ParameterChange, Protocol

Keys = Sequence[Key]


def _unknown(document: Document, kind: str, word: str, known: Sequence[str], keys: Keys) -> Problem:
    known = sorted(known)
    expected = f"one of {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
    return document.problem(f'unknown {kind} "{word}"', keys, expected=expected, nearest=nearest(word, known))


def complete_arms(protocol: Protocol) -> Iterator[Arm]:
    """Yield the arms whose elements all exist."""
    for name, content in protocol.arm_contents.items():
        if all(element in protocol.elements for element in content.elements):
            yield Arm(protocol, name)


def _all_doses(protocol: Protocol) -> Iterator[tuple[tuple[Key, ...], DrugDoses]]:
    """Yield every drug of every element and inline regimen, with its place."""
    for name, element in protocol.elements.items():
        if not isinstance(element, StemCells | CarT):
            for index, drug in enumerate(element.drugs or ()):
                yield ("elements", name, "drugs", index), drug
    for name, regimen in protocol.regimens.items():
        for index, drug in enumerate(regimen.drugs):
            yield ("regimens", name, "drugs", index), drug


def every_element_exists(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that an arm is built from elements of the protocol."""
    return [
        _unknown(document, "element", element, list(protocol.elements), ("arms", name, "elements", index))
        for name, arm in protocol.arm_contents.items()
        for index, element in enumerate(arm.elements)
        if element not in protocol.elements
    ]


def every_element_is_used(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that every element belongs to an arm."""
    used = {element for arm in protocol.arm_contents.values() for element in arm.elements}
    return [
        document.problem(f'element "{name}" is in no arm', ("elements", name), cure="use it or remove it")
        for name in protocol.elements
        if name not in used
    ]


def every_reference_exists(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that regimens, products and the lymphodepletion of the square stand in the file or in the library."""
    problems = []
    for name, element in protocol.elements.items():
        regimen, product = getattr(element, "regimen", None), getattr(element, "product", None)
        for kind, word, found in (
            ("regimen", regimen, protocol.regimens),
            ("product", product, protocol.products),
        ):
            if word is not None and word not in found:
                known = sorted({*found, *library.names(f"{kind}s")})
                problems.append(_unknown(document, kind, word, known, ("elements", name, kind)))
    if protocol.square_lymphodepletion not in protocol.regimens:
        known = library.names("regimens")
        keys = ("square_lymphodepletion",)
        problems.append(_unknown(document, "regimen", protocol.square_lymphodepletion, known, keys))
    return problems


def every_drug_is_known(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that every drug stands in the catalogue of drugs."""
    return [
        _unknown(document, "drug", drug.drug, list(protocol.drugs), (*keys, "drug"))
        for keys, drug in _all_doses(protocol)
        if drug.drug not in protocol.drugs
    ]


def every_dose_has_a_fitting_unit(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that a drug's dose is in a unit that can be turned into the model's input."""
    problems = []
    for keys, drug in _all_doses(protocol):
        if drug.drug not in protocol.drugs:
            continue
        for entry in protocol.drugs[drug.drug].inputs:
            if not convertible(drug.unit, entry.unit):
                fitting = [unit for unit in UNITS if convertible(unit, entry.unit)]
                problems.append(
                    document.problem(
                        f'unit "{drug.unit}" does not fit {drug.drug}',
                        (*keys, "unit"),
                        expected="one of " + ", ".join(fitting),
                        nearest=nearest(drug.unit, fitting),
                    )
                )
                break
    return problems


def days_are_in_order(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that days rise, conditioning and lymphodepletion end before the cells, and parts of a dose follow on."""
    problems = []
    for keys, drug in _all_doses(protocol):
        days = drug.dose_days()
        if not days:
            problems.append(document.problem(f"{drug.drug} is given on no day: last is before first", keys))
        elif any(first >= second for first, second in pairwise(days)):
            problems.append(document.problem(f"days of {drug.drug} do not rise: {list(days)}", (*keys, "days")))
    for name, element in protocol.elements.items():
        if isinstance(element, CarT):
            problems += _infusion_order(name, element, document)
        elif not isinstance(element, StemCells) and element.kind in ("conditioning", "lymphodepletion"):
            problems += _before_cells(protocol, name, document)
    return problems


def _before_cells(protocol: Protocol, name: str, document: Document) -> list[Problem]:
    element = protocol.elements[name]
    if element.regimen is not None and element.regimen not in protocol.regimens:
        return []
    cells = "stem cells" if element.kind == "conditioning" else "CAR-T cells"
    return [
        document.problem(
            f"{drug.drug} on day {max(drug.dose_days())} of {element.kind}",
            ("elements", name, "regimen" if element.regimen else "drugs"),
            expected=f"days before the {cells} (below 0)",
        )
        for drug in protocol.doses_of(element)
        if drug.dose_days() and max(drug.dose_days()) >= 0
    ]


def _infusion_order(name: str, element: CarT, document: Document) -> list[Problem]:
    keys = ("elements", name, "infusions")
    days = [infusion.day for infusion in element.infusions]
    problems = []
    if days[0] != 0 or any(first >= second for first, second in pairwise(days)):
        what = f"days of the infusions {days}"
        problems.append(document.problem(what, keys, expected="rising days that begin with 0, the first infusion"))
    shares = [infusion.share for infusion in element.infusions]
    if abs(sum(shares) - 1) > 1e-6 and any(share != 1 for share in shares):
        what = f"the shares of the dose sum to {sum(shares):g}"
        problems.append(document.problem(what, keys, expected="1 for a split dose, or 1 each for repeated doses"))
    return problems


def arms_are_possible(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that an arm's clocks exist, its graft has conditioning, and CAR-T cells do not precede its first drug."""
    problems = []
    for arm in complete_arms(protocol):
        keys = ("arms", arm.id, "elements")
        kinds = [element.kind for element in arm.elements.values()]
        if kinds.count("stem_cells") > 1:
            problems.append(document.problem(f'arm "{arm.id}" gives stem cells twice', keys))
        if ("conditioning" in kinds) != ("stem_cells" in kinds):
            what = f'arm "{arm.id}" has {"conditioning" if "conditioning" in kinds else "stem cells"} alone'
            problems.append(document.problem(what, keys, expected="conditioning and stem cells together"))
        problems += _clock_problems(arm, document)
        problems += _first_infusion_problems(protocol, arm, document)
    return problems


def _clock_problems(arm: Arm, document: Document) -> list[Problem]:
    running = {"enrollment", *(["stem_cells"] if arm.has_graft else []), *(["cart"] if arm.has_cart else [])}
    first = arm.cart_elements[0] if arm.has_cart else None
    problems = [
        document.problem(
            f'element "{name}" counts days from the {element.clock} clock, which arm "{arm.id}" does not have',
            ("elements", name, "clock"),
            expected=f"one of {', '.join(sorted(running))}",
        )
        for name, element in arm.elements.items()
        if element.clock not in running
    ]
    if arm.has_graft and first is not None and first.clock == "cart":
        name = next(name for name, element in arm.elements.items() if element is first)
        cure = "use clock: stem_cells"
        what = f'the first CAR-T infusion of "{arm.id}" is not placed against the stem cells'
        problems.append(document.problem(what, ("elements", name, "clock"), cure=cure))
    return problems


def _first_infusion_problems(protocol: Protocol, arm: Arm, document: Document) -> list[Problem]:
    regimens = [element.regimen for element in arm.drug_elements.values() if element.regimen]
    if arm.cart_offset is None or any(regimen not in protocol.regimens for regimen in regimens):
        return []
    start = arm.first_drug_day("stem_cells")
    if arm.cart_offset > start:
        return []
    name = next(name for name, element in arm.elements.items() if element is arm.cart_elements[0])
    what = f'CAR-T cells on day {arm.cart_offset} of "{arm.id}", not after the first conditioning on day {start}'
    return [document.problem(what, ("elements", name, "day"), expected=f"a day after {start}")]


def every_product_has_a_target(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that a CAR-T product recognizes at least one antigen, and only known ones."""
    problems = []
    for name, product in protocol.products.items():
        keys = _product_place(protocol, document, name)
        if not product.antigens:
            what = f'CAR-T product "{name}" has no target'
            problems.append(document.problem(what, keys, expected=f"antigens among {', '.join(protocol.antigens)}"))
        problems += [
            _unknown(document, f'antigen of product "{name}"', antigen, list(protocol.antigens), keys)
            for antigen in product.antigens
            if antigen not in protocol.antigens
        ]
        if product.composition != "single" and len(product.antigens) < 2:
            what = f'CAR-T product "{name}" is a {product.composition} of {len(product.antigens)} antigen'
            problems.append(document.problem(what, keys, expected="two antigens or more"))
    return problems


def _product_place(protocol: Protocol, document: Document, name: str) -> Keys:
    """Return where a product stands in the file: its own entry, or the element that names it."""
    if isinstance(document.data, dict) and name in (document.data.get("products") or {}):
        return ("products", name, "antigens")
    user = next(key for key, item in protocol.elements.items() if isinstance(item, CarT) and item.product == name)
    return ("elements", user, "product")


def eligibility_is_not_empty(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that the protocol says who is eligible."""
    if protocol.eligibility:
        return []
    cure = "state at least one condition, such as {covariate: age, at_least: 18}"
    return [document.problem("eligibility is empty", ("eligibility",), cure=cure)]


def products_agree_within_an_arm(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that all CAR-T products of an arm share their costimulation, because the model has one for all cells."""
    problems = []
    for arm in complete_arms(protocol):
        products = [protocol.products.get(item.product) for item in arm.cart_elements]
        found = sorted({product.costimulation for product in products if isinstance(product, Product)})
        if len(found) > 1:
            what = f'arm "{arm.id}" mixes products with costimulation {" and ".join(found)}'
            problems.append(document.problem(what, ("arms", arm.id, "elements"), expected="the same in one arm"))
    return problems


def every_care_rule_exists(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that the care rules stand in the library."""
    known = library.names("care")
    return [
        _unknown(document, "care", care, known, ("arms", name, "care", index))
        for name, arm in protocol.arm_contents.items()
        for index, care in enumerate(arm.care)
        if care not in known
    ]


def emulated_arms_exist(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that the arms said to emulate a study are arms of the protocol."""
    if protocol.emulates is None:
        return []
    return [
        _unknown(document, "arm", name, list(protocol.arm_contents), ("emulates", "arms", name))
        for name in protocol.emulates.arms
        if name not in protocol.arm_contents
    ]


def assessments_are_in_order(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that visit days rise and lie within the follow-up."""
    problems = []
    for name, assessment in protocol.assessments.items():
        keys = ("assessments", name, "days")
        if any(first >= second for first, second in pairwise(assessment.days)):
            problems.append(document.problem(f"days of assessment {name} do not rise", keys))
        if assessment.days[-1] > protocol.follow_up_days:
            what = f"assessment {name} on day {assessment.days[-1]}"
            expected = f"at most follow_up_days = {protocol.follow_up_days}"
            problems.append(document.problem(what, keys, expected=expected))
    return problems


def every_parameter_change_fits_the_model(protocol: Protocol, document: Document) -> list[Problem]:
    """Check that an arm changes parameters that the model has, in their units, and that act through its equations."""
    return [
        problem
        for name, arm in protocol.arm_contents.items()
        for problem in parameter_problems(protocol.model, arm.parameters, document, ("arms", name, "parameters"))
    ]


def parameter_problems(
    model: str, changes: Mapping[str, ParameterChange], document: Document, keys: Keys
) -> Iterator[Problem]:
    """Yield where changes of parameters do not fit a model; `keys` is their place in the document."""
    known = read_model(model).parameters if changes else {}
    for name, change in changes.items():
        place = (*keys, name)
        if name not in known:
            yield _unknown(document, "parameter", name, list(known), place)
        elif change.unit is not None and change.unit != known[name].unit:
            what, expected = f'unit "{change.unit}" of {name}', f'"{known[name].unit}", as in the model'
            yield document.problem(what, (*place, "unit"), expected=expected)
        elif known[name].used_in == "doses":
            yield document.problem(f"{name} only scales doses", place, cure="change the dose of the element instead")


CHECKS: tuple[Callable[[Protocol, Document], list[Problem]], ...] = (
    every_element_exists,
    every_element_is_used,
    every_reference_exists,
    every_drug_is_known,
    every_dose_has_a_fitting_unit,
    days_are_in_order,
    arms_are_possible,
    every_product_has_a_target,
    products_agree_within_an_arm,
    eligibility_is_not_empty,
    every_care_rule_exists,
    emulated_arms_exist,
    assessments_are_in_order,
    every_parameter_change_fits_the_model,
)
