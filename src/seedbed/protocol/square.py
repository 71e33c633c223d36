"""The square of neither, ASCT alone, CAR-T alone and both: derive the arms a protocol does not have."""

from __future__ import annotations

from seedbed.protocol.elements import Lymphodepletion
from seedbed.protocol.schema import Arm, ArmContent, Protocol, Therapy

LYMPHODEPLETION = "square_lymphodepletion"
SUFFIX = "_alone"


def square(protocol: Protocol, *, of: str | None = None) -> Protocol:
    """Return the protocol with the missing corners of the square around an arm of ASCT and CAR-T.

    Parameters
    ----------
    protocol : as read
    of : the combined arm; the first one when not given

    Returns
    -------
    Protocol
        The derived arms keep the selection, the care and the drugs of the combined arm as far as their clock runs;
        CAR-T alone follows the lymphodepletion that the protocol names. A corner that the protocol has stays. The
        protocol is returned unchanged when it has no combined arm.
    """
    combined = [arm for arm in protocol.arms.values() if arm.therapy == "asct_cart" and of in (None, arm.id)]
    if not combined:
        return protocol
    arm = combined[0]
    present = {other.therapy for other in protocol.arms.values()}
    elements, arms = dict(protocol.elements), dict(protocol.arm_contents)
    for therapy in ("asct", "cart", "neither"):
        if therapy not in present:
            arms[_free_name(therapy, arms)] = _corner(arm, therapy, elements)
    return protocol.model_copy(update={"elements": elements, "arm_contents": arms})


def _free_name(therapy: Therapy, arms: dict[str, ArmContent]) -> str:
    return therapy if therapy not in arms else f"{therapy}{SUFFIX}"


def _corner(arm: Arm, therapy: Therapy, elements: dict) -> ArmContent:
    names = [name for name in arm.elements if _belongs(arm, name, therapy)]
    if therapy == "cart":
        names = [_on_cart_clock(arm, name, elements) for name in names]
        if not any(elements[name].kind == "lymphodepletion" for name in names):
            elements[LYMPHODEPLETION] = Lymphodepletion(
                kind="lymphodepletion", regimen=arm.protocol.square_lymphodepletion
            )
            names.insert(0, LYMPHODEPLETION)
    return ArmContent(
        title=arm.protocol.inputs.corners[therapy],
        elements=tuple(names),
        care=arm.care,
        selection=arm.selection,
        derived_from=arm.id,
    )


def _belongs(arm: Arm, name: str, therapy: Therapy) -> bool:
    element = arm.elements[name]
    if element.clock == "enrollment":
        return True
    if therapy == "asct":
        return element.clock == "stem_cells" and element.kind != "cart"
    return therapy == "cart" and (element.clock == "cart" or element.kind == "cart")


def _on_cart_clock(arm: Arm, name: str, elements: dict) -> str:
    """Return the id of an element on the CAR-T clock, adding a moved copy where it stood on the other."""
    element = arm.elements[name]
    if element.kind != "cart" or element.clock == "cart":
        return name
    moved = f"{name}{SUFFIX}"
    elements[moved] = element.model_copy(update={"clock": "cart", "day": element.day - arm.cart_elements[0].day})
    return moved
